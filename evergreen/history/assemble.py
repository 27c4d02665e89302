"""Put the features of every group beside the spine's rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evergreen.history.events import write_group
from evergreen.history.join import EVENT, Keys, check_constants, constants_sql, join_keys, numbered
from evergreen.history.plan import ColumnFeature, GroupPlan, Roles
from evergreen.history.spine import INSTANT, ROW, Spine
from evergreen.project.model import Project
from evergreen.tables.connection import memory_bytes
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
class _Part:
    """Features of one group: a Parquet file keyed by row number (None: the spine itself), and their SQL."""

    path: Path | None
    items: tuple[str, ...]


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
    groups = [_parts(work, roles, plan, index) for index, plan in enumerate(plans)]
    joins, items = "", [f"s.{identifier(c)}" for c in roles.all]
    for index, part in enumerate(p for group in groups for p in group):
        alias = "s"
        if part.path is not None:
            alias = f"p{index}"
            joins += f" LEFT JOIN {file_scan([part.path])} AS {alias} ON {alias}.{ROW} = s.{ROW}"
        items += [item.replace("@", f"{alias}.") for item in part.items]
    order = ", ".join([*(f"s.{identifier(c)} NULLS LAST" for c in roles.key), f"s.{ROW}"])
    query = f"SELECT {', '.join(items)} FROM {scan(work.spine.path)} AS s{joins} ORDER BY {order}"
    return write_query(work.con, query, target, where="training set")
