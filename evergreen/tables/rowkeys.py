"""Keys of rows: how often they repeat, and how a row is named by its key for people."""

from collections.abc import Sequence

import duckdb

from evergreen.tables.sql import identifiers


def repetitions(
    con: duckdb.DuckDBPyConnection, relation: str, key: Sequence[str], condition: str = ""
) -> int:
    """How many rows have a key that another row has already; missing values are like any other.

    Args:
        con: An open connection.
        relation: What can stand after FROM.
        key: Columns that name a row together.
        condition: SQL that rows must meet to count; empty for all.
    """
    where = f" WHERE {condition}" if condition else ""
    groups = f"SELECT count(*) AS n FROM {relation}{where} GROUP BY {identifiers(key)} HAVING count(*) > 1"
    row = con.execute(f"SELECT coalesce(sum(n - 1), 0) FROM ({groups})").fetchall()[0]
    return int(row[0])


def named(columns: Sequence[str], values: Sequence[object]) -> str:
    """A row's key as text: `id=17, day=2026-01-31`."""
    return ", ".join(f"{name}={shown(value)}" for name, value in zip(columns, values, strict=True))


def shown(value: object) -> str:
    """A value for people, cut after 60 characters."""
    text = "missing" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "…"
