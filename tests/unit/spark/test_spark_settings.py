"""The `engine` and `spark` sections, and what Spark is told because of them."""

from pathlib import Path

import pytest

from evergreen.errors import InputError, ProjectError
from evergreen.project import parse_project
from evergreen.spark.executor import command

BASE = """\
name: p
sources: {s: {path: /x.parquet}}
label: {source: s, column: y}
features: [{name: f, source: s, columns: [x]}]
"""


def settings_of(text, master="local[2]"):
    pytest.importorskip("pyspark", reason="pyspark is not installed (extra `spark`)")
    from evergreen.spark.session import settings

    return settings(parse_project(BASE + text), master, Path("/scratch"))


def test_duckdb_is_the_default_engine():
    assert parse_project(BASE).engine == "duckdb"


@pytest.mark.parametrize(
    "text,said",
    [
        ("engine: spork", "expected one of duckdb or spark"),
        ("spark: {conf: {master: x}}", "settings whose names begin with `spark.`"),
        ("spark: {conf: {spark.executor.memory: 4g}}", "the field `spark.memory`, which says it"),
        ("spark: {conf: {spark.hadoop.fs.s3a.secret.key: abc}}", "no credentials in the project file"),
        ("spark: {executors: 0}", "at least 1 and at most 10,000"),
        ("spark: {memory: 4g}", "an amount of memory such as 512MiB"),
    ],
)
def test_wrong_sections_are_refused(text, said):
    with pytest.raises(ProjectError) as caught:
        parse_project(BASE + text)
    assert said in str(caught.value)
    assert "abc" not in str(caught.value)


def test_where_a_credential_is_may_be_said():
    parse_project(
        BASE + "spark: {conf: {spark.kubernetes.executor.secretKeyRef.AWS_SECRET_ACCESS_KEY: 's:key'}}"
    )


def test_the_results_do_not_depend_on_what_a_project_sets():
    found = settings_of("spark: {conf: {spark.sql.session.timeZone: Asia/Tokyo, spark.ui.enabled: true}}")
    assert found["spark.sql.session.timeZone"] == "UTC"
    assert found["spark.ui.enabled"] == "true"


def test_memory_is_the_engine_s_or_the_task_s_and_never_too_little():
    assert settings_of("resources: {memory: 3GiB}")["spark.driver.memory"] == "3072m"
    assert settings_of("resources: {memory: 256MiB}")["spark.driver.memory"] == "1024m"
    assert settings_of("spark: {memory: 1.5GiB}")["spark.driver.memory"] == "1536m"
    with pytest.raises(InputError, match=r"spark\.memory: 100MiB; expected 512MiB or more"):
        settings_of("spark: {memory: 100MiB}")


def test_only_a_cluster_has_executors():
    local = settings_of("spark: {executors: 3, cores: 2, image: i, memory: 2GiB}")
    assert not [name for name in local if name.startswith(("spark.executor.", "spark.kubernetes."))]
    k8s = settings_of("spark: {executors: 3, cores: 2, image: i, memory: 2GiB}", "k8s://https://a")
    assert k8s["spark.executor.instances"] == "3"
    assert k8s["spark.executor.memory"] == "2048m"
    assert k8s["spark.kubernetes.container.image"] == "i"
    assert k8s["spark.submit.deployMode"] == "client"
    with pytest.raises(InputError, match=r"spark\.image: missing"):
        settings_of("spark: {executors: 3}", "k8s://https://a")


POD = {
    "SPARK_DRIVER_URL": "spark://CoarseGrainedScheduler@10.0.0.1:7078",
    "SPARK_EXECUTOR_ID": "3",
    "SPARK_EXECUTOR_CORES": "2",
    "SPARK_EXECUTOR_MEMORY": "2048m",
    "SPARK_APPLICATION_ID": "spark-application-1",
    "SPARK_EXECUTOR_POD_IP": "10.0.0.2",
    "SPARK_RESOURCE_PROFILE_ID": "0",
    "SPARK_EXECUTOR_POD_NAME": "p-exec-3",
    "SPARK_JAVA_OPT_10": "-Dlast=1",
    "SPARK_JAVA_OPT_2": "-Dwith=a space",
    "SPARK_JAVA_OPT_0": "-Dfirst=1",
}


def test_an_executor_s_command_is_what_the_driver_says():
    found = command("/java", Path("/jars"), POD)
    assert found[:8] == [
        "/java", "-Dfirst=1", "-Dwith=a space", "-Dlast=1", "-Xms2048m", "-Xmx2048m", "-cp", "/jars/*"
    ]  # fmt: skip
    assert found[8].endswith("KubernetesExecutorBackend")
    pairs = dict(zip(found[9::2], found[10::2], strict=True))
    assert pairs["--driver-url"] == POD["SPARK_DRIVER_URL"]
    assert pairs["--executor-id"] == "3"
    assert pairs["--podName"] == "p-exec-3"
