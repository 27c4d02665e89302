"""What does not fit: refused, or imputed and counted."""

import json
import struct

import numpy as np
import pytest
from asking import Asker, app_of

from evergreen.bundle import Input, Signature
from evergreen.serving.binary import read_values
from evergreen.serving.columns import Columns
from evergreen.serving.protocol import Refusal, decode_infer, decode_rows
from evergreen.serving.settings import Limits, Policy

MIXED = Signature(
    "regression",
    (Input("n", "number"), Input("t", "category", required=False), Input("f", "boolean", required=False)),
)
NUMBERS = Signature("regression", (Input("a", "number"), Input("b", "number"), Input("f", "boolean")))
IMPUTE, IGNORE = Policy(violations="impute"), Policy(unknown_columns="ignore")


def rows(columns, *given):
    return columns.from_rows(decode_rows(json.dumps({"rows": given}).encode()))


def tensors(columns, *given, blob=b""):
    body = json.dumps({"inputs": given}).encode()
    request = decode_infer(body)
    values = read_values(request.inputs, body + blob, len(body)) if blob else ()
    return columns.from_tensors(request, values)


def tensor(name, datatype, data, shape=None, **more):
    given = {"name": name, "datatype": datatype, "shape": shape or [len(data)]}
    return given | (more or {"data": data})


BAD_VALUES = [
    ({"n": "x"}, "n"), ({"n": True}, "n"), ({"n": 1e39}, "n"), ({"n": 10**400}, "n"), ({"n": [1]}, "n"),
    ({"n": {}}, "n"), ({"n": 1, "t": 7}, "t"), ({"n": 1, "t": ["x"]}, "t"), ({"n": 1, "f": 2}, "f"),
    ({"n": 1, "f": "true"}, "f"),
]  # fmt: skip


@pytest.mark.parametrize("row,column", BAD_VALUES)
@pytest.mark.parametrize("count", [1, 3])
def test_a_value_that_does_not_fit_is_imputed_and_counted_once(row, column, count):
    good = {"n": 2.0, "t": "a", "f": True}
    got = rows(Columns(MIXED, 9, IMPUTE), row, *[good] * (count - 1))
    place = ["n", "t", "f"].index(column)
    value = got.arrays[place][0]
    assert value == "" if column == "t" else np.isnan(value)
    assert (got.tally.imputed, got.tally.violations) == (1, {column: 1})
    assert got.tally.missing == sum(name not in row for name in ("t", "f"))
    if count > 1:
        assert [a[1] for a in got.arrays] == [2.0, "a", 1.0]
    with pytest.raises(Refusal) as refused:
        rows(Columns(MIXED, 9), row)
    assert (refused.value.status, refused.value.column) == (400, column)


def test_a_required_column_that_is_absent_is_imputed_unless_nothing_is_given():
    columns = Columns(MIXED, 9, IMPUTE)
    got = rows(columns, {"t": "a"}, {"n": 1.0})
    assert np.isnan(got.arrays[0][0]) and got.arrays[0][1] == 1
    assert (got.tally.imputed, got.tally.violations, got.tally.missing) == (1, {"n": 1}, 3)
    got = tensors(columns, tensor("t", "BYTES", ["a", "b"]))
    assert (got.tally.imputed, got.tally.missing) == (2, 2)
    with pytest.raises(Refusal, match="column 'n': not given"):
        rows(columns, {})


def test_unknown_columns_are_ignored_and_counted():
    columns = Columns(MIXED, 9, IGNORE)
    row = {"n": 1.0, "t": "a", "f": True, "nn": [1, {}]}
    got = rows(columns, row, row)
    assert (got.tally.imputed, got.tally.missing, got.tally.violations) == (2, 0, {})
    got = tensors(columns, tensor("n", "FP64", [1, 2]), tensor("zz", "FP128", ["x"]))
    assert got.tally.imputed == 2
    with pytest.raises(Refusal, match="column 'nn': not one of the model's"):
        rows(Columns(MIXED, 9), row)


def test_a_model_without_missing_values_refuses_what_cannot_be_imputed():
    strict = Signature("regression", (Input("n", "number"), Input("t", "category")), accepts_missing=False)
    columns = Columns(strict, 9, IMPUTE)
    for bad in ({"n": "x", "t": "a"}, {"n": None, "t": "a"}, {"t": "a"}):
        with pytest.raises(Refusal, match="column 'n'"):
            rows(columns, bad)
    assert rows(columns, {"n": 1, "t": 5}).tally.imputed == 1


def test_binary_values_are_checked_like_json():
    columns = Columns(MIXED, 9)
    numbers = np.array([1, np.nan, 3], dtype="<f4")
    flags = np.array([0, 1, 1], dtype="u1")
    given = (
        tensor("n", "FP32", [], [3, 1], parameters={"binary_data_size": 12}),
        tensor("t", "BYTES", ["a", "", None]),
        tensor("f", "BOOL", [], [3], parameters={"binary_data_size": 3}),
    )
    got = tensors(columns, *given, blob=numbers.tobytes() + flags.tobytes())
    np.testing.assert_array_equal(got.arrays[0], [1, np.nan, 3])
    assert got.arrays[1].tolist() == ["a", "", ""] and got.arrays[2].tolist() == [0, 1, 1]
    assert got.tally.missing == 3
    numbers[2] = np.inf
    blob = numbers.tobytes() + flags.tobytes()
    with pytest.raises(Refusal, match=r"column 'n', row 2: found an infinite number; expected a number"):
        tensors(columns, *given, blob=blob)
    got = tensors(Columns(MIXED, 9, IMPUTE), *given, blob=blob)
    assert np.isnan(got.arrays[0][2]) and got.tally.violations == {"n": 1}


def test_a_binary_tensor_of_the_wrong_datatype_is_refused_or_imputed():
    given = tensor("t", "FP64", [], [1], parameters={"binary_data_size": 8})
    n = tensor("n", "INT8", [5])
    with pytest.raises(Refusal, match="column 't': datatype FP64; expected BYTES"):
        tensors(Columns(MIXED, 9), n, given, blob=struct.pack("<d", 1))
    got = tensors(Columns(MIXED, 9, IMPUTE), n, given, blob=struct.pack("<d", 1))
    assert got.arrays[1].tolist() == [""] and got.tally.violations == {"t": 1}


@pytest.mark.parametrize("nested", [False, True])
def test_one_tensor_may_hold_every_column_of_a_model_of_numbers(nested):
    columns = Columns(NUMBERS, 9)
    data = [[1, 2.5, 1], [3, None, 0]]
    flat = [v for row in data for v in row]
    got = tensors(columns, tensor("input-0", "FP32", data if nested else flat, [2, 3]))
    np.testing.assert_array_equal(got.arrays, [[1, 3], [2.5, np.nan], [1, 0]])
    assert got.tally.missing == 1
    numbers = np.array(data, dtype=float).astype("<f4")
    whole = tensor("predict", "FP32", [], [2, 3], parameters={"binary_data_size": 24})
    np.testing.assert_array_equal(tensors(columns, whole, blob=numbers.tobytes()).arrays, numbers.T)


@pytest.mark.parametrize("shape,data,words", [
    ([1, 2], [1, 2], "shape [1, 2]; expected [1, 3]"),
    ([1, 4], [1, 2, 3, 4], "shape [1, 4]; expected [1, 3]"),
    ([1, 3], [1, 2], "2 values for shape [1, 3]; expected 3"),
    ([1, 3], [[1, 2]], "rows of other lengths in `data`"),
    ([1, 3], [1, 2, 3], "column 'f', row 0: found 3"),
    ([3], [1, 2, 3], "column 'input-0': not one of the model's"),
])  # fmt: skip
def test_a_table_that_does_not_fit_is_an_honest_400(shape, data, words):
    with pytest.raises(Refusal) as caught:
        tensors(Columns(NUMBERS, 9), tensor("input-0", "FP32", data, shape))
    assert caught.value.status == 400 and words in str(caught.value)


def test_a_table_is_not_taken_when_a_column_is_text():
    with pytest.raises(Refusal, match="column 'input-0': not one of the model's"):
        tensors(Columns(MIXED, 9), tensor("input-0", "FP32", [1, 2, 3], [1, 3]))


def test_a_datatype_that_contradicts_its_values_is_refused():
    columns = Columns(NUMBERS, 9)
    with pytest.raises(Refusal, match=r"column 'a', row 0: found 1.5; expected INT32 or null"):
        tensors(columns, tensor("a", "INT32", [1.5]), tensor("b", "FP64", [1]), tensor("f", "BOOL", [True]))


def test_policies_show_in_flags_and_metrics(bundles, table):
    odd = list(table(1))[1]
    app = app_of(bundles["binary"], Limits(), Policy("impute", "ignore"))
    asker = Asker(app)
    row = {"age": "old", odd: None, "city": "a", "vip": True, "extra": 1}
    got = asker.rows(row, {**row, "age": 30}, x_evergreen_arm="candidate")
    assert got.status == 200
    assert got.headers["x-evergreen-flags"] == "rows=2,missing=2,imputed=3,empty=0"
    counted = asker.metrics()
    assert counted['evergreen_imputed_values_total{arm="candidate",model_name="demo"}'] == 3
    assert counted['evergreen_missing_values_total{arm="candidate",model_name="demo"}'] == 2
    assert counted['evergreen_violations_total{action="imputed",column="age",model_name="demo"}'] == 1
    strict = Asker(app_of(bundles["binary"]))
    assert strict.rows(row).status == 400
    counted = strict.metrics()
    assert not any("extra" in name for name in counted), "a name that a caller made up is no label"
    assert strict.rows({**{k: v for k, v in row.items() if k != "extra"}}).status == 400
    refused = 'evergreen_violations_total{action="refused",column="age",model_name="demo"}'
    assert strict.metrics()[refused] == 1
