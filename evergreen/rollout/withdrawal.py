"""Back: weight 0 first, then the alias, then, later, the servers; and the upkeep of what has ended."""

from dataclasses import replace

from evergreen.rollout import plans
from evergreen.rollout.chronicle import CONTROLLER, next_generation, noted
from evergreen.rollout.plan import Target
from evergreen.rollout.record import Mark, Phase, RolloutRecord
from evergreen.rollout.seen import Seen, Timing


def withdraw(
    record: RolloutRecord, seen: Seen, now: float, ends: Phase, why: str, who: str = CONTROLLER
) -> RolloutRecord:
    """Take the candidate from every user, and its copies away; nobody has seen it when no plan was sent."""
    if not record.plan.generation:
        return noted(record, now, ends, why, who=who, phase=ends, since=now, waits="")
    plan = plans.withdrawn(record, next_generation(record, seen))
    return noted(
        record, now, "rolling back", why, who=who,
        phase="rolling_back", ends=ends, since=now, plan=plan, waits="", wish=None,
        marks=(*record.marks, Mark(plan.generation, -1)),
    )  # fmt: skip


def rolling_back(record: RolloutRecord, seen: Seen, now: float, timing: Timing) -> RolloutRecord:
    """A rollback ends when every router has confirmed it and the alias is back; nothing else ends it."""
    record = refreshed(replace(record, wish=None) if record.wish else record, seen, now)
    alias_back = seen.alias == "done" or not alias_moved(record)
    if not alias_back or not _withdrawn(record, seen, now, timing):
        return record
    ends = record.ends or "rolled_back"
    gone = [r.name for r in seen.routers if not r.has(record.plan.generation)]
    why = f"every user has version {record.baseline} again"
    if gone:
        why += f"; {', '.join(gone)} could not be reached and went back by itself"
    return noted(record, now, ends.replace("_", " "), why, phase=ends, since=now)


def alias_moved(record: RolloutRecord) -> bool:
    """Whether the launch had begun, so that the alias `baseline` may stand at the candidate."""
    return not record.direct and plans.stage_of(record) is None


def refreshed(record: RolloutRecord, seen: Seen, now: float) -> RolloutRecord:
    """The same plan under a newer generation when servers have moved, or a router knows a higher one."""
    plan = record.plan
    if not plan.generation:
        return record
    baseline, candidate = moved(plan.baseline, seen), moved(plan.candidate, seen)
    ahead = [r.name for r in seen.routers if (r.generation or 0) > plan.generation]
    same = (baseline, candidate) == (plan.baseline, plan.candidate)
    if baseline is None or (same and not ahead):
        return record
    why = f"router {ahead[0]} knew a higher generation" if ahead else "servers have other addresses"
    generation = next_generation(record, seen)
    plan = replace(plan, baseline=baseline, candidate=candidate, generation=generation)
    return noted(record, now, "reissued", why, plan=plan)


def moved(target: Target | None, seen: Seen) -> Target | None:
    """The target at the addresses that its servers have now; those of servers that are not ready stay."""
    endpoints = seen.servers.get(target.version) if target else None
    return Target(target.version, endpoints) if target and endpoints else target


def _withdrawn(record: RolloutRecord, seen: Seen, now: float, timing: Timing) -> bool:
    """Whether no router sends anybody to the candidate: it confirms, or its dead man has fired by now."""
    dead_man = record.plan.dead_man
    silent = dead_man > 0 and now - record.since > dead_man + timing.grace
    unheard = [r for r in seen.routers if not r.has(record.plan.generation)]
    if not seen.routers:
        return silent
    return not unheard or (silent and all(r.generation is None for r in unheard))


def kept(record: RolloutRecord, seen: Seen, now: float, timing: Timing) -> RolloutRecord:
    """The upkeep of what has ended: its last plan, until a newer rollout takes over; then the clean-up."""
    if record.replaced and seen.released:
        return replace(record, replaced="")
    if seen.newer and not record.replaced:
        return replace(record, replaced=seen.newer, settled=False)
    mine = seen.current and not record.replaced
    if mine:
        record = refreshed(record, seen, now)
    if record.settled or now - record.since < timing.drain:
        return record
    if record.replaced and record.plan.generation and not seen.overtaken:
        return record
    if mine and record.plan.candidate is not None:
        plan = replace(record.plan, candidate=None, generation=next_generation(record, seen))
        return noted(record, now, "drained", f"version {record.candidate} gets no requests", plan=plan)
    done = seen.removed and seen.shipped and not record.outbox
    if done and leftover(record, seen, now, timing) is not None:
        return replace(record, settled=True)
    return record


def leftover(record: RolloutRecord, seen: Seen, now: float, timing: Timing) -> int | None:
    """The version whose servers are to be removed now; 0 for none, None while it is too early.

    Every router must have confirmed the last plan: one that has not may still need them, if only when its
    dead man fires.
    """
    if not record.ended or record.settled or now - record.since < timing.drain:
        return None
    mine = seen.current and not record.replaced
    if mine and (
        record.plan.candidate is not None or not all(r.has(record.plan.generation) for r in seen.routers)
    ):
        return None
    version = record.baseline if record.phase == "launched" else record.candidate
    used = {record.plan.baseline.version} if mine and record.plan.generation else set()
    return 0 if version in used | seen.in_use else version
