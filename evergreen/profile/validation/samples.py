"""Names of offending rows for a report: their keys, or their row numbers where a table has no key."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from evergreen.profile.counting.reading import Reader
from evergreen.reports.text import number
from evergreen.tables import identifiers
from evergreen.tables.rowkeys import named, shown

_ROWS = 5


@dataclass(frozen=True)
class Sampler:
    """Fetches the first few rows of a relation that meet a condition.

    Attributes:
        con: An open connection that keeps the order of rows.
        relation: What can stand after FROM.
        key: Columns that name a row; empty for row numbers, counted from 1.
    """

    con: duckdb.DuckDBPyConnection
    relation: str
    key: tuple[str, ...]

    def keys(self, condition: str) -> tuple[str, ...]:
        """The first rows for which `condition` (SQL) is true, such as `id=17, day=2026-01-31`."""
        if not self.key:
            numbered = f"SELECT row_number() OVER () AS n, ({condition}) AS b FROM {self.relation}"
            rows = self.con.execute(f"SELECT n FROM ({numbered}) WHERE b LIMIT {_ROWS}").fetchall()
            return tuple(f"row {row[0]}" for row in rows)
        query = f"SELECT {identifiers(self.key)} FROM {self.relation} WHERE {condition} LIMIT {_ROWS}"
        return tuple(named(self.key, row) for row in self.con.execute(query).fetchall())

    def repeated(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The first keys, in their own order, that stand in more than one row."""
        names = identifiers(columns)
        query = f"SELECT {names} FROM {self.relation} GROUP BY {names} HAVING count(*) > 1 ORDER BY {names}"
        return tuple(named(columns, row) for row in self.con.execute(f"{query} LIMIT {_ROWS}").fetchall())

    def examples(self, reader: Reader, condition: str) -> tuple[str, ...]:
        """The most frequent values of a column among the rows that meet a condition, with their counts."""
        written = reader.raw if reader.family == "time" else reader.value
        inner = f"SELECT {written} AS v FROM {self.relation} WHERE {condition}"
        query = f"SELECT v, count(*) AS n FROM ({inner}) GROUP BY v ORDER BY n DESC, v LIMIT {_ROWS}"
        return tuple(f"{shown(value)} ({number(n)})" for value, n in self.con.execute(query).fetchall())
