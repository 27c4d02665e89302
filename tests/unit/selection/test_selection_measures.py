"""Mutual information, likeness, intervals: against known values, and where they must not see anything."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score, roc_auc_score

from evergreen.modeling.selection import intervals
from evergreen.modeling.selection.information import codes, information, mutual_bits
from evergreen.modeling.selection.redundancy import redundancy

RNG = np.random.default_rng(5)


def test_bits_of_a_copy_are_the_labels_entropy_and_of_noise_none():
    label = RNG.integers(0, 4, 4000)
    values = np.column_stack([label * 3.0, RNG.normal(size=4000), np.where(label == 2, np.nan, 1.0)])
    copy, noise, missing = information(values, label, 4, seed=1)
    assert copy.bits == pytest.approx(2.0, abs=0.02) and copy.real
    assert noise.bits < 0.005
    assert missing.bits == pytest.approx(0.811, abs=0.03) and missing.real


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=80))
def test_mutual_bits_is_sklearns(pairs):
    a, b = (np.array(column) for column in zip(*pairs, strict=True))
    assert mutual_bits(a, b) == pytest.approx(mutual_info_score(a, b) / np.log(2), abs=1e-9)


def test_noise_beats_its_control_in_about_one_of_twenty():
    label = RNG.integers(0, 2, 300)
    found = information(RNG.normal(size=(300, 200)), label, 2, seed=3)
    assert sum(i.real for i in found) <= 22  # 10 expected; 22 is four standard deviations off


def test_codes_keep_few_values_apart_and_missing_on_its_own():
    assert codes(np.array([5.0, np.nan, 5.0, 2.0])).tolist() == [2, 0, 2, 1]
    assert len(np.unique(codes(RNG.normal(size=1000)))) == 16


def test_features_of_the_same_information_are_found_without_chains():
    x = RNG.normal(size=800)
    town = RNG.integers(0, 5, 800).astype(float)
    recoded = np.array([3.0, 1.0, 0.0, 4.0, 2.0])[town.astype(int)]
    drift = x + RNG.normal(size=800) * 0.12
    values = np.column_stack([x, np.exp(x), drift, drift + RNG.normal(size=800) * 0.12, town, recoded])
    text = np.array([False, False, False, False, True, True])
    found = redundancy(values, text, 0.985, np.arange(6), seed=1)
    assert found.groups == ((0, 1, 2), (4, 5))  # 3 is like 2, but not like 0, which stands for the group
    assert found.likeness[4, 5] == pytest.approx(1.0, abs=0.01)


def test_other_missing_values_are_other_information():
    x = RNG.normal(size=500)
    holes = np.where(RNG.random(500) < 0.3, np.nan, x)
    found = redundancy(np.column_stack([x, holes]), np.zeros(2, bool), 0.98, np.arange(2), seed=1)
    assert found.groups == ()


def test_independent_features_are_not_alike():
    values = np.column_stack([RNG.normal(size=600), RNG.integers(0, 8, 600), RNG.integers(0, 30, 600)])
    found = redundancy(values.astype(float), np.array([False, True, True]), 0.98, np.arange(3), seed=1)
    assert (found.likeness - np.eye(3)).max() < 0.2


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_auc_is_sklearns_and_lies_in_its_interval(seed):
    rng = np.random.default_rng(seed)
    label = rng.random(60) < 0.4
    scores = np.round(rng.normal(size=60) + label, 1)
    if label.all() or not label.any():
        return
    value, low, high = intervals.auc(scores, label)
    assert value == pytest.approx(roc_auc_score(label, scores))
    assert low <= value <= high


def test_a_perfect_auc_of_few_rows_is_not_certain():
    label = np.arange(40) < 20
    assert intervals.auc(label.astype(float), label) == (1.0, 0.925, 1.0)


def test_rows_of_one_entity_count_as_one():
    values = np.repeat(RNG.normal(size=50), 20)
    alone = intervals.clustered_mean(values, np.arange(1000))
    together = intervals.clustered_mean(values, np.repeat(np.arange(50), 20))
    assert alone[0] == pytest.approx(together[0])
    assert (together[2] - together[1]) > 3 * (alone[2] - alone[1])


def test_wilson_and_folds():
    assert intervals.share(95, 100)[1:] == (pytest.approx(0.888, abs=0.001), pytest.approx(0.978, abs=0.001))
    mean, low, high = intervals.over_folds([1.0, 2.0, 3.0], 1 / 3)
    assert mean == 2.0 and high - mean == pytest.approx(4.303 * np.sqrt(1 / 3 + 1 / 2), rel=1e-3)
    assert low < mean
