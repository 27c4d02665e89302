"""Intervals: they cover, they see clusters, pairs cancel what is common, and the draws are the seed's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.modeling.evaluation.bootstrap import Resampling, draw, estimate, subsample
from evergreen.modeling.evaluation.sample import Sample
from evergreen.modeling.task import Target

BINARY = Target("binary", (0, 1), 1)
NUMBER = Target("regression")


def scored(rows: int, seed: int, signal: float = 1.0) -> Sample:
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 0.3).astype(np.int64)
    p = 1 / (1 + np.exp(-(signal * y + rng.normal(size=rows) - 1)))
    return Sample(BINARY, y, (p > 0.5).astype(np.int64), np.column_stack([1 - p, p]))


def test_same_seed_same_intervals_and_another_seed_others():
    sample = scored(500, 0)
    first = estimate(sample, ["roc_auc", "brier"], Resampling(seed=1))
    assert estimate(sample, ["roc_auc", "brier"], Resampling(seed=1)) == first
    assert estimate(sample, ["roc_auc", "brier"], Resampling(seed=2)) != first
    assert estimate(sample, ["roc_auc", "brier"], Resampling(seed=1), "a slice") != first


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(20, 300), seed=st.integers(0, 1000))
def test_intervals_hold_the_value_in_order(rows, seed):
    sample = scored(rows, seed)
    found = estimate(sample, ["roc_auc", "log_loss", "accuracy"], Resampling(100, seed=seed)).candidate
    for one in found.values():
        if one.low is not None:
            assert one.low <= one.value + 1e-9 and one.value - 1e-9 <= one.high


@pytest.mark.slow
def test_ninety_percent_intervals_of_a_mean_cover_about_ninety_percent():
    inside, tries = 0, 300
    for seed in range(tries):
        error = np.random.default_rng(10_000 + seed).normal(0, 1, 120)
        sample = Sample(NUMBER, np.zeros(120), error)
        found = estimate(sample, ["rmse"], Resampling(200, 0.9, seed)).candidate["rmse"]
        inside += found.low <= 1.0 <= found.high
    assert 0.84 <= inside / tries <= 0.95


def test_entities_with_equal_rows_widen_the_interval():
    base = scored(150, 3)
    repeat = np.repeat(np.arange(150), 10)
    rows = base.take(repeat)
    clustered = Sample(BINARY, rows.y, rows.predicted, rows.probabilities, clusters=repeat)
    how = Resampling(200)
    alone, together = (estimate(s, ["roc_auc"], how).candidate["roc_auc"] for s in (rows, clustered))
    assert together.high - together.low > 2 * (alone.high - alone.low)
    independent = estimate(base, ["roc_auc"], how).candidate["roc_auc"]
    assert together.high - together.low == pytest.approx(independent.high - independent.low, rel=0.3)


def test_cluster_draws_take_whole_entities():
    clusters = np.array([4, 4, 9, 9, 9, 2])
    sample = Sample(NUMBER, np.zeros(6), np.zeros(6), clusters=clusters)
    for weights in draw(sample, 50, np.random.default_rng(0)):
        assert (weights[:, 0] == weights[:, 1]).all() and (weights[:, 2] == weights[:, 4]).all()
        assert (weights[:, [0, 2, 5]].sum(axis=1) == 3).all()


def test_a_paired_difference_is_tighter_than_two_intervals():
    rng = np.random.default_rng(5)
    sample = scored(2000, 5)
    p = np.clip(sample.score + rng.normal(0, 0.01, 2000), 0, 1)
    other = Sample(BINARY, sample.y, sample.predicted, np.column_stack([1 - p, p]))
    found = estimate(sample, ["roc_auc"], Resampling(), baseline=other)
    change, one = found.changes["roc_auc"], found.candidate["roc_auc"]
    assert change.value == pytest.approx(one.value - found.baseline["roc_auc"].value)
    assert change.high - change.low < (one.high - one.low) / 5
    same = estimate(sample, ["roc_auc"], Resampling(), baseline=sample).changes["roc_auc"]
    assert (same.value, same.low, same.high) == (0, 0, 0)


@pytest.mark.slow
def test_a_subsample_gives_the_same_interval_as_all_rows():
    sample = scored(20_000, 6)
    whole = estimate(sample, ["roc_auc", "brier"], Resampling(200)).candidate
    part = estimate(sample, ["roc_auc", "brier"], Resampling(200, most_rows=4000)).candidate
    for metric in whole:
        assert part[metric].value == whole[metric].value
        wide, narrow = (e.high - e.low for e in (whole[metric], part[metric]))
        assert narrow == pytest.approx(wide, rel=0.35)


def test_a_subsample_keeps_entities_whole():
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 400, 3000)
    sample = Sample(NUMBER, np.zeros(3000), np.zeros(3000), clusters=clusters)
    places = subsample(sample, ["rmse"], 1000, rng)
    chosen = set(clusters[places])
    assert len(places) <= 1000 and np.isin(clusters, list(chosen)).sum() == len(places)


def test_a_metric_that_most_resamples_lack_has_no_interval():
    y = np.zeros(4, np.int64)
    y[0] = 1
    sample = Sample(BINARY, y, y, np.column_stack([1 - y, y]).astype(float))
    found = estimate(sample, ["roc_auc", "accuracy"], Resampling(200)).candidate
    assert found["roc_auc"].value == 1 and found["accuracy"].low == found["accuracy"].high == 1
    alone = estimate(sample.take(y == 0), ["roc_auc"], Resampling(200)).candidate["roc_auc"]
    assert alone.value is None and "same label" in alone.reason


def test_calibration_errors_interval_does_not_drift_upwards():
    p = np.random.default_rng(0).random(3000)
    y = (np.random.default_rng(1).random(3000) < p).astype(np.int64)
    sample = Sample(BINARY, y, (p > 0.5).astype(np.int64), np.column_stack([1 - p, p]))
    found = estimate(sample, ["calibration_error"], Resampling()).candidate["calibration_error"]
    assert found.low <= found.value <= found.high + 1e-9 and found.low >= 0
