"""The content digest of a table: what its rows say, however and wherever they are stored."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evergreen.tables.connection import explained
from evergreen.tables.kinds import Kind, kind
from evergreen.tables.parquet import columns, relation
from evergreen.tables.sql import identifier

_BATCH_ROWS = 122_880
_SQL_TYPES: dict[Kind, str] = {
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "text": "VARCHAR",
    "nested": "VARCHAR",
}


def content_digest(
    con: duckdb.DuckDBPyConnection, table: str | Path, order_by: Sequence[str] | None = None
) -> str:
    """The hex SHA-256 of a table's content, streamed; 64 characters.

    Definition. Each column is reduced to its kind (`evergreen.tables.kinds`): integers as 64-bit, numbers as
    IEEE 754 double (all NaN as one, -0.0 as 0.0), booleans as bytes, timestamps as microseconds and dates as
    days since 1970 (UTC), everything else as its UTF-8 text. A column's digest is SHA-256 over the digests of
    three streams: one byte a row that says whether it holds a value; the values, little endian, zero where
    there is none; for text the lengths in bytes (64-bit). The table's digest is SHA-256 over the JSON text of
    [number of rows, [name, kind, column digest]…]. The order of rows and of columns counts; file layout,
    compression, row groups, writer, DuckDB version and integer width do not.

    Args:
        con: An open connection.
        table: SQL that can stand after FROM, a query, or the path of a Parquet file or folder.
        order_by: Columns to sort by first; default: the stored order.
    """
    kinds = {name: _storable(duckdb_type) for name, duckdb_type in columns(con, table).items()}
    casts = ", ".join(
        f"CAST({identifier(n)} AS {_SQL_TYPES[k]}) AS {identifier(n)}" for n, k in kinds.items()
    )
    order = f" ORDER BY {', '.join(f'{identifier(c)} NULLS LAST' for c in order_by)}" if order_by else ""
    hashers = [_ColumnHasher(k) for k in kinds.values()]
    rows = 0
    with explained(str(table)):
        for batch in con.sql(f"SELECT {casts} FROM {relation(table)}{order}").to_arrow_reader(_BATCH_ROWS):
            rows += batch.num_rows
            for hasher, column in zip(hashers, batch.columns, strict=True):
                hasher.update(column)
    described = [
        [name, k, hasher.hexdigest()] for (name, k), hasher in zip(kinds.items(), hashers, strict=True)
    ]
    text = json.dumps([rows, described], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _storable(duckdb_type: str) -> Kind:
    """The kind of a column; integers past 64 bits are told by their text."""
    wide = duckdb_type.upper() in ("HUGEINT", "UHUGEINT", "UBIGINT", "BIGNUM")
    return "text" if wide else kind(duckdb_type)


class _ColumnHasher:
    """Three streams of one column; batches may be cut anywhere."""

    def __init__(self, column_kind: Kind) -> None:
        self._kind = column_kind
        self._streams = [hashlib.sha256() for _ in range(3)]

    def update(self, column: Any) -> None:
        present, values, lengths = self._streams
        present.update(_bytes(pc.is_valid(column).cast(pa.uint8())))
        if self._kind in ("text", "nested"):
            column = column.cast(pa.large_binary())
            lengths.update(_bytes(pc.fill_null(pc.binary_length(column), 0).cast(pa.int64())))
            for piece in _text_bytes(column):
                values.update(piece)
            return
        if self._kind == "number":
            numbers = np.asarray(pc.fill_null(column, 0.0)) + 0.0
            values.update(np.where(np.isnan(numbers), np.nan, numbers).astype("<f8").tobytes())
            return
        if self._kind == "boolean":
            column = column.cast(pa.uint8())
        elif self._kind == "date":
            column = column.cast(pa.date32()).cast(pa.int32())
        elif self._kind == "timestamp":
            column = column.cast(pa.timestamp("us")).cast(pa.int64())
        values.update(_bytes(pc.fill_null(column, 0)))

    def hexdigest(self) -> str:
        return hashlib.sha256(b"".join(s.digest() for s in self._streams)).hexdigest()


def _bytes(column: Any) -> bytes:
    numbers = column.to_numpy(zero_copy_only=False)
    return bytes(numbers.astype(numbers.dtype.newbyteorder("<"), copy=False).tobytes())


def _text_bytes(column: Any) -> list[Any]:
    """The UTF-8 bytes of a text column, rows without a value left out, as one buffer slice."""
    filled = pc.fill_null(column, b"") if column.null_count else column
    offsets, data = filled.buffers()[1:]
    if data is None or len(filled) == 0:
        return []
    bounds = np.frombuffer(offsets, dtype=np.int64)[[filled.offset, filled.offset + len(filled)]]
    return [memoryview(data)[bounds[0] : bounds[1]]]
