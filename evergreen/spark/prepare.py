"""What Spark joins, written by DuckDB: one streamed pass over each table, no join and no sort.

Keys are brought to one type, times to microseconds, and conditions of the project file (DuckDB's SQL) are
evaluated here: so both engines agree on what a row says, and only the joins are Spark's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evergreen.history.joins.events import event_values, value_sql
from evergreen.history.joins.join import EVENT, Keys, join_keys, numbered
from evergreen.history.joins.plan import GroupPlan
from evergreen.history.joins.roles import Roles
from evergreen.history.joins.spine import INSTANT, ROW, Spine
from evergreen.spark.answers import NUMBER, TIME
from evergreen.spark.carriers import check_sortable, key, stored
from evergreen.tables.parquet import columns, count, scan, write_query
from evergreen.tables.sql import identifier


@dataclass(frozen=True)
class Prepared:
    """The spine as Spark reads it.

    Attributes:
        path: A Parquet file: `evergreen_row`, `evergreen_instant`, c0, c1, … and each group's keys.
        columns: Column of the label's source to its name there.
        groups: The groups that join another table, in order of the plans.
    """

    path: Path
    columns: Mapping[str, str]
    groups: tuple["PreparedGroup", ...]


@dataclass(frozen=True)
class PreparedGroup:
    """One group's table as Spark reads it.

    Attributes:
        plan: The group.
        join: Its join, for words about what is wrong with it.
        source: The source's folder.
        path: A Parquet file with k0, k1, …; f0, f1, … for the columns; for a source with a time also `time`,
            `number` and v0, v1, … for what the aggregates need.
        keys: The keys' names there, k0, k1, ….
        left: The same keys' names in the spine.
        types: DuckDB types of the plan's columns, in order.
        picks: What v0, v1, … are: column (empty for rows) and condition to number.
    """

    plan: GroupPlan
    join: Keys
    source: Path
    path: Path
    keys: tuple[str, ...]
    left: tuple[str, ...]
    types: tuple[str, ...]
    picks: Mapping[tuple[str, str], int]


def prepare(
    con: duckdb.DuckDBPyConnection,
    tables: Path,
    spine: Spine,
    types: Mapping[str, str],
    roles: Roles,
    plans: Sequence[GroupPlan],
    folder: Path,
) -> Prepared:
    """Write what Spark joins.

    Args:
        con: An open connection.
        tables: The folder of `ingest`.
        spine: The label rows.
        types: The columns of the spine's source.
        roles: What they stand for.
        plans: The feature groups.
        folder: An empty folder that Spark can read.

    Raises:
        DataError: for keys that cannot be compared.
        InputError: for a key that Spark cannot sort.
    """
    for column in roles.key:
        check_sortable(f"source {roles.source}", column, types[column])
    names = {c: f"c{i}" for i, c in enumerate(dict.fromkeys([*roles.all, *_own_columns(plans)]))}
    known: dict[str, str] = {}
    groups = []
    row = con.execute(f"SELECT max({INSTANT}) FROM {scan(spine.path)}").fetchall()[0]
    for index, plan in enumerate(plans):
        if plan.own and not plan.aggregates:
            continue
        source = tables / plan.group.source
        here = columns(con, source)
        join = join_keys(f"features.{plan.group.name}", plan.on, types, here, count(con, source))
        pairs = _key_pairs(con, join, spine.path, source)
        left = tuple(known.setdefault(sql, f"l{len(known)}") for sql, _ in pairs)
        path = folder / f"group{index}.parquet"
        group = PreparedGroup(
            plan,
            join,
            source,
            path,
            tuple(f"k{i}" for i in range(len(pairs))),
            left,
            () if plan.own else tuple(here[f.column] for f in plan.columns),
            event_values(plan)[0],
        )
        write_query(con, _group_sql(group, here, [right for _, right in pairs], row[0] or 0), path)
        groups.append(group)
    items = [ROW, INSTANT, *(f"{sql} AS {name}" for sql, name in known.items())]
    items += [f"{stored(identifier(c), types[c])} AS {name}" for c, name in names.items()]
    path = folder / "spine.parquet"
    write_query(con, f"SELECT {', '.join(items)} FROM {scan(spine.path)}", path)
    return Prepared(path, names, tuple(groups))


def _own_columns(plans: Sequence[GroupPlan]) -> list[str]:
    return [f.column for plan in plans if plan.own for f in plan.columns]


def _key_pairs(
    con: duckdb.DuckDBPyConnection, join: Keys, spine: Path, source: Path
) -> list[tuple[str, str]]:
    """SQL for each key on the left and on the right, in the type in which DuckDB would compare them."""
    both = (
        f"(SELECT {join.select('left')} FROM {scan(spine)} LIMIT 0) UNION ALL "
        f"(SELECT {join.select('right')} FROM {scan(source)} LIMIT 0)"
    )
    common = [row[1] for row in con.execute(f"DESCRIBE {both}").fetchall()]
    return [(key(a, t), key(b, t)) for a, b, t in zip(join.left, join.right, common, strict=True)]


def _group_sql(group: PreparedGroup, types: Mapping[str, str], keys: Sequence[str], last: int) -> str:
    """The rows that may count: their keys are present, and no label's instant lies before their time."""
    items = [f"{sql} AS {name}" for sql, name in zip(keys, group.keys, strict=True)]
    if group.types:
        columns_of = zip(group.plan.columns, group.types, strict=True)
        items += [f"{stored(identifier(f.column), t)} AS f{i}" for i, (f, t) in enumerate(columns_of)]
    present = " AND ".join(f"{sql} IS NOT NULL" for sql in keys) or "TRUE"
    if group.plan.time is None:
        return f"SELECT {', '.join(items)} FROM {scan(group.source)} WHERE {present}"
    moment = f"epoch_us(CAST({identifier(group.plan.time)} AS TIMESTAMP))"
    items += [f"{moment} AS {TIME}", f"{EVENT} AS {NUMBER}"]
    for (column, condition), index in group.picks.items():
        duckdb_type = types[column] if column else "INTEGER"
        items.append(f"{stored(value_sql(column, condition), duckdb_type)} AS v{index}")
    return (
        f"SELECT {', '.join(items)} FROM {numbered(group.source)} WHERE {present} AND {moment} <= {int(last)}"
    )
