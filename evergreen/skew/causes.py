"""Why values differ: the one transformation of the training value that gives the serving value."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evergreen.reports.text import number, percent
from evergreen.skew.history import earlier_values
from evergreen.skew.numbers import number_causes
from evergreen.skew.tables import Feature, SkewTables
from evergreen.skew.texts import text_causes
from evergreen.skew.times import time_causes
from evergreen.skew.values import Cause, Difference
from evergreen.tables.parquet import scan

# A cause is named when it explains this share of the rows that have both values.
EXPLAINS = 0.9
# One serving value in this share of the differing rows is a default.
_DEFAULT = 0.9
_FEWEST = 3
# So many differing features are held against each other, and against earlier values.
_MOST = 30


@dataclass(frozen=True)
class Differing:
    """The differing rows of one feature, as SQL: `x` is the training value, `y` serving's, both there.

    Attributes:
        con: An open connection.
        feature: The feature.
        rows: A query for x and y of the rows that have both.
        count: How many these are.
        precision: How far numbers may differ and still be the same.
    """

    con: duckdb.DuckDBPyConnection
    feature: Feature
    rows: str
    count: int
    precision: float

    def counts(self, conditions: Sequence[str]) -> list[int]:
        """How many of the rows meet each condition."""
        if not conditions:
            return []
        items = ", ".join(f"count(*) FILTER ({c})" for c in conditions)
        return [int(n) for n in self.con.execute(f"SELECT {items} FROM ({self.rows})").fetchall()[0]]

    def explained(self, name: str, text: str, rows: int) -> list[Cause]:
        """The cause, where it explains enough of the rows."""
        return [Cause(name, text, rows)] if rows >= max(1, EXPLAINS * self.count) else []


def causes_of(
    con: duckdb.DuckDBPyConnection,
    tables: SkewTables,
    differences: Sequence[Difference],
    pairs: Path,
    precision: float,
) -> list[tuple[Cause, ...]]:
    """The causes of every difference, the one that explains most first.

    Args:
        con: An open connection.
        tables: The two tables.
        differences: The features that differ.
        pairs: What `write_pairs` wrote.
        precision: How far numbers may differ, relative to the greater one.
    """
    swapped = _swapped(con, [d.feature for d in differences][:_MOST], pairs, precision)
    found = []
    for index, difference in enumerate(differences):
        causes = _causes(con, difference, pairs, precision)
        causes += swapped.get(difference.feature.index, [])
        if index < _MOST and not any(c.name in ("default", "swapped") for c in causes):
            causes += earlier_values(con, tables, difference, pairs, precision)
        found.append(_ranked(difference, causes))
    return found


def _causes(
    con: duckdb.DuckDBPyConnection, difference: Difference, pairs: Path, precision: float
) -> list[Cause]:
    f = difference.feature
    both = difference.rows - difference.missing_serving - difference.missing_training
    rows = (
        f"SELECT {f.value('a')} AS x, {f.value('b')} AS y FROM {scan(pairs)} WHERE {f.differs(precision)} "
        f"AND NOT {f.missing('a')} AND NOT {f.missing('b')}"
    )
    differing = Differing(con, f, rows, both, precision)
    causes = _default(con, difference, pairs, precision)
    if difference.missing_serving:
        causes.append(Cause("missing", "missing in serving", difference.missing_serving))
    if difference.missing_training and not causes:
        causes.append(Cause("missing", "missing in training", difference.missing_training))
    if not both:
        return causes
    if f.other_type and not differing.counts(["y IS NOT NULL"])[0]:
        return [*causes, Cause("type", "serving values cannot be read as the training type", both)]
    if any(c.name == "default" for c in causes):
        return causes
    if f.family in ("number", "boolean"):
        return causes + number_causes(differing)
    return causes + (time_causes(differing) if f.family == "time" else text_causes(differing))


def _default(
    con: duckdb.DuckDBPyConnection, difference: Difference, pairs: Path, precision: float
) -> list[Cause]:
    """One value in serving for many, or for none, in training."""
    f, there = difference.feature, difference.rows - difference.missing_serving
    if there < _FEWEST:
        return []
    value, other = f"CAST(b{f.index} AS VARCHAR)", f"CAST(a{f.index} AS VARCHAR)"
    top = con.execute(
        f"SELECT {value} AS v, count(*) AS n, count(DISTINCT {other}) AS d, count({other}) AS p "
        f"FROM {scan(pairs)} WHERE {f.differs(precision)} AND NOT {f.missing('b')} "
        "GROUP BY v ORDER BY n DESC, v LIMIT 1"
    ).fetchall()
    most, rows, distinct, present = top[0]
    filled = present < rows and difference.missing_training >= _DEFAULT * there
    if rows < _DEFAULT * there or (distinct < 3 and not filled):
        return []
    words = "where training has none" if filled else f"for {number(int(distinct))} different ones in training"
    return [Cause("default", f"serving has the default {most} {words}", int(rows))]


def _swapped(
    con: duckdb.DuckDBPyConnection, features: Sequence[Feature], pairs: Path, precision: float
) -> dict[int, list[Cause]]:
    """Features whose serving value is another feature's training value."""
    couples = [(f, g) for f in features for g in features if f is not g and f.family == g.family != "boolean"]
    if not couples:
        return {}
    items = []
    for f, g in couples:
        x, y = g.value("a"), f.value("b")
        near = f"abs({x} - {y}) <= {precision!r} * greatest(abs({x}), abs({y}))"
        same = f"{x} = {y} OR {near}" if f.family == "number" else f"{x} = {y}"
        there = f"{f.differs(precision)} AND NOT {f.missing('b')}"
        items += [f"count(*) FILTER ({there} AND ({same}))", f"count(*) FILTER ({there})"]
    row = con.execute(f"SELECT {', '.join(items)} FROM {scan(pairs)}").fetchall()[0]
    found: dict[int, list[Cause]] = {}
    for i, (f, g) in enumerate(couples):
        same_rows, rows = int(row[2 * i]), int(row[2 * i + 1])
        if same_rows >= max(_FEWEST, EXPLAINS * rows):
            cause = Cause("swapped", f"serving has the training value of {g.name!r}", same_rows)
            found.setdefault(f.index, []).append(cause)
    return found


# Where two causes explain as many rows, the one that is the more likely by itself comes first.
_ORDER = ("type", "default", "missing", "swapped", "spelling", "precision", "unit", "stale", "offset",
          "recoded", "linear", "values")  # fmt: skip


def _ranked(difference: Difference, causes: Sequence[Cause]) -> tuple[Cause, ...]:
    kept = sorted(causes, key=lambda c: (-c.rows, _ORDER.index(c.name)))
    missing = sum(c.rows for c in kept if c.name == "missing")
    told = max([c.rows for c in kept if c.name != "missing"], default=0)
    rest = difference.rows - missing - told
    if rest > 0 and (not told or rest > (1 - EXPLAINS) * difference.rows):
        kept.append(Cause("values", "not explained by one transformation", rest))
        kept.sort(key=lambda c: (-c.rows, _ORDER.index(c.name)))
    return tuple(kept)


def sentence(difference: Difference) -> str:
    """A difference for people: what, how many rows, why; no values of rows but a default or a factor."""
    low, high = difference.interval
    rows = f"{number(difference.rows)} of {number(difference.matched)} matched rows"
    between = f"{percent(difference.share)}, 95 % interval {percent(low)} to {percent(high)}"
    told = [c for i, c in enumerate(difference.causes) if i == 0 or c.name in ("missing", "values")]
    whys = [f"{c.text} ({number(c.rows)} rows)" if c.rows < difference.rows else c.text for c in told]
    return f"feature {difference.feature.name!r} differs in {rows} ({between}): {'; '.join(whys)}"
