"""What Spark says when it fails, in words that say what to do."""

import pytest

from evergreen.errors import Fault, InputError, StorageError

pytest.importorskip("pyspark", reason="pyspark is not installed (extra `spark`)")

from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import PythonException

from evergreen.spark.errors import explained, not_started

LOST = "Job aborted due to stage failure: ExecutorLostFailure (executor 3 exited caused by one of the tasks)"


@pytest.mark.parametrize(
    "error,kind,said",
    [
        (Py4JError(LOST), Fault, r"an executor was lost .*Raise `spark\.memory`"),
        (Py4JError("java.lang.OutOfMemoryError: Java heap space"), Fault, r"ran out of memory\. Raise"),
        (Py4JError("java.io.IOException: No space left on device"), StorageError, r"no space left .*TMPDIR"),
        (Py4JNetworkError("Answer from Java side is empty"), Fault, r"Spark was shut down"),
        (ConnectionRefusedError("refused"), Fault, r"Spark's JVM ended: ERROR Utils: why it ended"),
        (PythonException("Traceback …\n  File x\nModuleNotFoundError: No module named 'evergreen'"), Fault,
         r"a worker lacks a Python package: `spark\.image`"),
        (PythonException("Traceback …\n  File x\nValueError: odd"), Fault, r"Spark failed: odd"),
    ],
)  # fmt: skip
def test_failures_say_what_to_do(tmp_path, error, kind, said):
    log = tmp_path / "jvm.log"
    log.write_text("INFO x\nERROR Utils: why it ended.\n\tat org.apache.spark.X\n")
    with pytest.raises(kind, match=rf"^training set: .*{said}"), explained("training set", log):
        raise error


def test_a_jvm_that_does_not_start_is_explained_by_what_it_wrote(tmp_path):
    log = tmp_path / "jvm.log"
    log.write_text(
        'Exception in thread "main" org.apache.spark.SparkException: Master must either be yarn or …\n'
    )
    error = not_started(ValueError("gateway exited"), "sparky", log)
    assert isinstance(error, InputError)
    assert "spark.master: 'sparky': Exception" in str(error)
    log.write_text("Error occurred during initialization of boot layer\n")
    assert str(not_started(ValueError("x"), "local", log)).endswith("initialization of boot layer")
