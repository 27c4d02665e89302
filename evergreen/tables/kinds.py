"""The kinds of value that Evergreen tells apart, whatever a file format calls its types."""

import re
from typing import Literal

Kind = Literal["integer", "number", "boolean", "timestamp", "date", "text", "nested"]

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "BIGNUM"], "integer"),
    **dict.fromkeys(["UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"], "integer"),
    **dict.fromkeys(["FLOAT", "DOUBLE"], "number"),
    **dict.fromkeys(["TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"], "timestamp"),
    **dict.fromkeys(["TIMESTAMP WITH TIME ZONE", "TIMESTAMP_NS WITH TIME ZONE"], "timestamp"),
    "BOOLEAN": "boolean",
    "DATE": "date",
}


def kind(duckdb_type: str) -> Kind:
    """The kind of a DuckDB type: DECIMAL is a number, ENUM and UUID are text, STRUCT and lists are nested."""
    base = duckdb_type.upper()
    if re.match(r"DECIMAL\b", base):
        return "number"
    if re.search(r"\]$", base) or re.match(r"(STRUCT|MAP|UNION|LIST|VARIANT)\b", base):
        return "nested"
    return _KINDS.get(base, "text")
