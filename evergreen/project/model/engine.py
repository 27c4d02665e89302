"""The engine for joins and snapshots: DuckDB on one machine, Spark past it."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from evergreen.project.model.values import Memory, Refused, Section

Engine = Literal["duckdb", "spark"]

_OURS = {
    "spark.master": "spark.master",
    "spark.driver.memory": "spark.memory",
    "spark.executor.memory": "spark.memory",
    "spark.executor.instances": "spark.executors",
    "spark.executor.cores": "spark.cores",
    "spark.kubernetes.container.image": "spark.image",
}

# Settings that say where a credential is, not what it is.
_REFERENCES = r"secretkeyref\..*|\.secrets\..*|tokenfile$|passwordfile$"


class Spark(Section):
    """Where Spark runs; read when `engine` is `spark`, which needs the Spark image or `evergreen-kfp[spark]`.

    Credentials never stand here, nor in `conf`: they come from the environment, as for `storage`.

    Attributes:
        master: `local[*]` is this machine; `spark://host:7077`, `k8s://https://host:443` or `yarn` is a
            cluster. Default: SPARK_MASTER in the environment, else this machine with `resources.threads`.
        memory: Of each JVM: of the one on this machine, or of the driver and of each executor on a cluster.
            Default: `resources.memory`, and 1GiB at least.
        executors: On a cluster: how many. Default: what the cluster or `conf` says.
        cores: On a cluster: of each executor.
        image: On Kubernetes: the image of the executors, the one that this step runs in (built from
            Dockerfile.spark).
        staging: On a cluster: a folder that this step and every executor see under the same path, such as a
            volume that is mounted in all of them. Not needed on one machine.
        conf: Further settings of Spark, such as
            `{spark.executor.memoryOverhead: 2g, spark.kubernetes.namespace: jobs}`.
    """

    master: Annotated[str, Field(min_length=1)] | None = None
    memory: Memory | None = None
    executors: Annotated[int, Field(ge=1, le=10_000)] | None = None
    cores: Annotated[int, Field(ge=1, le=256)] | None = None
    image: str | None = None
    staging: str | None = None
    conf: dict[str, str | int | float | bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _plain_conf(self) -> "Spark":
        for name in self.conf:
            if not name.startswith("spark."):
                raise Refused(f"`conf` has {name!r}", "settings whose names begin with `spark.`")
            if name in _OURS:
                raise Refused(f"`conf` has {name!r}", f"the field `{_OURS[name]}`, which says it")
            words = ("secret", "password", "token", "access.key")
            secret = any(word in re.sub(_REFERENCES, "", name.lower()) for word in words)
            if secret:
                remedy = "Put it into the environment of the step, on a cluster from a Kubernetes Secret."
                raise Refused(f"`conf` has {name!r}", "no credentials in the project file", remedy)
        return self
