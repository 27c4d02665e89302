"""The joins of a training set as a Spark program over prepared Parquet."""

import math
from functools import partial
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, LongType, StructField, StructType

from evergreen.history.joins.spine import INSTANT, ROW
from evergreen.spark.answers import NUMBER, TAG, TIME, answer
from evergreen.spark.prepare import Prepared, PreparedGroup

_PARTITION_BYTES = 16 * 2**20
_MOST_PARTITIONS = 20_000
_WHOLE = ("count", "distinct")


def partitions(spark: SparkSession, prepared: Prepared) -> int:
    """How many pieces the joins are cut into: one for each 16 MiB of zstd Parquet, one a core at least."""
    files = [prepared.path, *(g.path for g in prepared.groups)]
    wanted = math.ceil(sum(f.stat().st_size for f in files) / _PARTITION_BYTES)
    return min(_MOST_PARTITIONS, max(wanted, spark.sparkContext.defaultParallelism))


def read(spark: SparkSession, path: Path) -> DataFrame:
    """A Parquet file or folder that this machine and the executors see under the same path."""
    return spark.read.parquet(path.as_uri())


def joined(spark: SparkSession, prepared: Prepared, order: list[str], pieces: int) -> DataFrame:
    """The spine with g0_a0, g0_f0, … beside its own columns, sorted by `order`, the missing last, and row.

    Args:
        spark: The session.
        prepared: What to join.
        order: Columns of the prepared spine.
        pieces: Of each group's rows.
    """
    spine = read(spark, prepared.path)
    result = spine.drop(*(name for group in prepared.groups for name in group.left))
    for index, group in enumerate(prepared.groups):
        found = _constants(spine, group, read(spark, group.path))
        if group.plan.time is not None:
            found = _known(spine, group, read(spark, group.path), pieces)
        renamed = [F.col(c).alias(c if c == ROW else f"g{index}_{c}") for c in found.columns]
        result = result.join(found.select(*renamed), ROW, "left")
    return result.orderBy(*(F.col(c).asc_nulls_last() for c in order), F.col(ROW).asc())


def ambiguous(spark: SparkSession, prepared: Prepared, group: PreparedGroup) -> bool:
    """Whether a source without a time has more than one row for a key that a label row asks for."""
    asked = _asking(read(spark, prepared.path), group).select(*group.keys).distinct()
    known = read(spark, group.path).join(asked, list(group.keys), "left_semi")
    return bool(known.groupBy(*group.keys).count().where(F.col("count") > 1).limit(1).collect())


def _asking(spine: DataFrame, group: PreparedGroup) -> DataFrame:
    """The label rows whose keys are present, with the keys under the group's names."""
    keys = [F.col(a).alias(b) for a, b in zip(group.left, group.keys, strict=True)]
    return spine.select(*keys, ROW, INSTANT).dropna(subset=list(group.keys))


def _constants(spine: DataFrame, group: PreparedGroup, table: DataFrame) -> DataFrame:
    asking = _asking(spine, group).drop(INSTANT)
    return asking.join(table, list(group.keys)).drop(*group.keys)


def _known(spine: DataFrame, group: PreparedGroup, events: DataFrame, pieces: int) -> DataFrame:
    """Events and label rows of an entity brought together, in order, and answered by a worker."""
    asking = _asking(spine, group).where(F.col(INSTANT).isNotNull())
    values = [c for c in events.columns if c not in (*group.keys, TIME, NUMBER)]
    none = [F.lit(None).cast(events.schema[c].dataType).alias(c) for c in values]
    ours = [F.col(INSTANT).alias(TIME), F.col(ROW).alias(NUMBER)]
    stacked = events.select(*group.keys, _tag(0), TIME, NUMBER, *values).unionByName(
        asking.select(*group.keys, _tag(1), *ours, *none)
    )
    together = stacked.repartition(pieces, *group.keys)
    ordered = together.sortWithinPartitions(*group.keys, TAG, TIME, NUMBER)
    work = partial(answer, plan=group.plan, picks=dict(group.picks), keys=group.keys)
    return ordered.mapInArrow(work, _schema(group, events))


def _tag(value: int) -> Column:
    return F.lit(value).cast("int").alias(TAG)


def _schema(group: PreparedGroup, events: DataFrame) -> StructType:
    fields = [StructField(ROW, LongType())]
    for i, feature in enumerate(group.plan.aggregates):
        fields.append(StructField(f"a{i}", LongType() if feature.function in _WHOLE else DoubleType()))
    return StructType(
        [*fields, *(StructField(f"f{i}", events.schema[f"f{i}"].dataType) for i in range(len(group.types)))]
    )
