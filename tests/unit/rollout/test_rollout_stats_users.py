"""Statistics over users: delta method, CUPED, intervals for all times, looks, sample ratio."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.rollout.evidence import UserMoments
from evergreen.rollout.statistics.boundaries import bounds, spent
from evergreen.rollout.statistics.means import Comparison, Mean, compare, floored
from evergreen.rollout.statistics.sample_ratio import ALARM, log_e_mismatch
from evergreen.rollout.statistics.sequences import multiplier, paired_mean


def moments(y, n, x=None):
    known = np.zeros(len(y)) if x is None else x
    sums = [float(v.sum()) for v in (y, n, known, y * y, n * n, known**2, y * n, y * known, n * known)]
    return UserMoments(len(y), int(y.sum()), 0 if x is None else int((x != 0).sum()), *sums)


def users(rng, many, rate, spread=20.0):
    n = np.ceil(rng.pareto(1.5, many) * 3 + 1).clip(1, 800)
    own = rng.beta(rate * spread, (1 - rate) * spread, many)
    x = rng.binomial(40, own) / 40
    return rng.binomial(n.astype(int), own).astype(float), n, np.where(rng.random(many) < 0.7, x, 0.0)


def test_variance_of_a_ratio_is_that_of_many_worlds():
    rng = np.random.default_rng(1)
    found = [compare(moments(*users(rng, 800, 0.1)), moments(*users(rng, 800, 0.1))) for _ in range(400)]
    seen = np.std([c.candidate.value - c.baseline.value for c in found])
    said = np.mean([math.sqrt(c.candidate.variance + c.baseline.variance) for c in found])
    assert said == pytest.approx(seen, rel=0.12)


def test_cuped_takes_variance_away_and_adds_no_bias():
    rng = np.random.default_rng(2)
    worlds = []
    for _ in range(300):
        y, n, x = users(rng, 1000, 0.1, spread=4)
        worlds.append(compare(moments(y[:500], n[:500], x[:500]), moments(y[500:], n[500:], x[500:])))
    plain = compare(moments(y[:500], n[:500]), moments(y[500:], n[500:]))
    assert plain.reduction == 0
    assert np.mean([c.reduction for c in worlds]) > 0.05
    z = [c.z() for c in worlds]
    assert abs(np.mean(z)) < 0.2 and 0.88 < np.std(z) < 1.12


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_units_do_not_matter(scale):
    rng = np.random.default_rng(5)
    y, n, x = users(rng, 600, 0.2)
    halves = slice(0, 300), slice(300, 600)
    one, other = (compare(*(moments(k * y[h], n[h], k * x[h]) for h in halves)) for k in (1.0, scale))
    assert one.z() == pytest.approx(other.z(), rel=1e-6)
    assert one.interval(3.0) == pytest.approx(other.interval(3.0), rel=1e-6)


@given(st.floats(-5, 5), st.floats(0.01, 5), st.floats(1e-6, 1), st.floats(1e-6, 1), st.floats(0.5, 5))
@settings(max_examples=80, deadline=None)
def test_the_interval_is_where_z_is_small(c, b, vc, vb, errors):
    both = Comparison(Mean(c, vc, 100, 100), Mean(b, vb, 100, 100))
    interval = both.interval(errors)
    if interval is None:
        assert b * b <= errors**2 * vb + 1e-12
        return
    for end in interval:
        assert abs(both.z(1 + end)) == pytest.approx(errors, rel=1e-3)
    assert interval[0] <= both.relative <= interval[1]


def test_no_number_gives_no_comparison():
    fine = UserMoments(100, 60, 0, 60.0, 500.0, 0.0, 60.0, 3000.0, 0.0, 300.0)
    for bad in (UserMoments(), UserMoments(users=1, n=1.0), UserMoments(users=9, n=9.0, y=math.nan),
                UserMoments(users=9, n=math.inf)):  # fmt: skip
        assert compare(bad, fine) is None
        assert compare(fine, bad) is None
    alike = Comparison(Mean(1.0, 0.0, 9, 9), Mean(1.0, 0.0, 9, 9))
    assert alike.z() == 0 and alike.z(0.9) == math.inf and alike.z(1.1) == -math.inf
    assert Comparison(Mean(1, 1, 9, 9), Mean(0, 1, 9, 9)).interval(2) is None


def test_an_arm_without_events_is_not_certain_of_it():
    quiet = Comparison(Mean(0.0, 0.0, 50, 0), Mean(0.1, 1e-4, 500, 400))
    assert floored(quiet).candidate.variance == pytest.approx(1e-3)


def test_multiplier_is_equation_9():
    n, alpha = 1000, 0.05
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / 4000
    s = 2.0
    half = math.sqrt(s**2 * 2 * (n * rho2 + 1) / (n**2 * rho2) * math.log(math.sqrt(n * rho2 + 1) / alpha))
    assert multiplier(n, alpha) * s / math.sqrt(n) == pytest.approx(half)
    assert multiplier(0, 0.05) == math.inf
    assert min(multiplier(n, 0.05) for n in (400, 40_000)) > multiplier(4000, 0.05) > 1.96


def test_a_mean_is_covered_at_all_times_together():
    rng = np.random.default_rng(6)
    x = rng.exponential(1.0, (400, 6000)) - 1
    n = np.arange(1, 6001)
    mean = x.cumsum(1) / n
    error = np.sqrt(((x * x).cumsum(1) / n - mean**2) / n)
    out = np.abs(mean) > error * np.array([multiplier(k, 0.1) for k in n])
    assert out[:, 50:].any(1).mean() <= 0.1
    assert (np.abs(mean) > 1.645 * error)[:, 50:].any(1).mean() > 0.3  # what looking every time would do


def test_paired_mean():
    assert paired_mean(1.0, 1.0, 1, 0.05) is None
    mean, low, high = paired_mean(10.0, 110.0, 100, 0.05)
    assert mean == 0.1 and low < 0 < high


def test_bounds_are_the_published_ones():
    """Lan-DeMets, O'Brien-Fleming type, five equal looks, two-sided 0.05: 4.88/3.36/2.68/2.29/2.03."""
    assert bounds((0.2, 0.4, 0.6, 0.8, 1.0), 0.05) == pytest.approx(
        (4.8769, 3.3569, 2.6803, 2.2898, 2.0310), abs=2e-4
    )
    assert bounds((1.0,), 0.05) == pytest.approx((1.959964,), abs=1e-6)
    assert bounds((0.5, 1.0), 0.05) == pytest.approx((2.9626, 1.9686), abs=2e-4)


@given(
    st.lists(st.floats(0.02, 1.0), min_size=1, max_size=8, unique=True), st.sampled_from([0.01, 0.05, 0.2])
)
@settings(max_examples=8, deadline=None)
def test_bounds_spend_alpha_at_any_times(times, alpha):
    times = sorted({*(round(t, 3) for t in times), 1.0})
    found = bounds(tuple(times), alpha)
    rng = np.random.default_rng(0)
    steps = np.sqrt(np.diff([0.0, *times]))
    z = (rng.standard_normal((40_000, len(times))) * steps).cumsum(1) / np.sqrt(times)
    crossed = np.logical_or.accumulate(np.abs(z) >= found, axis=1).mean(0)
    for k, t in enumerate(times):
        share = spent(t, alpha)
        assert crossed[k] == pytest.approx(share, abs=5 * math.sqrt(share / 40_000) + 1e-4)


def test_a_last_look_that_comes_late_spends_what_is_left():
    assert bounds((0.5, 1.3), 0.05)[0] == bounds((0.5, 1.0), 0.05)[0]
    assert bounds((1.3,), 0.05) == bounds((1.0,), 0.05)


def test_sample_ratio_finds_a_mismatch_and_leaves_chance_alone():
    assert log_e_mismatch((0, 0), (0.5, 0.5)) == pytest.approx(0)
    assert log_e_mismatch((9600, 10400), (0.5, 0.5)) > math.log(ALARM)
    assert log_e_mismatch((0, 240), (0.05, 0.95)) > math.log(ALARM)
    rng = np.random.default_rng(7)
    worst = []
    for _ in range(80):
        c = (rng.random(20_000) < 0.05).cumsum()
        worst.append(
            max(
                log_e_mismatch((float(c[n]), float(n + 1 - c[n])), (0.05, 0.95))
                for n in range(99, 20_000, 800)
            )
        )
    assert np.mean(np.array(worst) > math.log(20)) <= 0.05
    assert math.isfinite(log_e_mismatch((1e9, 0), (0.05, 0.95)))
