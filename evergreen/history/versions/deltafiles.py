"""A table's Parquet as files that any reader of Delta takes: its own where their types allow it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import Schema
from deltalake.exceptions import DeltaError

from evergreen.errors import DataError
from evergreen.project.model import Resources
from evergreen.tables.connection import connect
from evergreen.tables.kinds import kind
from evergreen.tables.parquet import columns, parts, scan, write_query
from evergreen.tables.sql import identifier

_CASTS = {
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP_NS": "TIMESTAMP",
}
_PLAIN = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")


@contextmanager
def delta_files(table: Path, resources: Resources | None = None) -> Iterator[tuple[list[Path], Schema]]:
    """The Parquet files of a table and their Delta schema, as long as the context lasts.

    Files whose types Delta has too are handed on as they are: the same bytes, in the same order. Others are
    written anew, streamed: unsigned integers one size up, times to microseconds, and what Delta has no type
    for (such as 128-bit integers, enumerations and times of day) as text.

    Raises:
        DataError: when the table cannot be read, or holds a nested type that Delta has not.
    """
    files = parts(table)
    schemas = [_bare(pq.read_schema(file)) for file in files]
    if all(s == schemas[0] for s in schemas) and all(_plain(f.type) for f in schemas[0]):
        yield files, _delta(table, schemas[0])
        return
    with TemporaryDirectory(prefix="evergreen-snapshot-") as scratch:
        target = Path(scratch) / "part-00000.parquet"
        with connect(resources) as con:
            items = [_item(name, typed) for name, typed in columns(con, Path(table)).items()]
            write_query(con, f"SELECT {', '.join(items)} FROM {scan(table)}", target, where=str(table))
        yield [target], _delta(table, _bare(pq.read_schema(target)))


def _delta(table: Path, schema: pa.Schema) -> Schema:
    try:
        return Schema.from_arrow(schema)
    except (DeltaError, ValueError, pa.ArrowInvalid) as error:
        first = str(error).split("\n")[0][:200]
        raise DataError(str(table), f"a type that Delta has not ({first})", "numbers, text, times") from error


def _bare(schema: pa.Schema) -> pa.Schema:
    """The schema without what writers note beside it."""
    return pa.schema([pa.field(f.name, f.type) for f in schema])


def _plain(kind_: pa.DataType) -> bool:
    """Whether Delta has the type, and means the same bytes by it."""
    if pa.types.is_timestamp(kind_):
        return kind_.unit == "us" and kind_.tz in (None, "UTC")
    if pa.types.is_list(kind_) or pa.types.is_large_list(kind_):
        return _plain(kind_.value_type)
    if pa.types.is_struct(kind_):
        return all(_plain(kind_.field(i).type) for i in range(kind_.num_fields))
    tests = (
        pa.types.is_signed_integer, pa.types.is_float32, pa.types.is_float64, pa.types.is_boolean,
        pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_date32,
        pa.types.is_decimal128,
    )  # fmt: skip
    return any(test(kind_) for test in tests)


def _item(name: str, duckdb_type: str) -> str:
    column, base = identifier(name), duckdb_type.upper()
    if base in _CASTS:
        return f"CAST({column} AS {_CASTS[base]}) AS {column}"
    whole = kind(duckdb_type) == "integer" and base not in _PLAIN
    other = kind(duckdb_type) == "text" and base not in ("VARCHAR", "BLOB")
    zoned = base == "TIMESTAMP_NS WITH TIME ZONE"
    if zoned:
        return f"CAST({column} AS TIMESTAMP WITH TIME ZONE) AS {column}"
    return f"CAST({column} AS VARCHAR) AS {column}" if whole or other else column


def rows_of(files: Sequence[Path]) -> list[int]:
    """The rows of each Parquet file, from its footer."""
    return [pq.read_metadata(file).num_rows for file in files]
