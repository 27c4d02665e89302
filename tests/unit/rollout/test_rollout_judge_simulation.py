"""Simulated rollouts with heavy-tailed users, a short version of benchmarks/rollout_simulation.py: seeded."""

from dataclasses import replace

import pytest

from benchmarks.rollout_simulation import (
    BUSY,
    CLICK,
    EVEN,
    experiment,
    mismatch,
    rate_tests,
    requests_to,
    rollout,
    settings,
    share_of,
)
from benchmarks.rollout_world import Habits, World
from evergreen.rollout.evidence import RATES

pytestmark = pytest.mark.slow


def test_nothing_wrong_is_not_rolled_back():
    ends = [rate_tests(s, settings(), Habits(users=3000, requests=900), 10) for s in range(60)]
    assert share_of(ends, "roll_back") <= 0.02
    strict = settings(**{rate: {"harm": 0} for rate in RATES})
    ends = [rate_tests(s, strict, Habits(users=2000, requests=900, window=20), 60) for s in range(12)]
    assert share_of(ends, "roll_back") <= 0.1


def test_without_repeats_users_who_always_fail_look_like_harm(monkeypatch):
    """The test above can fail: it does when each minute counts a user anew and nothing allows for it."""
    original = World._arm
    monkeypatch.setattr(World, "_arm", lambda self, arm: replace(original(self, arm), repeats={}))
    monkeypatch.setattr(World, "_clustered", lambda self, rate: 0)
    habits = Habits(users=2000, requests=900, window=1)
    ends = [rate_tests(s, settings(), habits, 60) for s in range(12)]
    assert share_of(ends, "roll_back") > 0.1


def test_a_good_candidate_is_launched():
    ends = [rollout(s, settings(), BUSY, 90) for s in range(2)]
    assert share_of(ends, "promote") == 1
    assert rollout(0, settings(means=[CLICK]), EVEN, 90).kind == "promote"


@pytest.mark.parametrize(
    "rate,factor,most", [("errors", 2, 60_000), ("errors", 5, 4000), ("latency", 3, 20_000)]
)
def test_harm_is_caught(rate, factor, most):
    ends = [rollout(s, settings(), replace(BUSY, factor={rate: factor}), 240) for s in range(2)]
    assert share_of(ends, "roll_back") == 1
    assert requests_to(ends, "roll_back") < most


def test_fewer_clicks_are_never_launched():
    rules = settings(means=[{**CLICK, "margin": 0.05}])
    assert rollout(0, rules, replace(EVEN, uplift=-0.15), 120).kind == "stop"


def test_experiments_name_few_winners_by_chance_and_real_ones():
    chance = [experiment(s, 0.0, users=4000, most=20) for s in range(50)]
    assert chance.count("promote") <= 6 and chance.count("roll_back") <= 6
    real = [experiment(s, 0.2, users=4000, most=20) for s in range(10)]
    assert real.count("promote") >= 7


def test_a_mismatch_is_found():
    assert all(mismatch(s, 0.52, 0.5, 60_000) < 60_000 for s in range(5))
    assert all(mismatch(s, 0.5, 0.5, 20_000) > 20_000 for s in range(10))
