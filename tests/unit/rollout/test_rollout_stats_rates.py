"""Rates: evidence of harm against numbers worked out elsewhere, its error bound, huge and hopeless counts."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from evergreen.rollout.statistics import rates
from evergreen.rollout.statistics.rates import Alone, Arms
from evergreen.rollout.statistics.tails import log_beta_above, log_gamma_above


@pytest.mark.parametrize(
    "a,b,q,expected",  # mpmath, 2,500 digits
    [
        (2.0, 3.0, 0.4, -0.744019510933702),
        (100.0, 5000.0, 0.1, -269.511350738074),
        (10.0, 1e5, 0.05, -5065.47436640596),
        (5.7, 1e4, 0.07, -699.193224305701),
        (300.0, 2e4, 0.0437, -275.096380152258),
    ],
)
def test_tail_of_the_beta_distribution_beyond_the_smallest_float(a, b, q, expected):
    assert float(log_beta_above(a, b, q)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    "shape,x,expected",
    [(2.0, 3.0, -1.61370563888011), (5.0, 2000.0, -1972.77244299251), (1e3, 5e3, -2396.32159376721)],
)
def test_tail_of_the_gamma_distribution_beyond_the_smallest_float(shape, x, expected):
    assert float(log_gamma_above(shape, x)) == pytest.approx(expected, rel=1e-12)


def test_both_branches_of_the_tails_meet():
    q = np.linspace(0.05, 0.2, 400)
    assert (np.diff(log_beta_above(300.0, 20000.0, q)) < 0).all()
    assert (np.diff(log_gamma_above(50.0, np.linspace(300, 1200, 400))) < 0).all()


def brute(s, f, share, harm):
    """The evidence by integrating the likelihood ratio over the cut prior."""
    q = share * (1 + harm) / (share * (1 + harm) + 1 - share)
    prior = stats.beta(10 * q, 10 * (1 - q))
    ratio = lambda t: prior.pdf(t) * (t / q) ** s * ((1 - t) / (1 - q)) ** f  # noqa: E731
    return integrate.quad(ratio, q, 1, limit=200)[0] / prior.sf(q)


@pytest.mark.parametrize(
    "s,f,share,harm", [(5, 20, 0.05, 0.2), (0, 9, 0.5, 0.0), (30, 30, 0.2, 0.5), (1, 0, 0.05, 0.2)]
)
def test_evidence_is_the_mean_likelihood_ratio(s, f, share, harm):
    assert math.exp(rates.log_e_beside(s, f, share, harm)) == pytest.approx(
        brute(s, f, share, harm), rel=1e-6
    )


@pytest.mark.parametrize("share,harm", [(0.05, 0.2), (0.5, 0.0), (0.2, 1.0)])
def test_evidence_is_a_martingale_at_the_edge_of_the_tolerated(share, harm):
    q, rest = rates.allowed(share, 1 + harm)
    s, f = np.meshgrid(np.arange(0, 400, 13.0), np.arange(0, 3000, 97.0))
    now = rates.log_e_beside(s, f, share, harm)
    after = q * np.exp(rates.log_e_beside(s + 1, f, share, harm) - now) + rest * np.exp(
        rates.log_e_beside(s, f + 1, share, harm) - now
    )
    np.testing.assert_allclose(after, 1, rtol=1e-9)
    better = q / 2
    gain = better * np.exp(rates.log_e_beside(s + 1, f, share, harm) - now) + (1 - better) * np.exp(
        rates.log_e_beside(s, f + 1, share, harm) - now
    )
    assert (gain <= 1 + 1e-9).all()


def test_evidence_without_a_baseline_is_a_supermartingale():
    """Poisson events at the tolerated rate: E reaches 20 on less than one path of twenty."""
    rng = np.random.default_rng(3)
    bounds = []
    for _ in range(400):
        before = rng.poisson(60)
        events = rng.poisson(60 * 1.2 / 20, 20).cumsum()
        es = [
            rates.log_e_alone(Alone(float(s), 1000 * (k + 1), before, 20000), 0.2, 0.05)
            for k, s in enumerate(events)
        ]
        bounds.append(max(es))
    assert np.mean(np.array(bounds) >= math.log(20)) <= 0.05


@given(
    st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0.001, 0.999), st.floats(0, 10), st.floats(0, 1e9)
)
@settings(max_examples=60, deadline=None)
def test_numbers_stay_numbers(s, f, share, harm, repeats):
    arms = Arms(share, s, f, repeats)
    assert math.isfinite(rates.log_e([arms], harm))
    low, high = rates.interval([arms], 0.05)
    assert 0 <= low <= high
    assert not math.isnan(high)
    alone = rates.log_e_alone(Alone(s, 10**9, f, 10**9), harm, 0.0025)
    assert math.isfinite(alone)


@given(st.integers(0, 200), st.integers(1, 400), st.floats(0.02, 0.6), st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_more_harm_is_never_less_evidence(s, f, share, more):
    assert rates.log_e([Arms(share, s + more, f)], 0.2) > rates.log_e([Arms(share, s, f)], 0.2)
    assert rates.log_e([Arms(share, s, f)], 0.5) <= rates.log_e([Arms(share, s, f)], 0.2) + 1e-9


def test_evidence_that_was_lost_in_one_step_comes_back_in_another():
    fine = Arms(0.5, 10, 100_000)
    assert rates.log_e([fine], 0.0) < -10
    assert rates.log_e([fine, Arms(0.5, 200_000, 10)], 0.0) > 1000


def test_an_interval_holds_the_ratio_and_shrinks():
    wide, narrow = (
        rates.interval([Arms(0.05, 10 * k, 95 * k), Arms(0.5, 200 * k, 100 * k)], 0.05) for k in (1, 100)
    )
    assert wide[0] < narrow[0] < 1.99 < narrow[1] < wide[1]
    assert rates.relative([Arms(0.5, 200, 100), Arms(0.05, 10, 95)]) == pytest.approx(2.0, abs=0.05)


def test_an_interval_covers_at_all_times_together():
    rng = np.random.default_rng(4)
    missed = 0
    for _ in range(100):
        falls = (rng.random(1500) < 0.2 * 2 / (0.2 * 2 + 0.8)).cumsum()
        for n in (5, 20, 60, 150, 400, 800, 1500):
            low, high = rates.interval([Arms(0.2, float(falls[n - 1]), float(n - falls[n - 1]))], 0.1)
            if not low <= 2 <= high:
                missed += 1
                break
    assert missed / 100 <= 0.1


def test_without_events_everything_is_possible():
    assert rates.interval([], 0.05) == (0.0, math.inf)
    assert rates.interval([Arms(0.5, 0, 0)], 0.05) == (0.0, math.inf)
    assert rates.relative([Arms(0.5, 3, 0)]) is None
    assert rates.log_e([], 0.2) == 0
    assert rates.log_e_alone(Alone(5, 100, 0, 0), 0.2, 0.01) == 0


def test_users_who_fail_again_and_again_are_allowed_for():
    """A hundred events of ten users say as much as ten events."""
    loud = Arms(0.5, 80, 20, repeats=100 * 9)
    assert loud.design == 10
    assert rates.log_e([loud], 0.2) == pytest.approx(rates.log_e([Arms(0.5, 8, 2)], 0.2))
    assert rates.log_e([Arms(0.5, 80, 20)], 0.2) > math.log(400) > rates.log_e([loud], 0.2)


def test_the_interval_without_a_baseline():
    low, high = rates.interval_alone(Alone(200, 10_000, 100, 10_000), 0.05)
    assert 1.2 < low < 2 < high < 3.5
    assert rates.interval_alone(Alone(0, 10_000, 0, 10_000), 0.05) == (0.0, math.inf)
