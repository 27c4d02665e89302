"""snapshot_data and check_skew through kfp.local: what they keep, find, and stop."""

import json
from pathlib import Path

import duckdb
import pytest
from kfp import dsl, local

from components.data.check_skew.component import check_skew
from components.data.snapshot_data.component import snapshot_data

pytestmark = pytest.mark.pipeline

PROJECT = """\
name: shop
sources: {orders: {path: orders.parquet}}
label: {source: orders, column: y}
features: [{name: all, source: orders, columns: "*"}]
gates: {skew: {key: id}}
"""


@dsl.pipeline
def skewed(project: str, store: str, training: str, serving: str):
    """Keep the training table, then hold the serving table to it."""
    before = dsl.importer(artifact_uri=training, artifact_class=dsl.Dataset)
    now = dsl.importer(artifact_uri=serving, artifact_class=dsl.Dataset)
    before.set_display_name("training")
    now.set_display_name("serving")
    snapshot_data(project=project, table=before.output, name="orders", store=store)
    check_skew(project=project, training=before.output, serving=now.output, store=store)


def write(path: Path, factor: float) -> str:
    duckdb.execute(
        f"COPY (SELECT i AS id, (i + 1)::DOUBLE * {factor} AS x, i % 2 AS y FROM range(500) t(i)) TO '{path}'"
    )
    return str(path)


def test_both_data_sets_are_kept_and_skew_stops_the_run(tmp_path):
    root, store = tmp_path / "out", tmp_path / "store"
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root))
    training = write(tmp_path / "training.parquet", 1.0)
    skewed(project=PROJECT, store=str(store), training=training, serving=training)
    record = next(root.rglob("record")).read_text()
    assert "Version **0** (new)" in record
    assert "500 rows" in record
    kept = {p.name for p in (store / "snapshots" / "shop").iterdir()}
    assert kept == {"orders", "training_set", "serving"}
    served = write(tmp_path / "serving.parquet", 100.0)
    again = tmp_path / "again"
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(again))
    with pytest.raises(RuntimeError):
        skewed(project=PROJECT, store=str(store), training=training, serving=served)
    decisions = json.loads(next(again.rglob("decisions")).read_text())
    assert {d["check"] for d in decisions if d["verdict"] == "fail"} == {"skew unit(x)"}
    page = next(again.rglob("report")).read_text()
    assert "snapshots/shop/serving" in page
