"""The train pipeline through the command line, on real data sets of every task, from nothing but `init`."""

import json

import pytest
import yaml
from sklearn import datasets

pytestmark = pytest.mark.pipeline

TASKS = {
    "ingest-data", "repair-data", "build-training-set", "resolve-model", "profile-data", "merge-profiles",
    "infer-schema", "validate-rows", "validate-data", "assess-data", "split-data", "validate-labels",
    "select-features", "tune-model", "train-model", "check-serving", "evaluate-model", "compare-models",
    "push-model",
}  # fmt: skip


@pytest.mark.parametrize(
    "name,metric,at_least",
    [("breast_cancer", "roc_auc", 0.95), ("iris", "accuracy", 0.8), ("diabetes", "r2", 0.2)],
)
def test_bundled_data_sets(workplace, name, metric, at_least):
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    data = workplace.path / f"{name}.csv"
    frame.to_csv(data, index=False)
    done = workplace.train(workplace.init(data, "target"))
    assert done.code == 0, done.err
    run = done.run
    assert run["state"] == "succeeded" and run["pipeline"] == "train"
    assert {t["name"] for t in run["tasks"]} == TASKS
    assert all(t["state"] == "succeeded" and t["seconds"] >= 0 for t in run["tasks"])
    assert run["metrics"]["test"]["overall"][metric] >= at_least
    assert run["model"]["version"] == 1 and len(run["model"]["digest"]) == 64
    assert run["decisions"] and all(d["verdict"] in ("pass", "warn", "skip") for d in run["decisions"])


def test_second_run_predicts_and_is_compared_with_the_first(workplace):
    frame = datasets.load_breast_cancer(as_frame=True).frame
    frame.to_parquet(workplace.path / "cancer.parquet")
    project = workplace.init(workplace.path / "cancer.parquet", "target")
    first = workplace.train(project)
    assert first.code == 0, first.err
    again = workplace.train(project)
    assert again.code == 0, again.err
    assert again.run["model"]["digest"] == first.run["model"]["digest"], "same snapshot and seed, same digest"
    assert again.run["model"]["version"] == first.run["model"]["version"], "a push is idempotent"

    listing = json.loads(workplace.evergreen("models", "--json").out)
    assert listing[0]["version"] == 1 and "baseline" in listing[0]["aliases"] and listing[0]["blessed"]

    scratch = workplace.path / "scratch"
    scratch.mkdir()
    words = ["run", "predict_batch", "--project", str(project), "--root", "out"]
    scored = workplace.evergreen(*words, TMPDIR=str(scratch))
    assert scored.code == 0, scored.err
    assert list(scratch.iterdir()) == [], "tasks leave nothing in the folder for temporary files"
    predictions = next(t for t in scored.run["tasks"] if t["component"] == "predict_batch")
    assert predictions["outputs"]["predictions"]

    page = workplace.evergreen("report", "out")
    assert page.code == 0 and "<html" in (workplace.path / "out" / "report.html").read_text()


def test_a_gate_stops_the_run_with_its_reason_last(workplace):
    frame = datasets.load_breast_cancer(as_frame=True).frame
    frame.to_csv(workplace.path / "cancer.csv", index=False)
    project = workplace.init(workplace.path / "cancer.csv", "target")
    content = yaml.safe_load(project.read_text())
    content["gates"] = {"model": {"thresholds": [{"metric": "roc_auc", "min": 0.99999}]}}
    project.write_text(yaml.safe_dump(content))
    done = workplace.train(project)
    assert done.code == 1
    assert done.run["state"] == "stopped"
    assert "ROC AUC" in done.run["error"]["message"]
    assert [d for d in done.run["decisions"] if d["verdict"] == "fail"]
    assert done.run["model"]["version"] is None, "a model that the gate refused is not registered"
    assert json.loads(workplace.evergreen("models", "--json").out) == []
