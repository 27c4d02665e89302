"""Evaluating real bundles on real splits: what evaluation.json holds, for every task and for odd slices."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from evaluated_world import binary, labelled, make_world, table
from sklearn.metrics import roc_auc_score

from evergreen.bundle import load_bundle
from evergreen.errors import BundleError, DataError, InputError
from evergreen.modeling.evaluation import read as evaluate_read
from evergreen.modeling.evaluation.evaluate import evaluate, read_evaluation
from evergreen.modeling.evaluation.metrics import default_metrics
from evergreen.project import parse_project
from evergreen.project.load import dump_project
from evergreen.project.model import Project


def changed(project: Project, **sections) -> Project:
    """The project with other sections."""
    return parse_project(dump_project(project.model_copy(update=sections)))


@pytest.fixture(scope="module")
def content(strong, weak):
    return evaluate(strong.project, strong.splits, strong.model, weak.model).content


@pytest.mark.slow
def test_the_overall_values_are_those_of_the_bundle_on_the_test_part(strong, content):
    test = duckdb.sql(f"FROM read_parquet('{strong.splits / 'test.parquet'}')").df()
    prediction = load_bundle(strong.model).predict(test)
    overall = content["datasets"]["test"]["overall"]
    wanted = roc_auc_score(test["the label"] == "yes", prediction.probabilities[:, 1])
    assert overall["rows"] == len(test)
    assert overall["metrics"]["roc_auc"]["value"] == pytest.approx(wanted)
    assert overall["metrics"]["accuracy"]["value"] == pytest.approx(
        (prediction.values == test["the label"]).mean()
    )
    assert overall["positive_share"] == pytest.approx((test["the label"] == "yes").mean())
    assert list(overall["metrics"]) == default_metrics("binary")


def test_slices_cut_the_test_part_and_add_up(strong, content):
    test = duckdb.sql(f"FROM read_parquet('{strong.splits / 'test.parquet'}')").df()
    parts = content["datasets"]["test"]
    sizes = {name: p["rows"] for name, p in parts.items() if name.startswith("Größe=")}
    assert sizes == {f"Größe={k}": n for k, n in test["Größe"].value_counts().items()}
    ranges = {name: p["rows"] for name, p in parts.items() if name.startswith('a "number"=')}
    assert list(ranges) == [f'a "number"=[{a})' for a in ("−∞, −1", "−1, 0", "0, 1", "1, ∞")]
    low = test['a "number"']
    assert list(ranges.values()) == [
        ((low >= a) & (low < b)).sum() for a, b in ((-9e9, -1), (-1, 0), (0, 1), (1, 9e9))
    ]


def test_the_baseline_is_measured_on_the_same_rows(strong, weak, content):
    alone = evaluate(weak.project, strong.splits, weak.model).content["datasets"]["test"]["overall"][
        "metrics"
    ]
    theirs = content["baseline"]["datasets"]["test"]["overall"]["metrics"]
    assert {m: e["value"] for m, e in theirs.items()} == pytest.approx(
        {m: e["value"] for m, e in alone.items()}
    )
    for name, metrics in content["changes"].items():
        for metric, change in metrics.items():
            mine = content["datasets"]["test"][name]["metrics"][metric]["value"]
            other = content["baseline"]["datasets"]["test"][name]["metrics"][metric]["value"]
            if change["value"] is None:
                assert mine is None or other is None
            else:
                assert change["value"] == pytest.approx(mine - other, abs=1e-8)
    assert content["changes"]["overall"]["roc_auc"]["low"] > 0


def test_entities_with_several_rows_are_drawn_whole(content):
    assert content["unit"] == "entities"


def test_it_is_the_same_again_and_has_no_nan(strong, weak, content, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_read, "BATCH_ROWS", 64)
    again = evaluate(strong.project, strong.splits, strong.model, weak.model)
    assert again.content == content
    again.write(tmp_path / "evaluation.json")
    json.loads(
        (tmp_path / "evaluation.json").read_text(), parse_constant=lambda c: pytest.fail(f"{c} in JSON")
    )
    assert read_evaluation(tmp_path / "evaluation.json") == content


def test_curves_are_finite_and_rise(content):
    for model in ("candidate", "baseline"):
        roc = np.array(content["curves"][model]["roc"])
        assert np.isfinite(roc).all() and (np.diff(roc[:, :2], axis=0) >= 0).all() and len(roc) <= 153
        assert tuple(roc[0][:2]) == (0, 0) and tuple(roc[-1][:2]) == (1, 1)
    bins = content["calibration"]["candidate"]
    assert sum(b["rows"] for b in bins) == content["datasets"]["test"]["overall"]["rows"]
    assert np.sum(content["confusion"]["counts"]) == content["datasets"]["test"]["overall"]["rows"]


@pytest.mark.parametrize("task", ["multiclass", "regression", "ranking"])
def test_other_tasks(tmp_path, task):
    frame = table(1500)
    if task == "ranking":
        frame["query"] = [f"q{k // 6}" for k in range(1500)]
        frame, more = (
            labelled(frame, (frame["z"] > 0.8).astype(int)),
            "task: ranking\nevaluation: {group: query, bootstrap: 60}",
        )
    else:
        values = frame["z"] if task == "regression" else np.digitize(frame["z"], [-0.5, 0.5]) * 10
        frame, more = labelled(frame, values), "slices: [{column: Größe}]\nevaluation: {bootstrap: 60}"
    world = make_world(tmp_path, frame, more, method="auto")
    content = evaluate(world.project, world.splits, world.model).content
    assert content["task"] == task and content["baseline"] is None and content["changes"] is None
    overall = content["datasets"]["test"]["overall"]["metrics"]
    assert list(overall) == default_metrics(task)
    assert all(e["value"] is not None and e["low"] <= e["high"] for e in overall.values())
    assert (content["residuals"] is not None) == (task == "regression")
    assert (content["confusion"] is not None) == (task == "multiclass")
    if task == "multiclass":
        assert content["confusion"]["labels"] == ["0", "10", "20"]
    if task == "ranking":
        assert content["unit"] == "groups"


def test_a_slice_of_one_class_has_reasons_and_is_small(tmp_path):
    frame = binary(1500)
    frame["part"] = np.where(frame.index < 40, "rare", "common")
    frame.loc[frame["part"] == "rare", "the label"] = "no"
    frame.loc[frame.index % 10 == 3, "part"] = None
    world = make_world(tmp_path, frame, "slices: [{column: part}]\nevaluation: {bootstrap: 60}")
    parts = evaluate(world.project, world.splits, world.model).content["datasets"]["test"]
    rare = parts["part=rare"]
    assert rare["small"] and rare["metrics"]["roc_auc"]["value"] is None
    assert "same label" in rare["metrics"]["roc_auc"]["reason"]
    assert not parts["part=common"]["small"] and parts["part=(missing)"]["rows"] > 0


def test_only_the_most_frequent_values_are_slices_the_rest_is_one(tmp_path):
    frame = binary(1500)
    frame["code"] = [f"c{k % 9}" for k in range(1500)]
    world = make_world(tmp_path, frame, "slices: [{column: code, top: 3}]\nevaluation: {bootstrap: 60}")
    parts = evaluate(world.project, world.splits, world.model).content["datasets"]["test"]
    assert list(parts) == ["overall", "code=c0", "code=c1", "code=c2", "code=(rest)"]
    assert sum(p["rows"] for n, p in parts.items() if n != "overall") == parts["overall"]["rows"]


def test_an_empty_baseline_folder_is_no_baseline(strong, tmp_path):
    content = evaluate(strong.project, strong.splits, strong.model, tmp_path).content
    assert content["baseline"] is None and content["baseline_problem"] == ""


@pytest.mark.slow
def test_a_baseline_that_cannot_be_compared_is_told(strong, tmp_path):
    frame = binary(800)
    frame["gone"] = np.arange(800.0)
    other = make_world(tmp_path / "other", frame)
    content = evaluate(strong.project, strong.splits, strong.model, other.model).content
    assert content["baseline"] is None and "'gone'" in content["baseline_problem"]
    renamed = make_world(
        tmp_path / "renamed", frame.drop(columns="gone").replace({"the label": {"yes": "oui"}})
    )
    content = evaluate(strong.project, strong.splits, strong.model, renamed.model).content
    assert "other classes" in content["baseline_problem"]


def test_bad_input_names_what_is_wrong(strong, tmp_path):
    def sliced(**slice_by) -> Project:
        return strong.project.model_copy(
            update={"slices": [strong.project.slices[0].model_copy(update=slice_by)]}
        )

    with pytest.raises(DataError, match=r"slice by 'Grösse'.*Did you mean `Größe`"):
        evaluate(sliced(column="Grösse"), strong.splits, strong.model)
    with pytest.raises(InputError, match=r"`edges` for a column of type VARCHAR"):
        evaluate(sliced(edges=[1.0]), strong.splits, strong.model)
    metric = strong.project.evaluation.model_copy(update={"primary": "rmse"})
    with pytest.raises(InputError, match="'rmse' for a binary task"):
        evaluate(strong.project.model_copy(update={"evaluation": metric}), strong.splits, strong.model)


def test_a_changed_byte_in_either_bundle_is_refused(strong, weak, tmp_path):
    folder = tmp_path / "bundle"
    shutil.copytree(weak.model, folder)
    path = folder / "model.skops"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(BundleError, match=r"model\.skops"):
        evaluate(strong.project, strong.splits, folder)
    with pytest.raises(BundleError, match=r"model\.skops"):
        evaluate(strong.project, strong.splits, strong.model, folder)


def test_a_test_part_without_the_leading_metric_is_refused(strong, tmp_path):
    splits = tmp_path / "splits"
    shutil.copytree(strong.splits, splits)
    rows = duckdb.sql(f"FROM read_parquet('{strong.splits / 'test.parquet'}') WHERE \"the label\" = 'no'")
    (splits / "test.parquet").unlink()
    rows.write_parquet(str(splits / "test.parquet"))
    with pytest.raises(DataError, match="roc_auc cannot be measured: all rows have the same label"):
        evaluate(strong.project, splits, strong.model)


def test_a_class_that_the_model_does_not_know_is_refused(strong, tmp_path):
    splits = tmp_path / "splits"
    shutil.copytree(strong.splits, splits)
    rows = duckdb.sql(
        f"SELECT * REPLACE ('maybe' AS \"the label\") FROM read_parquet('{strong.splits / 'test.parquet'}')"
    )
    (splits / "test.parquet").unlink()
    rows.write_parquet(str(splits / "test.parquet"))
    with pytest.raises(DataError, match="'maybe', which the model does not know"):
        evaluate(strong.project, splits, strong.model)


def test_an_evaluation_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(DataError, match="Run evaluate_model again"):
        read_evaluation(tmp_path / "none.json")


def test_classes_of_another_order_are_put_right(strong):
    bundle = load_bundle(strong.model)
    rows = duckdb.sql(f"FROM read_parquet('{strong.splits / 'test.parquet'}') LIMIT 50").df()
    prediction, target = bundle.predict(rows), evaluate_read.target_of(bundle.signature)
    turned = replace(target, classes=tuple(reversed(target.classes)))
    straight = evaluate_read.as_places(prediction, bundle.signature, target)
    reverse = evaluate_read.as_places(prediction, bundle.signature, turned)
    assert (straight[0] == 1 - reverse[0]).all()
    assert (straight[1] == reverse[1][:, ::-1]).all()
