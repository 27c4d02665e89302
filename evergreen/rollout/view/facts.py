"""What a rollout's record says, as plain values: stages, checks with both arms' figures, what is missing.

Pure: the record and the time go in, the same values come out; nothing is written for one kind of output.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from evergreen.decisions import Decision
from evergreen.project.model.rollout import Stage
from evergreen.rollout import plans
from evergreen.rollout.evidence import ArmCounts, StepEvidence
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.view.figures import figures

Place = Literal["passed", "present", "ahead", "skipped"]
REFUSED = frozenset({"rolled_back", "aborted", "superseded"})
"""Phases that end a rollout because somebody, or the evidence, said no: exit code 1."""
_NONE = ArmCounts()


@dataclass(frozen=True)
class StageFact:
    """A stage on the way.

    Attributes:
        name: Such as `canary 5 %`.
        kind: shadow, dark, canary, experiment; `soak` for what follows the launch.
        place: Where the rollout is with it.
    """

    name: str
    kind: str
    place: Place


@dataclass(frozen=True)
class CheckFact:
    """One check of the last verdict, with the figures of both arms behind it.

    Attributes:
        decision: The check's record.
        baseline: The baseline's figure, for people; empty where there is none.
        candidate: The candidate's.
        waits: Whether it keeps the rollout from going on.
    """

    decision: Decision
    baseline: str
    candidate: str
    waits: bool


@dataclass(frozen=True)
class RouterFact:
    """A router: the generation that it confirmed, and whether that is the present one."""

    name: str
    generation: int
    confirmed: bool


@dataclass(frozen=True)
class Facts:
    """A rollout as it stands at a time.

    Attributes:
        record: The record.
        now: Seconds since 1970.
        stage: The present stage's name.
        stages: All of them, and the soak.
        elapsed: Seconds in the present stage.
        least: Seconds that it must last.
        checks: Of the last verdict.
        missing: What is missing for the next stage, one sentence each.
        routers: Those that ever confirmed a plan.
        silent: Seconds since a controller last looked; None when none ever did.
    """

    record: RolloutRecord
    now: float
    stage: str
    stages: tuple[StageFact, ...]
    elapsed: float
    least: float
    checks: tuple[CheckFact, ...]
    missing: tuple[str, ...]
    routers: tuple[RouterFact, ...]
    silent: float | None


def facts_of(record: RolloutRecord, now: float) -> Facts:
    """The facts of a record.

    Args:
        record: As it was read.
        now: Seconds since 1970; times are counted up to it, or to the end of a rollout that has ended.
    """
    settings, stage = plans.settings_of(record), plans.stage_of(record)
    least = (stage.at_least if stage else settings.soak).total_seconds()
    checks = tuple(_check(record, d) for d in (record.verdict.checks if record.verdict else ()))
    heartbeat = record.heartbeat
    return Facts(
        record=record,
        now=now,
        stage=plans.stage_name(record),
        stages=() if record.direct else _stages(record, settings.stages),
        elapsed=max(0.0, (record.since if record.ended else now) - _entered(record)),
        least=0.0 if record.direct or record.phase in ("starting", "launching") else least,
        checks=checks,
        missing=_missing(record, checks),
        routers=tuple(
            RouterFact(name, generation, generation == record.plan.generation)
            for name, generation in sorted(record.confirmed.items())
        ),
        silent=max(0.0, now - heartbeat) if heartbeat else None,
    )


def present_step(record: RolloutRecord) -> StepEvidence:
    """What routers saw in the present stage; empty before the first."""
    steps = record.evidence.steps
    return steps[-1] if steps else StepEvidence(record.stage, record.plan.share)


def arms_of(step: StepEvidence) -> tuple[ArmCounts, ArmCounts]:
    """Of baseline and candidate; where nobody sees the candidate its own are empty."""
    return step.arms.get("baseline", _NONE), step.arms.get("candidate", _NONE)


def phase_words(record: RolloutRecord) -> str:
    """The phase for people, with what a held rollout waits for."""
    waits: Mapping[str, str] = {
        "evidence": "until the evidence is clean, or a person decides",
        "time": "for a person: it took too long",
        "disturbed": "for a person: the assignment of users was disturbed",
    }
    words = record.phase.replace("_", " ")
    if record.phase == "held" and record.waits:
        return f"held {waits[record.waits]}"
    if record.phase == "rolling_back" and record.ends:
        return f"rolling back, then {record.ends.replace('_', ' ')}"
    return words


def exit_code(record: RolloutRecord) -> int:
    """0: launched or going on; 1: taken back; 3: it could not be done."""
    return 1 if record.phase in REFUSED else 3 if record.phase == "failed" else 0


def reason_of(record: RolloutRecord) -> str:
    """Why it stands where it stands: of a rollback what began it, else the verdict, else the last event."""
    if record.phase in REFUSED or record.phase == "rolling_back":
        for event in reversed(record.events):
            if event.what == "rolling back":
                return event.reason
    elif record.verdict and not record.ended:
        return record.verdict.reason
    return record.events[-1].reason if record.events else ""


def _stages(record: RolloutRecord, stages: list[Stage]) -> tuple[StageFact, ...]:
    names = [(f"{s.kind} {s.percent:g} %", str(s.kind)) for s in stages]
    names.append(("soak", "soak"))
    reached = {step.stage for step in record.evidence.steps}
    return tuple(StageFact(n, kind, _place(record, i, reached)) for i, (n, kind) in enumerate(names))


def _place(record: RolloutRecord, index: int, reached: set[int]) -> Place:
    if record.phase == "launched":
        return "passed"
    if record.phase == "starting":
        return "ahead"
    taken_back = record.phase in REFUSED or record.phase in ("rolling_back", "failed")
    if index < record.stage:
        return "passed"
    if index == record.stage and (index in reached or not taken_back):
        return "present"
    return "skipped" if taken_back else "ahead"


def _entered(record: RolloutRecord) -> float:
    """When the stage began; of one that has ended, what it began with is in the events."""
    if not record.ended and record.phase != "rolling_back":
        return record.since
    name = plans.stage_name(record)
    began = [e.at for e in record.events if e.stage == name]
    return min(began, default=record.since)


def _check(record: RolloutRecord, decision: Decision) -> CheckFact:
    baseline, candidate = figures(record, decision.check)
    waits = record.verdict is not None and decision.check in record.verdict.waits
    return CheckFact(decision, baseline, candidate, waits and not record.ended)


def _missing(record: RolloutRecord, checks: tuple[CheckFact, ...]) -> tuple[str, ...]:
    if record.verdict is None or record.verdict.kind == "promote" or record.ended:
        return ()
    by_name = {c.decision.check: c.decision.reason for c in checks}
    found = [c.decision.reason for c in checks if c.decision.verdict == "fail"]
    found += [by_name[name] for name in record.verdict.waits if name in by_name]
    return tuple(dict.fromkeys(found))
