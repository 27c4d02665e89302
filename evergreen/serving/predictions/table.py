"""The log as tables: one file of a time range, and the serving rows that a skew check takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from evergreen.errors import DataError
from evergreen.serving.predictions.reading import log_query
from evergreen.tables.parquet import columns, write_query
from evergreen.tables.sql import identifier, literal

_OWN = "served_"


@dataclass(frozen=True)
class Wanted:
    """Which rows of the log.

    Attributes:
        since: From then on; None for all.
        until: Before then; None for all.
        version: Of the model; None for all.
        arms: Such as `baseline`; None for all.
    """

    since: datetime | None = None
    until: datetime | None = None
    version: int | None = None
    arms: tuple[str, ...] | None = None

    def where(self) -> str:
        """The SQL condition."""
        conditions = ["TRUE"]
        if self.since is not None:
            conditions.append(f"time >= {literal(self.since)}")
        if self.until is not None:
            conditions.append(f"time < {literal(self.until)}")
        if self.version is not None:
            conditions.append(f"version = {self.version}")
        if self.arms is not None:
            conditions.append(f"list_contains({literal(self.arms)}, arm)")
        return " AND ".join(conditions)


def export(
    con: duckdb.DuckDBPyConnection, files: Sequence[Path], path: Path, wanted: Wanted | None = None
) -> int:
    """Write rows of the log to one Parquet file, in the order of the segments; returns how many.

    Args:
        con: An open connection; its memory is the bound.
        files: Local segments of one kind.
        path: The file to write.
        wanted: Which rows; default: all.

    Raises:
        DataError: when there is no segment, or one cannot be read.
        StorageError: when the disk refuses.
    """
    query = f"SELECT * FROM ({log_query(con, files)}) WHERE {(wanted or Wanted()).where()}"
    return write_query(con, query, path, where="prediction log")


def serving_table(
    con: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
    path: Path,
    wanted: Wanted | None = None,
    *,
    names: Mapping[str, str] | None = None,
) -> int:
    """Write what was served as the serving rows of a skew check: one column a feature, request_id, time.

    Refused requests are left out. Where a feature has the name of one of the log's own columns, the feature
    keeps it and the log's own is called `served_time` and so on.

    Args:
        con: An open connection; its memory is the bound.
        files: Local segments of predictions.
        path: The Parquet file to write.
        wanted: Which rows; default: all. Take one version, or one column may hold two meanings.
        names: Names for the log's own columns, such as {"time": "ordered_at"}, the training set's time.

    Returns:
        The number of rows.

    Raises:
        DataError: when there is no segment, no feature in it, or one cannot be read.
        StorageError: when the disk refuses.
    """
    query = log_query(con, files)
    features = columns(con, f"SELECT features.* FROM ({query})") if _has_features(con, query) else {}
    if not features:
        raise DataError("prediction log", "no feature is logged", "segments with features")
    taken = {name.lower() for name in features}
    own = []
    for column in ("request_id", "time"):
        name = (names or {}).get(column, column)
        while name.lower() in taken:
            name = _OWN + name
        taken.add(name.lower())
        own.append(f"{column} AS {identifier(name)}")
    condition = (wanted or Wanted()).where()
    rows = (
        f"SELECT {', '.join(own)}, features.* FROM ({query}) "
        f"WHERE status = 200 AND features IS NOT NULL AND {condition}"
    )
    return write_query(con, rows, path, where="prediction log")


def _has_features(con: duckdb.DuckDBPyConnection, query: str) -> bool:
    return columns(con, query).get("features", "").startswith("STRUCT")
