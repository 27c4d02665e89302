"""A table repaired: values, log, quarantine, distributions; dirty and repaired is clean."""

import random
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repair_cases import repaired

from evergreen.errors import DataError
from evergreen.project.model import RepairPolicy, TextRepair
from evergreen.repair.numbers import NumberReader
from evergreen.repair.times import TimeReader
from evergreen.repair.words import BooleanReader, tidied


def test_the_issue_in_one_column(tmp_path):
    values = ["Zero", "0", "0.0", "1,234", "₩3,000", "", " ", "N/A", None, "12", " 7 ", "-"]
    done = repaired(tmp_path, {"v": values}, v={"number": {}})
    assert done.column("v") == [0.0, 0.0, 0.0, 1234.0, 3000.0, None, None, None, None, 12.0, 7.0, None]
    assert {(c["from"], c["to"], c["rule"], c["rows"]) for c in done.changes} == {
        ("Zero", "0.0", "number word", 1),
        ("1,234", "1234.0", "thousands", 1),
        ("₩3,000", "3000.0", "thousands, currency", 1),
        ("N/A", None, "empty", 1),
        ("-", None, "empty", 1),
        ("", None, "empty", 1),
        (" ", None, "empty", 1),
    }
    assert not done.quarantine and not done.failed()


def test_empty_is_zero_only_where_the_policy_says_so(tmp_path):
    values = {"v": ["5", "", None, "n/a", "7", "8"]}
    assert repaired(tmp_path / "a", values, v={"number": {}}).column("v").count(None) == 3
    done = repaired(tmp_path / "b", values, v={"number": {}, "empty_is": 0, "max_shift": 1})
    assert done.column("v") == [5.0, 0.0, 0.0, 0.0, 7.0, 8.0]
    assert sum(c["rows"] for c in done.changes if c["rule"] == "empty is") == 3
    with pytest.raises(DataError, match=r"repair.t.v.empty_is: 'many'"):
        repaired(tmp_path / "c", values, v={"number": {}, "empty_is": "many"})


def test_rows_that_cannot_be_repaired_are_set_aside_with_the_reason_and_their_original(tmp_path):
    data = {"id": list(range(40)), "v": ["1"] * 37 + ["about 5", "$7", "9"], "w": ["yes"] * 39 + ["perhaps"]}
    done = repaired(tmp_path, data, key=["id"], v={"number": {"currency": "EUR"}}, w={"boolean": {}})
    assert done.rows.num_rows == 37
    assert [(q["id"], q["v"], q["evergreen_row"], q["evergreen_key"]) for q in done.quarantine] == [
        (37, "about 5", 38, "id=37"),
        (38, "$7", 39, "id=38"),
        (39, "9", 40, "id=39"),
    ]
    assert [q["evergreen_reasons"] for q in done.quarantine] == [
        "v: text beside the number",
        "v: currency USD in a column of EUR",
        "w: neither true nor false",
    ]
    assert not done.failed() and {f.rule for f in done.findings} == {"repair unreadable"}
    assert all(entry["row"] < 38 for entry in done.log)


@pytest.mark.parametrize(
    ("invalid", "rows", "missing", "aside"),
    [("quarantine", 19, 0, 1), ("drop", 19, 0, 0), ("missing", 20, 1, 0), ("fail", 19, 0, 1)],
)
def test_what_becomes_of_a_value_that_cannot_be_read(tmp_path, invalid, rows, missing, aside):
    done = repaired(tmp_path, {"v": ["1"] * 19 + ["x"]}, v={"number": {}, "invalid": invalid})
    assert (done.rows.num_rows, done.column("v").count(None), len(done.quarantine)) == (rows, missing, aside)
    assert bool(done.failed()) == (invalid == "fail")
    logged = [c for c in done.changes if c["rule"].startswith("cannot be read")]
    assert len(logged) == missing


def test_too_many_that_cannot_be_read_fail(tmp_path):
    data = {"v": ["1"] * 70 + ["x"] * 30}
    assert repaired(tmp_path / "a", data, v={"number": {}}).failed() == ["repair unreadable"]
    assert not repaired(tmp_path / "b", data, v={"number": {}, "max_quarantined": 0.3}).failed()
    assert not repaired(tmp_path / "c", data, v={"number": {}, "mode": "warn"}).failed()


@pytest.mark.slow
def test_a_repair_that_moves_the_distribution_fails(tmp_path):
    rng = random.Random(1)
    words = [f"{rng.gauss(100, 10):.2f}" for _ in range(600)] + ["Zero"] * 400
    done = repaired(tmp_path / "a", {"v": words}, v={"number": {}})
    assert done.failed() == ["repair shift"]
    shift = done.repaired.results[0].shift
    assert shift.value == pytest.approx(0.4) and shift.wasserstein > 1
    assert not repaired(tmp_path / "b", {"v": words}, v={"number": {}, "max_shift": 0.5}).failed()
    blanks = words[:600] + [""] * 400
    assert not repaired(tmp_path / "c", {"v": blanks}, v={"number": {}}).failed()
    assert set(repaired(tmp_path / "d", {"v": blanks}, v={"number": {}, "empty_is": 0}).failed()) == {
        "repair shift",
        "repair missing",
    }


def test_synonyms_that_move_the_categories_fail_and_spelling_does_not(tmp_path):
    data = {"c": ["a", "A", " a"] * 100 + ["b", "B"] * 100 + ["x"] * 2000}
    quiet = repaired(tmp_path / "a", data, c={"text": {"case": "lower"}})
    assert not quiet.findings and quiet.repaired.results[0].shift.value == 0
    moved = repaired(tmp_path / "b", data, c={"text": {"case": "lower"}, "synonyms": {"x": "a"}})
    assert moved.failed() == ["repair shift"]
    assert moved.repaired.results[0].shift.value == pytest.approx(23 / 25 - 3 / 5)


def test_changes_beyond_their_share_fail(tmp_path):
    data = {"c": [" a"] * 20 + ["a"] * 80}
    assert repaired(tmp_path, data, c={"text": {}, "max_changed": 0.1}).failed() == ["repair changed"]


def test_texts_booleans_and_typed_columns(tmp_path):
    data = {
        "t": ["Café", "Cafe\u0301", "CAFÉ\u00a0", "  café", "ＣＡＦＥ", None],
        "b": ["ja", "NO", "1", "0.0", "Ｙ", "?"],
        "i": [1, 0, 1, 0, 1, None],
        "f": [1.5, float("nan"), float("inf"), 2.0, None, 3.0],
        "s": pa.array([1704067200, None, 1704067200, 1, 2, 3], pa.int64()).cast(pa.timestamp("s")),
    }
    done = repaired(
        tmp_path,
        data,
        t={"text": {"case": "title", "form": "NFKC"}, "missing": ["x"]},
        b={"boolean": {}},
        i={"type": "boolean", "boolean": {}},
        f={"number": {}, "invalid": "missing", "mode": "warn"},
        s={"time": {}},
    )
    assert done.column("t") == ["Café", "Café", "Café", "Café", "Cafe", None]
    assert done.column("b") == [True, False, True, False, True, None]
    assert done.column("i") == [True, False, True, False, True, None]
    assert done.column("f") == [1.5, None, None, 2.0, None, 3.0]
    assert done.column("s")[0] == datetime(2024, 1, 1)


def test_names_of_columns_may_be_anything(tmp_path):
    names = ['a "b"', "select", "kept", "c0", "Ünïcode 中", "row"]
    data = {name: ["1,234.5", "(3)"] for name in names}
    done = repaired(tmp_path, data, key=["select"], **{n: {"number": {}} for n in names})
    assert done.rows.column_names == names
    assert all(done.column(n) == [1234.5, -3.0] for n in names)
    assert {c["column"] for c in done.changes} == set(names)


def test_an_empty_table_and_an_empty_column(tmp_path):
    empty = pa.table({"v": pa.array([], pa.string())})
    assert repaired(tmp_path / "a", empty, v={"number": {}}).rows.num_rows == 0
    nothing = pa.table({"v": pa.array([None] * 3, pa.string())})
    done = repaired(tmp_path / "b", nothing, v={"number": {}})
    assert done.column("v") == [None] * 3 and not done.findings


def test_the_same_input_gives_the_same_bytes(tmp_path):
    data = {"v": [f"₩{i * 37 % 911:,}" for i in range(3000)], "c": ["A ", "b"] * 1500}
    for run in ("a", "b"):
        repaired(tmp_path / run, data, v={"number": {}}, c={"text": {}})
    for part in ("rows/part-00000.parquet", "audit/changes.parquet", "audit/rows.parquet"):
        assert (tmp_path / "a" / part).read_bytes() == (tmp_path / "b" / part).read_bytes()


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"number": {"unit": "cmx"}}, r"repair.t.v: 'cmx' is no unit"),
        ({"number": {"currency": "Gold"}}, r"repair.t.v: 'Gold' is no currency"),
        ({"time": {"zone": "Mars"}}, r"repair.t.v: 'Mars' is no time zone"),
    ],
)
def test_policies_that_cannot_be(tmp_path, policy, message):
    with pytest.raises(DataError, match=message):
        repaired(tmp_path, {"v": ["1 cm"]}, v=policy)


@pytest.mark.parametrize(
    "policy",
    [
        {"number": {}, "text": {}},
        {"number": {}, "type": "text"},
        {"number": {"unit": "cm", "currency": "KRW"}},
        {"boolean": {"true_words": ["x"], "false_words": ["X "]}},
        {"synonyms": {"a": "b", "b": "c"}},
        {"synonyms": {"a": "b", "A": "c"}},
        {"max_shift": 2},
    ],
)
def test_policies_that_contradict_themselves_are_refused(policy):
    with pytest.raises(ValueError):
        RepairPolicy.model_validate(policy)


rows = st.fixed_dictionaries(
    {
        "n": st.decimals(min_value=-(10**6), max_value=10**6, places=2),
        "t": st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)).map(lambda t: t.replace(microsecond=0)),
        "b": st.booleans(),
        "c": st.sampled_from(["Red", "Green", "Dark Blue"]),
        "r": st.integers(0, 2**30),
    }
)
NUMBERS = [
    lambda d: f"{d}", lambda d: f"₩{d:,}", lambda d: f"({-d:,})" if d < 0 else f"{d:,}",
    lambda d: f"\u00a0{d:E}",
    lambda d: f"{d:,} KRW".translate(str.maketrans("0123456789", "０１２３４５６７８９")),
]  # fmt: skip
TIMES = [
    lambda t: str(t), lambda t: t.strftime("%d.%m.%Y %H:%M:%S"),
    lambda t: t.strftime("%d %b %Y %I:%M:%S %p UTC"),
    lambda t: str(int(t.replace(tzinfo=UTC).timestamp())) if t.year > 1975 else str(t),
]  # fmt: skip
TRUE, FALSE = ["true", "Yes", "1", "Y", " ja ", "TRUE"], ["false", "No", "0", "N", "nein", "FALSE"]
COLOURS = [str, str.upper, str.lower, lambda c: f" {c}\u3000", lambda c: c.replace("e", "e\u200b", 1)]
POLICIES = {
    "n": {"number": {"currency": "KRW", "decimal": "."}},
    "t": {"type": "timestamp", "time": {"day_first": True}},
    "b": {"boolean": {}},
    "c": {"text": {"case": "title"}, "synonyms": {"Gren": "Green"}},
}


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(clean=st.lists(rows, min_size=1, max_size=30))
def test_dirty_and_repaired_is_clean_and_repaired_again_changes_nothing(tmp_path_factory, clean):
    tmp_path = tmp_path_factory.mktemp("repair")
    dirty = {
        "n": [NUMBERS[r["r"] % len(NUMBERS)](r["n"]) for r in clean],
        "t": [TIMES[r["r"] // 7 % len(TIMES)](r["t"]) for r in clean],
        "b": [(TRUE if r["b"] else FALSE)[r["r"] // 31 % 6] for r in clean],
        "c": [COLOURS[r["r"] // 211 % len(COLOURS)](r["c"]) for r in clean],
    }
    done = repaired(tmp_path / "once", dirty, **POLICIES)
    assert done.column("n") == [float(r["n"]) for r in clean]
    assert done.column("t") == [r["t"] for r in clean]
    assert done.column("b") == [r["b"] for r in clean]
    assert done.column("c") == [r["c"] for r in clean]
    again = repaired(tmp_path / "again", done.rows, **POLICIES)
    assert again.rows.equals(done.rows)
    assert not again.log and not again.quarantine and not again.findings


texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)


@settings(max_examples=100, deadline=None)
@given(
    value=texts,
    case=st.sampled_from(["keep", "lower", "upper", "title"]),
    form=st.sampled_from(["NFC", "NFKC"]),
)
def test_any_text_is_tidied_once_and_for_all(value, case, form):
    given_ = TextRepair(case=case, form=form)
    assert tidied(tidied(value, given_), given_) == tidied(value, given_)


READERS = [
    NumberReader("number", "."),
    NumberReader("integer", ","),
    TimeReader("timestamp"),
    BooleanReader(),
]


@settings(max_examples=150, deadline=None)
@given(value=st.one_of(texts, st.text("0123456789.,-+eE%$€()/: T", max_size=12)), index=st.integers(0, 3))
def test_no_text_breaks_a_reader(value, index):
    outcome = READERS[index].read(value)
    assert (outcome.value is None) == bool(outcome.reason)


@pytest.mark.slow
def test_every_row_is_accounted_for(tmp_path):
    values = [
        "",
        "x",
        "1",
        "1,0",
        "１",
        "\u00a0",
        "-",
        "٣",
        "½",
        "1e400",
        "NaN",
        "inf",
        "\u200b",
        "0x1",
        None,
    ]
    for kind in ("number", "time", "boolean"):
        done = repaired(tmp_path / kind, {"c": values}, c={kind: {}})
        assert done.rows.num_rows + len(done.quarantine) == len(values)
        again = repaired(tmp_path / f"{kind} again", done.rows, c={kind: {}})
        assert again.rows.equals(done.rows) and not again.log
