"""Both engines on the same data: Spark must give DuckDB's training set, to the bit.

The digests are compared, not rounded numbers: Spark's workers run the DuckDB engine's own arithmetic over
each entity's sorted events, so not even the order of additions differs.
"""

import math
import tempfile
from datetime import datetime, timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spark_world import both, project_of, typed_table, write_sources, write_tables

from evergreen.errors import Fault, InputError
from evergreen.history.build import build_training_set
from evergreen.history.versions.snapshots import read_snapshot, snapshot
from evergreen.ingest.ingest import ingest
from evergreen.project.load import load_project

if find_spec("pyspark") is None:
    pytest.skip("pyspark is not installed (extra `spark`)", allow_module_level=True)

from evergreen.spark import spark_session, upload_with_spark
from evergreen.spark.errors import explained

pytestmark = pytest.mark.service
COUPONS = Path(__file__).resolve().parents[2] / "examples" / "coupons" / "project.yaml"
FUNCTIONS = ["count", "sum", "mean", "min", "max", "std", "distinct", "recency"]


@pytest.fixture(scope="module", autouse=True)
def running_spark():
    """One JVM for the module: a build uses the session that its process has."""
    sources = {"labels": {"path": "x", "time": "at"}}
    label = {"source": "labels", "column": "y"}
    features = [{"name": "f", "source": "labels", "columns": ["x"]}]
    with spark_session(project_of(sources=sources, label=label, features=features)) as spark:
        yield spark


def test_the_coupons_example(tmp_path):
    project = load_project(COUPONS)
    tables = tmp_path / "tables"
    ingest(project, tables)
    ours, theirs = both(project, tables)
    assert ours["meta"]["rows"] > 5000
    assert theirs == ours


def typed_project(**label):
    constants = {"name": "constant", "source": "constants", "columns": "*"}
    latest = {"name": "latest", "source": "events", "columns": "*", "aggregates": [
        {"column": c, "functions": FUNCTIONS, "windows": ["1d", "400d"]}
        for c in ("i8", "i32", "u8", "u32", "f32", "f64", "money", "wide", "yes")
    ] + [
        {"column": c, "functions": ["count", "distinct", "recency"], "windows": ["400d"]}
        for c in ("i64", "u64", 'text "quoted"', "naïve Größe, 数", "day", "at", "at_tz", "clock", "id",
                  "span")
    ]}  # fmt: skip
    own = {"name": "own", "source": "labels", "columns": "*"}
    return project_of(
        sources={
            "labels": {"path": "x", "time": "moment", "key": ["row"]},
            "events": {"path": "x", "time": "moment", "delay": "1h"},
            "constants": {"path": "x"},
        },
        entity="who",
        time="moment",
        label={"source": "labels", "column": "y", **label},
        features=[own, latest, constants],
    )


def test_every_type_comes_back_as_it_was(tmp_path):
    labels = "n AS row, n % 2 AS y, n % 2 AS who, TIMESTAMP '2024-06-01' + n * INTERVAL 1 DAY AS moment"
    events = "n % 2 AS who, TIMESTAMP '2024-05-31 22:30:00' + n * INTERVAL 1 DAY AS moment"
    tables = write_sources(
        tmp_path / "tables",
        {
            "labels": typed_table(labels),
            "events": typed_table(events),
            "constants": typed_table("n AS who"),
        },
    )
    ours, theirs = both(typed_project(), tables)
    assert "error" not in ours, ours
    assert theirs["types"] == ours["types"]
    assert theirs["rows"] == ours["rows"]
    assert theirs == ours


BEGIN = datetime(2024, 1, 1)
LATER = 60
TEXTS = ["a", 'it\'s "so"', "Größe 数 😀", "", " ", "NULL", "\\ % _\n", "a'; DROP TABLE x; --"]
numbers = st.none() | st.floats(-1e9, 1e9) | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 0.1])
keys = st.none() | st.sampled_from(TEXTS)
hours = st.integers(0, LATER)
events = st.tuples(
    keys, st.none() | st.integers(0, 2), st.none() | hours, numbers, st.none() | st.sampled_from(TEXTS)
)
labels = st.tuples(keys, st.none() | st.integers(0, 2), st.none() | hours)
CONDITIONS = ["x > 0 AND k IS NOT NULL", "regexp_matches(k, '^[aG]') OR x IS NULL", "k ILIKE '%SO%'"]


@st.composite
def cases(draw):
    windows = draw(st.sampled_from([["3h", "1d"], ["1h"], ["45m", "400d"]]))
    aggregates = [
        {"column": "x", "functions": FUNCTIONS, "windows": windows},
        {"column": "k", "functions": ["count", "distinct", "recency"], "windows": windows},
        {"functions": ["count", "recency"], "windows": windows},
    ]
    chosen = {
        "column": "x",
        "functions": FUNCTIONS,
        "windows": windows,
        "where": draw(st.sampled_from(CONDITIONS)),
    }
    on = draw(st.sampled_from([["uid"], ["uid", "shop id"]]))
    tolerance = draw(st.sampled_from([None, "0s", "3h", "20h"]))
    group = {"source": "events", "columns": ["x", "k"], "on": on, "tolerance": tolerance}
    where = {"name": "w", "source": "events", "on": ["shop id"], "aggregates": [chosen]}
    project = project_of(
        sources={
            "labels": {"path": "x", "time": "at"},
            "events": {"path": "x", "time": "ts", "delay": draw(st.sampled_from(["0s", "1h", "5h"]))},
        },
        entity="uid",
        time="at",
        label={"source": "labels", "column": "y", "key": ["row"]},
        features=[{"name": "g", **group, "aggregates": aggregates}, where],
    )
    rows = draw(st.lists(labels, min_size=4, max_size=12))
    return project, draw(st.lists(events, max_size=40)), rows


def moments(found):
    return pa.array([None if h is None else BEGIN + timedelta(hours=h) for h in found], pa.timestamp("us"))


def write_case(folder, happened, asked):
    uid, shop, at = (list(c) for c in zip(*asked, strict=True))
    spine = {
        "row": range(len(asked)),
        "y": [i % 2 for i in range(len(asked))],
        "uid": pa.array(uid, pa.string()),
    }
    spine |= {"shop id": pa.array(shop, pa.int64()), "at": moments(at)}
    columns = list(zip(*happened, strict=True)) or [[]] * 5
    types = [pa.string(), pa.float64(), None, pa.float64(), pa.string()]
    arrays = [moments(c) if t is None else pa.array(list(c), t) for c, t in zip(columns, types, strict=True)]
    history = dict(zip(["uid", "shop id", "ts", "x", "k"], arrays, strict=True))
    return write_tables(folder, {"labels": pa.table(spine), "events": pa.table(history)})


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(cases())
def test_any_tables_any_windows(case):
    project, happened, asked = case
    with tempfile.TemporaryDirectory() as folder:
        tables = write_case(Path(folder), happened, asked)
        ours, theirs = both(project, tables, "predict")
    assert "error" not in ours, ours
    assert theirs == ours


def test_what_is_wrong_is_said_in_the_same_words(tmp_path):
    """Here: a source without a time that has two rows for a key, and one key that is text and a number."""
    label = "SELECT n AS row, n % 2 AS y, n AS who FROM range(4) AS t(n)"
    tables = write_sources(
        tmp_path / "tables",
        {
            "labels": label,
            "twice": "SELECT n % 3 AS who, n AS x FROM range(8) AS t(n)",
            "text": "SELECT 'a' AS who, 1 AS x",
        },
    )
    for source, words in (("twice", "rows share who with another"), ("text", "it joins integer")):
        project = project_of(
            sources={"labels": {"path": "x"}, source: {"path": "x"}},
            entity="who",
            label={"source": "labels", "column": "y"},
            features=[{"name": "f", "source": source, "columns": ["x"]}],
        )
        ours, theirs = both(project, tables)
        assert words in ours["error"]
        assert theirs == ours


def test_a_key_that_spark_cannot_sort_is_refused(tmp_path):
    label = "SELECT [n] AS who, n % 2 AS y, n AS x FROM range(4) AS t(n)"
    tables = write_sources(tmp_path / "tables", {"labels": label})
    project = project_of(
        engine="spark",
        sources={"labels": {"path": "x"}},
        entity="who",
        label={"source": "labels", "column": "y"},
        features=[{"name": "f", "source": "labels", "columns": ["x"]}],
    )
    with pytest.raises(InputError, match=r"column 'who': a key of type BIGINT\[\]; .*engine: duckdb"):
        build_training_set(project, tables, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_snapshot_uploaded_by_executors(tmp_path):
    (tmp_path / "table" / "data").mkdir(parents=True)
    for part in range(3):
        table = pa.table({"row": range(part * 4, part * 4 + 4), "naïve, name": list("abcd")})
        pq.write_table(table, tmp_path / "table" / "data" / f"part-{part:05d}.parquet")
    uri, upload = str(tmp_path / "delta"), partial(upload_with_spark, typed_project())
    first = snapshot(tmp_path / "table", uri, "digest 1", upload=upload)
    again = snapshot(tmp_path / "table", uri, "digest 1", upload=upload)
    assert (first.version, first.created, again.version, again.created) == (0, True, 0, False)
    assert read_snapshot(uri).to_table()["row"].to_pylist() == list(range(12))
    pq.write_table(pa.table({"other": [1.5]}), tmp_path / "table" / "data" / "part-00000.parquet")
    for part in (1, 2):
        (tmp_path / "table" / "data" / f"part-{part:05d}.parquet").unlink()
    assert snapshot(tmp_path / "table", uri, "digest 2", upload=upload).version == 1
    assert read_snapshot(uri).to_table().to_pydict() == {"other": [1.5]}
    assert read_snapshot(uri, 0).count_rows() == 12


def test_a_worker_s_fault_is_a_fault_with_its_words(running_spark):
    def fail(batches):
        raise ValueError("no such thing")

    with (
        pytest.raises(Fault, match="training set: Spark failed: no such thing"),
        explained("training set"),
    ):
        running_spark.range(3).mapInArrow(fail, "id long").collect()
