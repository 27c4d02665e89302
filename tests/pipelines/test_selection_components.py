"""select_features and a training that honours it, through kfp.local; and a leak that stops the run."""

import json
from pathlib import Path

import duckdb
import pytest
from kfp import dsl, local

from components.data.select_features.component import select_features
from components.data.split_data.component import split_data
from components.training.train_model.component import train_model
from components.training.tune_model.component import tune_model
from evergreen.bundle import load_bundle

pytestmark = pytest.mark.pipeline

PROJECT = """\
name: flowers
sources: {flowers: {path: flowers.parquet}}
label: {source: flowers, column: kind}
features: [{name: plain, source: flowers, columns: "*"}]
model: {estimator: sklearn.linear_model.LogisticRegression}
"""


@dsl.pipeline
def learn(project: str, table_uri: str, file_uri: str):
    """Split, select, search, train."""
    table = dsl.importer(artifact_uri=table_uri, artifact_class=dsl.Dataset, reimport=True)
    file = dsl.importer(artifact_uri=file_uri, artifact_class=dsl.Artifact, reimport=True)
    splits = split_data(project=project, training_set=table.output).outputs["splits"]
    chosen = select_features(project=project, splits=splits).outputs["selection"]
    with dsl.ParallelFor([0]) as shard:
        search = tune_model(project=project, splits=splits, shard=shard, shards=1, selection=chosen)
    train_model(
        project=project,
        splits=splits,
        profile=file.output,
        schema=file.output,
        studies=dsl.Collected(search.outputs["study"]),
        selection=chosen,
    )


def training_set(folder: Path, extra: str = "hash(i, 9) % 1000 / 7.0") -> Path:
    (folder / "data").mkdir(parents=True)
    query = (
        "SELECT i AS id, hash(i) % 1000 / 10.0 AS \"petal 'x'\", hash(i, 2) % 1000 / 10.0 AS w, "
        f"w * 2.54 AS w_cm, {extra} AS extra, "
        "CASE WHEN \"petal 'x'\" + w + hash(i, 3) % 40 > 115 THEN 'rose' ELSE 'lily' END AS kind "
        "FROM range(500) r(i)"
    )
    duckdb.execute(f"COPY (SELECT * FROM ({query})) TO '{folder}/data/part-0.parquet'")
    features = [
        {"name": n, "group": "plain", "type": "number", "source": "flowers"}
        for n in ("petal 'x'", "w", "w_cm", "extra")
    ]
    meta = {
        "name": "flowers", "digest": "0" * 64, "version": 0, "rows": 500, "entity": [], "time": None,
        "label": "kind", "key": ["id"], "features": features, "excluded": {},
    }  # fmt: skip
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def run(tmp_path: Path, table: Path) -> Path:
    (tmp_path / "profile.json").write_text("{}\n")
    root = tmp_path / "root"
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), raise_on_error=False)
    learn(project=PROJECT, table_uri=str(table), file_uri=str(tmp_path / "profile.json"))
    return root


def test_the_model_gets_the_kept_features(tmp_path):
    root = run(tmp_path, training_set(tmp_path / "table"))
    (selection,) = root.glob("**/selection")
    assert json.loads(selection.read_text())["kept"] == ["petal 'x'", "w"]
    (model,) = root.glob("**/model")
    assert [i.name for i in load_bundle(model).signature.inputs] == ["petal 'x'", "w"]
    assert "`w_cm`: redundant" in (model / "card.md").read_text()


def test_a_leak_stops_the_run_after_everything_is_written(tmp_path):
    leak = "CASE WHEN \"petal 'x'\" + w + hash(i, 3) % 40 > 115 THEN 1.0 ELSE 0.0 END"
    root = run(tmp_path, training_set(tmp_path / "table", leak))
    (decisions,) = root.glob("**/select-features/decisions")
    assert next(d["verdict"] for d in json.loads(decisions.read_text())) == "fail"
    assert list(root.glob("**/select-features/report")) and list(root.glob("**/selection"))
    assert not list(root.glob("**/model"))
