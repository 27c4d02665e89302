"""How far a repair moved a column's distribution: exact, from sorted counts that stream."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import duckdb

from evergreen.repair.apply import Applied
from evergreen.repair.column import ColumnRepair
from evergreen.tables.parquet import file_scan

_GROUPS, _BARS, _VALUES = 512, 20, 12


@dataclass(frozen=True)
class Shift:
    """A column before and after its repair.

    Before is what could be read from the way it was written (see `Outcome.face`); after is every value of
    the rows that stay.

    Attributes:
        kind: `ks` for numbers, times and booleans, `tv` for text.
        value: 0 to 1. The largest distance between the two cumulative distributions (Kolmogorov and Smirnov),
            or half the sum of the differences of the values' shares (total variation); None when nothing
            could be read before, or nothing is there after.
        wasserstein: Of numbers: the area between the two (Wasserstein's first), in standard deviations of
            before; None when before does not vary.
        before: Values before.
        after: Values after.
        missing_before: Share of the rows that were empty.
        missing_after: Share of the rows that are missing now.
        labels: Bins, or values, for a chart.
        bars_before: Share of before in each.
        bars_after: Share of after in each.
    """

    kind: str
    value: float | None
    wasserstein: float | None
    before: int
    after: int
    missing_before: float
    missing_after: float
    labels: tuple[str, ...] = ()
    bars_before: tuple[float, ...] = ()
    bars_after: tuple[float, ...] = ()


def measure(
    con: duckdb.DuckDBPyConnection, applied: Applied, repair: ColumnRepair, index: int, position: int
) -> Shift:
    """Compare a column before and after.

    Args:
        con: An open connection.
        applied: The pass.
        repair: The column.
        index: Its place among the repaired columns.
        position: Its place in the table.
    """
    values, log = file_scan([applied.values]), file_scan([applied.log])
    column, text = f"c{position}", repair.type in ("text", "category")
    row = con.execute(f"SELECT count(*), count({column}) FROM {values} WHERE kept").fetchall()[0]
    kept, present = int(row[0]), int(row[1])
    mine = f'"column" = {index}'
    empty = con.execute(f"SELECT count(*) - count({column}) FROM {values}").fetchall()[0][0]
    unread = f'"to" IS NULL AND "from" IS NOT NULL AND {mine} AND reason IS NOT NULL'
    row = con.execute(
        f"SELECT count(*) FILTER (WHERE {unread}), "
        f"count(*) FILTER (WHERE rule = 'empty is' AND {mine}) FROM {log}"
    ).fetchall()[0]
    missing = int(empty) - int(row[0]) + int(row[1])
    counts = _counts(column, values, log, mine, text, repair.type)
    before, after = _totals(con, counts)
    share_before = missing / applied.rows if applied.rows else 0.0
    share_after = (kept - present) / kept if kept else 0.0
    base = Shift("tv" if text else "ks", None, None, before, after, share_before, share_after)
    if not before or not after:
        return base
    return _by_value(con, counts, base) if text else _by_number(con, counts, repair.type, base)


def _counts(column: str, values: str, log: str, mine: str, text: bool, type_: str) -> str:
    """SQL: each value with how often it stood there before, and after.

    Before is what all rows hold now, less what the log says was put there, plus what it says stood there.
    """
    if text:
        now, put, stood = column, '"to"', "text"
    else:
        now = (
            f"epoch(CAST({column} AS TIMESTAMP))"
            if type_ in ("timestamp", "date")
            else f"CAST({column} AS DOUBLE)"
        )
        put, stood = "value", "face"
    return (
        f"SELECT v, sum(b)::BIGINT AS b, sum(a)::BIGINT AS a FROM ("
        f"SELECT {now} AS v, count(*) AS b, count(*) FILTER (WHERE kept) AS a FROM {values} GROUP BY 1 "
        f"UNION ALL "
        f"SELECT {put}, -count(*), 0 FROM {log} WHERE {mine} GROUP BY 1 UNION ALL "
        f"SELECT {stood}, count(*), 0 FROM {log} WHERE {mine} GROUP BY 1) "
        f"WHERE v IS NOT NULL GROUP BY v HAVING b <> 0 OR a <> 0"
    )


def _totals(con: duckdb.DuckDBPyConnection, counts: str) -> tuple[int, int]:
    row = con.execute(f"SELECT coalesce(sum(b), 0), coalesce(sum(a), 0) FROM ({counts})").fetchall()[0]
    return int(row[0]), int(row[1])


def _by_value(con: duckdb.DuckDBPyConnection, counts: str, base: Shift) -> Shift:
    before, after = base.before, base.after
    query = f"SELECT sum(abs(b / {before}::DOUBLE - a / {after}::DOUBLE) ORDER BY v) / 2 FROM ({counts})"
    value = float(con.execute(query).fetchall()[0][0] or 0.0)
    top = con.execute(
        f"SELECT v, b, a FROM ({counts}) ORDER BY greatest(b, a) DESC, v LIMIT {_VALUES}"
    ).fetchall()
    return replace(
        base,
        value=min(1.0, value),
        labels=tuple(str(v) for v, _, _ in top),
        bars_before=tuple(b / before for _, b, _ in top),
        bars_after=tuple(a / after for _, _, a in top),
    )


def _by_number(con: duckdb.DuckDBPyConnection, counts: str, type_: str, base: Shift) -> Shift:
    before, after = base.before, base.after
    largest = area = last = total = square = 0.0
    seen_b = seen_a = 0
    groups: list[_Group] = []
    for v, b, a in _sorted(con, counts):
        if seen_b or seen_a:
            area += abs(seen_b / before - seen_a / after) * (v - last)
        seen_b, seen_a, last = seen_b + b, seen_a + a, v
        largest = max(largest, abs(seen_b / before - seen_a / after))
        total, square = total + b * v, square + b * v * v
        place = (seen_b + seen_a - 1) * _GROUPS // (before + after)
        if groups and groups[-1].place == place:
            groups[-1].add(v, b, a)
        else:
            groups.append(_Group(place, v, v, b, a))
    mean = total / before
    spread = math.sqrt(max(0.0, square / before - mean * mean))
    labels, ours, theirs = _bars(groups, type_, before, after)
    distance = area / spread if spread > 1e-12 * max(1.0, abs(mean)) else None
    return replace(
        base,
        value=min(1.0, largest),
        wasserstein=distance,
        labels=labels,
        bars_before=ours,
        bars_after=theirs,
    )


@dataclass
class _Group:
    """Neighbouring values: about 1/512 of all."""

    place: int
    low: float
    high: float
    before: int
    after: int

    def add(self, value: float, before: int, after: int) -> None:
        self.high, self.before, self.after = value, self.before + before, self.after + after


def _sorted(con: duckdb.DuckDBPyConnection, counts: str) -> Iterator[tuple[float, int, int]]:
    for batch in con.sql(f"SELECT v, b, a FROM ({counts}) ORDER BY v").to_arrow_reader(65_536):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _bars(
    groups: list[_Group], type_: str, before: int, after: int
) -> tuple[tuple[str, ...], tuple[float, ...], tuple[float, ...]]:
    """Equal bins between the 1st and the 99th percentile of both together, by groups of neighbours."""
    if len(groups) <= _BARS and all(g.low == g.high for g in groups):
        edges = [g.low for g in groups]
    else:
        low = groups[len(groups) // 100].low
        high = groups[max(0, len(groups) - 1 - len(groups) // 100)].high
        edges = [low + (high - low) * i / _BARS for i in range(_BARS)] if high > low else [low]
    ours, theirs = [0.0] * len(edges), [0.0] * len(edges)
    for group in groups:
        middle = (group.low + group.high) / 2
        place = max((i for i, edge in enumerate(edges) if middle >= edge), default=0)
        ours[place] += group.before / before
        theirs[place] += group.after / after
    return tuple(_label(edge, type_) for edge in edges), tuple(ours), tuple(theirs)


def _label(value: float, type_: str) -> str:
    from evergreen.profile.pictures import moment
    from evergreen.reports.text import number

    if type_ in ("timestamp", "date"):
        return moment(value)
    if type_ == "boolean":
        return "true" if value else "false"
    return number(value) if abs(value) >= 1000 else f"{value:.3g}"
