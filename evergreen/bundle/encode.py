"""Columns and rows as the arrays that a model reads: one array an input, in the order of the signature.

Numbers and booleans become doubles with NaN where a value is missing; categories become text with the empty
text where a value is missing. Training, the native pipeline and the ONNX graph read the same arrays.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from evergreen.bundle.signature import Input, Signature
from evergreen.errors import InputError
from evergreen.near import nearest

MISSING_TEXT = ""
LARGEST = float(np.finfo(np.float32).max)
_KINDS = {"number": "a number", "category": "text", "boolean": "true or false"}


def check_columns(signature: Signature, given: Iterable[str]) -> None:
    """Refuse input that lacks a required column; an optional one may be absent.

    Raises:
        InputError: naming every column that is missing, with the nearest name that was given.
    """
    names = list(given)
    missing = [i.name for i in signature.inputs if i.required and i.name not in names]
    if not missing:
        return
    known = {i.name for i in signature.inputs}
    near = nearest(missing[0], [n for n in names if n not in known])
    hint = f"Did you mean {missing[0]!r} by {near!r}? " if near else ""
    more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
    text = ", ".join(repr(m) for m in missing[:10]) + more
    raise InputError(
        f"column {missing[0]!r}",
        f"required and not given (missing: {text})",
        remedy=f"{hint}Give every required column of the model's signature; single values may be null.",
    )


def encode_columns(signature: Signature, columns: Mapping[str, Any]) -> tuple[list[np.ndarray], int]:
    """Encode columns (a pandas DataFrame, or names to arrays or lists).

    Returns:
        One array [rows] for each input (float64, or object of text), and the number of rows.

    Raises:
        InputError: naming the column that is missing, of another type, or of another length.
    """
    check_columns(signature, columns.keys())
    raw = {i.name: _plain(columns[i.name]) for i in signature.inputs if i.name in columns}
    rows = _rows(raw, columns)
    arrays = [encode_column(i, raw[i.name]) if i.name in raw else _absent(i, rows) for i in signature.inputs]
    if not signature.accepts_missing:
        _refuse_missing(signature.inputs, arrays)
    return arrays, rows


def encode_rows(signature: Signature, rows: Sequence[Mapping[str, Any]]) -> list[np.ndarray]:
    """Encode a few rows given as name to value; without pandas, for the serving path.

    Raises:
        InputError: as `encode_columns`.
    """
    for row in rows:
        if any(i.required and i.name not in row for i in signature.inputs):
            check_columns(signature, row.keys())
    arrays = []
    for i in signature.inputs:
        convert, dtype = (_text, object) if i.type == "category" else (_number, np.float64)
        array = np.empty(len(rows), dtype=dtype)
        for k, row in enumerate(rows):
            array[k] = convert(i, row.get(i.name))
        arrays.append(array)
    if not signature.accepts_missing:
        _refuse_missing(signature.inputs, arrays)
    return arrays


def encode_column(spec: Input, values: np.ndarray) -> np.ndarray:
    """Encode one column, [rows] of any dtype, as float64 or as object of text.

    Raises:
        InputError: naming the column, when a value is of another type than the signature's or is infinite.
    """
    kind = values.dtype.kind
    if spec.type == "category":
        if kind in "US":
            return values.astype(str).astype(object)
        if kind == "f" and np.isnan(values).all():
            return _absent(spec, len(values))
        return _texts(spec, values)
    if kind in "iufb":
        numbers = values.astype(np.float64)
    elif kind == "O":
        numbers = _numbers(spec, values)
    else:
        raise _wrong(spec, f"values of type {values.dtype}")
    if (np.abs(numbers) > LARGEST).any():
        raise _too_large(spec)
    if spec.type == "boolean" and not np.isin(numbers[~np.isnan(numbers)], (0.0, 1.0)).all():
        raise _wrong(spec, "numbers other than 0 and 1")
    return numbers


def _plain(column: Any) -> np.ndarray:
    """A pandas column, a masked array or a list as a plain array; missing values as None or NaN."""
    dtype = getattr(column, "dtype", None)
    if isinstance(column, np.ma.MaskedArray):
        plain = np.asarray(column.data).astype(object)
        plain[np.ma.getmaskarray(column)] = None
        return plain
    if hasattr(column, "to_numpy"):
        if not isinstance(dtype, np.dtype) and getattr(dtype, "kind", "O") in "iufb":
            return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
        return np.asarray(column.to_numpy())
    if isinstance(column, np.ndarray):
        return column
    array = np.empty(len(column), dtype=object)
    array[:] = list(column)
    return array


def _rows(raw: Mapping[str, np.ndarray], columns: Mapping[str, Any]) -> int:
    lengths = {name: len(a) for name, a in raw.items()}
    if not lengths:
        return (
            max((len(v) for v in columns.values()), default=0)
            if not hasattr(columns, "index")
            else len(columns)
        )
    rows = next(iter(lengths.values()))
    for name, length in lengths.items():
        if length != rows:
            raise InputError(f"column {name!r}", f"{length} values", f"{rows}, as in the other columns")
    return rows


def _absent(spec: Input, rows: int) -> np.ndarray:
    if spec.type == "category":
        return np.full(rows, MISSING_TEXT, dtype=object)
    return np.full(rows, np.nan)


def _texts(spec: Input, values: np.ndarray) -> np.ndarray:
    listed = values.tolist()
    if set(map(type, listed)) <= {str}:
        return values
    array = np.empty(len(listed), dtype=object)
    for k, value in enumerate(listed):
        array[k] = _text(spec, value)
    return array


def _numbers(spec: Input, values: np.ndarray) -> np.ndarray:
    listed = values.tolist()
    if set(map(type, listed)) <= {float, int, bool}:
        return np.array(listed, dtype=np.float64)
    return np.array([_number(spec, value) for value in listed], dtype=np.float64)


def _text(spec: Input, value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if _is_missing(value):
        return MISSING_TEXT
    raise _wrong(spec, f"a value of type {type(value).__name__}")


def _number(spec: Input, value: Any) -> float:
    if isinstance(value, float | int | np.number | np.bool_):
        number = float(value)
    elif _is_missing(value):
        return math.nan
    elif type(value).__name__ == "Decimal":
        number = float(value)
    else:
        raise _wrong(spec, f"a value of type {type(value).__name__}")
    if abs(number) > LARGEST:
        raise _too_large(spec)
    if spec.type == "boolean" and number not in (0.0, 1.0) and not math.isnan(number):
        raise _wrong(spec, "a number other than 0 and 1")
    return number


def _is_missing(value: Any) -> bool:
    """None, NaN, NaT and pandas' NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def _refuse_missing(inputs: Sequence[Input], arrays: Sequence[np.ndarray]) -> None:
    for spec, array in zip(inputs, arrays, strict=True):
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise InputError(
                f"column {spec.name!r}",
                "a missing value, which this model's transform does not take",
                remedy="Give a value, or train with `transform: auto` or an imputer.",
            )


def _wrong(spec: Input, found: str) -> InputError:
    return InputError(
        f"column {spec.name!r}", found, f"{_KINDS[spec.type]}, as in training", "Convert the column first."
    )


def _too_large(spec: Input) -> InputError:
    """Trees and graphs compute with 32-bit floats, where such a number is infinite."""
    expected = f"numbers from -{LARGEST:.3g} to {LARGEST:.3g}"
    return InputError(f"column {spec.name!r}", "an infinite or too large number", expected, "Leave it out.")
