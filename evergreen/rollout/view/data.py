"""A rollout as JSON, for programs: the keys below stay, new ones may come.

`status` prints one object, `history` a list of shorter ones (without `checks`, `events`, `arms`, `routers`).

| key | what |
|---|---|
| id, model, baseline, candidate, by, created, metadata | which rollout, of which versions, by whom, when |
| phase, ended, exit_code | see `evergreen.rollout.record.Phase`; the exit code of `status` |
| direct | a deployment, without stages |
| stage | index, of (how many), name, kind, began, seconds (in it), at_least (seconds) |
| stages | all of them: name, kind, place (passed, present, ahead, skipped) |
| share, mirror | percent of the users who get the candidate; percent of the requests that are copied to it |
| verdict, reason | promote, hold, stop, roll_back or null; why it stands where it stands |
| missing | what is missing for the next stage, one sentence each |
| waits | of a held rollout: evidence, time, disturbed |
| checks | check, verdict, observed, interval, threshold, unit, baseline, candidate, waits, reason |
| arms | by arm, of the present stage: requests, fallbacks, events by rate |
| routers, generation | name, generation, confirmed; and the plan's generation |
| controller | name, heartbeat (seconds since 1970), silent (seconds since then) |
| wish | what a person asked for and is not done yet |
| events | the newest ten: at, what, stage, share, who, reason, generation |

Times are seconds since 1970; `observed`, `interval` and `threshold` are shares of 1 where `unit` is
`relative` or `share`. What is not known is null.
"""

from typing import Any

import msgspec

from evergreen.rollout.codec import finite
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.view.facts import CheckFact, Facts, exit_code, facts_of, present_step, reason_of
from evergreen.rollout.view.units import unit_of

_EVENTS = 10


def summary(record: RolloutRecord, now: float) -> dict[str, Any]:
    """One line of the history as plain data."""
    return dict(finite(_summary(facts_of(record, now))))


def status(record: RolloutRecord, now: float) -> dict[str, Any]:
    """All of it as plain data that JSON knows: no NaN, nothing infinite."""
    facts = facts_of(record, now)
    rest = {
        "stages": msgspec.to_builtins(facts.stages),
        "missing": list(facts.missing),
        "waits": record.waits,
        "checks": [_check(c) for c in facts.checks],
        "arms": {
            arm: {"requests": counts.requests, "fallbacks": counts.fallbacks, "events": dict(counts.events)}
            for arm, counts in sorted(present_step(record).arms.items())
        },
        "routers": msgspec.to_builtins(facts.routers),
        "generation": record.plan.generation,
        "controller": {
            "name": record.holder, "heartbeat": record.heartbeat or None, "silent": facts.silent
        },
        "wish": msgspec.to_builtins(record.wish),
        "events": msgspec.to_builtins(record.events[-_EVENTS:]),
    }  # fmt: skip
    return dict(finite({**_summary(facts), **rest}))


def _summary(facts: Facts) -> dict[str, Any]:
    record = facts.record
    stages = len(facts.stages)
    kind = facts.stages[record.stage].kind if record.stage < stages else "deployment"
    return {
        "id": record.id,
        "model": record.model,
        "baseline": record.baseline,
        "candidate": record.candidate,
        "by": record.by,
        "created": record.created,
        "metadata": dict(record.metadata),
        "phase": record.phase,
        "ended": record.ended,
        "exit_code": exit_code(record),
        "direct": record.direct,
        "stage": {
            "index": record.stage, "of": stages, "name": facts.stage, "kind": kind,
            "began": record.since, "seconds": facts.elapsed, "at_least": facts.least,
        },
        "share": record.plan.share,
        "mirror": record.plan.mirror,
        "verdict": record.verdict.kind if record.verdict else None,
        "reason": reason_of(record),
    }  # fmt: skip


def _check(fact: CheckFact) -> dict[str, Any]:
    d = fact.decision
    return {
        "check": d.check,
        "verdict": d.verdict,
        "observed": d.observed,
        "interval": list(d.interval) if d.interval else None,
        "threshold": d.threshold,
        "unit": unit_of(d.check),
        "baseline": fact.baseline or None,
        "candidate": fact.candidate or None,
        "waits": fact.waits,
        "reason": d.reason,
    }
