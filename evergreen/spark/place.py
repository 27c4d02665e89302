"""Where Spark and this process exchange files: this machine's disk, or a folder that a cluster shares."""

import os
from pathlib import Path

from evergreen.errors import InputError
from evergreen.project.model import Project
from evergreen.spark.java import find_java, require_pyspark


def master_of(project: Project) -> str:
    """The master: the project file's, else SPARK_MASTER, else this machine's cores."""
    threads = project.resources.threads
    return project.spark.master or os.environ.get("SPARK_MASTER") or f"local[{threads or '*'}]"


def is_local(master: str) -> bool:
    """Whether everything runs in one JVM on this machine."""
    return master == "local" or master.startswith("local[")


def scratch_parent(project: Project) -> Path | None:
    """The folder in which a build makes its scratch folder; None for the usual one, under TMPDIR.

    Raises:
        InputError: when pyspark or Java is missing, and when a cluster shares no folder with this step.
    """
    require_pyspark()
    find_java(os.environ)
    master, staging = master_of(project), project.spark.staging
    if is_local(master):
        return None
    if not staging:
        found = f"missing, and the master is {master!r}"
        expected = "a folder that this step and every executor see under the same path"
        remedy = "Mount one volume (ReadWriteMany) in all of them and name its path."
        raise InputError("spark.staging", found, expected, remedy)
    if not Path(staging).is_dir():
        raise InputError(
            "spark.staging", f"no folder {staging!r}", "one that is mounted here and in the executors"
        )
    return Path(staging).absolute()
