"""Pairs of values for the pictures of a skew report: a sample that does not depend on the rows' order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evergreen.skew.tables import Feature
from evergreen.skew.values import Difference
from evergreen.tables.parquet import scan

_FEATURES, _ROWS, _VALUES = 12, 300, 8
_HOUR, _YEAR = 3.6e9, 365.2425 * 86400e6


@dataclass(frozen=True)
class Points:
    """One feature's pairs.

    Attributes:
        feature: Which.
        same: Pairs that agree, (training, serving), of numbers; of times (training's year, hours between).
        other: Pairs that differ.
        moves: How many rows went from one value to another, for texts and booleans; the most first.
    """

    feature: Feature
    same: tuple[tuple[float, float], ...] = ()
    other: tuple[tuple[float, float], ...] = ()
    moves: tuple[tuple[str, str, int], ...] = ()


def points_of(
    con: duckdb.DuckDBPyConnection, differences: Sequence[Difference], pairs: Path, precision: float
) -> list[Points]:
    """Pairs of values of the features that differ most, at most 300 of either kind each."""
    return [_points(con, d.feature, pairs, precision) for d in differences[:_FEATURES]]


def _points(con: duckdb.DuckDBPyConnection, f: Feature, pairs: Path, precision: float) -> Points:
    differs = f.differs(precision)
    if f.family in ("number", "time"):
        same, other = _sample(con, f, pairs, f"NOT {differs}"), _sample(con, f, pairs, differs)
        return Points(f, same, other)
    text = [f"coalesce(CAST({side}{f.index} AS VARCHAR), 'missing')" for side in "ab"]
    rows = con.execute(
        f"SELECT {text[0]}, {text[1]}, count(*) AS n FROM {scan(pairs)} WHERE {differs} "
        f"GROUP BY 1, 2 ORDER BY n DESC, 1, 2 LIMIT {_VALUES}"
    ).fetchall()
    return Points(f, moves=tuple((a, b, int(n)) for a, b, n in rows))


def _sample(
    con: duckdb.DuckDBPyConnection, f: Feature, pairs: Path, condition: str
) -> tuple[tuple[float, float], ...]:
    x, y = f"CAST({f.value('a')} AS DOUBLE)", f"CAST({f.value('b')} AS DOUBLE)"
    if f.family == "time":
        x, y = f"1970 + {x} / {_YEAR}", f"({y} - {x}) / {_HOUR}"
    rows = con.execute(
        f"SELECT x, y FROM (SELECT {x} AS x, {y} AS y FROM {scan(pairs)} WHERE {condition}) "
        f"WHERE isfinite(x) AND isfinite(y) ORDER BY hash(x, y), x, y LIMIT {_ROWS}"
    ).fetchall()
    return tuple((float(a), float(b)) for a, b in rows)
