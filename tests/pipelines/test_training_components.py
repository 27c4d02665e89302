"""split_data, tune_model and train_model through kfp.local, the search in two tasks that are collected."""

import json
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from kfp import dsl, local

from components.data.split_data.component import split_data
from components.training.train_model.component import train_model
from components.training.tune_model.component import tune_model
from evergreen.bundle import load_bundle
from evergreen.modeling.training.train import train
from evergreen.modeling.tuning.study import write_study
from evergreen.modeling.tuning.tune import tune
from evergreen.project import parse_project

pytestmark = pytest.mark.pipeline

PROJECT = """\
name: flowers
sources: {flowers: {path: flowers.parquet}}
label: {source: flowers, column: kind}
features: [{name: plain, source: flowers, columns: "*"}]
model:
  tune:
    trials: 4
    parallel: 2
    folds: 2
    space:
      learning_rate: {low: 0.01, high: 0.3, log: true}
      max_leaf_nodes: {low: 3, high: 9, integer: true}
"""


@dsl.pipeline
def learn(project: str, table_uri: str, file_uri: str, shards: list, shard_count: int):
    """Split, search in as many tasks as there are shards, train."""
    table = dsl.importer(artifact_uri=table_uri, artifact_class=dsl.Dataset, reimport=True)
    file = dsl.importer(artifact_uri=file_uri, artifact_class=dsl.Artifact, reimport=True)
    parts = split_data(project=project, training_set=table.output)
    with dsl.ParallelFor(shards) as shard:
        search = tune_model(project=project, splits=parts.outputs["splits"], shard=shard, shards=shard_count)
    train_model(
        project=project,
        splits=parts.outputs["splits"],
        profile=file.output,
        schema=file.output,
        studies=dsl.Collected(search.outputs["study"]),
    )


def training_set(folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    query = (
        "SELECT i AS id, (i * 37) % 11 AS \"petal 'x'\", "
        "CASE WHEN i % 7 = 0 THEN NULL ELSE (i * 13) % 17 END AS w, "
        "'colour ' || (i % 5) AS colour, CASE WHEN (i * 37) % 11 > 4 THEN 'rose' ELSE 'lily' END AS kind "
        "FROM range(400) r(i)"
    )
    duckdb.execute(f"COPY ({query}) TO '{folder}/data/part-0.parquet'")
    features = [
        {"name": n, "group": "plain", "type": t, "source": "flowers"}
        for n, t in (("petal 'x'", "number"), ("w", "number"), ("colour", "category"))
    ]
    meta = {
        "name": "flowers", "digest": "0" * 64, "version": 0, "rows": 400, "entity": [], "time": None,
        "label": "kind", "key": ["id"], "features": features, "excluded": {},
    }  # fmt: skip
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def test_two_search_tasks_give_what_one_process_gives(tmp_path):
    table, file = training_set(tmp_path / "table"), tmp_path / "profile.json"
    file.write_text("{}\n")
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "root"))
    learn(project=PROJECT, table_uri=str(table), file_uri=str(file), shards=[0, 1], shard_count=2)
    (splits,), (model,) = (list(tmp_path.glob(f"root/**/{name}")) for name in ("splits", "model"))

    bundle = load_bundle(model)
    assert bundle.training["tuning"]["trials"] == 4
    assert bundle.signature.classes == ("lily", "rose") and bundle.engine == "onnx"
    rows = pd.read_parquet(splits / "test.parquet")
    assert len(rows) == 80
    assert (bundle.predict(rows).values == rows["kind"]).all()
    assert (model / "profile.json").read_text() == "{}\n"

    project = parse_project(PROJECT)
    write_study(tmp_path / "study", tune(project, splits, processes=1))
    here = train(project, splits, tmp_path / "here", studies=[tmp_path / "study"], profile=file, schema=file)
    assert here.bundle.digest == bundle.digest

    pages = [p.read_text() for p in tmp_path.glob("root/**/report")]
    assert len(pages) == 4
    assert all(p.lower().startswith("<!doctype html>") for p in pages)
