"""Counting for an assessment: each query is one pass with a short result; memory does not grow with rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from evergreen.strategy.spectrum import Spectrum
from evergreen.tables import identifier, identifiers

_AT_ONCE = 40
SAMPLE = 100_000


@dataclass(frozen=True)
class Table:
    """A table to look at: a connection, SQL after FROM, its rows, and SQL for the label's value."""

    con: duckdb.DuckDBPyConnection
    source: str
    rows: int
    label: str = "NULL::DOUBLE"


@dataclass(frozen=True)
class Sum:
    """Rows of a slice, those with a label, and the sums of the label and of its square."""

    rows: int = 0
    given: int = 0
    total: float = 0.0
    squares: float = 0.0

    @staticmethod
    def of(numbers: Sequence[float | int | None]) -> "Sum":
        """From a query's answer, in which a sum of nothing is NULL."""
        rows, given, total, squares = (n or 0 for n in numbers)
        return Sum(int(rows), int(given), float(total), float(squares))

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(
            self.rows + other.rows, self.given + other.given, self.total + other.total,
            self.squares + other.squares,
        )  # fmt: skip


@dataclass(frozen=True)
class Counted:
    """The spectrum of a key, and by size the sums of its values' rows."""

    spectrum: Spectrum
    sums: tuple[Sum, ...]
    within: float
    """The sum over values of (sum of labels)² / labels: what varies between values."""

    def up_to(self, most: int) -> Sum:
        """Of the rows whose values have at most `most` rows."""
        found = Sum()
        for size, part in zip(self.spectrum.sizes.tolist(), self.sums, strict=True):
            if size <= most:
                found += part
        return found


def spectrum_of(table: Table, columns: Sequence[str]) -> Counted | None:
    """Count how many values of a key have how many rows; None when no row has one."""
    names = identifiers(columns)
    given = " AND ".join(f"{identifier(c)} IS NOT NULL" for c in columns)
    rows = table.con.execute(
        "SELECT n, count(*), sum(n), sum(g), sum(s), sum(q), sum(CASE WHEN g > 0 THEN s * s / g END) FROM "
        f"(SELECT count(*) AS n, count(y) AS g, sum(y) AS s, sum(y * y) AS q FROM "
        f"(SELECT {names}, {table.label} AS y FROM {table.source} WHERE {given}) GROUP BY {names}) "
        "GROUP BY n ORDER BY n"
    ).fetchall()
    if not rows:
        return None
    sizes = np.array([r[0] for r in rows], dtype=np.int64)
    values = np.array([r[1] for r in rows], dtype=np.int64)
    sums = tuple(Sum.of(r[2:6]) for r in rows)
    return Counted(Spectrum(sizes, values), sums, sum(float(r[6] or 0) for r in rows))


def rare_values(
    table: Table, columns: Sequence[str], fewest: int, most: float, limit: int
) -> list[tuple[tuple[str | None, ...], Sum]]:
    """The values of a key with `fewest` to `most` rows, as text, those with the most rows first.

    A missing value is one like the others, for keys of one column.
    """
    texts = ", ".join(f"{identifier(c)}::VARCHAR AS v{i}" for i, c in enumerate(columns))
    keys = ", ".join(f"v{i}" for i in range(len(columns)))
    given = " AND ".join(f"{identifier(c)} IS NOT NULL" for c in columns) if len(columns) > 1 else "TRUE"
    rows = table.con.execute(
        f"SELECT {keys}, count(*) AS n, count(y), sum(y), sum(y * y) FROM "
        f"(SELECT {texts}, {table.label} AS y FROM {table.source} WHERE {given}) GROUP BY {keys} "
        f"HAVING n BETWEEN {fewest} AND {int(most)} ORDER BY n DESC, {keys} LIMIT {limit}"
    ).fetchall()
    width = len(columns)
    return [(tuple(row[:width]), Sum.of(row[width:])) for row in rows]


def sums_where(table: Table, conditions: Sequence[str]) -> list[Sum]:
    """The sums of the rows that meet each condition, some conditions at a time."""
    found: list[Sum] = []
    for begin in range(0, len(conditions), _AT_ONCE):
        some = conditions[begin : begin + _AT_ONCE]
        items = ", ".join(
            f"count(*) FILTER (WHERE c{i}), count(y) FILTER (WHERE c{i}), sum(y) FILTER (WHERE c{i}), "
            f"sum(y * y) FILTER (WHERE c{i})"
            for i in range(len(some))
        )
        picked = ", ".join(f"{condition} AS c{i}" for i, condition in enumerate(some))
        ((row),) = table.con.execute(
            f"SELECT {items} FROM (SELECT {picked}, {table.label} AS y FROM {table.source})"
        ).fetchall()
        found += [Sum.of(row[4 * i : 4 * i + 4]) for i in range(len(some))]
    return found


def samples(table: Table, columns: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """For each column of numbers the finite values of about 100,000 rows, every k-th of the table, sorted."""
    step = max(1, table.rows // SAMPLE)
    for begin in range(0, len(columns), _AT_ONCE):
        some = columns[begin : begin + _AT_ONCE]
        picked = ", ".join(f"{identifier(c)}::DOUBLE AS c{i}" for i, c in enumerate(some))
        numbered = f"SELECT {picked}, row_number() OVER () AS n FROM {table.source}"
        arrays = table.con.execute(f"SELECT * FROM ({numbered}) WHERE n % {step} = 0").fetchnumpy()
        for i, column in enumerate(some):
            values = np.ma.filled(np.ma.asarray(arrays[f"c{i}"], dtype=np.float64), np.nan)
            yield column, np.sort(values[np.isfinite(values)])
