"""One Spark session for one piece of work: quiet, bounded in memory, and stopped whatever happens."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from evergreen import log
from evergreen.errors import InputError
from evergreen.project.model import Project
from evergreen.project.model.values import memory_bytes
from evergreen.spark.errors import not_started
from evergreen.spark.java import find_java, java_home
from evergreen.spark.place import is_local, master_of

_log = log.get(__name__)
# Spark refuses to start with less than 450 MiB.
_LEAST_MEMORY = 512 * 2**20
_DEFAULT_MEMORY = 1024 * 2**20
_LOG4J = """\
status = error
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %c{1}: %m%n%ex{3}
"""


def settings(project: Project, master: str, scratch: Path) -> dict[str, str]:
    """Spark's settings for a project; those of `spark.conf` win over the ones that are only habits here.

    Raises:
        InputError: for less memory than Spark starts with.
    """
    memory = f"{_memory(project) // 2**20}m"
    habits = {
        "spark.app.name": f"evergreen-{project.name}",
        "spark.driver.memory": memory,
        "spark.local.dir": str(scratch / "local"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.eventLog.enabled": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "20000",
        "spark.sql.autoBroadcastJoinThreshold": "10485760",
        "spark.python.worker.faulthandler.enabled": "true",
        "spark.python.authenticate.socketTimeout": "60s",
    }
    if is_local(master):
        habits |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    else:
        habits |= _cluster_habits(project, master, memory)
    return {**habits, **{n: _plain(v) for n, v in project.spark.conf.items()}, **_fixed(master, scratch)}


def _fixed(master: str, scratch: Path) -> dict[str, str]:
    """What the results depend on, which no project may change."""
    return {
        "spark.master": master,
        "spark.submit.deployMode": "client",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.caseSensitive": "true",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
        "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
        "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.session.collation.default": "UTF8_BINARY",
    }


def _plain(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _memory(project: Project) -> int:
    if project.spark.memory is None:
        return max(memory_bytes(project.resources.memory), _DEFAULT_MEMORY)
    given = memory_bytes(project.spark.memory)
    if given < _LEAST_MEMORY:
        raise InputError("spark.memory", project.spark.memory, "512MiB or more: Spark starts with no less")
    return given


def _cluster_habits(project: Project, master: str, memory: str) -> dict[str, str]:
    spark = project.spark
    habits = {"spark.executor.memory": memory, "spark.pyspark.python": sys.executable}
    if spark.executors is not None:
        habits["spark.executor.instances"] = str(spark.executors)
    if spark.cores is not None:
        habits["spark.executor.cores"] = str(spark.cores)
    if master.startswith("k8s://"):
        host = socket.gethostname()
        # The executors call back to this pod by its address, and end with it: it is their owner.
        habits |= {
            "spark.driver.host": socket.gethostbyname(host),
            "spark.driver.bindAddress": "0.0.0.0",  # noqa: S104
            "spark.kubernetes.driver.pod.name": os.environ.get("HOSTNAME", host),
        }
        if not spark.image:
            raise InputError("spark.image", "missing", "the executors' image: the one that this step runs in")
        habits["spark.kubernetes.container.image"] = spark.image
    return habits


@contextmanager
def spark_session(project: Project) -> Iterator[SparkSession]:
    """Start Spark, yield its session, and stop its JVM at the end, also when an error ends the work.

    A session that this process has already is used, and left running.

    Raises:
        InputError: for a missing Java, a master that is wrong or does not answer, too little memory.
        Fault: when Spark does not start for another reason.
    """
    running = SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    scratch = Path(tempfile.mkdtemp(prefix="evergreen-spark-"))
    try:
        with _started(project, scratch) as spark:
            yield spark
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def log_file(spark: SparkSession) -> Path | None:
    """What the JVM of a session of ours writes; None for somebody else's."""
    path = spark.conf.get("spark.evergreen.log", "")
    return Path(path) if path else None


@contextmanager
def _started(project: Project, scratch: Path) -> Iterator[SparkSession]:
    master = master_of(project)
    written = scratch / "jvm.log"
    (scratch / "conf").mkdir()
    (scratch / "conf" / "log4j2.properties").write_text(_LOG4J, encoding="utf-8")
    chosen = {**settings(project, master, scratch), "spark.evergreen.log": str(written)}
    begun = time.monotonic()
    context: SparkContext | None = None
    with written.open("wb") as output, _environment(_variables(scratch, master)):
        try:
            # `SparkContext` would let the JVM write into our own output.
            conf = SparkConf(loadDefaults=False).setAll(list(chosen.items()))
            gateway = launch_gateway(conf, {"stdout": output, "stderr": output})
        except (PySparkException, OSError) as error:
            raise not_started(error, master, written) from error
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                context = SparkContext(conf=conf, gateway=gateway)
                spark = SparkSession(context)
        except (Py4JError, PySparkException, ValueError, ConnectionError) as error:
            _end(context, gateway)
            raise not_started(error, master, written) from error
    seconds = round(time.monotonic() - begun, 1)
    _log.info("spark started", extra={"master": master, "version": spark.version, "seconds": seconds})
    try:
        with warnings.catch_warnings():
            # It warns of every pandas since 3.0; no pandas crosses to Spark here.
            warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
            yield spark
    finally:
        _end(context, gateway)


def _variables(scratch: Path, master: str) -> dict[str, str]:
    """The environment that the JVM, and through it the workers, start with."""
    home = find_java(os.environ)
    variables = {
        "SPARK_CONF_DIR": str(scratch / "conf"),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": "pyspark-shell",
    }
    if home is not None:
        variables["JAVA_HOME"] = str(java_home(home, scratch))
    if is_local(master):
        variables["SPARK_LOCAL_IP"] = "127.0.0.1"
    return variables


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for a while: Spark reads its own from the environment only."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _end(context: SparkContext | None, gateway: object) -> None:
    """Stop a context and its JVM, so that a later session starts anew and nothing outlives the work."""
    process: subprocess.Popen[bytes] | None = getattr(gateway, "proc", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        if context is not None:
            SparkSession._instantiatedSession = None
            context.stop()
    gateway.shutdown()  # type: ignore[attr-defined]
    SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
    SparkContext._next_accum_id = 0
    if process is None:
        return
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
