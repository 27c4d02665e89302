"""How values of every DuckDB type travel through Spark and come back as they were.

Spark knows fewer types than Parquet and DuckDB: no unsigned numbers, no nanoseconds, times that it moves
between calendars and zones. So DuckDB writes what Spark reads in a few types that both take alike, and DuckDB
turns what Spark wrote back.
"""

import re

from evergreen.errors import InputError
from evergreen.tables.kinds import kind

_NATIVE = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "BOOLEAN", "VARCHAR", "BLOB", "DATE",
}  # fmt: skip
_SMALL_UNSIGNED = {"UTINYINT", "USMALLINT", "UINTEGER"}


def stored(value: str, duckdb_type: str) -> str:
    """SQL for a value as Spark gets it; sorts as the value itself (text forms of nested values do not)."""
    base = duckdb_type.upper()
    if base in _NATIVE or re.match(r"DECIMAL\b", base):
        return value
    if base in _SMALL_UNSIGNED:
        return f"CAST({value} AS BIGINT)"
    if base == "UBIGINT":
        return f"CAST({value} AS DECIMAL(20, 0))"
    if kind(base) == "timestamp":
        return f"epoch_ns({value})" if "_NS" in base else f"epoch_us({value})"
    return f"CAST({value} AS VARCHAR)"


def restored(value: str, duckdb_type: str) -> str:
    """SQL for the value itself, from what Spark wrote."""
    base = duckdb_type.upper()
    if kind(base) == "timestamp":
        value = f"make_timestamp_ns({value})" if "_NS" in base else f"make_timestamp({value})"
    return f"CAST({value} AS {duckdb_type})"


def key(value: str, common_type: str) -> str:
    """SQL for a key as Spark joins it: two keys are equal in DuckDB exactly when these are.

    Args:
        value: SQL for the key.
        common_type: The type in which both sides of the join are compared.
    """
    base = common_type.upper()
    value = f"CAST({value} AS {common_type})"
    if base in _SMALL_UNSIGNED or base in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT"):
        return f"CAST({value} AS BIGINT)"
    if base in ("FLOAT", "DOUBLE"):
        # Every NaN equals every other, and adding zero makes -0.0 and 0.0 one.
        number = f"CAST({value} AS DOUBLE)"
        return f"CASE WHEN isnan({number}) THEN 'nan' ELSE CAST({number} + 0.0 AS VARCHAR) END"
    if kind(base) == "timestamp" and "_NS" not in base:
        return f"epoch_us({value})"
    return f"CAST({value} AS VARCHAR)"


def check_sortable(where: str, column: str, duckdb_type: str) -> None:
    """Check that Spark sorts a key column as DuckDB does.

    Raises:
        InputError: for lists, structures and intervals, whose text sorts otherwise.
    """
    if kind(duckdb_type) == "nested" or duckdb_type.upper() in ("INTERVAL", "TIME WITH TIME ZONE"):
        found = f"a key of type {duckdb_type}"
        remedy = "Use `engine: duckdb`, or make the key of numbers, text or times."
        raise InputError(f"{where}, column {column!r}", found, "a type that Spark can sort", remedy)
