"""Whether serving had an older value: the one that the training set has for an earlier time."""

from pathlib import Path

import duckdb

from evergreen.history.joins.join import EVENT, numbered
from evergreen.skew.tables import SkewTables, moment_sql
from evergreen.skew.values import Cause, Difference
from evergreen.tables.parquet import scan
from evergreen.tables.sql import identifier, identifiers

_BACK = 3
# With so few different values an earlier one is equal by chance: then only the one just before counts.
_FEW = 10
_SHARE, _STRICT = 0.9, 0.98
_FEWEST = 5


def earlier_values(
    con: duckdb.DuckDBPyConnection,
    tables: SkewTables,
    difference: Difference,
    pairs: Path,
    precision: float,
) -> list[Cause]:
    """The cause `stale`, where the serving value is one of the entity's last three before the training value.

    Args:
        con: An open connection.
        tables: The two tables; without a time nothing is earlier.
        difference: The feature.
        pairs: What `write_pairs` wrote.
        precision: How far numbers may differ, relative to the greater one.
    """
    f, there = difference.feature, difference.rows - difference.missing_serving - difference.missing_training
    if not tables.time or there < _FEWEST:
        return []
    window = f"OVER (PARTITION BY {identifiers(tables.entity)} ORDER BY {moment_sql(tables.time)}, {EVENT})"
    name = identifier(f.name)
    lags = ", ".join(f"lag({name}, {i}) {window} AS p{i}" for i in range(1, _BACK + 1))
    before = f"SELECT {EVENT} AS tr, {lags} FROM {numbered(tables.training)}"
    rows = (
        f"SELECT tr, b{f.index} FROM {scan(pairs)} WHERE {f.differs(precision)} "
        f"AND NOT {f.missing('a')} AND NOT {f.missing('b')}"
    )
    y = f.value("b")
    same = [f"({_equal(f.value('a').replace(f'a{f.index}', f'p{i}'), y, f.family, precision)})"
            for i in range(1, _BACK + 1)]  # fmt: skip
    found = con.execute(
        f"SELECT count(*) FILTER ({same[0]}), count(*) FILTER ({' OR '.join(same)}), "
        f"count(DISTINCT b{f.index}), count(*) FILTER (p1 IS NOT NULL) "
        f"FROM ({rows}) JOIN ({before}) USING (tr)"
    ).fetchall()[0]
    last, recent, distinct, with_past = (int(n) for n in found)
    if with_past < _FEWEST:
        return []
    if recent >= _SHARE * there and distinct > _FEW:
        return [Cause("stale", "serving has an earlier value of the same entity", recent)]
    if last >= _STRICT * there and distinct > 1:
        return [Cause("stale", "serving has the entity's value from the row before", last)]
    return []


def _equal(x: str, y: str, family: str, precision: float) -> str:
    near = f" OR abs({x} - {y}) <= {precision!r} * greatest(abs({x}), abs({y}))" if family == "number" else ""
    return f"coalesce({x} = {y}{near}, FALSE)"
