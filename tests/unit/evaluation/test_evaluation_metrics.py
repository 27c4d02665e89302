"""The metrics against scikit-learn's, for rows that count once and for rows that count several times."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from evergreen.bundle.signature import Prediction
from evergreen.errors import InputError
from evergreen.modeling.evaluation.classes import quantile_bins
from evergreen.modeling.evaluation.metrics import (
    chosen_metrics,
    default_metrics,
    fitting_metrics,
    formula,
    higher_is_better,
    score,
    value,
)
from evergreen.modeling.evaluation.sample import Sample, Undefined
from evergreen.modeling.task import Target

BINARY = Target("binary", ("no", "yes"), "yes")
THREE = Target("multiclass", ("a", "b", "c"))
NUMBER = Target("regression")
RANKING = Target("ranking", (0, 1), 1)


def binary_sample(rows: int, seed: int, decimals: int = 2) -> Sample:
    rng = np.random.default_rng(seed)
    p = np.round(rng.random(rows), decimals)
    y = (rng.random(rows) < 0.2 + 0.6 * p).astype(np.int64)
    return Sample(BINARY, y, (p >= 0.5).astype(np.int64), np.column_stack([1 - p, p]))


def three_sample(rows: int, seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    raw = rng.random((rows, 3)) + 0.8 * np.eye(3)[y]
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    return Sample(THREE, y, probabilities.argmax(axis=1), probabilities)


def oracle_binary(s: Sample, w: np.ndarray) -> dict[str, float]:
    p = s.score
    return {
        "roc_auc": sk.roc_auc_score(s.y, p, sample_weight=w),
        "average_precision": sk.average_precision_score(s.y, p, sample_weight=w),
        "log_loss": sk.log_loss(s.y, np.clip(s.probabilities, 1e-15, 1), sample_weight=w, labels=[0, 1]),
        "brier": sk.brier_score_loss(s.y, p, sample_weight=w),
        "accuracy": sk.accuracy_score(s.y, s.predicted, sample_weight=w),
        "balanced_accuracy": sk.balanced_accuracy_score(s.y, s.predicted, sample_weight=w),
        "f1": sk.f1_score(s.y, s.predicted, sample_weight=w),
        "precision": sk.precision_score(s.y, s.predicted, sample_weight=w),
        "recall": sk.recall_score(s.y, s.predicted, sample_weight=w),
    }


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(rows=st.integers(8, 300), seed=st.integers(0, 10_000), decimals=st.integers(1, 4))
def test_binary_metrics_are_scikit_learns_with_weights(rows, seed, decimals):
    sample = binary_sample(rows, seed, decimals)
    weights = np.random.default_rng(seed).integers(0, 4, rows).astype(float)
    kept = weights > 0
    assume(kept.any() and len(np.unique(sample.y[kept])) == 2 and sample.predicted[kept].any())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = oracle_binary(sample, weights)
    for metric, wanted in expected.items():
        found = formula(metric, sample)(np.vstack([weights, weights]))
        assert found == pytest.approx([wanted, wanted], rel=1e-6, abs=1e-9), metric


def test_multiclass_metrics_are_scikit_learns():
    s = three_sample(500, 3)
    expected = {
        "accuracy": sk.accuracy_score(s.y, s.predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(s.y, s.predicted),
        "f1": sk.f1_score(s.y, s.predicted, average="macro"),
        "precision": sk.precision_score(s.y, s.predicted, average="macro"),
        "recall": sk.recall_score(s.y, s.predicted, average="macro"),
        "log_loss": sk.log_loss(s.y, s.probabilities),
        "roc_auc": sk.roc_auc_score(s.y, s.probabilities, multi_class="ovr"),
        "average_precision": sk.average_precision_score(np.eye(3)[s.y], s.probabilities),
        "brier": float(((np.eye(3)[s.y] - s.probabilities) ** 2).sum(axis=1).mean()),
    }
    assert {m: value(m, s) for m in expected} == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(3, 200), seed=st.integers(0, 10_000))
def test_regression_metrics_are_scikit_learns(rows, seed):
    rng = np.random.default_rng(seed)
    y = rng.normal(10, 3, rows)
    s = Sample(NUMBER, y, y + rng.normal(size=rows))
    expected = {
        "rmse": sk.root_mean_squared_error(y, s.predicted),
        "mae": sk.mean_absolute_error(y, s.predicted),
        "median_absolute_error": sk.median_absolute_error(y, s.predicted),
        "r2": sk.r2_score(y, s.predicted),
        "mape": sk.mean_absolute_percentage_error(y, s.predicted),
    }
    assert {m: value(m, s) for m in expected} == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 12), size=st.integers(2, 9), seed=st.integers(0, 10_000), decimals=st.integers(0, 3)
)
def test_ranking_metrics_are_means_of_scikit_learns_by_group(count, size, seed, decimals):
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(count), size))
    y = rng.integers(0, 2, count * size)
    p = np.round(rng.random(count * size), decimals)
    s = Sample(RANKING, y, (p >= 0.5).astype(np.int64), np.column_stack([1 - p, p]), groups=groups)
    mixed = [g for g in range(count) if 0 < y[groups == g].mean() < 1]
    hit = [g for g in range(count) if y[groups == g].any()]
    assume(mixed)
    part = {g: (y[groups == g], p[groups == g]) for g in range(count)}
    expected = {
        "roc_auc": np.mean([sk.roc_auc_score(*part[g]) for g in mixed]),
        "average_precision": np.mean([sk.average_precision_score(*part[g]) for g in hit]),
        "ndcg": np.mean([sk.ndcg_score([part[g][0]], [part[g][1]]) for g in hit]),
    }
    assert {m: value(m, s) for m in expected} == pytest.approx(expected)


def test_ndcg_takes_graded_gains_and_counts_negative_ones_as_none():
    s = Sample(Target("ranking"), np.array([3.0, -5.0, 1.0]), np.array([0.1, 0.9, 0.5]))
    assert value("ndcg", s) == pytest.approx(sk.ndcg_score([[3, 0, 1]], [[0.1, 0.9, 0.5]]))
    with pytest.raises(Undefined, match="number"):
        value("roc_auc", s)


def test_mape_leaves_out_labels_of_zero():
    s = Sample(NUMBER, np.array([0.0, 2.0, -4.0]), np.array([1.0, 3.0, -3.0]))
    assert value("mape", s) == pytest.approx((0.5 + 0.25) / 2)
    with pytest.raises(Undefined, match="zero"):
        value("mape", s.take(np.array([0])))


def test_calibration_error_is_zero_for_a_calibrated_model_and_the_gap_for_a_shifted_one():
    p = np.repeat([0.2, 0.6], 100)
    y = np.r_[np.arange(100) < 20, np.arange(100) < 60].astype(np.int64)
    right = Sample(BINARY, y, (p > 0.5).astype(np.int64), np.column_stack([1 - p, p]))
    q = p + 0.1
    shifted = Sample(BINARY, y, (q > 0.5).astype(np.int64), np.column_stack([1 - q, q]))
    assert value("calibration_error", right) == pytest.approx(0, abs=1e-12)
    assert value("calibration_error", shifted) == pytest.approx(0.1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_quantile_bins_keep_equal_values_together_and_in_order(values):
    given_ = np.array(values)
    bins = quantile_bins(given_)
    order = np.argsort(given_)
    assert (np.diff(bins[order]) >= 0).all() and set(bins) == set(range(bins.max() + 1))
    for v in set(values):
        assert len(set(bins[given_ == v])) == 1


def test_one_class_has_reasons_not_crashes():
    s = binary_sample(50, 1)
    ones = Sample(BINARY, np.zeros(50, np.int64), s.predicted, s.probabilities)
    for metric, reason in (
        ("roc_auc", "same label"),
        ("average_precision", "positive"),
        ("recall", "positive"),
    ):
        with pytest.raises(Undefined, match=reason):
            value(metric, ones)
    assert np.isfinite(value("log_loss", ones)) and np.isfinite(value("brier", ones))
    with pytest.raises(Undefined, match="predicted"):
        value("precision", Sample(BINARY, s.y, np.zeros(50, np.int64), s.probabilities))
    missing = three_sample(60, 2)
    with pytest.raises(Undefined, match="2 of 3 classes"):
        value("roc_auc", missing.take(missing.y != 1))


def test_a_classifier_without_probabilities_still_has_metrics_of_its_classes():
    s = binary_sample(200, 4)
    plain = Sample(BINARY, s.y, s.predicted)
    assert value("f1", plain) == value("f1", s)
    for metric in ("roc_auc", "log_loss", "brier", "calibration_error"):
        with pytest.raises(Undefined, match="no probabilities"):
            value(metric, plain)


def test_score_is_what_tuning_uses():
    s = binary_sample(300, 5)
    assert score("roc_auc", BINARY, s.y, Prediction(s.predicted, s.probabilities)) == value("roc_auc", s)
    with pytest.raises(InputError, match="no probabilities"):
        score("roc_auc", BINARY, s.y, Prediction(s.predicted))
    with pytest.raises(InputError, match="rmse"):
        score("rmse", BINARY, s.y, Prediction(s.predicted, s.probabilities))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression", "ranking"])
def test_every_metric_has_a_direction(task):
    assert set(default_metrics(task)) <= set(fitting_metrics(task))
    assert {higher_is_better(m) for m in fitting_metrics(task)} <= {True, False}


def test_chosen_metrics_lead_with_the_primary_and_refuse_what_does_not_fit():
    assert chosen_metrics("regression", "mae", []) == (
        "mae",
        ["mae", *[m for m in default_metrics("regression") if m != "mae"]],
    )
    assert chosen_metrics("binary", None, ["f1", "brier"]) == ("f1", ["f1", "brier"])
    with pytest.raises(InputError, match="'rmse' for a binary task"):
        chosen_metrics("binary", None, ["rmse"])
