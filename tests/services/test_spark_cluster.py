"""Spark past one process: executors in JVMs of their own, and the loss of one."""

import os
import signal
from importlib.util import find_spec

import psutil
import pytest
from spark_world import both, project_of, write_sources

from evergreen.errors import Fault, InputError

if find_spec("pyspark") is None:
    pytest.skip("pyspark is not installed (extra `spark`)", allow_module_level=True)

from evergreen.spark import spark_session
from evergreen.spark.errors import explained

pytestmark = [pytest.mark.service, pytest.mark.slow]
LABELS = "SELECT n AS row, n % 2 AS y, n % 7 AS who, TIMESTAMP '2024-06-01' + n * INTERVAL 1 HOUR AS moment"
HISTORY = (
    "n % 9 AS who, TIMESTAMP '2024-05-25' + n * INTERVAL 7 MINUTE AS moment, n / 7 AS x, 'v' || n % 5 AS k"
)
EVENTS = f"SELECT {HISTORY}"


def project_on(staging, master="local-cluster[1,2,1024]"):
    aggregates = [
        {"column": "x", "functions": ["sum", "std", "max"], "windows": ["12h", "30d"]},
        {"column": "k", "functions": ["distinct", "recency"], "windows": ["12h"]},
    ]
    return project_of(
        sources={
            "labels": {"path": "x", "time": "moment", "key": ["row"]},
            "events": {"path": "x", "time": "moment", "delay": "10m"},
        },
        entity="who",
        time="moment",
        label={"source": "labels", "column": "y"},
        features=[{"name": "f", "source": "events", "columns": ["k"], "aggregates": aggregates}],
        spark={
            "master": master,
            "memory": "1GiB",
            "staging": str(staging),
            "conf": {
                "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1",
                "spark.task.maxFailures": 1,
            },
        },
    )


def executors():
    """The executors' JVMs below this process."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if any("ExecutorBackend" in argument for argument in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def tables(tmp_path):
    queries = {"labels": f"{LABELS} FROM range(200) t(n)", "events": f"{EVENTS} FROM range(3000) t(n)"}
    return write_sources(tmp_path / "tables", queries)


def test_executors_in_their_own_processes_give_the_same_and_their_loss_is_said(tmp_path, tables):
    staging = tmp_path / "staging"
    staging.mkdir()
    project = project_on(staging)
    with spark_session(project) as spark:
        ours, theirs = both(project, tables)
        assert "error" not in ours, ours
        assert theirs == ours
        assert list(staging.iterdir()) == []
        pid = executors()[0].pid

        def end_the_executor(batches):
            os.kill(pid, signal.SIGKILL)
            yield from batches

        with (
            pytest.raises(Fault, match=r"training set: Spark failed: an executor was lost.*spark\.memory"),
            explained("training set"),
        ):
            spark.range(10).mapInArrow(end_the_executor, "id long").collect()
    assert executors() == []
    assert [p for p in psutil.Process().children(recursive=True) if p.name() == "java"] == []


def test_a_master_that_is_none_is_an_input_error(tmp_path):
    with (
        pytest.raises(InputError, match=r"spark\.master: 'sparky': .*[Mm]aster"),
        spark_session(project_on(tmp_path, "sparky")),
    ):
        pass
    assert [p for p in psutil.Process().children(recursive=True) if p.name() == "java"] == []
