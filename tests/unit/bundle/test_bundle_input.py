"""What callers give: columns and rows, right and wrong."""

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from bundle_world import frame, one_hot, records, save, signature
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from evergreen.bundle import load_bundle
from evergreen.bundle.encode import encode_columns, encode_rows
from evergreen.bundle.signature import Input, Signature
from evergreen.errors import InputError

ONE = {
    kind: Signature("regression", (Input("x", kind),)) for kind in ("number", "category", "boolean")
}  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "b"
    save(folder)
    return load_bundle(folder)


def test_an_optional_column_may_be_absent_and_counts_as_missing(bundle):
    table = frame(20)
    expected = bundle.predict(table.assign(**{"a b": np.nan, "select": None}))
    observed = bundle.predict(table.drop(columns=["a b", "select"]))
    np.testing.assert_array_equal(observed.probabilities, expected.probabilities)


def test_columns_that_the_model_does_not_read_are_ignored(bundle):
    table = frame(20)
    np.testing.assert_array_equal(
        bundle.predict(table.assign(more=object())).probabilities, bundle.predict(table).probabilities
    )


def test_missing_required_columns_are_all_named_with_the_nearest(bundle):
    table = frame(5).rename(columns={"flag": "Flag", "c,d": "c;d"})
    with pytest.raises(InputError, match=r"'flag', 'c,d'.*Did you mean 'flag' by 'Flag'"):
        bundle.predict(table)
    with pytest.raises(InputError, match="'flag', 'c,d'"):
        bundle.predict_rows(records(table))


def test_no_rows_give_no_predictions(bundle):
    for empty in (bundle.predict(frame(5).iloc[:0]), bundle.predict_rows([])):
        assert empty.values.shape == (0,) and empty.probabilities.shape == (0, 2)


def test_columns_of_different_lengths_are_refused(bundle):
    columns = {name: list(values) for name, values in frame(5).items()}
    columns["flag"] = columns["flag"][:3]
    with pytest.raises(InputError, match=r"'flag'.*3 values.*5"):
        bundle.predict(columns)


RIGHT = [
    ("number", pd.Series([1, 2, None], dtype="Int64"), [1.0, 2.0, math.nan]),
    ("number", pd.Series([True, False]), [1.0, 0.0]),
    ("number", [1, None, 2.5, float("nan")], [1.0, math.nan, 2.5, math.nan]),
    ("number", [Decimal("1.25"), None], [1.25, math.nan]),
    ("number", np.ma.MaskedArray([1.0, 2.0], [False, True]), [1.0, math.nan]),
    ("number", np.array([3], dtype=np.uint8), [3.0]),
    ("number", pd.Series([None, None], dtype=object), [math.nan, math.nan]),
    ("boolean", pd.Series([True, None], dtype="boolean"), [1.0, math.nan]),
    ("boolean", [0, 1, None, True], [0.0, 1.0, math.nan, 1.0]),
    ("category", pd.Series(["a", None, ""]), ["a", "", ""]),
    ("category", pd.Series(["a", None], dtype="category"), ["a", ""]),
    ("category", np.array(["a", "ß"]), ["a", "ß"]),
    ("category", pd.Series([np.nan, np.nan]), ["", ""]),
    ("category", ["a", float("nan"), pd.NA, None], ["a", "", "", ""]),
]


@pytest.mark.parametrize("kind,given_,expected", RIGHT)
def test_right_columns(kind, given_, expected):
    (array,), rows = encode_columns(ONE[kind], {"x": given_})
    assert rows == len(expected)
    assert array.tolist() == pytest.approx(expected, nan_ok=True) if kind != "category" else True
    if kind == "category":
        assert array.tolist() == expected and {type(v) for v in array} == {str}


WRONG = [
    ("number", ["1"], "str"),
    ("number", [1, "x"], "str"),
    ("number", pd.Series(["1"]), "str"),
    ("number", [math.inf], "too large"),
    ("number", [-1e39], "too large"),
    ("number", [[1]], "list"),
    ("number", pd.to_datetime(["2024-01-01"]), "datetime"),
    ("boolean", [2], "other than 0 and 1"),
    ("boolean", ["true"], "str"),
    ("category", [1], "int"),
    ("category", [1.5], "float"),
    ("category", pd.Series([1, 2]), "int"),
    ("category", [True], "bool"),
]


@pytest.mark.parametrize("kind,given_,found", WRONG)
def test_wrong_columns_and_rows_name_the_column(kind, given_, found):
    with pytest.raises(InputError, match=f"column 'x'.*{found}"):
        encode_columns(ONE[kind], {"x": given_})
    if isinstance(given_, list):
        with pytest.raises(InputError, match=f"column 'x'.*{found}"):
            encode_rows(ONE[kind], [{"x": value} for value in given_])


value = {
    "number": st.none()
    | st.integers(-(2**40), 2**40)
    | st.floats(width=32, allow_infinity=False)
    | st.booleans(),
    "boolean": st.none() | st.booleans() | st.sampled_from([0, 1, 0.0, 1.0]),
    "category": st.none() | st.text(),
}


@given(st.data(), st.sampled_from(sorted(value)))
def test_rows_and_columns_are_encoded_alike(data, kind):
    values = data.draw(st.lists(value[kind], min_size=1, max_size=6))
    (column,), _ = encode_columns(ONE[kind], {"x": values})
    (row,) = encode_rows(ONE[kind], [{"x": v} for v in values])
    assert column.dtype == row.dtype
    np.testing.assert_array_equal(column, row)


@pytest.mark.parametrize("engine", ["onnx", "native"])
def test_a_model_that_takes_no_missing_value_says_so_in_both_engines(tmp_path, engine):
    parts = [
        ("numbers", StandardScaler(), [0, 1, 2]),
        ("rest", OneHotEncoder(handle_unknown="ignore"), [3, 4]),
    ]
    table = frame()
    table["a b"] = table["a b"].fillna(0.0)
    model = Pipeline([("prepare", ColumnTransformer(parts)), ("model", LogisticRegression())])
    from bundle_world import fitted

    from evergreen.bundle import save_bundle
    from evergreen.bundle.save import Companions

    made = signature()
    save_bundle(tmp_path / "b", fitted(model, made, table), made, Companions("", None, None, {}), table)
    bundle = load_bundle(tmp_path / "b", engine=engine)
    assert not bundle.signature.accepts_missing
    bundle.predict(table)
    table.loc[2, "a b"] = None
    with pytest.raises(InputError, match=r"column 'a b'.*missing value"):
        bundle.predict(table)
    with pytest.raises(InputError, match=r"column 'a b'.*missing value"):
        bundle.predict_rows(records(table)[:5])


def test_a_pipeline_that_refuses_unseen_values_keeps_to_itself(tmp_path):
    info = save(tmp_path / "b", one_hot(LogisticRegression(), handle_unknown="error"))
    assert info.engine == "native" and "handle_unknown" in info.parity.reason
    assert info.signature.accepts_missing
    bundle = load_bundle(tmp_path / "b")
    table = frame(3).assign(**{"c,d": "never seen"})
    with pytest.raises(InputError, match="cannot take them"):
        bundle.predict(table)
    with pytest.raises(InputError, match="no ONNX graph"):
        load_bundle(tmp_path / "b", engine="onnx")
