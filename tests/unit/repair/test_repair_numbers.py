"""Numbers as people write them: each reading, what the column decides, and what nobody guesses."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.project.model import NumberRepair
from evergreen.repair.numbers import NumberEvidence, NumberReader, settle_numbers
from evergreen.repair.written import number_word

READINGS = {
    "1,234": 1234.0,
    "1,234.5": 1234.5,
    "12,34,567": 1234567.0,
    "1 234.5": 1234.5,
    "1\u202f234": 1234.0,
    "1'234.50": 1234.5,
    "1’234": 1234.0,
    "(1,234)": -1234.0,
    "( 12.5 )": -12.5,
    "12-": -12.0,
    "−7": -7.0,
    "– 7": -7.0,
    "+7": 7.0,
    "１２３．５": 123.5,
    "\u00a012 ": 12.0,
    "\ufeff12": 12.0,
    "1.5e3": 1500.0,
    "2E-4": 0.0002,
    "1,5e3": None,
    ".5": 0.5,
    "5.": 5.0,
    '="12"': 12.0,
    "'12": 12.0,
    "Zero": 0.0,
    "twenty-five": 25.0,
    "one hundred and five": 105.0,
    "12 %": 0.12,
    "12.5%": 0.125,
    "３%": 0.03,
    "١٢": 12.0,
    "1.2.3": None,
    "1,23": None,
    "1-2": None,
    "2 x 4": None,
    ">5": None,
    "65+": None,
    "3²": None,
    "no. 5": None,
    "0x12": None,
    "five apples": None,
    "ten twenty": None,
    "1e999": None,
    "1_000": None,
}


@pytest.mark.parametrize("text", READINGS)
def test_each_reading(text):
    outcome = NumberReader("number", ".").read(text)
    assert outcome.value == READINGS[text]
    assert bool(outcome.reason) == (READINGS[text] is None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.234,5", 1234.5),
        ("12,5", 12.5),
        ("1.234", 1234.0),
        ("0,123", 0.123),
        ("12.5", None),
        ("1 234,56", 1234.56),
    ],
)
def test_a_decimal_comma(text, value):
    assert NumberReader("number", ",").read(text).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("₩3,000", 3000), ("3,000원", 3000), ("KRW 3,000", 3000), ("-₩3,000", -3000), ("₩-3,000", -3000),
     ("(₩3,000)", -3000), ("$5", None), ("3 cm", None), ("₩5 KRW", 5), ("₩5 USD", None)],
)  # fmt: skip
def test_one_currency(text, value):
    assert NumberReader("number", ".", currency="KRW").read(text).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("3.5 CM", 3.5), ("35mm", 3.5), ("2 in", 5.08), ("0.1 m", 10.0), ("7", 7.0), ("3 kg", None),
     ("3 CT", None),     ("1 1/2 in", 3.81), ("½ in", 1.27), ("1/0 in", None), ("1/2", None)],
)  # fmt: skip
def test_units_are_converted_within_their_dimension(text, value):
    assert NumberReader("number", ".", unit="centimeter").read(text).value == value


def test_temperatures_have_an_offset():
    assert NumberReader("number", ".", unit="degree_Fahrenheit").read("100 °C").value == 212.0
    assert NumberReader("number", ".", unit="degree_Celsius").read("32 °F").value == 0.0


def test_whole_numbers_stay_exact_and_others_are_refused():
    reader = NumberReader("integer", ".")
    assert reader.read("9,007,199,254,740,993").value == 9_007_199_254_740_993
    assert reader.read("3.0 ").value == 3
    assert reader.read("3.5 ").reason == "no whole number"
    assert reader.read("99,999,999,999,999,999,999").reason == "a number too large"


def test_scale_and_strip_only_where_the_policy_says_so():
    assert NumberReader("number", ".").read("1.2k").value is None
    assert NumberReader("number", ".", scale=True).read("1.2k").value == 1200.0
    assert NumberReader("number", ".", scale=True).read("3M").value == 3_000_000.0
    assert NumberReader("number", ".", strip=True).read("3.5 CM").value == 3.5
    assert NumberReader("number", ".", percent="points").read("12 %").value == 12.0


@pytest.mark.parametrize("words", ["a", "nil", "and", "one two", "five twenty", ""])
def test_words_that_are_no_number(words):
    assert number_word(words) is None


def settled(values, type_="number", plain=0, decimals=0, dotted=0, **policy):
    evidence = NumberEvidence(plain=plain, decimals=decimals, dotted=dotted)
    for value in values:
        evidence.add(value, 1)
    return settle_numbers(NumberRepair(**policy), type_, evidence, (), "repair.t.c")


@pytest.mark.parametrize(
    ("values", "counts", "decimal"),
    [
        (["1,234", "1,234.5"], {}, "."),
        (["1,234", "12,5"], {}, ","),
        (["1,234", "0,123"], {}, ","),
        (["1,234"], {"plain": 3, "decimals": 1}, "."),
        (["1,234"], {"plain": 3}, "."),
        (["1,234"], {"type_": "integer"}, "."),
        (["₩3,000"], {}, "."),
        (["$1,234"], {}, "."),
        (["€1.234"], {}, ","),
        (["KWD 1.234"], {}, "."),
    ],
)
def test_the_column_tells_the_decimal_sign(values, counts, decimal):
    reader, doubts = settled(values, **counts)
    assert reader.decimal == decimal
    assert not [d for d in doubts if d.severe]


def test_a_sign_that_nothing_tells_is_in_doubt_and_not_read():
    reader, doubts = settled(["1,234", "5,678"])
    assert reader.decimal is None and doubts[0].severe
    assert "could be" in doubts[0].reason and "repair.t.c.number.decimal" in doubts[0].reason
    assert reader.read("1,234").value is None and "in doubt" in reader.read("1,234").reason
    assert settled(["1,234"], decimal=",")[0].read("1,234").value == 1.234


def test_a_column_with_both_signs_reads_what_proves_itself():
    reader, doubts = settled(["1,234.5", "1.234,5", "1,234"])
    assert doubts[0].severe and doubts[0].count == 1
    assert [reader.read(t).value for t in ("1,234.5", "1.234,5", "1,234")] == [1234.5, 1234.5, None]


def test_a_policy_against_the_evidence_is_told():
    _, doubts = settled(["1,5", "2,5"], decimal=".")
    assert [d.rule for d in doubts] == ["decimal sign"] and "only be read with ','" in doubts[0].reason


def test_mixed_units_are_in_doubt_unless_the_policy_says():
    reader, doubts = settled(["₩3,000", "$5"])
    assert doubts[0].rule == "units" and reader.read("$5").value is None
    assert settled(["₩3,000", "$5"], currency="USD")[0].read("$5").value == 5.0
    assert settled(["₩3,000", "$5"], strip=True)[0].read("₩3,000").value == 3000.0
    with pytest.raises(ValueError, match="'cmx' is no unit"):
        settled(["3 cm"], unit="cmx")


STYLES = {
    "plain": lambda d: f"{d}",
    "grouped": lambda d: f"{d:,}",
    "currency": lambda d: f"₩{d:,}",
    "code": lambda d: f"{d:,} KRW",
    "brackets": lambda d: f"({-d:,})" if d < 0 else f" {d:,}",
    "trailing": lambda d: f"{-d:,}-" if d < 0 else f"{d:,}",
    "wide": lambda d: f"{d:,}".translate(str.maketrans("0123456789-,.", "０１２３４５６７８９－，．")),
    "blanks": lambda d: f"\u00a0{d}\t",
    "swiss": lambda d: f"{d:,}".replace(",", "’"),
    "minus": lambda d: f"{d:,}".replace("-", "−"),
    "scientific": lambda d: f"{d:E}",
}
amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=2, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(amount=amounts, style=st.sampled_from(sorted(STYLES)))
def test_every_style_reads_back_exactly(amount, style):
    text = STYLES[style](amount)
    assert NumberReader("number", ".", currency="KRW").read(text).value == float(amount)


@settings(max_examples=40, deadline=None)
@given(amount=amounts)
def test_the_european_way_reads_back_exactly(amount):
    text = f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))
    assert NumberReader("number", ",").read(text).value == float(Decimal(f"{amount:.2f}"))
