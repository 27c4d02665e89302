"""Put the features of every group beside the spine's rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evergreen.history.joins.events import write_group
from evergreen.history.joins.join import EVENT, Keys, check_constants, constants_sql, join_keys, numbered
from evergreen.history.joins.plan import GroupPlan
from evergreen.history.joins.roles import Roles
from evergreen.history.joins.spine import INSTANT, ROW, Spine
from evergreen.project.model import Project
from evergreen.project.model.values import memory_bytes
from evergreen.tables.parquet import columns, count, file_scan, scan, write_query
from evergreen.tables.sql import identifier

# What one chunk of events may take of a task's memory beside DuckDB's buffers.
_SHARE_OF_CHUNK = 0.12
_DAY = "86400000000.0"


@dataclass(frozen=True)
class Work:
    """What every step of a build needs; `types` are the columns of the spine's source."""

    con: duckdb.DuckDBPyConnection
    project: Project
    tables: Path
    scratch: Path
    spine: Spine
    types: Mapping[str, str]


@dataclass(frozen=True)
class Item:
    """One feature in a part: the column that holds it there, its final name, whether it is a time."""

    column: str
    name: str
    is_time: bool = False


@dataclass(frozen=True)
class _Part:
    """Features of one group in a Parquet file keyed by row number; no path: columns of the spine itself."""

    path: Path | None
    items: tuple[Item, ...]


def assemble(work: Work, roles: Roles, plans: Sequence[GroupPlan], target: Path) -> int:
    """Compute every group and write the finished table, sorted by key; returns its rows.

    Args:
        work: The build.
        roles: What the columns of the spine's source stand for.
        plans: The feature groups.
        target: The Parquet file to write.

    Raises:
        DataError: for keys that cannot be compared, and for constants with more than one row per key.
    """
    joins, items = "", [f"s.{identifier(c)}" for c in roles.all]
    groups = [_parts(work, plan, index) for index, plan in enumerate(plans)]
    for index, part in enumerate(p for group in groups for p in group):
        alias = "s"
        if part.path is not None:
            alias = f"p{index}"
            joins += f" LEFT JOIN {file_scan([part.path])} AS {alias} ON {alias}.{ROW} = s.{ROW}"
        items += [item_sql(alias, item, roles.time is not None or roles.label is None) for item in part.items]
    order = ", ".join([*(f"s.{identifier(c)} NULLS LAST" for c in roles.key), f"s.{ROW}"])
    query = f"SELECT {', '.join(items)} FROM {scan(work.spine.path)} AS s{joins} ORDER BY {order}"
    return write_query(work.con, query, target, where="training set")


def item_sql(alias: str, item: Item, has_instant: bool) -> str:
    """SQL for a feature under its final name; a time becomes its age in days at the row's instant."""
    value = f"{alias}.{identifier(item.column)}"
    if item.is_time:
        moment = f"epoch_us(CAST({value} AS TIMESTAMP))"
        value = f"(s.{INSTANT} - {moment}) / {_DAY}" if has_instant else f"{moment} / {_DAY}"
    return f"{value} AS {identifier(item.name)}"


def _parts(work: Work, plan: GroupPlan, index: int) -> list[_Part]:
    """A group's features, those that are columns first."""
    if plan.own and not plan.aggregates:
        return [_own(plan)]
    source = work.tables / plan.group.source
    where = f"features.{plan.group.name}"
    keys = join_keys(where, plan.on, work.types, columns(work.con, source), count(work.con, source))
    if plan.time is None:
        check_constants(work.con, where, keys, work.spine.path, source)
        return [_constants(work, plan, keys, index)]
    path = work.scratch / f"group{index}.parquet"
    memory = int(memory_bytes(work.project.resources.memory) * _SHARE_OF_CHUNK)
    write_group(work.con, plan, keys, work.spine.path, source, path, memory)
    latest = _own(plan) if plan.own else _latest(work, plan, path, index)
    return [latest, _Part(path, tuple(Item(f"a{i}", f.name) for i, f in enumerate(plan.aggregates)))]


def _own(plan: GroupPlan) -> _Part:
    return _Part(None, tuple(Item(f.column, f.name, f.is_time) for f in plan.columns))


def _constants(work: Work, plan: GroupPlan, keys: Keys, index: int) -> _Part:
    path = work.scratch / f"constants{index}.parquet"
    source = work.tables / plan.group.source
    write_query(work.con, constants_sql(keys, work.spine.path, source, _renamed(plan)), path)
    return _Part(path, _items(plan))


def _latest(work: Work, plan: GroupPlan, found: Path, index: int) -> _Part:
    """The columns of each row's latest known event, fetched by the event's number."""
    if not plan.columns:
        return _Part(None, ())
    path = work.scratch / f"latest{index}.parquet"
    wanted = f"SELECT {ROW}, {EVENT} FROM {file_scan([found])} WHERE {EVENT} IS NOT NULL"
    events = f"SELECT {EVENT}, {_renamed(plan)} FROM {numbered(work.tables / plan.group.source)}"
    query = f"SELECT * EXCLUDE ({EVENT}) FROM ({events}) JOIN ({wanted}) USING ({EVENT})"
    write_query(work.con, query, path, where=f"features.{plan.group.name}")
    return _Part(path, _items(plan))


def _renamed(plan: GroupPlan) -> str:
    return ", ".join(f"{identifier(f.column)} AS f{i}" for i, f in enumerate(plan.columns))


def _items(plan: GroupPlan) -> tuple[Item, ...]:
    return tuple(Item(f"f{i}", f.name, f.is_time) for i, f in enumerate(plan.columns))
