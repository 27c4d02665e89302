"""Forward: into a stage, on to the next one, through the launch."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from evergreen.rollout import plans, tally
from evergreen.rollout.chronicle import CONTROLLER, next_generation, noted
from evergreen.rollout.plan import Target
from evergreen.rollout.record import Mark, RolloutRecord
from evergreen.rollout.seen import Seen

_STAGED = frozenset({"running", "paused", "held", "soaking"})
_APPLYING = 1.0  # seconds that routers may take for a plan


@dataclass(frozen=True)
class Cause:
    """Why something is done: what it is called, the reason, and by whom."""

    what: str
    why: str
    who: str = CONTROLLER


def launched_already(record: RolloutRecord) -> bool:
    """Whether the rollout is past its last stage and the move of the alias: it soaks, or is held there."""
    return plans.stage_of(record) is None and record.phase != "launching"


def promoted(record: RolloutRecord, seen: Seen, now: float, cause: Cause) -> RolloutRecord:
    """The next stage, or the launch. The caller has seen that every router confirms the present plan."""
    if launched_already(record):
        return finishing(record, seen, now, cause)
    stages = plans.settings_of(record).stages
    if record.stage + 1 >= len(stages):
        return noted(
            record, now, "launching", cause.why, who=cause.who,
            phase="launching", stage=len(stages), since=now, waits="",
        )  # fmt: skip
    assert record.plan.candidate is not None
    targets = record.plan.baseline, record.plan.candidate
    return entered(record, record.stage + 1, targets, seen, now, cause)


def entered(
    record: RolloutRecord, stage: int, targets: tuple[Target, Target], seen: Seen, now: float, cause: Cause
) -> RolloutRecord:
    """The record as a stage begins, or the soak after the last one."""
    generation = next_generation(record, seen)
    plan = plans.staged(record, stage, targets, generation)
    soaking = stage >= len(plans.settings_of(record).stages)
    return noted(
        record, now, cause.what, cause.why, who=cause.who,
        phase="soaking" if soaking else "running", stage=stage, since=now, plan=plan, verdict=None, waits="",
        marks=(*record.marks, Mark(generation, stage)),
        evidence=tally.begun(record.evidence, stage, plan.share),
    )  # fmt: skip


def carried_out(
    record: RolloutRecord, confirmed: Mapping[str, int], everywhere: bool, now: float
) -> RolloutRecord:
    """The record with what routers confirm; where that took long, the stage begins only now.

    Until the last router had the plan, users fell on the arms by the one before: after a controller was
    killed in between, or while a router was away. What they saw then is no evidence of this stage.

    Args:
        record: As it stands.
        confirmed: By router: the generation.
        everywhere: Whether every router confirms the present plan.
        now: Seconds since 1970.
    """
    if not everywhere:
        return replace(record, confirmed=confirmed)
    generation = record.plan.generation
    after = replace(record, confirmed=confirmed, carried=max(record.carried, generation))
    marked = record.marks[-1].generation if record.marks else 0
    given_back = max((e.generation for e in record.events if e.what == "dead man"), default=0)
    begins = record.carried < max(marked, given_back) and now - record.since > _APPLYING
    return replace(after, since=now) if begins and record.phase in _STAGED else after


def finishing(record: RolloutRecord, seen: Seen, now: float, cause: Cause) -> RolloutRecord:
    """The last plan: the candidate is the baseline, and there is no other version."""
    assert record.plan.candidate is not None
    plan = plans.launched(record, record.plan.candidate.endpoints, next_generation(record, seen))
    return noted(
        record, now, "finishing", cause.why, who=cause.who, plan=plan, phase="soaking", waits="",
        marks=(*record.marks, Mark(plan.generation, -1)),
    )  # fmt: skip


def launching(record: RolloutRecord, seen: Seen, now: float) -> RolloutRecord:
    """Past the move of the alias: the soak, or the last plan when none was asked for."""
    assert record.plan.candidate is not None
    if plans.settings_of(record).soak.total_seconds() == 0:
        return finishing(record, seen, now, Cause("finishing", "no soak was asked for"))
    targets = record.plan.baseline, record.plan.candidate
    cause = Cause("soaking", f"the alias baseline stands at version {record.candidate}")
    return entered(record, record.stage, targets, seen, now, cause)


def soaking(record: RolloutRecord, seen: Seen, now: float) -> RolloutRecord:
    """The soak, until its time is over, the evidence clean and every router heard."""
    if record.plan.candidate is None:
        return landed(record, seen, now)
    verdict = seen.verdict
    if verdict and verdict.kind == "stop":
        return noted(record, now, "held", verdict.reason, phase="held", waits="evidence")
    over = now - record.since >= plans.settings_of(record).soak.total_seconds()
    if verdict and verdict.kind == "promote" and over and seen.confirmed(record.plan.generation):
        return finishing(record, seen, now, Cause("finishing", "the soak is over"))
    return record


def deploying(record: RolloutRecord, seen: Seen, now: float) -> RolloutRecord:
    """A deployment: the plan as soon as the alias stands, the end as soon as every router has it."""
    endpoints = seen.servers.get(record.candidate)
    if record.plan.generation or not endpoints:
        return landed(record, seen, now)
    generation = next_generation(record, seen)
    plan = plans.launched(record, endpoints, generation)
    why = f"the alias baseline stands at version {record.candidate}"
    return noted(record, now, "routed", why, plan=plan, marks=(Mark(generation, record.stage),))


def landed(record: RolloutRecord, seen: Seen, now: float) -> RolloutRecord:
    """The end, once every router confirms the last plan."""
    if not record.plan.generation or not seen.confirmed(record.plan.generation):
        return record
    why = f"version {record.candidate} is the baseline on every router"
    return noted(record, now, "launched", why, phase="launched", since=now)
