"""The distributed engine: the joins of a training set and its snapshot on Spark, with DuckDB's results.

Only `engine: spark` comes here: pyspark and Java are in the Spark image, not in the base image.
The names below load on first use, so that importing this package costs nothing at the start of a command.
"""

from typing import TYPE_CHECKING

from evergreen.lazy import on_first_use

if TYPE_CHECKING:
    from evergreen.spark.assemble import assemble_with_spark
    from evergreen.spark.place import scratch_parent
    from evergreen.spark.session import spark_session
    from evergreen.spark.snapshot import upload_with_spark

_HOMES = {
    "assemble_with_spark": "assemble",
    "scratch_parent": "place",
    "spark_session": "session",
    "upload_with_spark": "snapshot",
}

__all__ = ["assemble_with_spark", "scratch_parent", "spark_session", "upload_with_spark"]

__getattr__ = on_first_use(__name__, _HOMES)
