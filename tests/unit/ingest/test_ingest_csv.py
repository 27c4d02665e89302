"""CSV and JSON lines: what is read, and in which words a file is refused."""

import gzip

import pandas as pd
import pytest
from ingest_cases import ingested, project_of, write

from evergreen.errors import DataError


def read(tmp_path, text, name="rows.csv", **sections):
    return ingested(project_of(write(tmp_path / name, text), **sections), tmp_path)


def types(result):
    return dict(result.sources["rows"].columns)


def test_types_are_found_over_all_rows(tmp_path):
    text = "i,x,d,t,b,s,zip,y\n" + "1,1,2024-01-01,2024-01-01 10:00:00,true,a,01234,0\n" * 30_000
    text += "2,0.5,2024-02-01,2024-01-02T11:00:00Z,FALSE,b,99999,1\n"
    result, table = read(tmp_path, text)
    assert types(result) == {
        "i": "BIGINT", "x": "DOUBLE", "d": "DATE", "t": "TIMESTAMP", "b": "BOOLEAN", "s": "VARCHAR",
        "zip": "VARCHAR", "y": "BIGINT",
    }  # fmt: skip
    assert len(table) == 30_001
    assert table["zip"].iloc[0] == "01234"
    assert table["t"].iloc[-1] == pd.Timestamp("2024-01-02 11:00")


@pytest.mark.slow
def test_one_bad_value_far_down_is_named_by_its_row(tmp_path):
    good = "".join(f"{i},{i / 8},{i % 2}\n" for i in range(60_000))
    text = "id,amount,y\n" + good + "60000,12 EUR,1\n" + good
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert "source rows, column 'amount': mixed types: 100.0% of its values are numbers" in message
    assert "rows 60001; the first is written like '99 aaa'" in message
    assert "types: {amount: text}" in message and "invalid: missing" in message
    assert "EUR" not in message
    assert not (tmp_path / "tables").exists()


def test_a_policy_repairs_what_does_not_fit(tmp_path):
    text = "id,amount,y\n" + "".join(f"{i},{i / 8},{i % 2}\n" for i in range(100)) + "100,oops,1\n101,n/a,0\n"
    for invalid, rows, missing in (("missing", 102, 2), ("drop", 101, 1)):
        repair = {"rows": {"amount": {"type": "number", "invalid": invalid}}}
        result, table = read(tmp_path, text, repair=repair)
        assert (len(table), int(table["amount"].isna().sum())) == (rows, missing)
        assert "amount" in " ".join(result.sources["rows"].alerts)
    repair = {"rows": {"amount": {"missing": ["oops"]}}}
    _, table = read(tmp_path, text, repair=repair)
    assert int(table["amount"].isna().sum()) == 2
    _, table = read(tmp_path, text, source={"types": {"amount": "text"}})
    assert table["amount"].tolist()[-2:] == ["oops", "n/a"]
    with pytest.raises(DataError, match=r"1 of 102 values do not fit type number \(rows 101"):
        read(tmp_path, text, source={"types": {"amount": "number"}})


def test_codes_with_a_few_words_are_categories(tmp_path):
    text = "size,y\n" + "1,0\n2,1\n3,0\n4,1\n" * 30 + "5+,0\n" * 12
    result, table = read(tmp_path, text)
    assert types(result)["size"] == "VARCHAR"
    assert sorted(table["size"].unique()) == ["1", "2", "3", "4", "5+"]


@pytest.mark.parametrize("code", ["007", "2024_01", "12345678901234567890"])
def test_codes_keep_their_digits(tmp_path, code):
    result, table = read(tmp_path, f"k,y\n1,0\n{code},1\n")
    assert types(result)["k"] == "VARCHAR"
    assert table["k"].tolist() == ["1", code]


def test_identifiers_may_be_numbers_and_words(tmp_path):
    text = "id,x,y\n" + "".join(f"{i},1,{i % 2}\n" for i in range(200)) + "C17,1,1\n"
    result, _ = read(tmp_path, text, entity="id")
    assert types(result)["id"] == "VARCHAR"
    assert "kept as text" in result.sources["rows"].alerts[0]


@pytest.mark.parametrize("mark", ["", " ", "NA", "n/a", "?", "null", "NaN", "-"])
def test_marks_of_missing_numbers_are_missing_and_told(tmp_path, mark):
    result, table = read(tmp_path, f"x,w,y\n1.5,NA,0\n{mark},b,1\n3,c,1\n")
    assert types(result)["x"] == "DOUBLE"
    assert table["x"].isna().tolist() == [False, True, False]
    assert table["w"].tolist() == ["NA", "b", "c"]
    assert ("marks such as NA" in " ".join(result.sources["rows"].alerts)) == bool(mark)


@pytest.mark.parametrize(
    "text",
    [
        "a;b;y\n1,5;x;0\n2;y;1\n",
        "a\tb\ty\n1\tx\t0\n2\ty\t1\n",
        "a|b|y\r\n1|x|0\r\n2|y|1\r\n",
        "\ufeffa,b,y\n1,x,0\n2,y,1",
    ],
)  # fmt: skip
def test_delimiters_line_ends_and_marks_of_byte_order(tmp_path, text):
    _, table = read(tmp_path, text)
    assert list(table) == ["a", "b", "y"]
    assert table["b"].tolist() == ["x", "y"]


def test_quotes_hold_delimiters_line_ends_and_quotes(tmp_path):
    _, table = read(tmp_path, 'a,"b, c",y\n"x\ny","say ""hi"", you",0\n plain , z ,1\n')
    assert list(table) == ["a", "b, c", "y"]
    assert table["a"].tolist() == ["x\ny", "plain"]
    assert table["b, c"].tolist() == ['say "hi", you', "z"]


def test_options_say_what_the_file_does_not(tmp_path):
    text = "# made by hand\n1.234,5;31.12.2024 10:00;0\n7,25;01.01.2025 00:30;1\n".encode("latin-1")
    options = {
        "header": False,
        "names": ["Betrag", "wann", "y"],
        "decimal": ",",
        "comment": "#",
        "encoding": "latin-1",
    }
    _, table = read(tmp_path, text, source={"options": options})
    assert table["Betrag"].tolist() == [1234.5, 7.25]
    assert table["wann"].iloc[0] == pd.Timestamp("2024-12-31 10:00")


@pytest.mark.parametrize(("format_", "day"), [("%d/%m/%Y", 2), ("%m/%d/%Y", 1)])
def test_dates_that_could_be_two_are_read_only_when_the_project_says_how(tmp_path, format_, day):
    text = "at,y\n01/02/2024,0\n03/04/2024,1\n"
    result, table = read(tmp_path, text)
    assert types(result)["at"] == "VARCHAR"
    result, table = read(tmp_path, text, source={"options": {"dateformat": format_}})
    assert types(result)["at"] == "DATE"
    assert table["at"].iloc[0].day in (1, 2) and table["at"].iloc[0].month == day


def test_a_day_above_twelve_tells_the_format(tmp_path):
    rows = "".join(f"{d:02d}/01/2024,{d % 2}\n" for d in range(1, 13)) * 300
    result, table = read(tmp_path, "at,y\n" + rows + "13/01/2024,1\n")
    assert types(result)["at"] == "DATE"
    assert {d.month for d in table["at"]} == {1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,y\n1,2,0\n3,4\n5,6,1\n", r"rows.csv, line 3: 2 values; expected 3, as in the header"),
        ("a,b,y\n1,2,0\n3,4,1,9\n", r"line 3: 4 values; expected 3"),
        ('a,b,y\n1,"x,0\n2,y,1\n', "quote"),
        ("a,b,y\n1,M\xfcller,0\n".encode("latin-1"), "not UTF-8; expected UTF-8.*encoding: latin-1"),
        ("a,A,y\n1,2,0\n", "columns 'a' and 'A'"),
        ("a,a,y\n1,2,0\n", "column 'a' twice"),
        ("5.1,3.5,0\n4.9,3.0,1\n", "no column 'y'.*looks like data.*header: false, names"),
        ("", "source rows: it is empty: no rows"),
        ("a,b,y\n", "source rows: it is empty: no rows.*allow_empty"),
        ("a,b,label\n1,2,0\n", "no column 'y' .label.column names it.; expected one of a, b, label"),
    ],
)
def test_files_that_cannot_be_read_are_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=f"(?s){message}"):
        read(tmp_path, text)
    assert [p.name for p in tmp_path.iterdir()] == ["rows.csv"]


def test_unknown_options_are_named(tmp_path):
    with pytest.raises(DataError, match=r"unknown CSV option 'delimeter'.*Did you mean 'delimiter'"):
        read(tmp_path, "a,y\n1,2\n", source={"options": {"delimeter": ";"}})
    with pytest.raises(DataError, match=r"header: false.* without names"):
        read(tmp_path, "1,2\n", source={"options": {"header": False}})


def test_gzip_and_a_broken_one(tmp_path):
    packed = gzip.compress(b"a,y\n1,0\n2,1\n")
    _, table = read(tmp_path, packed, name="rows.csv.gz")
    assert table["a"].tolist() == [1, 2]
    with pytest.raises(DataError, match="gzip"):
        read(tmp_path, packed[:12], name="rows.csv.gz")


def test_json_lines(tmp_path):
    text = '{"a": 1, "s": "x", "n": {"q": [1]}, "t": "2024-01-01T00:00:00Z", "y": true}\n'
    text += '{"a": 2.5, "s": null, "t": null, "y": false, "late": "w"}\n'
    for name in ("rows.jsonl", "rows.ndjson", "rows.json", "data"):
        result, table = read(tmp_path, text, name=name)
        assert types(result) == {
            "a": "DOUBLE", "s": "VARCHAR", "n": "VARCHAR", "t": "TIMESTAMP", "y": "BOOLEAN", "late": "VARCHAR"
        }  # fmt: skip
        assert table["n"].iloc[0] == '{"q":[1]}'
    _, table = read(tmp_path, '[{"a": 1, "y": 0}, {"a": 2, "y": 1}]', name="rows.json")
    assert table["a"].tolist() == [1, 2]


def test_json_values_of_two_types_are_mixed(tmp_path):
    lines = "".join(f'{{"a": {i}, "y": {i % 2}}}\n' for i in range(100))
    with pytest.raises(DataError, match=r"column 'a': mixed types: 99\.0%"):
        read(tmp_path, lines + '{"a": "ninety", "y": 1}\n', name="rows.jsonl")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "y": 0}\n{"a": \n', "(?i)malformed json"),
        ("1\n2\n", "no JSON objects"),
        ("", "it is empty"),
    ],
)
def test_json_that_cannot_be_read_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, text, name="rows.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize("given", ["number", "integer", "boolean", "timestamp", "text"])
def test_many_columns_of_given_types_fit_in_memory(tmp_path, given):
    value = {"boolean": "yes", "timestamp": "2024-01-02 03:04:05"}.get(given, "7")
    names = [f"c{i}" for i in range(120)]
    line = ",".join([value] * 119 + ["NA"])
    text = ",".join([*names, "y"]) + "\n" + f"{line},1\n" * 500
    resources = {"memory": "1GiB", "threads": 2}
    result, table = read(tmp_path, text, source={"types": dict.fromkeys(names, given)}, resources=resources)
    assert len(set(types(result).values()) - {"BIGINT"}) == (given != "integer")
    assert table.shape == (500, 121)
    assert table["c0"].notna().all() and table["c119"].isna().all() == (given != "text")


def test_a_value_that_does_not_fit_is_found_in_the_last_of_many_columns(tmp_path):
    names = [f"c{i}" for i in range(60)]
    text = ",".join([*names, "y"]) + "\n" + "1," * 60 + "1\n" + "1," * 59 + "x,1\n"
    with pytest.raises(DataError, match=r"column 'c59': 1 of 2 values do not fit type number \(rows 2;"):
        read(tmp_path, text, source={"types": dict.fromkeys(names, "number")})


@pytest.mark.parametrize("word", ["a.b", "(x)", "n|m", "\\d", "é", "it's", "[", "a b"])
def test_words_for_missing_values_are_taken_by_the_letter(tmp_path, word):
    text = f"x,y\n{word},0\n {word.upper()} ,1\n1.5,1\naxb,0\n"
    _, table = read(tmp_path, text, repair={"rows": {"x": {"type": "text", "missing": [word]}}})
    assert table["x"].isna().tolist() == [True, True, False, False]


def test_dates_written_with_a_month_name_first_are_found(tmp_path):
    result, table = read(tmp_path, 'd,y\n"Jan 01, 2024",0\n"Feb 29, 2024",1\n')
    assert types(result)["d"] == "DATE"
    assert [str(d) for d in table["d"]] == ["2024-01-01", "2024-02-29"]
