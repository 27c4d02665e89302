"""Experiments: looks are taken once, where they really fall, and end as the project requires."""

import numpy as np
import pytest

from evergreen.project.model.rollout import Rollout
from evergreen.rollout.evidence import RATES, ArmCounts, Evidence, StepEvidence, UserEvidence, UserMoments
from evergreen.rollout.judge import judge

OFF = {name: {"reaction": "off"} for name in (*RATES, "outputs")}


def rules(require="better", success=({"event": "click"},), **more):
    stage = {
        "kind": "experiment",
        "users": 10_000,
        "require": require,
        "success": list(success),
        "requests": 100,
    }
    return Rollout.model_validate({"stages": [{**stage, **more}], "guardrails": OFF})


def moments(users, rate, seed=0):
    rng = np.random.default_rng(seed)
    n = rng.poisson(4, users) + 1.0
    y = rng.binomial(n.astype(int), rate).astype(float)
    return UserMoments(
        users, int(y.sum()), 0, y.sum(), n.sum(), 0.0, (y * y).sum(), (n * n).sum(), 0.0, (y * n).sum()
    )


def evidence(users, rate=0.2, looks=(), baseline=0.2, name="click", **metrics):
    half = users // 2
    both = {"candidate": moments(half, rate, 1), "baseline": moments(users - half, baseline, 2)}
    arms = {arm: ArmCounts(requests=5 * half) for arm in ("candidate", "baseline")}
    exposed = {"candidate": half, "baseline": users - half}
    seen = UserEvidence(exposed, 50.0, {name: both, **metrics})
    return Evidence((StepEvidence(0, 50.0, arms),), seen, looks=tuple(looks))


def judged(found, settings=None, elapsed=3600.0):
    return judge(settings or rules(), 0, found, elapsed)


def test_looks_are_taken_when_they_are_due_and_never_again():
    assert judged(evidence(1999)).looks == ()
    first = judged(evidence(2100))
    assert [look["users"] for look in first.looks] == [2100]
    assert first.verdict.kind == "hold" and "look 1 of 5" in first.verdict.reason
    again = judged(evidence(3900, looks=first.looks))
    assert again.looks == first.looks
    jumped = judged(evidence(8100, looks=first.looks))
    assert [look["users"] for look in jumped.looks] == [2100, 8100]
    over = judged(evidence(10_400, looks=jumped.looks))
    assert judged(evidence(20_000, rate=0.5, looks=over.looks)).looks == over.looks
    assert over.verdict.kind == "stop" and "ended without" in over.verdict.reason
    assert judged(evidence(20_000, rate=0.5, looks=over.looks)).verdict.kind == "stop"


@pytest.mark.parametrize(
    "require,rate,kind",
    [("better", 0.22, "promote"), ("better", 0.2, "stop"), ("better", 0.18, "roll_back"),
     ("not_worse", 0.22, "promote"), ("not_worse", 0.2, "promote"), ("not_worse", 0.17, "roll_back")],
)  # fmt: skip
def test_how_an_experiment_ends(require, rate, kind):
    result = judged(evidence(10_000, rate), rules(require))
    assert result.verdict.kind == kind, result.verdict.reason


def test_less_can_be_better():
    fewer = rules(success=({"event": "retry", "better": "lower"},))
    assert judged(evidence(10_000, 0.17, name="retry"), fewer).verdict.kind == "promote"
    assert judged(evidence(10_000, 0.23, name="retry"), fewer).verdict.kind == "roll_back"


def test_every_metric_must_win_and_alpha_is_shared():
    two = rules(success=({"event": "click"}, {"event": "buy"}))
    one = {"candidate": moments(5000, 0.1, 3), "baseline": moments(5000, 0.1, 4)}
    both = {"candidate": moments(5000, 0.13, 3), "baseline": moments(5000, 0.1, 4)}
    assert judged(evidence(10_000, 0.22, buy=one), two).verdict.kind == "stop"
    assert judged(evidence(10_000, 0.22, buy=both), two).verdict.kind == "promote"
    assert judged(evidence(10_000, 0.22), two).verdict.kind == "hold"


def test_a_winner_at_an_early_look_stays_one():
    early = judged(evidence(4000, 0.26))
    assert early.verdict.kind == "promote"
    assert judged(evidence(4500, 0.2, looks=early.looks)).verdict.kind == "promote"
    waits = judged(evidence(4000, 0.26), elapsed=1.0)
    assert waits.verdict.kind == "hold" and "more seconds" in waits.verdict.reason
    assert len(waits.looks) == 1


def test_by_user_and_by_request_are_kept_apart():
    both = rules(success=({"event": "click"}, {"event": "click", "per": "user"}))
    sums = {"candidate": moments(5000, 0.22, 3), "baseline": moments(5000, 0.2, 4)}
    assert judged(evidence(10_000, 0.22), both).verdict.kind == "hold"
    result = judged(evidence(10_000, 0.22, **{"click/user": sums}), both)
    assert {"z click", "z click/user"} <= result.looks[0].keys()


def test_too_few_events_take_no_look():
    rare = judged(evidence(10_000, 0.001, baseline=0.001))
    assert rare.looks == () and rare.verdict.kind == "hold" and "click events" in rare.verdict.reason


def test_nothing_to_win_and_users_on_the_wrong_arm():
    assert judged(evidence(10_000, 0.3), rules(success=())).verdict.kind == "stop"
    skewed = evidence(10_000, 0.3)
    users = UserEvidence({"candidate": 4500, "baseline": 5500}, 50.0, skewed.users.metrics)
    assert judged(Evidence(skewed.steps, users)).verdict.kind == "stop"
    unseen = UserEvidence({}, 50.0, skewed.users.metrics)
    assert judged(Evidence(skewed.steps, unseen)).verdict.kind == "hold"
