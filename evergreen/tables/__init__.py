"""Tables in and out: Parquet through DuckDB, streamed in bounded memory, the same bytes for the same rows.

The names below load on first use, so that importing this package costs nothing at the start of a command.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    """Load the module of a name on its first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
