"""Arrow arrays straight from NumPy's memory and from texts.

`pyarrow.array` would do it too, but its first call imports pandas: 0.4 s and 40 MB in a server that has no
other use for it.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def numbers(values: np.ndarray, kind: pa.DataType, valid: np.ndarray | None = None) -> pa.Array:
    """An array of numbers, or of times as whole numbers.

    Args:
        values: [rows] of the type's own width.
        kind: The Arrow type.
        valid: [rows] of booleans; None where none is null.
    """
    return pa.Array.from_buffers(
        kind, len(values), [_bits(valid), pa.py_buffer(np.ascontiguousarray(values))]
    )


def booleans(values: np.ndarray, valid: np.ndarray | None = None) -> pa.Array:
    """An array of booleans from [rows] of booleans."""
    packed = pa.py_buffer(np.packbits(values, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [_bits(valid), packed])


def texts(values: Sequence[str], *, empty_is_null: bool = False) -> pa.Array:
    """An array of texts.

    Args:
        values: The texts.
        empty_is_null: Whether the empty text stands for null.

    Raises:
        ValueError: for a text that is not Unicode (a lone surrogate), or more than 2 GiB together.
    """
    joined = "".join(values)
    parts: Sequence[str | bytes] = values
    data = joined.encode()
    if len(data) != len(joined):
        parts = [value.encode() for value in values]
    if len(data) >= 2**31:
        raise ValueError("more text than an Arrow array holds")
    offsets = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum(np.fromiter(map(len, parts), np.int32, len(parts)), out=offsets[1:])
    valid = np.diff(offsets) > 0 if empty_is_null else None
    buffers = [_bits(valid), pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


def same(value: str, rows: int) -> pa.Array:
    """One text in every row."""
    data = value.encode()
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(len(data))
    return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(data * rows)])


def struct(children: Sequence[pa.Array], kind: pa.StructType, rows: int) -> pa.Array:
    """An array of structs, none of them null."""
    return pa.Array.from_buffers(kind, rows, [None], children=list(children))


def _bits(valid: np.ndarray | None) -> pa.Buffer | None:
    """A validity bitmap; None where everything is valid."""
    if valid is None or valid.all():
        return None
    return pa.py_buffer(np.packbits(valid, bitorder="little"))
