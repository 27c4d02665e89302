"""Served requests as batches: every type of value comes back as the model saw it."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.bundle import Input, Signature
from evergreen.bundle.signature import Prediction, label_array
from evergreen.serving.model import Identity
from evergreen.serving.predictions.encode import Encoder, encode_outcomes
from evergreen.serving.predictions.entry import Outcome, Served
from evergreen.serving.predictions.privacy import ColumnHash

ODD = 'a "b" c収'
INPUTS = (Input(ODD, "number"), Input("city", "category"), Input("vip", "boolean"), Input("age", "number"))
IDENTITY = Identity("coupons", "7", "d" * 64, "onnx")
CLASSES = {
    "binary": ("no", "yes"), "boolean": (False, True), "multiclass": (1, 2, 3),
    "text": ("ü\n", '"', ""), "regression": None,
}  # fmt: skip

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", "\0", "a\0b", "\n", '"', "'", "収益", "𝄞", "e\u0301", "\ud7ff"]
)
number = st.floats(width=64, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1e300, 5e-324, math.nan])
row = st.tuples(number, text, st.sampled_from([0.0, 1.0, math.nan]), number)
moment = st.floats(0, 4e9, allow_nan=False)


def signature(kind: str) -> Signature:
    classes = CLASSES[kind]
    task = "regression" if classes is None else "binary" if len(classes) == 2 else "multiclass"
    return Signature(task, INPUTS, classes, classes[-1] if task == "binary" else None)


def arrays_of(rows) -> list[np.ndarray]:
    columns = list(zip(*rows, strict=True))
    texts = np.empty(len(rows), dtype=object)
    texts[:] = columns[1]
    numbers = [np.array(columns[k], dtype=np.float64) for k in (0, 2, 3)]
    return [numbers[0], texts, *numbers[1:]]


@st.composite
def requests(draw):
    """A task, and requests with one or more rows each, some of them refused."""
    kind = draw(st.sampled_from(sorted(CLASSES)))
    most = draw(st.sampled_from([1, 4]))
    served, expected = [], []
    for _ in range(draw(st.integers(1, 5))):
        rows = draw(st.lists(row, min_size=1, max_size=most))
        refused = draw(st.integers(0, 4)) == 0
        indices = np.array(draw(st.lists(st.integers(0, 10**6), min_size=len(rows), max_size=len(rows))))
        classes = CLASSES[kind]
        if classes is None:
            prediction = Prediction(np.array([draw(number) for _ in rows]))
        else:
            probabilities = np.full((len(rows), len(classes)), 1 / len(classes), dtype=np.float32)
            prediction = Prediction(label_array(classes)[indices % len(classes)], probabilities)
        one = Served(
            draw(moment), draw(text), draw(text), draw(st.sampled_from(["", "shadow"])),
            IDENTITY, signature(kind),
            [] if refused else arrays_of(rows), 1 if refused else len(rows), None if refused else prediction,
            draw(st.floats(0, 100)), status=400 if refused else 200,
        )  # fmt: skip
        served.append(one)
        expected.append([None] if refused else rows)
    return kind, served, expected


def saw(rows):
    """The rows as the log has them: null for a missing value."""
    none = lambda v: None if v != v else v  # noqa: E731
    return [
        None if r is None else
        {ODD: none(r[0]), "city": r[1] or None, "vip": {0.0: False, 1.0: True}.get(r[2]), "age": none(r[3])}
        for r in rows
    ]  # fmt: skip


@given(requests())
@settings(max_examples=60)
def test_what_the_model_saw_comes_back(drawn):
    kind, served, expected = drawn
    made = Encoder(IDENTITY, signature(kind), (), (), ColumnHash("salt")).encode(served, {})
    made.validate(full=True)
    order = [i for i, s in enumerate(served) if s.prediction] + [
        i for i, s in enumerate(served) if not s.prediction
    ]
    table = {name: made.column(name).to_pylist() for name in made.schema.names if name != "time"}
    assert table["features"] == saw([r for i in order for r in expected[i]])
    assert table["row"] == [k for i in order for k in range(len(expected[i]))]
    for name in ("request_id", "user", "arm", "status", "seconds"):
        assert table[name] == [getattr(served[i], name) for i in order for _ in expected[i]]
    assert set(table["model"]) == {"coupons"}
    assert set(table["version"]) == {7}
    microseconds = made.column("time").cast(pa.int64()).to_pylist()
    assert microseconds == [round(served[i].time * 1e6) for i in order for _ in expected[i]]
    values = [
        v for i in order for v in (served[i].prediction.values.tolist() if served[i].prediction else [None])
    ]
    texts = table["prediction"]
    for value, found in zip(values, texts, strict=True):
        if value is None or value != value or value == "":
            assert found is None
        else:
            assert (found if isinstance(value, str) else json.loads(found)) == value
    if kind == "regression":
        assert table["score"] == [None if v is None or v != v else v for v in values]
    elif len(CLASSES[kind]) == 2:
        assert table["score"] == [None if v is None else 0.5 for v in values]
    else:
        assert set(table["score"]) == {None}


def single(rows, **fields) -> Served:
    values = np.array(["yes"] * len(rows), dtype=object)
    given = {"missing": 0, "imputed": 0, "empty": 0, **fields}
    prediction = Prediction(values, np.full((len(rows), 2), 0.5))
    return Served(
        1e9, "r", "u", "", IDENTITY, signature("binary"), arrays_of(rows), len(rows), prediction, 0.1, **given
    )


GOOD, BAD = (1.0, "a", 1.0, 2.0), (math.nan, "", 1.0, 2.0)


def encoded(served, **options):
    encoder = Encoder(
        IDENTITY, signature("binary"), options.get("exclude", ()), options.get("hash", ()), ColumnHash("salt")
    )
    return encoder.encode(served, options.get("gap", {}))


def test_counts_sum_up_to_the_requests_own():
    many = single([GOOD, BAD, GOOD], missing=2, imputed=3, empty=1, empty_rows=np.array([False, True, False]))
    unexplained = single([GOOD, GOOD], missing=5, empty=2)
    made = encoded([many, unexplained, single([BAD], missing=2, imputed=1, empty=1)])
    assert made.column("missing").to_pylist() == [0, 2, 0, 5, 0, 2]
    assert made.column("imputed").to_pylist() == [3, 0, 0, 0, 0, 1]
    assert made.column("empty").to_pylist() == [False, True, False, True, True, True]


def test_excluded_columns_leave_no_trace_and_hashed_ones_only_a_hash():
    secret = (123456.0, "Jane Doe", 1.0, 3.0)
    made = encoded([single([secret, BAD])], exclude=("age",), hash=("city", ODD))
    features = made.column("features").to_pylist()
    assert list(features[0]) == [ODD, "city", "vip"]
    assert features[1] == {ODD: None, "city": None, "vip": True}
    assert [len(features[0][name]) for name in (ODD, "city")] == [16, 16]
    data = made.serialize().to_pybytes()
    assert b"Jane" not in data
    assert np.float64(123456).tobytes() not in data
    assert np.float64(3.0).tobytes() not in data
    other = Encoder(IDENTITY, signature("binary"), (), ("city",), ColumnHash("other salt"))
    again = encoded([single([secret])], hash=("city",))
    assert again.column("features")[0]["city"].as_py() == features[0]["city"]
    assert other.encode([single([secret])], {}).column("features")[0]["city"].as_py() != features[0]["city"]
    assert ColumnHash("s").numbers([5.0, math.nan]) == [ColumnHash("s").text("5"), ""]


def test_a_log_without_features_has_no_such_column():
    made = encoded([single([GOOD])], exclude=[i.name for i in INPUTS])
    assert "features" not in made.schema.names


def test_what_was_dropped_stands_in_the_first_row():
    made = encoded([single([GOOD, GOOD])], gap={"queue": 3})
    assert made.column("gap").to_pylist() == ['{"queue": 3}', None]


def test_a_text_that_is_not_unicode_is_refused():
    with pytest.raises(ValueError, match="surrogates"):
        encoded([single([(1.0, "\ud800", 1.0, 2.0)])])


def test_outcomes_come_back():
    when = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
    made = encode_outcomes([Outcome(when.timestamp(), "r", "u", "clíck", 2.5), Outcome(0.0, "", "", "x")], {})
    made.validate(full=True)
    assert made.column("time").cast(pa.int64()).to_pylist() == [round(when.timestamp() * 1e6), 0]
    assert made.column("event").to_pylist() == ["clíck", "x"]
    assert made.column("value").to_pylist() == [2.5, 1.0]


@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 3, 2)])
@pytest.mark.parametrize("kinds", ["blocks", "both"])
def test_a_block_is_logged_as_its_columns_are(sizes, kinds):
    inputs = (Input("a", "number"), Input("b", "boolean"), Input("c", "number"), Input("d", "number"))
    numbers = replace(signature("binary"), inputs=inputs)
    rng = np.random.default_rng(3)
    blocks = [np.where(rng.random((4, n)) < 0.3, np.nan, rng.integers(0, 2, (4, n))) for n in sizes]
    whole, parts = (
        [replaced(n, arrays, numbers) for n, arrays in zip(sizes, given, strict=True)]
        for given in (blocks, [list(block) for block in blocks])
    )
    if kinds == "both":
        whole[1] = parts[1]
    encoder = Encoder(IDENTITY, numbers, ("c",), ("d",), ColumnHash("salt"))
    assert encoder.encode(whole, {}).equals(encoder.encode(parts, {}))


def replaced(rows: int, arrays, numbers) -> Served:
    one = single([GOOD] * rows)
    one.arrays, one.signature = arrays, numbers
    return one
