"""Sketches add up, and routers that know nothing of each other tell by them how events cluster."""

from collections import Counter
from dataclasses import replace
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollout_world import NOW, record

from evergreen.rollout.evidence import ArmCounts, Bucket, StepEvidence
from evergreen.rollout.judge_rates import bad_events
from evergreen.rollout.record import Mark
from evergreen.rollout.statistics import clusters
from evergreen.rollout.tally import counted
from evergreen.serving.users import user_key

ERROR = sqrt(2 / clusters.WIDTH)


def sketch(users) -> clusters.Clusters:
    made = clusters.begun()
    for user in users:
        clusters.add(made, user_key(str(user), "salt"))
    return tuple(made)


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(0, 40))
@settings(max_examples=60)
def test_any_split_adds_up_to_the_whole(users, cut):
    assert clusters.merged(sketch(users[:cut]), sketch(users[cut:])) == sketch(users)
    assert clusters.merged((), sketch(users)) == sketch(users)


def test_one_user_is_known_exactly():
    assert [clusters.repeats(sketch(["ann"] * n)) for n in (1, 2, 5)] == [0, 2, 20]
    assert clusters.repeats(()) == 0


@pytest.mark.parametrize("users,times", [(40, 1), (3000, 1), (3000, 4), (500, 9)])
def test_the_sum_of_squares_is_about_right(users, times):
    counts = Counter({f"{times}/{u}": 1 + u % times for u in range(users)})
    squares = sum(n * n for n in counts.values())
    found = clusters.repeats(sketch(counts.elements())) + counts.total()
    assert abs(found - squares) <= 4 * ERROR * squares


def evidence(buckets) -> StepEvidence:
    steps = (StepEvidence(0, 50.0), StepEvidence(1, 50.0))
    known = replace(record(), marks=(Mark(4, 0), Mark(7, 1)))
    return counted(replace(known, evidence=replace(known.evidence, steps=steps)), buckets)


def bucket(router: str, seq: int, users, generation: int = 4) -> Bucket:
    arms = {
        "candidate": ArmCounts(90, harmed={"errors": len(users) // 2}),
        "baseline": ArmCounts(90, harmed={"errors": len(users) - len(users) // 2}),
    }
    return Bucket(router, seq, record().id, generation, NOW, NOW, arms, 0, {"errors": sketch(users)})


@pytest.mark.parametrize("routers", [1, 2, 6])
def test_users_counted_by_each_router_weigh_as_one(routers):
    """Each router counts each of them once, and has no repeats to tell of."""
    found = evidence([bucket(f"r{k}", 1, range(800)) for k in range(routers)])
    arms = bad_events(found.steps[0], "errors")
    assert arms.candidate + arms.baseline == 800 * routers
    assert arms.design == pytest.approx(routers, rel=4 * ERROR)


def test_users_of_an_earlier_stage_are_known_in_the_next_one():
    """As what a router knows by itself: with k counts before, the next one adds 2 k to the repeats."""
    found = evidence([bucket("r1", 1, range(800)), bucket("r2", 1, range(800), generation=7)])
    first, second = (bad_events(step, "errors") for step in found.steps)
    assert first.design == pytest.approx(1, abs=4 * ERROR)
    assert second.design == pytest.approx(3, abs=8 * ERROR)


def test_what_a_router_knows_counts_where_the_sketch_says_less():
    arms = {"candidate": ArmCounts(9, harmed={"errors": 4}, repeats={"errors": 12}), "baseline": ArmCounts(9)}
    assert bad_events(StepEvidence(0, 50.0, arms, 0, {"errors": -3}), "errors").design == 4
