"""A line in the log now and then while Spark works, so that a pod's log says how far it is."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.sql import SparkSession

from evergreen import log

_log = log.get(__name__)
_EVERY = 20.0


@contextmanager
def step(spark: SparkSession, name: str) -> Iterator[None]:
    """Log a step's seconds at its end, and every 20 seconds the tasks that are done in its running stages."""
    begun, ended = time.monotonic(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(spark.sparkContext, name, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join(timeout=5)
    _log.info("spark step done", extra={"step": name, "seconds": round(time.monotonic() - begun, 1)})


def _watch(context: SparkContext, name: str, ended: threading.Event) -> None:
    while not ended.wait(_EVERY):
        try:
            done, tasks = _counts(context)
        except (Py4JError, ConnectionError):
            return
        if tasks:
            _log.info("spark works", extra={"step": name, "tasks_done": done, "tasks": tasks})


def _counts(context: SparkContext) -> tuple[int, int]:
    tracker = context.statusTracker()
    found = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    stages = [info for info in found if info is not None]
    return sum(s.numCompletedTasks for s in stages), sum(s.numTasks for s in stages)
