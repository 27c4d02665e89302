import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from evergreen.labels.confident import folds, together
from evergreen.labels.issues import OVERLAP
from evergreen.labels.noise import class_noise, pooled_noise

SURE = float(chi2.ppf(0.99, 1) / 2)


def scores(rows, separation, prior, out, into, seed):
    """Normal scores of two classes, and labels of which some are wrong."""
    rng = np.random.default_rng(seed)
    true = rng.random(rows) < prior
    score = rng.normal(size=rows) + separation * true
    wrong = rng.random(rows) < np.where(true, out, into)
    return score, true ^ wrong


@pytest.mark.parametrize("prior,out,into", [(0.5, 0.1, 0.1), (0.3, 0.2, 0.0), (0.1, 0.0, 0.05)])
def test_class_noise_covers_what_was_planted_in_both_directions(prior, out, into):
    score, labels = scores(4000, 4.0, prior, out, into, seed=1)
    wrong, left, came = class_noise(score, labels, SURE)
    for found, planted in ((wrong, prior * out + (1 - prior) * into), (left, out), (came, into)):
        assert found.low - 0.005 <= planted <= found.high + 0.025
    assert wrong.low > 0.01 and wrong.overlap < 0.06


def test_overlap_is_not_taken_for_wrong_labels():
    found = [class_noise(*scores(600, d, p, 0, 0, seed=s), SURE)[0]
             for s in range(3) for d in (0.8, 1.5, 2.5, 3.5) for p in (0.5, 0.15)]  # fmt: skip
    assert sum(noise.low > 0.01 and noise.overlap <= OVERLAP for noise in found) == 0
    assert sum(noise.overlap <= OVERLAP for noise in found) >= 10


def test_weak_scores_say_nothing_rather_than_something():
    score, labels = scores(1000, 0.8, 0.5, 0.1, 0.1, seed=3)
    wrong = class_noise(score, labels, SURE)[0]
    assert wrong.overlap > 0.12 and wrong.high - wrong.low > 0.1


def test_pooled_noise_is_nothing_without_wrong_labels_and_the_share_with():
    rng = np.random.default_rng(0)
    side = rng.normal(size=2000) + 1.6
    confidence, disagrees = np.abs(side), side < 0
    assert pooled_noise(confidence, disagrees, SURE).low == 0
    noise = pooled_noise(confidence, disagrees ^ (rng.random(2000) < 0.1), SURE)
    assert noise.low <= 0.1 <= noise.high and noise.low > 0.05


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=5, max_size=60), st.integers(0, 5))
def test_a_group_is_in_one_fold(groups, seed):
    keys = np.array(groups)
    numbers = folds(keys, keys % 2, seed)
    for key in set(groups):
        assert len(set(numbers[keys == key])) == 1
    sizes = np.bincount(numbers)
    assert len(sizes) <= 5 and (sizes > 0).all()


def test_rows_that_share_any_key_are_together():
    first, second = np.array([1, 1, 2, 3, 4]), np.array([9, 8, 8, 7, 6])
    groups = together([first, second])
    assert groups[0] == groups[1] == groups[2]
    assert len(set(groups)) == 3
