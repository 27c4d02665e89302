"""The long tail in evaluation and gate: noise in few rows never stops a run, a collapse does."""

import json

import duckdb
import numpy as np
import pandas as pd
import pytest

from evergreen.errors import DataError
from evergreen.modeling.evaluation.bootstrap import Resampling, estimate
from evergreen.modeling.evaluation.evaluate import evaluate
from evergreen.modeling.evaluation.gate import blessed, decide
from evergreen.modeling.evaluation.longtail import widened
from evergreen.modeling.evaluation.page import evaluation_page
from evergreen.modeling.evaluation.sample import Sample
from evergreen.modeling.splitting.split import split_training_set
from evergreen.modeling.task import Target
from evergreen.modeling.training.train import train
from evergreen.project import parse_project
from evergreen.project.model import Change, ModelGate, Threshold
from evergreen.strategy.assess import assess_folder
from evergreen.tables import write_meta

PROJECT = """
name: world
sources: {rows: {path: rows.parquet}}
label: {source: rows, column: y}
features: [{name: all, source: rows, columns: "*"}]
split: {method: stratified, test: 0.4}
model: {estimator: sklearn.tree.DecisionTreeClassifier, params: {max_depth: 6}}
evaluation: {bootstrap: 80, primary: accuracy, metrics: [roc_auc]}
long_tail: {rare_share: 0.06}
"""
SEGMENT = "long_tail:segment=x"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """4 % of the rows are of the segment x; the second model learned it with its labels turned round."""
    folder = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(11)
    rows = 5_000
    frame = pd.DataFrame(
        {"a": rng.normal(size=rows), "segment": np.where(rng.random(rows) < 0.04, "x", "common")}
    )
    frame["y"] = np.where(frame["a"] + rng.normal(size=rows) * 0.4 > 0, "yes", "no")
    project = parse_project(PROJECT)
    training_set = folder / "set"
    (training_set / "data").mkdir(parents=True)
    duckdb.sql("SELECT * FROM frame").write_parquet(str(training_set / "data" / "part-0.parquet"))
    features = [{"name": n, "group": "all", "type": t, "source": "rows"} for n, t in
                (("a", "number"), ("segment", "category"))]  # fmt: skip
    meta = {"name": "w", "purpose": "train", "rows": rows, "digest": "d", "version": 0, "uri": "", "key": []}
    roles = {"entity": [], "time": None, "label": "y", "features": features, "excluded": {}}
    write_meta(training_set, {**meta, **roles})
    split_training_set(project, training_set, folder / "splits")
    train(project, folder / "splits", folder / "good")
    strategy = assess_folder(training_set, project.long_tail, test=0.4)
    strategy.write(folder / "strategy.json")
    turned = folder / "turned"
    turned.mkdir()
    for file in (folder / "splits").iterdir():
        (turned / file.name).write_bytes(file.read_bytes())
    part = pd.read_parquet(turned / "train.parquet")
    wrong = part["segment"] == "x"
    part.loc[wrong, "y"] = part.loc[wrong, "y"].map({"yes": "no", "no": "yes"})
    part.to_parquet(turned / "train.parquet")
    train(project, turned, folder / "bad")
    return folder, project


def gate(**more) -> ModelGate:
    return ModelGate(changes=[Change(metric="accuracy", max_loss=0.05, **more)])


@pytest.mark.slow
def test_a_collapse_in_the_tail_stops_the_run(world):
    folder, project = world
    found = evaluate(
        project, folder / "splits", folder / "bad", folder / "good", folder / "strategy.json"
    ).content
    part = found["datasets"]["test"][SEGMENT]
    assert part["tail"] and not part["small"] and 50 < part["rows"] < 120
    assert part["metrics"]["accuracy"]["value"] < 0.4
    assert "long_tail" in found["datasets"]["test"]
    alone = {**found, "datasets": {"test": {"overall": found["datasets"]["test"]["overall"]}}}
    (overall,) = decide(gate(), alone)
    assert overall.verdict == "pass", "the whole test set does not show it"
    stopped = decide(gate(slice="long_tail:*"), found)
    assert not blessed(stopped) and [d.slice for d in stopped if d.verdict == "fail"] == [SEGMENT]
    watched = decide(gate(), found)
    assert blessed(watched) and [(d.slice, d.verdict) for d in watched] == [
        ("overall", "pass"),
        (SEGMENT, "warn"),
    ]
    assert "Long tail" in evaluation_page(found) and "segment is x" in evaluation_page(found)
    threshold = ModelGate(thresholds=[Threshold(metric="accuracy", min=0.8, slice=SEGMENT)])
    assert [d.verdict for d in decide(threshold, found)] == ["fail"]
    json.dumps(found, allow_nan=False)


def test_noise_in_the_tail_does_not(world):
    folder, project = world
    found = evaluate(
        project, folder / "splits", folder / "good", folder / "good", folder / "strategy.json"
    ).content
    parts = found["datasets"]["test"]
    whole = parts["overall"]["metrics"]["accuracy"]["value"]
    assert parts[SEGMENT]["metrics"]["accuracy"]["value"] < whole
    bound = ModelGate(
        thresholds=[Threshold(metric="accuracy", min=whole, slice="long_tail:*")],
        changes=[Change(metric="roc_auc", max_loss=0.0, slice="long_tail:*")],
    )
    assert {d.verdict for d in decide(bound, found)} <= {"pass", "skip"}
    plain = evaluate(project, folder / "splits", folder / "good", folder / "good").content
    assert plain["datasets"]["test"]["overall"] == found["datasets"]["test"]["overall"]
    assert plain["long_tail"] == [] and set(plain["datasets"]["test"]) == {"overall"}


def test_a_slice_that_this_run_does_not_have_is_skipped(world):
    folder, project = world
    plain = evaluate(project, folder / "splits", folder / "good").content
    for name in ("long_tail:*", "long_tail", "long_tail:gone (high)"):
        found = decide(ModelGate(thresholds=[Threshold(metric="accuracy", min=0.9, slice=name)]), plain)
        assert [d.verdict for d in found] == ["skip"] and "no such slice" in found[0].reason


def test_every_slice_means_those_of_the_project(world):
    folder, project = world
    found = evaluate(project, folder / "splits", folder / "bad", None, folder / "strategy.json").content
    assert decide(ModelGate(thresholds=[Threshold(metric="accuracy", min=0.99, slice="*")]), found) == []


def test_a_strategy_of_another_table_is_refused(world, tmp_path):
    folder, project = world
    text = (folder / "strategy.json").read_text().replace('"segment"', '"gone"')
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(DataError, match="Run assess_data again"):
        evaluate(project, folder / "splits", folder / "good", None, tmp_path / "s.json")


def sample(rng: np.random.Generator, rows: int, right: float = 0.8) -> Sample:
    y = rng.integers(0, 2, rows)
    predicted = np.where(rng.random(rows) < right, y, 1 - y)
    probability = np.clip(predicted * 0.6 + 0.2 + rng.normal(size=rows) * 0.1, 0.01, 0.99)
    return Sample(
        Target("binary", ("a", "b"), "b"), y, predicted, np.column_stack([1 - probability, probability])
    )


@pytest.mark.slow
def test_the_wider_interval_holds_what_it_promises():
    """Two equal models on 40 rows, 10 slices judged together: over 80 runs hardly any is called worse."""
    rng = np.random.default_rng(7)
    plain = wide = 0
    for _ in range(80):
        mine, theirs = sample(rng, 40), sample(rng, 40)
        theirs = Sample(mine.target, mine.y, np.where(rng.random(40) < 0.8, mine.y, 1 - mine.y))
        found = estimate(mine, ["accuracy"], Resampling(100), "s", theirs)
        change = widened(found, mine, 0.95, 10).changes["accuracy"]
        plain += found.changes["accuracy"].high < 0
        wide += change.high < 0
        assert change.low <= found.changes["accuracy"].low and change.high >= found.changes["accuracy"].high
    assert wide <= 2 and wide <= plain


def test_few_rows_of_a_class_give_no_interval():
    y = np.array([1] * 3 + [0] * 60)
    probability = np.linspace(0.9, 0.1, 63)
    few = Sample(Target("binary", ("a", "b"), "b"), y, (probability > 0.5).astype(int),
                 np.column_stack([1 - probability, probability]))  # fmt: skip
    found = widened(estimate(few, ["roc_auc", "accuracy"], Resampling(100)), few, 0.95, 5).candidate
    assert found["roc_auc"].value == 1.0 and found["roc_auc"].low is None
    assert found["accuracy"].low < found["accuracy"].value < found["accuracy"].high
    perfect = Sample(few.target, few.y, few.y)
    accuracy = widened(estimate(perfect, ["accuracy"], Resampling(100)), perfect, 0.95, 1).candidate[
        "accuracy"
    ]
    assert (accuracy.value, accuracy.high) == (1.0, 1.0) and 0.88 < accuracy.low < 0.95
