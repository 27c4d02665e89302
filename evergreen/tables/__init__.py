"""Tables in and out: Parquet through DuckDB, streamed in bounded memory, the same bytes for the same rows.

The names below load on first use, so that importing this package costs nothing at the start of a command.
"""

from typing import TYPE_CHECKING

from evergreen.lazy import on_first_use

if TYPE_CHECKING:
    from evergreen.tables.connection import connect, explained
    from evergreen.tables.digest import content_digest
    from evergreen.tables.kinds import kind
    from evergreen.tables.meta import read_meta, write_meta
    from evergreen.tables.parquet import columns, count, parts, scan, write_query
    from evergreen.tables.sql import identifier, identifiers, literal

_HOMES = {
    "connect": "connection",
    "explained": "connection",
    "content_digest": "digest",
    "kind": "kinds",
    "read_meta": "meta",
    "write_meta": "meta",
    "columns": "parquet",
    "count": "parquet",
    "parts": "parquet",
    "scan": "parquet",
    "write_query": "parquet",
    "identifier": "sql",
    "identifiers": "sql",
    "literal": "sql",
}

__all__ = [
    "columns",
    "connect",
    "content_digest",
    "count",
    "explained",
    "identifier",
    "identifiers",
    "kind",
    "literal",
    "parts",
    "read_meta",
    "scan",
    "write_meta",
    "write_query",
]

__getattr__ = on_first_use(__name__, _HOMES)
