"""Spark's errors in words that say what to do."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError
from pyspark.errors import PySparkException, PythonException

from evergreen.errors import EvergreenError, Fault, InputError, StorageError

_MEMORY = "Raise `spark.memory` in the project file, or give the cluster more executors."
_FAULTS = (
    (r"OutOfMemoryError|SparkOutOfMemory|Java heap space|GC overhead", f"it ran out of memory. {_MEMORY}"),
    (
        r"ExecutorLostFailure|SparkException: Job aborted.*executor .* exited|executor lost|Lost executor",
        "an executor was lost more often than Spark retries, mostly because its memory ran out or its node "
        f"went away. {_MEMORY}",
    ),
    (
        r"Python worker (exited unexpectedly|failed to connect back)|Connection reset",
        "a Python worker ended, mostly because its memory ran out. Raise the memory of the step, on a "
        "cluster `spark.executor.memoryOverhead` in `spark.conf`.",
    ),
    (
        r"SparkContext was shut down|Answer from Java side is empty|SparkContext .*stopped",
        "Spark was shut down.",
    ),
    (
        r"No module named|ModuleNotFoundError",
        "a worker lacks a Python package: `spark.image` must be the image that this step runs in.",
    ),
)
_MASTERS = (
    r"Could not parse Master URL|Master must |Invalid [Mm]aster|masters are unresponsive|UnknownHost|"
    r"Failed to connect to .*master|External scheduler cannot be instantiated|Invalid Kubernetes|"
    r"HADOOP_CONF_DIR or YARN_CONF_DIR"
)


@contextmanager
def explained(where: str, log_file: Path | None = None) -> Iterator[None]:
    """Turn Spark's errors into Evergreen's: no disk `StorageError`, everything else `Fault`.

    Args:
        where: What Spark was at; names the error.
        log_file: What the JVM wrote; its last errors help to tell why it ended.
    """
    try:
        yield
    except (Py4JError, PySparkException, ConnectionError) as error:
        raise translate(error, where, _tail(log_file)) from error


def translate(error: BaseException, where: str, logged: str = "") -> EvergreenError:
    """The Evergreen error for a Spark error; see `explained`."""
    text = _text(error)
    said = f"{text}\n{logged}"
    if re.search(r"No space left on device|Disk quota exceeded", said):
        remedy = "Free some space, or set TMPDIR (on a cluster also spark.local.dir) to another disk."
        return StorageError(where, "no space left for Spark's temporary files", remedy=remedy)
    if isinstance(error, PythonException):
        text = _last_python_line(text)
    for pattern, meaning in _FAULTS:
        if re.search(pattern, said, re.DOTALL):
            return Fault(f"{where}: Spark failed: {meaning}")
    if isinstance(error, Py4JNetworkError | ConnectionError):
        return Fault(f"{where}: Spark's JVM ended: {first_line(logged or text)}")
    return Fault(f"{where}: Spark failed: {first_line(text)}")


def not_started(error: BaseException, master: str, log_file: Path) -> EvergreenError:
    """The error for a Spark that did not start: its master is wrong or does not answer, or the like."""
    said = f"{_text(error)}\n{_tail(log_file)}"
    found = re.search(_MASTERS, said)
    if found:
        line = next((line for line in said.splitlines() if found[0] in line), found[0])
        remedy = "Name a master that runs and that this step can reach, or leave it out for this machine."
        return InputError("spark.master", f"{master!r}: {first_line(line)}", "a master that answers", remedy)
    if re.search(r"System memory \d+ must be at least|Executor memory \d+ must be at least", said):
        return InputError("spark.memory", "too little for Spark", "512MiB or more")
    return Fault(f"engine: spark: it did not start: {first_line(_tail(log_file) or _text(error))}")


def _text(error: BaseException) -> str:
    """The whole message; of an error in Java also the causes below it."""
    if not isinstance(error, Py4JJavaError):
        return str(error)
    return "\n".join(_quiet(read) for read in (error.java_exception.toString, error.__str__))


def _quiet(read: Callable[[], object]) -> str:
    """What `read` says; nothing when the JVM that would say it is gone."""
    try:
        return str(read())
    except (Py4JError, ConnectionError):
        return ""


def _tail(log_file: Path | None) -> str:
    """The last 8 KiB of what the JVM wrote."""
    if log_file is None or not log_file.is_file():
        return ""
    with log_file.open("rb") as handle:
        handle.seek(max(0, log_file.stat().st_size - 8192))
        return handle.read().decode("utf-8", "replace").strip()


def _last_python_line(text: str) -> str:
    lines = [
        line for line in text.strip().splitlines() if re.match(r"^[\w.]+(Error|Exception)\b", line.strip())
    ]
    return lines[-1] if lines else text


def first_line(text: str) -> str:
    """The first line that says something, without Java's class names before it."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("\tat ")]
    telling = (
        [line for line in lines if re.search(r"[Ee]xception|[Ee]rror|ERROR", line)]
        or lines
        or ["no word why"]
    )
    return re.sub(r"^(?:[\w$.]+\.)?\w*(?:Exception|Error): ", "", telling[0])[:300].rstrip(".")
