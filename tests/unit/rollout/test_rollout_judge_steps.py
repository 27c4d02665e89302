"""Verdicts: each check by a case of its own; what rolls back, stops, holds and goes on, in which words."""

import math
from dataclasses import replace

import numpy as np
import pytest

from evergreen.decisions import read, write
from evergreen.project.model.rollout import Rollout
from evergreen.rollout.evidence import (
    ArmCounts,
    Evidence,
    Outputs,
    Pairs,
    StepEvidence,
    UserEvidence,
    UserMoments,
)
from evergreen.rollout.judge import judge

CANARIES = [{"kind": "canary", "share": s, "requests": 500} for s in (5, 20, 50, 100)]


def rules(stages=None, soak="10m", **guardrails):
    return Rollout.model_validate({"stages": stages or CANARIES, "guardrails": guardrails, "soak": soak})


def counts(requests, **events):
    return ArmCounts(requests, 0, events, events)


def moments(users=20_000, rate=0.3, per=5, past=False):
    rng = np.random.default_rng(1)
    n = rng.poisson(per, users) + 1.0
    y = rng.binomial(n.astype(int), rate).astype(float)
    return UserMoments(
        users, int(y.sum()), 0, y.sum(), n.sum(), 0.0, (y * y).sum(), (n * n).sum(), 0.0, (y * n).sum()
    )


def users(share=5.0, total=20_000, **more):
    mine = round(total * share / 100)
    outputs = Outputs(("a", "b"), (700.0, 300.0), {"baseline": (7000, 3000), "candidate": (1400, 600)})
    defaults = {
        "exposed": {"candidate": mine, "baseline": total - mine},
        "exposed_share": share,
        "outputs": outputs,
    }
    return UserEvidence(**{**defaults, **more})


def evidence(candidate=None, baseline=None, share=5.0, stage=0, before=(), **more):
    arms = {
        "candidate": candidate or counts(2000, errors=20),
        "baseline": baseline or counts(38_000, errors=380),
    }
    if share >= 100:
        arms.pop("baseline")
    return Evidence(
        (*before, StepEvidence(stage, share, arms)), more.pop("users", users(share)), **more
    )  # fmt: skip


BEFORE = tuple(
    StepEvidence(
        k,
        s,
        {
            "candidate": counts(round(400 * s), errors=round(4 * s)),
            "baseline": counts(round(40_000 - 400 * s), errors=round(400 - 4 * s)),
        },
    )
    for k, s in enumerate((5.0, 20.0, 50.0))
)


def verdict(found, settings=None, stage=0, elapsed=3600.0):
    return judge(settings or rules(), stage, found, elapsed).verdict


def check(result, name):
    return next(d for d in result.checks if d.check == name)


def test_a_good_candidate_goes_on():
    result = verdict(evidence())
    assert result.kind == "promote", result.reason
    assert {d.gate for d in result.checks} == {"rollout"}
    assert check(result, "errors").verdict == "pass"


def test_nothing_known_holds():
    assert verdict(Evidence()).kind == "hold"
    assert verdict(Evidence(), stage=4).kind == "hold"


@pytest.mark.parametrize("rate", ["errors", "latency", "empty_outputs"])
def test_harm_rolls_back(rate):
    bad = evidence(counts(2000, **{rate: 200}), counts(38_000, **{rate: 380}))
    result = verdict(bad)
    assert result.kind == "roll_back"
    decision = check(result, rate)
    assert decision.verdict == "fail" and decision.observed == pytest.approx(9.0, rel=0.05)
    assert 1 < decision.interval[0] < 9 < decision.interval[1]


def test_reactions():
    bad = evidence(counts(2000, missing_inputs=400), counts(38_000, missing_inputs=380))
    assert verdict(bad).kind == "stop"
    assert verdict(bad, rules(missing_inputs={"reaction": "roll_back"})).kind == "roll_back"
    warned = verdict(bad, rules(missing_inputs={"reaction": "warn"}))
    assert warned.kind == "promote" and "missing_inputs" in warned.reason
    silent = verdict(bad, rules(missing_inputs={"reaction": "off"}))
    assert silent.kind == "promote" and "missing_inputs" not in {d.check for d in silent.checks}


def test_harm_of_the_first_step_is_not_forgotten():
    doubtful = StepEvidence(
        0, 5.0, {"candidate": counts(2000, errors=45), "baseline": counts(38_000, errors=380)}
    )
    now = evidence(
        counts(8000, errors=160), counts(32_000, errors=320), 20.0, 1, (doubtful,), users=users(20.0)
    )
    assert verdict(evidence(*doubtful.arms.values())).kind == "hold"
    assert verdict(now, stage=1).kind == "roll_back"


def test_what_is_missing_is_said():
    few = verdict(evidence(counts(188), counts(38_000, errors=380)))
    assert (few.kind, few.reason) == ("hold", "needs 312 more requests to the candidate")
    soon = verdict(evidence(), elapsed=60.0)
    assert soon.kind == "hold" and soon.reason == "the stage needs 540 more seconds"
    suspect = verdict(evidence(counts(2000, errors=32), counts(38_000, errors=380)))
    assert suspect.kind == "hold" and "32 errors of the candidate for 20.6 expected" in suspect.reason
    alone = verdict(evidence(counts(900), counts(0)))
    assert alone.kind == "hold" and "baseline" in alone.reason


def test_too_late_stops_but_never_goes_back():
    stages = [{**CANARIES[0], "at_most": "30m"}]
    few = evidence(counts(10), counts(190))
    assert verdict(few, rules(stages), elapsed=1700.0).kind == "hold"
    late = verdict(few, rules(stages), elapsed=1900.0)
    assert late.kind == "stop" and "needs 490 more requests" in late.reason


def test_users_on_the_wrong_arm_stop():
    skewed = evidence(users=users(exposed={"candidate": 1400, "baseline": 18_600}))
    result = verdict(skewed)
    assert result.kind == "stop" and "7.00 % for 5 %" in result.reason
    stale = evidence(users=users(exposed_share=20.0))
    assert verdict(stale).kind == "hold"
    nobody = evidence(users=users(exposed={}))
    assert verdict(nobody).kind == "promote" and check(verdict(nobody), "sample ratio").verdict == "skip"


def test_alone_with_history_and_without():
    fine = evidence(counts(40_000, errors=400), share=100.0, stage=3, before=BEFORE)
    assert verdict(fine, stage=3).kind == "promote"
    bad = evidence(counts(40_000, errors=1200), share=100.0, stage=3, before=BEFORE)
    assert verdict(bad, stage=3).kind == "roll_back"
    lonely = verdict(evidence(counts(40_000, errors=400), share=100.0, stage=3), stage=3)
    assert lonely.kind == "hold" and "nothing is known about the baseline" in lonely.reason


def test_the_soak():
    soak = evidence(counts(40_000, errors=400), share=100.0, stage=4, before=BEFORE)
    assert verdict(soak, stage=4).kind == "promote"
    assert verdict(soak, stage=4, elapsed=599.0).reason == "the soak needs 1 more seconds"
    bad = evidence(counts(40_000, errors=1200), share=100.0, stage=4, before=BEFORE)
    assert verdict(bad, stage=4).kind == "roll_back"


CLICK = {"event": "click", "margin": 0.1}


def clicks(candidate, share=50.0, stage=2, **more):
    metrics = {"click": {"candidate": candidate, "baseline": moments()}}
    mine = round(400 * share)
    arms = counts(mine, errors=mine // 100), counts(40_000 - mine, errors=400 - mine // 100)
    return evidence(*arms, share, stage, users=users(share, metrics=metrics, **more))


def test_an_average_inside_its_margin_goes_on_and_a_loss_stops():
    settings = rules(means=[CLICK])
    assert verdict(clicks(moments()), settings, 2).kind == "promote"
    lost = verdict(clicks(moments(rate=0.24)), settings, 2)
    assert lost.kind == "stop" and "loss of more than 10 %" in lost.reason
    gone = verdict(clicks(moments(rate=0.0)), settings, 2)
    assert gone.kind == "stop", "no click at all is a loss, not a lack of data"
    fewer_retries = rules(means=[{**CLICK, "better": "lower"}])
    assert verdict(clicks(moments(rate=0.24)), fewer_retries, 2).kind == "promote"
    assert verdict(clicks(moments(rate=0.36)), fewer_retries, 2).kind == "stop"


def test_a_wide_interval_holds_only_before_everybody_gets_it():
    settings = rules(means=[CLICK])
    last = verdict(clicks(moments(400)), settings, 2)
    assert last.kind == "hold" and "too wide for the margin 10 %" in last.reason
    assert verdict(clicks(moments(400), 5.0, 0), settings, 0).kind == "promote"
    few = verdict(clicks(moments(20)), settings, 2)
    assert few.kind == "hold" and "needs" in few.reason and "click events" in few.reason


def test_outputs():
    shifted = Outputs(("a", "b"), (700.0, 300.0), {"baseline": (7000, 3000), "candidate": (600, 1400)})
    result = verdict(evidence(users=users(outputs=shifted)))
    assert result.kind == "stop" and "baseline's answers" in result.reason
    few = replace(shifted, arms={"baseline": (7000, 3000), "candidate": (600, 90)})
    assert (
        verdict(evidence(users=users(outputs=few))).reason == "needs 310 more logged answers of the candidate"
    )
    drifted = replace(
        shifted, reference=(70.0, 930.0), arms={"baseline": (7000, 3000), "candidate": (1400, 600)}
    )
    both = verdict(evidence(users=users(outputs=drifted)))
    assert both.kind == "promote", "the world has changed for both"
    assert check(both, "psi of outputs to training").verdict == "warn"


@pytest.mark.parametrize(
    "value,reaction,kind",
    [
        (0.5, "roll_back", "promote"),
        (2.0, "roll_back", "roll_back"),
        (2.0, "hold", "stop"),
        (2.0, "warn", "promote"),
        (None, "roll_back", "hold"),
        (math.nan, "roll_back", "hold"),
        (math.inf, "roll_back", "roll_back"),
        (-math.inf, "hold", "hold"),
        (None, "warn", "promote"),
    ],
)
def test_queries(value, reaction, kind):
    settings = rules(queries=[{"name": "q", "query": "x", "max": 1, "reaction": reaction}])
    assert verdict(evidence(queries={"q": value}), settings).kind == kind
    if value is None:
        assert verdict(evidence(), settings).kind == kind


def shadow(pairs, mirrored=1000, kind="shadow", **baseline):
    arms = {"baseline": counts(20_000, **(baseline or {"errors": 200, "latency": 200}))}
    outputs = Outputs(("a", "b"), (), {"baseline": (7000, 3000), "shadow": (1400, 600)})
    step = StepEvidence(0, 0.0, arms, mirrored)
    return Evidence((step,), UserEvidence(pairs=pairs, outputs=outputs)), rules([{"kind": kind}])


FINE = Pairs(900, 40, (1.0, 5.0), (0.9, 0.1), 9, 9, 900)


@pytest.mark.parametrize("kind", ["shadow", "dark"])
def test_copies(kind):
    assert verdict(*shadow(FINE, kind=kind)).kind == "promote"
    assert "more requests answered by both" in verdict(*shadow(Pairs(), kind=kind)).reason
    uncovered = verdict(*shadow(FINE, 9000, kind))
    assert uncovered.kind == "hold" and "10 % where 50 % are needed" in uncovered.reason
    failing = verdict(*shadow(replace(FINE, failures=90), kind=kind))
    assert failing.kind == "roll_back" and "90 failed copies" in failing.reason
    assert verdict(*shadow(replace(FINE, slower=150), kind=kind)).kind == "roll_back"
    other = verdict(*shadow(replace(FINE, disagreements=700), kind=kind))
    assert other.kind == "stop" and "77.8 %" in other.reason
    open_ = verdict(*shadow(replace(FINE, disagreements=440), kind=kind))
    assert open_.kind == "hold" and check(open_, "disagreement").interval[1] > 0.5
    latency = check(verdict(*shadow(FINE, kind=kind)), "paired latency")
    assert latency.observed == pytest.approx(0.001) and latency.interval[0] < 0.001


def test_rows_of_one_request_are_one_request():
    many = replace(FINE, pairs=9000, disagreements=400, failures=90, slower=90, requests=900)
    assert verdict(*shadow(many)).kind == "promote"
    assert "10 % where" in verdict(*shadow(many, 9000)).reason


def test_records_can_be_written(tmp_path):
    results = [
        verdict(evidence()),
        verdict(Evidence()),
        verdict(*shadow(FINE)),
        verdict(evidence(counts(900, errors=5), counts(0))),
        verdict(clicks(moments(rate=0.0)), rules(means=[CLICK]), 2),
    ]
    for result in results:
        write(tmp_path / "d.json", result.checks)
        assert read(tmp_path / "d.json") == list(result.checks)
        assert all(d.reason for d in result.checks)
