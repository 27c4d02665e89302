"""Leaks: planted ones are found, honest tables raise nothing, however easy they are."""

import numpy as np
import pytest
from sklearn import datasets
from splits_world import project, write_splits

from evergreen.modeling.selection import leak_shapes as shapes
from evergreen.modeling.selection.alone import alone
from evergreen.modeling.selection.leaks import Screen, find_leaks
from evergreen.modeling.selection.pairs import exact_pair
from evergreen.modeling.selection.quick import Problem
from evergreen.modeling.selection.redundancy import redundancy
from evergreen.modeling.selection.sample import load_sample

HONEST = ("breast_cancer", "iris", "wine", "diabetes")


def frame(name):
    found = getattr(datasets, f"load_{name}")(as_frame=True).frame.rename(columns={"target": "y"})
    return found.assign(id=np.random.default_rng(3).permutation(len(found)))


def leaks(tmp_path, rows, **meta):
    splits = write_splits(tmp_path, rows, **meta)
    sample = load_sample(project(), splits)
    problem = Problem(sample.label, sample.classes, 17)
    text = np.array([sample.is_category(k) for k in range(len(sample.names))])
    scores = alone(problem, sample.values, text, sample.repeats[0], sample.clusters)
    alike = redundancy(sample.values, text, 0.99, np.arange(len(sample.names)), 17)
    return find_leaks(Screen(sample, problem, scores, alike, "s"))


@pytest.mark.parametrize("name", HONEST)
def test_honest_tables_raise_nothing(tmp_path, name):
    assert leaks(tmp_path, frame(name)) == []


def planted(kind, label, rng):
    rows, noise = len(label), rng.random(len(label))
    if kind == "copy":
        return np.where(noise < 0.03, rng.permutation(label), label).astype(float)
    if kind == "text":
        return np.array([f"code {v}" for v in np.where(noise < 0.01, rng.permutation(label), label)])
    if kind == "gauss":
        return label + rng.normal(0, 0.1, rows)
    if kind == "missing":
        return np.where((label == 1) & (noise < 0.7), np.nan, rng.normal(size=rows))
    if kind == "encoded":
        group = rng.integers(0, rows // 3, rows)
        return (np.bincount(group, label) / np.maximum(1, np.bincount(group)))[group]
    assert kind == "sorted"
    return np.argsort(np.argsort(label + noise * 0.9)).astype(float)


@pytest.mark.parametrize(
    "kind",
    [
        "copy",
        "gauss",
        "encoded",
        *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("text", "missing", "sorted")),
    ],
)
def test_planted_leaks_are_found_and_nothing_else(tmp_path, kind):
    rows = frame("breast_cancer")
    rows["planted"] = planted(kind, rows["y"].to_numpy(), np.random.default_rng(1))
    found = leaks(tmp_path, rows)
    assert {leak.feature for leak in found} == {"planted"}, found
    assert found[0].sure == (kind in ("gauss", "text"))


def test_a_copy_far_above_the_rest_is_sure(tmp_path):
    rng = np.random.default_rng(2)
    rows = frame("breast_cancer")[["y", "id", "mean texture", "mean symmetry"]]
    rows["planted"] = planted("copy", rows["y"].to_numpy(), rng)
    (leak,) = leaks(tmp_path, rows)
    assert leak.sure and leak.rule == "leak copy" and "'planted'" in leak.reason


def test_a_label_that_follows_from_one_feature_by_a_rule_stops_nothing(tmp_path):
    rng = np.random.default_rng(2)
    rows = frame("breast_cancer")[["id"]].assign(amount=rng.normal(size=569), other=rng.normal(size=569))
    rows["y"] = (rows["amount"] > 0.3).astype(int)
    assert [(leak.feature, leak.sure) for leak in leaks(tmp_path, rows)] == [("amount", False)]


@pytest.mark.slow
def test_a_number_with_a_little_noise_and_its_own_copy(tmp_path):
    rng = np.random.default_rng(2)
    rows = frame("diabetes")
    label = rows["y"].to_numpy()
    rows["near"] = label + rng.normal(0, 0.05 * label.std(), len(label))
    found = leaks(tmp_path / "a", rows)
    assert [(leak.feature, leak.rule) for leak in found] == [("near", "leak too good")]
    copied = frame("diabetes").assign(copied=np.where(rng.random(len(label)) < 0.05, 150.0, label))
    found = leaks(tmp_path / "b", copied)
    assert [(leak.feature, leak.sure) for leak in found] == [("copied", True)]


def test_a_time_later_than_the_row_is_found():
    ages = np.concatenate([np.full(80, 3.0), np.full(20, -5.0)])
    assert shapes.in_the_future("closed_at__age_days", ages).count == 20
    assert shapes.in_the_future("closed_at__age_days", np.abs(ages)) is None
    assert shapes.in_the_future("temperature", ages) is None


def test_two_numbers_that_make_up_the_label():
    rng = np.random.default_rng(4)
    x = rng.uniform(1, 9, size=(400, 5))
    assert exact_pair(x, np.arange(5), rng.normal(size=400)) is None
    total = exact_pair(x, np.arange(5), x[:, 1] - 2 * x[:, 3] + rng.normal(size=400) * 0.01)
    assert (total.first, total.second, total.product) == (1, 3, False)
    product = exact_pair(x, np.arange(5), x[:, 0] / x[:, 4])
    assert (product.first, product.second, product.product) == (0, 4, True)


def test_a_rate_of_earlier_rows_is_no_leak():
    rng = np.random.default_rng(6)
    true_rate = rng.beta(1, 3, 800)
    seen = rng.integers(0, 12, 800)
    rate = rng.binomial(seen, true_rate) / np.maximum(1, seen)
    rate[:5] = 1.0
    assert shapes.encoded_from_label(rate, (rng.random(800) < true_rate).astype(int)) is None


def test_row_numbers_are_told_from_measures():
    rng = np.random.default_rng(6)
    assert shapes.row_number(rng.permutation(300).astype(float), 300)
    assert not shapes.row_number(rng.integers(0, 200, 300).astype(float), 300)
    assert not shapes.row_number(rng.choice(10**9, 300, replace=False).astype(float), 300)
    assert not shapes.row_number(rng.normal(size=300), 300)
