"""What must never be, whatever the evidence: no data promotes, and more harm is never a reason to go on."""

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.project.model.rollout import Rollout
from evergreen.rollout.evidence import (
    RATES,
    ArmCounts,
    Evidence,
    Outputs,
    Pairs,
    StepEvidence,
    UserEvidence,
    UserMoments,
)
from evergreen.rollout.judge import judge

RULES = Rollout.model_validate({
    "stages": [
        {"kind": "shadow", "requests": 0},
        {"kind": "dark", "requests": 0},
        *({"kind": "canary", "share": s, "requests": 0} for s in (5, 50)),
        {"kind": "experiment", "requests": 0, "success": [{"event": "click"}]},
        {"kind": "canary", "share": 100, "requests": 0},
    ],
    "guardrails": {
        "means": [{"event": "click"}],
        "queries": [{"name": "q", "query": "x", "max": 1}],
        "outputs": {"coverage": 0, "rows": 1},
    },
    "soak": "0s",
})  # fmt: skip
SHARES = (0.0, 0.0, 5.0, 50.0, 50.0, 100.0, 100.0)
whole = st.integers(0, 10**9)
number = st.one_of(st.floats(0, 1e12), st.sampled_from([math.nan, math.inf, -math.inf, 1e-200, 1e160, 1e300]))


@st.composite
def counted(draw, requests=whole):
    n = draw(requests)
    events = {r: draw(st.integers(0, n)) for r in RATES if draw(st.booleans())}
    return ArmCounts(n, 0, events, {r: min(v, draw(whole)) for r, v in events.items()}, (), {})


@st.composite
def moment(draw):
    kinds = {f.name: whole if f.type == "int" or f.type is int else number for f in fields(UserMoments)}
    return UserMoments(**{name: draw(kind) for name, kind in kinds.items()})


ARM = counted()


@st.composite
def evidences(draw, arm=ARM):
    stage = draw(st.integers(0, 6))
    arms = {a: draw(arm) for a in ("candidate", "baseline") if draw(st.booleans())}
    steps = [StepEvidence(stage, SHARES[stage], arms, draw(whole))]
    n = draw(whole)
    pairs = Pairs(n, draw(st.integers(0, n)), (draw(number), draw(number)), (draw(number), draw(number)),
                  draw(st.integers(0, n)), draw(st.integers(0, n)), draw(st.integers(0, n)))  # fmt: skip
    three = st.tuples(whole, whole, whole)
    outputs = Outputs(
        ("a", "b", "c"), (1.0, 2.0, 3.0), {a: draw(three) for a in ("candidate", "baseline", "shadow")}
    )
    metrics = {"click": {a: draw(moment()) for a in ("candidate", "baseline")}}
    users = UserEvidence(
        {a: draw(whole) for a in ("candidate", "baseline")}, SHARES[stage], metrics, 0, pairs, outputs
    )
    queries = {"q": draw(st.one_of(st.none(), number))} if draw(st.booleans()) else {}
    return stage, Evidence(tuple(steps), users, queries)


@pytest.mark.slow
@given(evidences(), number)
@settings(max_examples=150, deadline=None)
def test_any_evidence_gives_a_verdict_with_records(found, elapsed):
    stage, evidence = found
    verdict = judge(RULES, stage, evidence, elapsed).verdict
    assert verdict.reason
    for d in verdict.checks:
        assert d.observed is None or math.isfinite(d.observed)
        assert d.interval is None or all(math.isfinite(v) for v in d.interval)


@given(evidences(counted(st.just(0))), number)
@settings(max_examples=100, deadline=None)
def test_no_requests_never_promote(found, elapsed):
    stage, evidence = found
    assert judge(RULES, stage, replace(evidence, users=UserEvidence()), elapsed).verdict.kind != "promote"
    if SHARES[stage]:
        assert judge(RULES, stage, evidence, elapsed).verdict.kind != "promote"


@given(evidences(), st.sampled_from([None, math.nan]))
@settings(max_examples=60, deadline=None)
def test_a_query_without_a_number_never_promotes(found, value):
    stage, evidence = found
    assert judge(RULES, stage, replace(evidence, queries={"q": value}), 1e6).verdict.kind != "promote"


@given(evidences())
@settings(max_examples=60, deadline=None)
def test_averages_that_are_no_numbers_never_promote(found):
    stage, evidence = found
    bad = UserMoments(10**6, 10**5, 0, math.nan, 1e6, 0, math.nan, 1e6, 0, 1e5)
    users = replace(evidence.users, metrics={"click": {"candidate": bad, "baseline": bad}})
    if 0 < SHARES[stage] < 100:
        assert judge(RULES, stage, replace(evidence, users=users), 1e6).verdict.kind != "promote"


@pytest.mark.slow
@given(evidences(), st.sampled_from(RATES[:3]), st.integers(1, 10**6), st.floats(0, 1e6))
@settings(max_examples=150, deadline=None)
def test_more_harm_never_turns_a_roll_back_into_more(found, rate, more, elapsed):
    stage, evidence = found
    step = evidence.steps[-1]
    one = step.arms.get("candidate", ArmCounts())
    worse = replace(
        one,
        events={**one.events, rate: one.events.get(rate, 0) + more},
        harmed={**one.harmed, rate: one.harmed.get(rate, one.events.get(rate, 0)) + more},
    )
    after = replace(evidence, steps=(replace(step, arms={**step.arms, "candidate": worse}),))
    if judge(RULES, stage, evidence, elapsed).verdict.kind == "roll_back":
        assert judge(RULES, stage, after, elapsed).verdict.kind == "roll_back"


@given(st.floats(allow_nan=True))
@settings(max_examples=30, deadline=None)
def test_time_that_is_no_number_never_promotes(elapsed):
    verdict = judge(RULES, 2, Evidence(), elapsed).verdict
    assert verdict.kind != "promote"
