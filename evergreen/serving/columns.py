"""Requests as the arrays that a model reads, and what is wrong with those that cannot be read.

The arrays are those of `evergreen.bundle.encode`: doubles with NaN for a missing value, text with the empty
text for one. A value is checked by its JSON type, never converted from another one.
"""

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, NoReturn

import msgspec
import numpy as np

from evergreen.bundle.encode import MISSING_TEXT
from evergreen.bundle.signature import Input, Signature
from evergreen.near import did_you_mean
from evergreen.serving.protocol import InferRequest, Refusal, RowsRequest, Tensor

_INTEGERS = [f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]
_FLOATS = ["FP16", "FP32", "FP64"]
_TYPES: dict[str, Any] = {
    **dict.fromkeys(_INTEGERS, int),
    **dict.fromkeys(_FLOATS, float),
    "BOOL": bool,
    "BYTES": str,
}
_FLAT = {n: msgspec.json.Decoder(list[t | None]).decode for n, t in _TYPES.items()}  # type: ignore[valid-type]
_NESTED = {n: msgspec.json.Decoder(list[list[t | None]]).decode for n, t in _TYPES.items()}  # type: ignore[valid-type]

_ACCEPTED: dict[str, set[type]] = {
    "number": {float, int, NoneType},
    "boolean": {bool, int, float, NoneType},
    "category": {str, NoneType},
}
_EXPECTED = {
    "number": "a number (FP64, at most 3.4e38) or null",
    "boolean": "true, false (BOOL) or null",
    "category": "text (BYTES) or null",
}
# Trees and graphs compute with 32-bit floats: a larger number would become infinite there.
_LARGEST = 3.4028234e38
DATATYPES = {"number": "FP64", "boolean": "BOOL", "category": "BYTES"}


class Columns:
    """Reads requests for one signature.

    Args:
        signature: What the model takes.
        max_rows: The most rows of one request.
    """

    def __init__(self, signature: Signature, max_rows: int) -> None:
        self.signature, self.max_rows = signature, max_rows
        self._places = {spec.name: k for k, spec in enumerate(signature.inputs)}
        self._required = {spec.name for spec in signature.inputs if spec.required}

    def from_tensors(self, request: InferRequest) -> tuple[list[np.ndarray], int]:
        """The arrays of a protocol request, in the order of the signature, and the number of rows.

        Raises:
            Refusal: with status 400, naming the column, or 413 for too many rows.
        """
        if not request.inputs:
            raise schema_error("inputs", "no tensor", "one tensor for each column of the model")
        rows = request.inputs[0].shape[0] if request.inputs[0].shape else 0
        self._check_rows(rows)
        given: dict[str, list[Any]] = {}
        for tensor in request.inputs:
            if tensor.name in given:
                raise schema_error(f"column {tensor.name!r}", "given twice", "one tensor for each column")
            if tensor.name not in self._places:
                raise self._unknown(tensor.name)
            given[tensor.name] = _values(tensor, rows, self.signature.inputs[self._places[tensor.name]])
        self._check_names(given)
        missing = [None] * rows
        return [self._array(spec, given.get(spec.name, missing)) for spec in self.signature.inputs], rows

    def from_rows(self, request: RowsRequest) -> tuple[list[np.ndarray], int]:
        """The arrays of a `rows` request, in the order of the signature, and the number of rows.

        Raises:
            Refusal: with status 400, naming row and column, or 413 for too many rows.
        """
        self._check_rows(len(request.rows))
        for row in request.rows:
            self._check_names(row)
        arrays = [
            self._array(spec, [row.get(spec.name) for row in request.rows]) for spec in self.signature.inputs
        ]
        return arrays, len(request.rows)

    def _check_rows(self, rows: int) -> None:
        if rows < 1:
            raise schema_error("request", "no rows", f"1 to {self.max_rows} rows")
        if rows > self.max_rows:
            raise Refusal(
                413, "size", "request", f"{rows} rows", f"at most {self.max_rows}",
                "Send fewer rows at a time, or use the pipeline predict_batch.",
            )  # fmt: skip

    def _check_names(self, given: Mapping[str, Any]) -> None:
        if not given.keys() <= self._places.keys():
            raise self._unknown(next(name for name in given if name not in self._places))
        if not self._required <= given.keys():
            raise self._absent([i.name for i in self.signature.inputs if i.required and i.name not in given])

    def _array(self, spec: Input, values: list[Any]) -> np.ndarray:
        """One column's array; every value's type is checked."""
        if not set(map(type, values)) <= _ACCEPTED[spec.type]:
            _refuse_first(spec, values, lambda value: type(value) not in _ACCEPTED[spec.type])
        if spec.type == "category":
            texts = np.empty(len(values), dtype=object)
            texts[:] = [MISSING_TEXT if value is None else value for value in values]
            return texts
        if spec.type == "boolean" and not set(values) <= {0, 1, None}:
            _refuse_first(spec, values, lambda value: value not in (0, 1, None))
        if not self.signature.accepts_missing and None in values:
            row = values.index(None)
            raise schema_error(
                f"column {spec.name!r}, row {row}", "null", "a value: the model takes no missing ones"
            )
        if not all(value is None or -_LARGEST <= value <= _LARGEST for value in values):
            _refuse_first(spec, values, lambda value: value is not None and abs(value) > _LARGEST)
        return np.array(values, dtype=np.float64)

    def _absent(self, names: Sequence[str]) -> Refusal:
        listed = ", ".join(repr(n) for n in names[:10]) + (
            f" and {len(names) - 10} more" if names[10:] else ""
        )
        return schema_error(
            f"column {names[0]!r}", f"not given (missing: {listed})", "every required column of the model",
            "A single value may be null.",
        )  # fmt: skip

    def _unknown(self, name: str) -> Refusal:
        hint = did_you_mean(name, self._places, "The model's metadata lists them.")
        return schema_error(
            f"column {name[:80]!r}", "not one of the model's", "one of the model's columns", hint
        )


def _values(tensor: Tensor, rows: int, spec: Input) -> list[Any]:
    """The values of a tensor as a flat list, after its shape and datatype were checked."""
    where = f"column {tensor.name!r}"
    if tensor.datatype not in _FLAT:
        raise schema_error(where, f"datatype {tensor.datatype[:20]!r}", DATATYPES[spec.type])
    if tensor.shape not in ([rows], [rows, 1]):
        raise schema_error(where, f"shape {tensor.shape}", f"[{rows}] or [{rows}, 1], by the first input")
    raw = bytes(tensor.data)
    if not raw:
        raise schema_error(where, "no data", "`data` with a JSON array (binary tensors are not taken)")
    try:
        if raw[1:16].lstrip().startswith(b"["):
            values = [value for inner in _NESTED[tensor.datatype](raw) for value in inner]
        else:
            values = _FLAT[tensor.datatype](raw)
    except msgspec.DecodeError as error:
        found = str(error).replace("`", "'").replace("at '$", "at 'data")
        raise schema_error(where, found, f"{tensor.datatype} or null") from None
    if len(values) != rows:
        raise schema_error(where, f"{len(values)} values for shape {tensor.shape}", f"{rows} values")
    return values


def _refuse_first(spec: Input, values: Sequence[Any], wrong: Any) -> NoReturn:
    row = next(k for k, value in enumerate(values) if wrong(value))
    shown = msgspec.json.encode(values[row]).decode()
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    raise schema_error(f"column {spec.name!r}, row {row}", f"found {shown}", _EXPECTED[spec.type])


def schema_error(where: str, found: str, expected: str, remedy: str = "") -> Refusal:
    """A request that does not fit the model's schema: status 400."""
    return Refusal(400, "schema", where, found, expected, remedy)
