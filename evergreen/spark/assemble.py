"""The training set assembled by Spark: the same plans, rows, order, names and types as on DuckDB."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from evergreen import log
from evergreen.history.joins.assemble import Item, Work, item_sql
from evergreen.history.joins.join import check_constants
from evergreen.history.joins.plan import GroupPlan
from evergreen.history.joins.roles import Roles
from evergreen.history.joins.spine import INSTANT
from evergreen.spark.carriers import restored
from evergreen.spark.errors import explained
from evergreen.spark.joins import ambiguous, joined, partitions
from evergreen.spark.prepare import Prepared, prepare
from evergreen.spark.progress import step
from evergreen.spark.session import log_file, spark_session
from evergreen.tables.parquet import file_scan, write_query
from evergreen.tables.sql import identifier

_log = log.get(__name__)
# A part file has at least so many rows: a table that one machine holds is one file, as on DuckDB.
_PART_ROWS = 8_000_000


def assemble_with_spark(work: Work, roles: Roles, plans: Sequence[GroupPlan], folder: Path) -> int:
    """Join every group and write the finished table, sorted by key; returns its rows.

    DuckDB reads each table once and writes what Spark joins (see `evergreen.spark.prepare`), Spark joins and
    sorts, DuckDB reads the result once and writes it with its final names and types. The one-machine passes
    stream; what grows with the product of labels and events, the joins and sorts, is Spark's.

    Args:
        work: The build; its scratch folder must be one that Spark's executors see.
        roles: What the columns of the spine's source stand for.
        plans: The feature groups.
        folder: Where `part-00000.parquet`, `part-00001.parquet`, … are written, in order of the rows.

    Raises:
        DataError: for keys that cannot be compared, and for constants with more than one row per key.
        InputError: when Spark cannot start as the project says.
        Fault: when Spark fails.
    """
    staged = work.scratch / "spark"
    staged.mkdir()
    prepared = prepare(work.con, work.tables, work.spine, work.types, roles, plans, staged)
    _log.info("prepared for spark", extra={"rows": work.spine.rows, "groups": len(prepared.groups)})
    with spark_session(work.project) as spark, explained("training set", log_file(spark)):
        _check_constants(spark, work, prepared)
        pieces = partitions(spark, prepared)
        spark.conf.set("spark.sql.shuffle.partitions", str(pieces))
        order = [prepared.columns[c] for c in roles.key]
        with step(spark, "join"):
            joined(spark, prepared, order, pieces).write.parquet((staged / "joined").as_uri())
    return _collect(work, roles, plans, prepared, folder)


def _check_constants(spark: SparkSession, work: Work, prepared: Prepared) -> None:
    for group in prepared.groups:
        if group.plan.time is None and ambiguous(spark, prepared, group):
            where = f"features.{group.plan.group.name}"
            check_constants(work.con, where, group.join, work.spine.path, group.source)


def _collect(work: Work, roles: Roles, plans: Sequence[GroupPlan], prepared: Prepared, folder: Path) -> int:
    """Write Spark's files under the final names, in order."""
    items = ", ".join(_items(work, roles, plans, prepared))
    rows = 0
    for index, files in enumerate(_gathered(work.scratch / "spark" / "joined")):
        query = f"SELECT {items} FROM ({_typed(work, prepared, files)}) AS s"
        rows += write_query(work.con, query, folder / f"part-{index:05d}.parquet", where="training set")
    return rows


def _gathered(folder: Path) -> Iterator[list[Path]]:
    """Spark's files, whose names are in the order of the rows, gathered to parts of enough rows."""
    pending: list[Path] = []
    rows = 0
    files = sorted(folder.glob("part-*.parquet"))
    for file in files:
        pending.append(file)
        rows += pq.read_metadata(file).num_rows
        if rows >= _PART_ROWS:
            yield pending
            pending, rows = [], 0
    if pending and (rows or len(pending) == len(files)):
        yield pending


def _typed(work: Work, prepared: Prepared, files: list[Path]) -> str:
    """SQL for the rows with every value in its own type again, still under its name in Spark."""
    items = [INSTANT]
    for column, name in prepared.columns.items():
        items.append(f"{restored(name, work.types[column])} AS {name}")
    for index, group in enumerate(prepared.groups):
        items += [f"g{index}_a{i}" for i in range(len(group.plan.aggregates))]
        for i, duckdb_type in enumerate(group.types):
            items.append(f"{restored(f'g{index}_f{i}', duckdb_type)} AS g{index}_f{i}")
    return f"SELECT {', '.join(items)} FROM {file_scan(files)}"


def _items(work: Work, roles: Roles, plans: Sequence[GroupPlan], prepared: Prepared) -> list[str]:
    """The finished table's columns, in the order of the DuckDB engine's."""
    items = [f"{prepared.columns[c]} AS {identifier(c)}" for c in roles.all]
    has_instant = roles.time is not None or roles.label is None
    joined_plans = [group.plan for group in prepared.groups]
    for plan in plans:
        prefix = f"g{joined_plans.index(plan)}_" if plan in joined_plans else ""
        for i, feature in enumerate(plan.columns):
            column = prepared.columns[feature.column] if plan.own else f"{prefix}f{i}"
            items.append(item_sql("s", Item(column, feature.name, feature.is_time), has_instant))
        for i, aggregate in enumerate(plan.aggregates):
            items.append(item_sql("s", Item(f"{prefix}a{i}", aggregate.name), has_instant))
    return items
