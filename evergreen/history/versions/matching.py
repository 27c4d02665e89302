"""How the rows of two tables find each other by their key, and how their values are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

from evergreen.tables.kinds import kind
from evergreen.tables.parquet import scan
from evergreen.tables.rowkeys import named, repetitions
from evergreen.tables.sql import identifier

Side = Literal["before", "after"]


@dataclass(frozen=True)
class Pairing:
    """Two tables joined by their key: SQL in which `b` is the row before and `a` the row after.

    Attributes:
        before: The first table.
        after: The second.
        key: The columns that name a row.
        before_types: The first one's columns and DuckDB types.
        after_types: The second one's.
        repeated: Rows of either table whose key an earlier row has: then the join is not used.
    """

    before: Path
    after: Path
    key: tuple[str, ...]
    before_types: Mapping[str, str]
    after_types: Mapping[str, str]
    repeated: int

    @property
    def _equal(self) -> str:
        pairs = (comparable(c, self.before_types[c], self.after_types[c]) for c in self.key)
        return " AND ".join(f"{left} IS NOT DISTINCT FROM {right}" for left, right in pairs)

    @property
    def joined(self) -> str:
        """What can stand after FROM: the rows of both."""
        return f"{scan(self.before)} AS b JOIN {scan(self.after)} AS a ON {self._equal}"

    def only(self, side: Side) -> str:
        """A query for the keys that only one of the two has."""
        tables = [f"{scan(self.before)} AS b", f"{scan(self.after)} AS a"]
        own, other = (tables[0], tables[1]) if side == "before" else (tables[1], tables[0])
        alias = "b" if side == "before" else "a"
        return f"SELECT {self.key_items(alias)} FROM {own} ANTI JOIN {other} ON {self._equal}"

    def key_items(self, alias: str) -> str:
        """The key's columns of a side as items of SELECT."""
        return ", ".join(f"{alias}.{identifier(c)}" for c in self.key)

    def fetch(self, con: duckdb.DuckDBPyConnection, query: str, rows: int) -> list[tuple[Any, ...]]:
        """The first rows of a query that begins with the key's columns; they become one text."""
        wide = len(self.key)
        order = ", ".join(f"{i + 1} NULLS LAST" for i in range(wide))
        found = con.execute(f"{query} ORDER BY {order} LIMIT {rows}").fetchall()
        return [(named(self.key, row[:wide]), *row[wide:]) for row in found]


def pairing(
    con: duckdb.DuckDBPyConnection,
    before: Path,
    after: Path,
    key: Sequence[str],
    before_types: Mapping[str, str],
    after_types: Mapping[str, str],
) -> Pairing:
    """Look whether a key names one row in each of two tables."""
    repeated = sum(repetitions(con, scan(path), key) for path in (before, after))
    return Pairing(before, after, tuple(key), before_types, after_types, repeated)


def comparable(column: str, before: str, after: str) -> tuple[str, str]:
    """SQL for a column of `b` and of `a` as values of one type.

    Whole numbers and other numbers go together as doubles, dates and times as times; anything else of two
    kinds is compared by its text.
    """
    left, right, kinds = f"b.{identifier(column)}", f"a.{identifier(column)}", {kind(before), kind(after)}
    if before == after or kinds == {"integer"}:
        return left, right
    common = "VARCHAR"
    if kinds <= {"integer", "number"}:
        common = "DOUBLE"
    elif kinds <= {"date", "timestamp"}:
        common = "TIMESTAMP"
    return f"CAST({left} AS {common})", f"CAST({right} AS {common})"
