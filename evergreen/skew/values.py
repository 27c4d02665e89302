"""How many of the matched rows differ in each feature, and in which way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from evergreen.intervals import Z_95, wilson
from evergreen.skew.tables import Feature, SkewTables
from evergreen.tables.parquet import scan
from evergreen.tables.rowkeys import named, shown

# So many features are counted in one pass over the pairs.
_A_PASS = 60
_SAMPLES = 5


@dataclass(frozen=True)
class Cause:
    """One way in which values differ, and how many of the differing rows it explains.

    Attributes:
        name: One of missing, default, unit, offset, linear, precision, spelling, recoded, stale, swapped,
            type, values.
        text: In words.
        rows: How many of the differing rows it explains.
    """

    name: str
    text: str
    rows: int


@dataclass(frozen=True)
class Difference:
    """A feature whose values differ between matched rows.

    Attributes:
        feature: Which.
        rows: How many of the matched rows differ.
        matched: How many rows were matched.
        missing_serving: Of those that differ: rows in which only serving has no value.
        missing_training: Rows in which only training has none.
        causes: What explains them, the most first; at least one.
        samples: Some rows: key, training value, serving value.
    """

    feature: Feature
    rows: int
    matched: int
    missing_serving: int
    missing_training: int
    causes: tuple[Cause, ...] = ()
    samples: tuple[tuple[str, str, str], ...] = field(default=())

    @property
    def share(self) -> float:
        """The share of the matched rows that differ."""
        return self.rows / self.matched

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share."""
        return wilson(self.rows, self.matched, Z_95)


def count_differences(
    con: duckdb.DuckDBPyConnection, features: Sequence[Feature], pairs: Path, precision: float
) -> tuple[int, list[Difference]]:
    """Count the rows that differ, for every feature in few passes over the pairs.

    Args:
        con: An open connection.
        features: What is compared.
        pairs: What `write_pairs` wrote.
        precision: How far numbers may differ, relative to the greater one.

    Returns:
        The number of pairs, and the features that differ at all, in their order.
    """
    matched, found = 0, []
    for start in range(0, len(features), _A_PASS):
        some = features[start : start + _A_PASS]
        items = ["count(*)"]
        for f in some:
            differs = f.differs(precision)
            items += [
                f"count(*) FILTER ({differs})",
                f"count(*) FILTER ({f.missing('b')} AND NOT {f.missing('a')})",
                f"count(*) FILTER ({f.missing('a')} AND NOT {f.missing('b')})",
            ]
        row = con.execute(f"SELECT {', '.join(items)} FROM {scan(pairs)}").fetchall()[0]
        matched = int(row[0])
        for i, f in enumerate(some):
            rows, serving, training = (int(n) for n in row[1 + 3 * i : 4 + 3 * i])
            if rows:
                found.append(Difference(f, rows, matched, serving, training))
    return matched, found


def samples_of(
    con: duckdb.DuckDBPyConnection, tables: SkewTables, feature: Feature, pairs: Path, precision: float
) -> tuple[tuple[str, str, str], ...]:
    """The first rows that differ, in order of key and time: key, training value, serving value."""
    keys = [f"k{i}" for i in range(len(tables.key))] + (["t"] if tables.time else [])
    names = [*tables.key, *([tables.time] if tables.time else [])]
    rows: list[tuple[Any, ...]] = con.execute(
        f"SELECT {', '.join(keys)}, a{feature.index}, b{feature.index} FROM {scan(pairs)} "
        f"WHERE {feature.differs(precision)} ORDER BY {', '.join(keys)} LIMIT {_SAMPLES}"
    ).fetchall()
    wide = len(keys)
    return tuple((named(names, row[:wide]), shown(row[wide]), shown(row[wide + 1])) for row in rows)
