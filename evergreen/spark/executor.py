"""The entry point of the Spark image: an executor on Kubernetes, or whatever command it is given.

Spark starts an executor's container with the one argument `executor`, and says the rest in variables. Its own
image has a shell script for that; pyspark's wheel has not.
"""

import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from evergreen.errors import EvergreenError
from evergreen.spark.java import find_java, java_home

_BACKEND = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"
_ARGUMENTS = {
    "--driver-url": "SPARK_DRIVER_URL",
    "--executor-id": "SPARK_EXECUTOR_ID",
    "--cores": "SPARK_EXECUTOR_CORES",
    "--app-id": "SPARK_APPLICATION_ID",
    "--hostname": "SPARK_EXECUTOR_POD_IP",
    "--resourceProfileId": "SPARK_RESOURCE_PROFILE_ID",
    "--podName": "SPARK_EXECUTOR_POD_NAME",
}


def command(java: str, jars: Path, environment: Mapping[str, str]) -> list[str]:
    """The command of an executor, from the variables that Spark's driver sets in its pod.

    Args:
        java: The program.
        jars: The folder of Spark's jars.
        environment: The pod's variables.

    Raises:
        KeyError: for a variable that the driver did not set.
    """
    numbered = sorted((int(n[1]), v) for k, v in environment.items() if (n := _OPTION.fullmatch(k)))
    memory = environment["SPARK_EXECUTOR_MEMORY"]
    given = [p for p in (environment.get("SPARK_CLASSPATH"), f"{jars}/*") if p]
    arguments = [text for name, key in _ARGUMENTS.items() for text in (name, environment[key])]
    options = [value for _, value in numbered]
    return [java, *options, f"-Xms{memory}", f"-Xmx{memory}", "-cp", ":".join(given), _BACKEND, *arguments]


_OPTION = re.compile(r"SPARK_JAVA_OPT_(\d+)")


def main(arguments: Sequence[str]) -> None:
    """Become an executor's JVM for the argument `executor`, else the command that the arguments are.

    Raises:
        InputError: without Java.
    """
    if list(arguments) != ["executor"]:
        program = arguments or ["evergreen", "--help"]
        os.execvp(program[0], list(program))  # noqa: S606
    home = find_java(os.environ)
    java = "java" if home is None else str(java_home(home, Path(tempfile.mkdtemp())) / "bin" / "java")
    spec = find_spec("pyspark")
    jars = Path((spec.submodule_search_locations or [""])[0] if spec else "") / "jars"
    line = command(java, jars, os.environ)
    os.execvp(line[0], line)  # noqa: S606


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except EvergreenError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from None
