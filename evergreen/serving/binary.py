"""Binary tensors: values behind a request's JSON, and behind an answer's.

The extension of Triton and KServe: the header `Inference-Header-Content-Length` says where the JSON ends,
each tensor's parameter `binary_data_size` how many bytes are its own, in the order of the tensors,
little-endian.
Text (BYTES) has its length before it, four bytes. Numbers are read where they lie, without a copy.
https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md
"""

import struct
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from evergreen.serving.protocol import Refusal, Tensor, schema_error

HEADER = "inference-header-content-length"
CONTENT_TYPE = "application/octet-stream"
DTYPES = {
    "BOOL": np.dtype("u1"),
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
}
_MOST_DIGITS = 12
_LENGTH = struct.Struct("<I")
Values = np.ndarray | list[str]


def json_length(header: str, body: bytes) -> int:
    """Where the JSON of a body ends, by the header's value.

    Raises:
        Refusal: with status 400 when it is not a number of bytes that the body has.
    """
    length = int(header) if header.isascii() and header.isdecimal() and len(header) <= _MOST_DIGITS else -1
    if not 0 <= length <= len(body):
        raise schema_error(
            "header Inference-Header-Content-Length", repr(header[:40]), f"a number from 0 to {len(body)}"
        )
    return length


def read_values(tensors: Sequence[Tensor], body: bytes, start: int) -> list[Values | None]:
    """The binary values of each tensor; None for one that has its values in JSON.

    Args:
        tensors: The inputs of a request.
        body: The whole body.
        start: Where the JSON ends.

    Returns:
        For each tensor a flat array that shares the body's memory (BOOL as bytes), or a list of texts.

    Raises:
        Refusal: with status 400, naming the column whose size does not fit.
    """
    values: list[Values | None] = []
    for tensor in tensors:
        size = tensor.binary_size
        if size is None:
            values.append(None)
            continue
        where, left = f"column {tensor.name[:80]!r}", len(body) - start
        if tensor.data is not None:
            raise schema_error(where, "`data` and `binary_data_size`", "one of them")
        if not 0 <= size <= left:
            raise schema_error(where, f"binary_data_size {size}", f"0 to {left}: what the body still has")
        values.append(_tensor(tensor, body, start, size, where))
        start += size
    if start != len(body):
        raise schema_error(
            "body", f"{len(body) - start} bytes behind the last tensor", "what binary_data_size says"
        )
    return values


def _tensor(tensor: Tensor, body: bytes, start: int, size: int, where: str) -> Values:
    count = prod(tensor.shape) if all(n >= 0 for n in tensor.shape) else -1
    if tensor.datatype == "BYTES":
        return _texts(body, start, size, count, where)
    dtype = DTYPES.get(tensor.datatype)
    if dtype is None:
        raise schema_error(where, f"datatype {tensor.datatype[:20]!r}", f"BYTES, {', '.join(DTYPES)}")
    if size != count * dtype.itemsize:
        shape = f"shape {tensor.shape[:4]} of {tensor.datatype}"
        raise schema_error(where, f"{size} bytes for {shape}", f"{max(0, count) * dtype.itemsize} bytes")
    return np.frombuffer(body, dtype, count, start)


def _texts(body: bytes, start: int, size: int, count: int, where: str) -> list[str]:
    texts: list[str] = []
    end = start + size
    while start < end:
        if end - start < _LENGTH.size:
            raise schema_error(f"{where}, row {len(texts)}", "a length that is cut off", "4 bytes")
        (length,) = _LENGTH.unpack_from(body, start)
        start += _LENGTH.size
        if length > end - start:
            found = f"a text of {length} bytes where {end - start} are left"
            raise schema_error(f"{where}, row {len(texts)}", found, "lengths that fit binary_data_size")
        try:
            texts.append(body[start : start + length].decode())
        except UnicodeDecodeError:
            raise schema_error(f"{where}, row {len(texts)}", "bytes that are not UTF-8", "text") from None
        start += length
    if len(texts) != count:
        raise schema_error(where, f"{len(texts)} texts", f"{count}, by its shape")
    return texts


def write_values(datatype: str, values: Sequence[Any] | np.ndarray) -> bytes:
    """The values of an output as bytes; texts with their length before them."""
    if datatype != "BYTES":
        return np.asarray(values, dtype=DTYPES[datatype]).tobytes()
    texts = [str(value).encode() for value in values]
    return b"".join(_LENGTH.pack(len(text)) + text for text in texts)


def refuse_header_without_infer() -> Refusal:
    """Binary tensors are for `infer` alone."""
    return schema_error("header Inference-Header-Content-Length", "on a request of JSON rows", "it for infer")
