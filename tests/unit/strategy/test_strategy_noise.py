"""Intervals and spectra against other implementations of the same formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, false_discovery_control

from evergreen.intervals import auc_error, quantile, wilson
from evergreen.strategy.noise import AUC_ASSUMED, detectable, discoveries, metric_error, two_rates
from evergreen.strategy.spectrum import Spectrum

SIZES = st.lists(st.integers(1, 300), min_size=1, max_size=60)


def spectrum(sizes) -> Spectrum:
    values, counts = np.unique(sizes, return_counts=True)
    return Spectrum(values.astype(np.int64), counts.astype(np.int64))


@given(st.integers(0, 50), st.integers(1, 60), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_is_scipys(successes, rows, confidence):
    successes = min(successes, rows)
    theirs = binomtest(successes, rows).proportion_ci(confidence, method="wilson")
    ours = wilson(successes, rows, quantile((1 + confidence) / 2))
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_discoveries_are_scipys(p_values):
    theirs = false_discovery_control(p_values) <= 0.05
    near = np.abs(false_discovery_control(p_values) - 0.05) < 1e-9
    assert all(m == t or n for m, t, n in zip(discoveries(p_values), theirs, near, strict=True))


def test_no_discovery_where_nothing_differs():
    rng = np.random.default_rng(0)
    false = sum(any(discoveries(list(rng.random(20)))) for _ in range(400))
    assert false / 400 < 0.09


def test_more_rows_tell_smaller_losses():
    few, many = (detectable(metric_error("binary", n, 0.2)) for n in (100, 10_000))
    assert 9 < few / many < 11
    assert detectable(metric_error("binary", 100, 0.2), looks=20) > few
    assert metric_error("binary", 100, 0.001) is None and metric_error("regression", 1, None) is None
    # By the paper's formula, worked by hand.
    assert auc_error(50, 50, AUC_ASSUMED) == pytest.approx(0.048836, abs=1e-6)
    assert two_rates(0, 10, 0, 10) == 1.0


@given(SIZES)
@settings(max_examples=60)
def test_gini_and_lorenz_are_those_of_the_listed_sizes(sizes):
    found = spectrum(sizes)
    ranked = np.sort(sizes)
    n = len(ranked)
    by_hand = 2 * (np.arange(1, n + 1) * ranked).sum() / (n * ranked.sum()) - (n + 1) / n
    assert found.gini == pytest.approx(by_hand, abs=1e-9)
    assert found.count == n and found.rows == ranked.sum() and found.median == ranked[(n - 1) // 2]
    curve = found.lorenz()
    assert curve[0] == (0, 0) and curve[-1] == pytest.approx((1, 1)) and list(curve) == sorted(curve)
    assert found.ranks()[0] == (1, ranked[-1]) and found.ranks()[-1] == (n, ranked[0])


@given(SIZES, st.floats(0.05, 0.5))
@settings(max_examples=60)
def test_a_tail_holds_at_most_its_share_and_never_the_largest(sizes, share):
    found = spectrum(sizes)
    most = found.tail(share, 1e9)
    assert found.up_to(most)[1] <= share * found.rows
    assert most < max(sizes) or most == 0
    head = found.head()
    assert sum(s for s in sizes if s >= head) * 2 >= found.rows
