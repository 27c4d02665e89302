"""evaluate_model and compare_models through kfp.local: what they emit, and a gate that stops a run."""

import json
from pathlib import Path

import duckdb
import pytest
from kfp import dsl, local

from components.evaluation.compare_models.component import compare_models
from components.evaluation.evaluate_model.component import evaluate_model
from evergreen.decisions import Decision, read, write
from evergreen.modeling.splitting.split import split_training_set
from evergreen.modeling.training.train import train
from evergreen.project import parse_project

pytestmark = pytest.mark.pipeline

PROJECT = """\
name: shop
sources: {{sales: {{path: sales.parquet}}}}
label: {{source: sales, column: "bought?"}}
features: [{{name: plain, source: sales, columns: "*"}}]
model: {{estimator: sklearn.linear_model.LogisticRegression}}
evaluation: {{bootstrap: 60}}
slices: [{{column: shop}}]
gates:
  model:
    mode: {mode}
    thresholds: [{{metric: roc_auc, min: {least}}}, {{metric: brier, max: 0.5, slice: "*"}}]
    changes: [{{metric: roc_auc, max_loss: 0.05}}]
"""


@dsl.pipeline
def judge(project: str, splits_uri: str, model_uri: str, baseline_uri: str, data_uri: str):
    """Evaluate, then the gate."""
    splits = dsl.importer(artifact_uri=splits_uri, artifact_class=dsl.Dataset, reimport=True)
    model = dsl.importer(artifact_uri=model_uri, artifact_class=dsl.Model, reimport=True)
    baseline = dsl.importer(artifact_uri=baseline_uri, artifact_class=dsl.Model, reimport=True)
    checked = dsl.importer(artifact_uri=data_uri, artifact_class=dsl.Artifact, reimport=True)
    found = evaluate_model(
        project=project, splits=splits.output, model=model.output, baseline=baseline.output
    )
    compare_models(project=project, evaluation=found.outputs["evaluation"], data_decisions=checked.output)


def project_text(mode: str = "fail", least: float = 0.6) -> str:
    return PROJECT.format(mode=mode, least=least)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A folder with splits, a model, an empty baseline and a data gate's decisions."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "set" / "data").mkdir(parents=True)
    duckdb.execute(
        "COPY (SELECT i AS id, 'shop ' || (i % 3) AS shop, (i * 7919) % 1000 AS spent, "
        "CASE WHEN (i * 7919) % 1000 + (i * 104729) % 600 > 800 THEN 'yes' ELSE 'no' END AS \"bought?\" "
        f"FROM range(1200) r(i)) TO '{folder}/set/data/part-0.parquet'"
    )
    features = [
        {"name": "shop", "group": "plain", "type": "category", "source": "sales"},
        {"name": "spent", "group": "plain", "type": "number", "source": "sales"},
    ]
    meta = {"name": "shop", "entity": [], "time": None, "label": "bought?", "key": ["id"]}
    meta |= {"features": features, "rows": 1200, "digest": "d"}
    (folder / "set" / "meta.json").write_text(json.dumps(meta))
    project = parse_project(project_text())
    split_training_set(project, folder / "set", folder / "splits")
    train(project, folder / "splits", folder / "model")
    (folder / "empty").mkdir()
    write(folder / "data.json", [Decision("data", "rows", "pass", "Enough rows.")])
    return folder


def run(world: Path, root: Path, project: str, baseline: str = "empty", data: str = "data.json") -> None:
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root))
    uris = {f"{n}_uri": str(world / f) for n, f in
            {"splits": "splits", "model": "model", "baseline": baseline, "data": data}.items()}  # fmt: skip
    judge(project=project, **uris)


def artifact(root: Path, task: str, name: str) -> Path:
    (found,) = root.rglob(f"{task}/{name}")
    return found


def emitted(root: Path, task: str) -> dict:
    return json.loads(artifact(root, task, "executor_output.json").read_text())


def metadata(root: Path, name: str) -> dict:
    return emitted(root, "evaluate-model")["artifacts"][name]["artifacts"][0]["metadata"]


def test_an_evaluated_model_is_blessed(world, tmp_path):
    run(world, tmp_path, project_text(), baseline="model")
    evaluation = json.loads(artifact(tmp_path, "evaluate-model", "evaluation").read_text())
    assert set(evaluation["datasets"]["test"]) == {"overall", "shop=shop 0", "shop=shop 1", "shop=shop 2"}
    metrics = metadata(tmp_path, "metrics")
    assert metrics["roc_auc"] == evaluation["datasets"]["test"]["overall"]["metrics"]["roc_auc"]["value"]
    assert emitted(tmp_path, "evaluate-model")["parameterValues"]["primary"] == pytest.approx(
        metrics["roc_auc"]
    )
    curves = metadata(tmp_path, "curves")
    assert curves["confidenceMetrics"] and curves["confusionMatrix"]
    assert all(0 <= point["confidenceThreshold"] <= 1 for point in curves["confidenceMetrics"])
    assert emitted(tmp_path, "compare-models")["parameterValues"] == {"blessed": True}
    decisions = read(artifact(tmp_path, "compare-models", "decisions"))
    assert {d.verdict for d in decisions} == {"pass"} and len(decisions) == 5
    for task in ("evaluate-model", "compare-models"):
        assert artifact(tmp_path, task, "report").read_text().startswith("<!doctype html>")


def test_a_gate_that_says_no_leaves_its_decisions_and_its_report(world, tmp_path, capfd):
    with pytest.raises(RuntimeError):
        run(world, tmp_path, project_text(least=0.999))
    decisions = read(artifact(tmp_path, "compare-models", "decisions"))
    assert [d.verdict for d in decisions] == ["fail", "pass", "pass", "pass", "skip"]
    assert "Not blessed" in artifact(tmp_path, "compare-models", "report").read_text()
    printed = capfd.readouterr()
    assert f"gate model stopped the run: {decisions[0].reason}" in printed.out + printed.err


def test_mode_warn_goes_on_and_a_failed_data_gate_does_not(world, tmp_path):
    run(world, tmp_path / "warn", project_text("warn", 0.999))
    decisions = read(artifact(tmp_path / "warn", "compare-models", "decisions"))
    assert decisions[0].verdict == "warn"
    write(world / "bad.json", [Decision("data", "psi", "fail", "The ages drifted.")])
    with pytest.raises(RuntimeError):
        run(world, tmp_path / "data", project_text("off"), data="bad.json")
    (no, *_) = read(artifact(tmp_path / "data", "compare-models", "decisions"))
    assert no.verdict == "fail" and "The ages drifted." in no.reason
