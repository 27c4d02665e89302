"""Snapshots by Spark: executors put a table's part files into the Delta table's folder, many at once.

The files are Parquet already, sorted and with their final types, so they go up as they are, and this process
commits them as one version with `deltalake`: no Delta jar is needed, and readers see all of them or none.
"""

import json
import time
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from deltalake.transaction import AddAction
from pyspark.sql import SparkSession

from evergreen import log
from evergreen.history.versions.deltafiles import rows_of
from evergreen.history.versions.snapshots import Uploaded
from evergreen.project.model import Project
from evergreen.spark.errors import explained
from evergreen.spark.parts import upload_part
from evergreen.spark.place import is_local, master_of, scratch_parent
from evergreen.spark.progress import step
from evergreen.spark.session import log_file, spark_session
from evergreen.storage import Store

_log = log.get(__name__)


def reachable(project: Project, files: Sequence[Path], uri: str) -> bool:
    """Whether Spark's executors see a table's files, and the store at `uri`.

    On one machine they do. On a cluster the files must lie in `spark.staging`, and the store must be there
    too or be an object store.
    """
    staging = scratch_parent(project)
    if is_local(master_of(project)):
        return True
    paths = [*files, *([] if "://" in uri else [Path(uri)])]
    return staging is not None and all(p.absolute().is_relative_to(staging) for p in paths)


def upload_with_spark(project: Project, store: Store, files: Sequence[Path]) -> Uploaded | None:
    """Put files into a table's folder, each by an executor, under names that no other writer has.

    Args:
        project: The project.
        store: The table's folder.
        files: The table's Parquet files, in the order of its rows.

    Returns:
        What a commit says of the files, in their order, and the SHA-256 of each, by name; None when there is
        one file only, or executors do not see them, so that this process puts them there.

    Raises:
        InputError, Fault: when Spark cannot start, or fails.
    """
    if len(files) < 2:
        return None
    if not reachable(project, files, store.uri):
        _log.info("executors do not see the snapshot's files", extra={"uri": store.uri})
        return None
    mine = uuid.uuid4().hex[:12]
    names = [f"part-{mine}-{number:05d}.parquet" for number in range(len(files))]
    pairs = [(str(f.absolute()), n) for f, n in zip(files, names, strict=True)]
    with spark_session(project) as spark, explained("snapshot", log_file(spark)), step(spark, "snapshot"):
        done = _run(spark, pairs, store.uri, project.storage.endpoint)
    now, adds, digests = int(time.time() * 1000), [], {}
    for (name, size, digest), rows in zip(done, rows_of(files), strict=True):
        adds.append(AddAction(name, size, {}, now, True, json.dumps({"numRecords": rows})))
        digests[name] = digest
    return adds, digests


def _run(
    spark: SparkSession, pairs: list[tuple[str, str]], uri: str, endpoint: str | None
) -> list[tuple[str, int, str]]:
    put = partial(_put, uri=uri, endpoint=endpoint)
    return list(spark.sparkContext.parallelize(pairs, len(pairs)).map(put).collect())


def _put(pair: tuple[str, str], uri: str, endpoint: str | None) -> tuple[str, int, str]:
    return upload_part(pair[0], uri, endpoint, pair[1])
