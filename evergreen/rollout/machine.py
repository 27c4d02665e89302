"""The state machine of a rollout: record and what was seen → next record. Pure: no clock, no network.

    starting → running (stage by stage) → launching → soaking → launched
                  ↕ paused, held
    any of them → rolling_back → rolled_back | aborted | superseded

Rules that hold whatever is seen: the candidate's share grows only by one stage, on a promotion that the
evidence or a person gave, while every router confirms the present plan; a rollback takes the share to 0 first
and is never undone; every new plan has a generation above all that the model ever had.
"""

from dataclasses import replace
from typing import Literal

from evergreen.rollout import advance, plans, wishes
from evergreen.rollout.chronicle import next_generation, noted
from evergreen.rollout.plan import Target
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.seen import Seen, Timing
from evergreen.rollout.withdrawal import alias_moved, kept, refreshed, rolling_back, withdraw

_JUDGED = frozenset({"running", "paused", "held", "launching", "soaking"})


def step(record: RolloutRecord, seen: Seen, now: float, timing: Timing | None = None) -> RolloutRecord:
    """The record after one look.

    Args:
        record: As it stands.
        seen: What the controller saw.
        now: Seconds since 1970.
        timing: What is waited for besides the project's own times.

    Returns:
        The next record; the very same one when nothing changed.
    """
    timing = timing or Timing()
    record = _without_sent(record, seen)
    if record.ended:
        return kept(record, seen, now, timing)
    if record.phase == "rolling_back":
        return rolling_back(record, seen, now, timing)
    if record.phase == "starting":
        return _starting(wishes.obeyed(record, seen, now), seen, now, timing)
    return _under_way(record, seen, now, timing)


def judged(record: RolloutRecord) -> bool:
    """Whether the evidence is asked: whenever users may see the candidate, or it gets copies."""
    return record.phase in _JUDGED and not record.direct and record.plan.candidate is not None


def needed(record: RolloutRecord) -> tuple[int, ...]:
    """The versions whose servers must be up for this record, the most important one first."""
    plan = record.plan
    settled = record.ended or record.phase == "rolling_back" or plan.candidate is None
    if plan.generation and settled:
        return (plan.baseline.version,)
    if record.ended:
        return ()
    if record.direct or not record.baseline:
        return (record.candidate,)
    return (record.baseline, record.candidate)


def alias_goal(record: RolloutRecord) -> Literal["", "forward", "back"]:
    """Where the alias `baseline` is to be moved now: to the candidate, or back to the baseline."""
    if record.phase == "launching":
        return "forward"
    return "back" if record.phase == "rolling_back" and alias_moved(record) else ""


def _without_sent(record: RolloutRecord, seen: Seen) -> RolloutRecord:
    left = tuple(d for d in record.outbox if d["number"] > seen.sent)
    return record if len(left) == len(record.outbox) else replace(record, outbox=left)


def _starting(record: RolloutRecord, seen: Seen, now: float, timing: Timing) -> RolloutRecord:
    if record.phase != "starting":
        return record
    if seen.newer and not record.direct:
        return withdraw(record, seen, now, "superseded", f"{seen.newer} is newer")
    record = record if record.direct else _against(record, seen, now)
    if not record.direct and record.baseline == record.candidate:
        return withdraw(
            record, seen, now, "aborted", f"version {record.candidate} is the baseline already"
        )  # fmt: skip
    if seen.trouble:
        return withdraw(record, seen, now, "failed", seen.trouble)
    endpoints, fallback = (seen.servers.get(v) for v in (record.candidate, record.baseline))
    if not endpoints or not (fallback or record.direct):
        late = now - record.since > timing.start_within
        why = f"its servers were not ready within {timing.start_within:g} s"
        return withdraw(record, seen, now, "failed", why) if late else record
    if seen.older or (seen.aliases is None and not record.direct):
        return record
    if record.direct or not fallback:
        return noted(record, now, "launching", "its servers are ready", phase="launching", since=now)
    targets = Target(record.baseline, fallback), Target(record.candidate, endpoints)
    cause = advance.Cause("started", "every server is ready")
    return advance.entered(record, 0, targets, seen, now, cause)


def _against(record: RolloutRecord, seen: Seen, now: float) -> RolloutRecord:
    """The baseline that users have when the rollout begins; it may have moved since it was asked for."""
    aliases = seen.aliases or {}
    standing = aliases.get("baseline", 0)
    if not standing or standing == record.baseline:
        return record
    plan = replace(record.plan, baseline=Target(standing, ()))
    return replace(record, baseline=standing, previous=aliases.get("previous", 0), plan=plan, since=now)


def _under_way(record: RolloutRecord, seen: Seen, now: float, timing: Timing) -> RolloutRecord:
    if judged(record):
        record = _with_verdict(record, seen, now, timing)
        if seen.verdict and seen.verdict.kind == "roll_back":
            return withdraw(record, seen, now, "rolled_back", seen.verdict.reason)
        if seen.newer and plans.stage_of(record) is not None:
            return withdraw(record, seen, now, "superseded", f"{seen.newer} is newer")
    after = wishes.obeyed(record, seen, now)
    if after.phase == "rolling_back" or after.plan != record.plan:
        return after
    disturbed = _disturbed(after, seen, now)
    if disturbed is not after:
        return disturbed
    fresh = refreshed(after, seen, now)
    if fresh is not after:
        return fresh
    return _by_phase(after, seen, now)


def _by_phase(record: RolloutRecord, seen: Seen, now: float) -> RolloutRecord:
    if record.phase == "launching":
        return _launching(record, seen, now)
    if record.phase == "soaking":
        return advance.soaking(record, seen, now)
    if record.phase == "running":
        return _running(record, seen, now)
    return _held(record, seen, now) if record.phase == "held" else record


def _with_verdict(record: RolloutRecord, seen: Seen, now: float, timing: Timing) -> RolloutRecord:
    """The record with the new verdict; a change of its kind is noted, a flickering one not each time."""
    new, old = seen.verdict, record.verdict
    if new is None or new == old:
        return record
    after = replace(record, verdict=new)
    if old is not None and old.kind == new.kind:
        return after
    last = next((e.at for e in reversed(record.events) if e.what.startswith("verdict")), 0.0)
    if new.kind in ("promote", "hold") and now - last < timing.quiet:
        return after
    return noted(after, now, f"verdict {new.kind.replace('_', ' ')}", new.reason)


def _disturbed(record: RolloutRecord, seen: Seen, now: float) -> RolloutRecord:
    """After a router's dead man: the same stage under a newer generation; an experiment stops there."""
    fired = [r.name for r in seen.routers if r.dead_man and r.generation == record.plan.generation]
    if not fired:
        return record
    why = f"no controller spoke to router {fired[0]} in time; it went back to the baseline by itself"
    plan = replace(record.plan, generation=next_generation(record, seen))
    after = noted(record, now, "dead man", why, plan=plan, since=now)
    stage = plans.stage_of(record)
    if stage is None or stage.kind != "experiment" or record.phase not in ("running", "held"):
        return after
    why = "the assignment of users was disturbed while the controller was silent"
    return noted(after, now, "held", why, phase="held", waits="disturbed")


def _running(record: RolloutRecord, seen: Seen, now: float) -> RolloutRecord:
    stage, verdict = plans.stage_of(record), seen.verdict
    assert stage is not None
    if verdict and verdict.kind == "stop":
        waits = "time" if _late(record, now) else "evidence"
        return noted(record, now, "held", verdict.reason, phase="held", waits=waits)
    lasted = now - record.since >= stage.at_least.total_seconds()
    if verdict and verdict.kind == "promote" and lasted and seen.confirmed(record.plan.generation):
        return advance.promoted(record, seen, now, advance.Cause("promoted", verdict.reason))
    return _overdue(record, now)


def _held(record: RolloutRecord, seen: Seen, now: float) -> RolloutRecord:
    if record.waits != "evidence":
        return record
    if seen.verdict and seen.verdict.kind == "promote":
        phase = "soaking" if advance.launched_already(record) else "running"
        return noted(record, now, "resumed", "the evidence is clean again", phase=phase, waits="")
    return _overdue(record, now)


def _late(record: RolloutRecord, now: float) -> bool:
    stage = plans.stage_of(record)
    most = stage.at_most if stage else None
    return most is not None and now - record.since > most.total_seconds()


def _overdue(record: RolloutRecord, now: float) -> RolloutRecord:
    if not _late(record, now):
        return record
    last = f": {record.verdict.reason}" if record.verdict else ""
    why = f"the stage lasted {now - record.since:.0f} s, longer than it may{last}"
    return noted(record, now, "held", why, phase="held", waits="time")


def _launching(record: RolloutRecord, seen: Seen, now: float) -> RolloutRecord:
    if seen.alias == "refused":
        if record.direct and not record.plan.generation:
            return withdraw(record, seen, now, "failed", seen.alias_why)
        return withdraw(record, seen, now, "rolled_back", seen.alias_why)
    if record.direct:
        started = record.plan.generation > 0 or seen.alias == "done"
        return advance.deploying(record, seen, now) if started else record
    return advance.launching(record, seen, now) if seen.alias == "done" else record
