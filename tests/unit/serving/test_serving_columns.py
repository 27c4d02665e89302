import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.bundle import Input, Signature
from evergreen.bundle.encode import encode_columns
from evergreen.serving.columns import Columns
from evergreen.serving.protocol import Refusal, decode_infer, decode_rows

NAMES = st.text(min_size=1, max_size=12).filter(lambda s: s.isprintable() or "\n" in s)
VALUES = {
    "number": st.none() | st.integers(-(2**60), 2**60) | st.floats(-3e38, 3e38, allow_nan=False),
    "boolean": st.none() | st.booleans(),
    "category": st.none() | st.text(max_size=10),
}
DATATYPES = {"number": "FP64", "boolean": "BOOL", "category": "BYTES"}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def tables(draw):
    """A signature, and rows that fit it."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    inputs = tuple(Input(n, draw(st.sampled_from(sorted(VALUES))), draw(st.booleans())) for n in names)
    rows = draw(st.integers(1, 5))
    return Signature("regression", inputs), {
        i.name: [draw(VALUES[i.type]) for _ in range(rows)] for i in inputs
    }


def same(left, right) -> bool:
    return all(
        a.dtype == b.dtype
        and (np.array_equal(a, b, equal_nan=True) if a.dtype.kind == "f" else a.tolist() == b.tolist())
        for a, b in zip(left, right, strict=True)
    )


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(tables())
def test_rows_and_tensors_become_the_arrays_of_the_bundle(given_table):
    signature, table = given_table
    count = len(next(iter(table.values())))
    expected, _ = encode_columns(signature, table)
    columns = Columns(signature, 100)
    rows = [{name: values[k] for name, values in table.items()} for k in range(count)]
    got = columns.from_rows(decode_rows(json.dumps({"rows": rows}).encode()))
    assert got.rows == count and same(got.arrays, expected)
    absent = sum(v is None or v == "" for values in table.values() for v in values)
    assert (got.tally.missing, got.tally.imputed) == (absent, 0)
    tensors = [
        {"name": i.name, "datatype": DATATYPES[i.type], "shape": [count], "data": table[i.name]}
        for i in signature.inputs
    ]
    request = decode_infer(json.dumps({"inputs": tensors}).encode())
    got = columns.from_tensors(request)
    assert got.rows == count and same(got.arrays, expected)
    assert (got.tally.missing, got.tally.imputed) == (absent, 0)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(tables(), st.data())
def test_whatever_is_sent_is_read_or_refused_with_a_4xx(given_table, data):
    signature, table = given_table
    columns = Columns(signature, 100)
    row = {name: values[0] for name, values in table.items()}
    row[data.draw(st.sampled_from(sorted(row)) | st.text(max_size=5))] = data.draw(JSON)
    body = data.draw(st.sampled_from([{"rows": [row]}, {"rows": row}]) | JSON)
    try:
        got = columns.from_rows(decode_rows(json.dumps(body).encode()))
    except Refusal as refusal:
        assert refusal.status in (400, 413)
    else:
        assert {len(a) for a in got.arrays} == {got.rows}
        assert all(not np.isinf(a).any() for a in got.arrays if a.dtype.kind == "f")


SIGNATURE = Signature(
    "regression",
    (Input("a b", "number"), Input("t", "category", required=False), Input("f", "boolean", required=False)),
)


def read(row, signature=SIGNATURE, max_rows=3):
    return Columns(signature, max_rows).from_rows(decode_rows(json.dumps({"rows": row}).encode()))


def test_optional_columns_may_be_absent_and_required_ones_null():
    arrays = read([{"a b": None}, {"a b": 1, "t": "x", "f": True}]).arrays
    assert np.isnan(arrays[0][0]) and arrays[1].tolist() == ["", "x"] and arrays[2][1] == 1


@pytest.mark.parametrize("rows,status,words", [
    ([], 400, "no rows; expected 1 to 3 rows"),
    ([{"a b": 1}] * 4, 413, "4 rows; expected at most 3"),
    ([{"a b": 1}, {"t": "x"}], 400, "column 'a b': not given"),
    ([{"a b": 1}, {"a b": 1, "tt": "x"}], 400, "column 'tt': not one of the model's"),
    ([{"a b": 1}, {"a b": "1"}], 400, "column 'a b', row 1: found \"1\"; expected a number"),
    ([{"a b": True}], 400, "column 'a b', row 0: found true"),
    ([{"a b": -3.5e38}], 400, "column 'a b', row 0: found -3.5e38"),
    ([{"a b": 10**400}], 400, "column 'a b', row 0: found 1000"),
    ([{"a b": 1, "f": 3}], 400, "column 'f', row 0: found 3; expected true, false"),
    ([{"a b": 1, "t": ["x" * 100]}], 400, "..."),
])  # fmt: skip
def test_refusals_name_column_row_and_value(rows, status, words):
    with pytest.raises(Refusal) as caught:
        read(rows)
    assert caught.value.status == status and words in str(caught.value)


def test_a_model_that_takes_no_missing_values_says_so():
    strict = Signature("regression", SIGNATURE.inputs[:1], accepts_missing=False)
    with pytest.raises(Refusal, match=r"column 'a b', row 1: null; expected a value"):
        read([{"a b": 1}, {"a b": None}], strict)
