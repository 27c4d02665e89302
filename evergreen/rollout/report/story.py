"""What happened in a rollout, stage by stage, from its record and its decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evergreen.project.model.rollout import Rollout, Stage
from evergreen.rollout import plans
from evergreen.rollout.evidence import Passed, StepEvidence, UserEvidence
from evergreen.rollout.record import Event, RolloutRecord

Looks = tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class StageStory:
    """A stage that was entered.

    Attributes:
        index: Of the stage; past the last one it is the soak.
        name: Such as `canary 5 %`.
        stage: Its settings; None for the soak.
        began: Seconds since 1970.
        ended: The same; None while it is under way.
        left: Why it was left.
        step: What routers saw.
        users: What the prediction log said of users.
        looks: Of its experiment.
    """

    index: int
    name: str
    stage: Stage | None
    began: float
    ended: float | None
    left: str
    step: StepEvidence
    users: UserEvidence
    looks: Looks = ()

    @property
    def hidden(self) -> bool:
        """Whether users did not see the candidate."""
        return self.stage is not None and self.stage.kind in ("shadow", "dark")


@dataclass(frozen=True)
class Moment:
    """From then on: percent of the users with the candidate, percent of the requests that are copied."""

    at: float
    share: float
    mirror: float


@dataclass(frozen=True)
class Story:
    """A rollout as it went.

    Attributes:
        record: The record.
        settings: The project's section.
        events: All that happened, oldest first.
        decisions: The records behind them.
        stages: Those that were entered, in order.
        moments: How the shares went.
        now: Seconds since 1970.
    """

    record: RolloutRecord
    settings: Rollout
    events: tuple[Event, ...]
    decisions: tuple[Mapping[str, Any], ...]
    stages: tuple[StageStory, ...]
    moments: tuple[Moment, ...]
    now: float

    @property
    def live(self) -> tuple[StageStory, ...]:
        """The stages in which users saw the candidate."""
        return tuple(s for s in self.stages if not s.hidden)


def story_of(record: RolloutRecord, decisions: Sequence[Mapping[str, Any]], now: float) -> Story:
    """Put it together.

    Args:
        record: As it stands.
        decisions: As `archive.decisions_of` reads them; may be empty: then the record's own events tell.
        now: Seconds since 1970; until then a rollout that goes on has lasted.
    """
    settings = plans.settings_of(record)
    events = _events(record, decisions)
    stages = _stages(record, settings, events)
    moments = _moments(record, settings, events)
    return Story(record, settings, events, tuple(decisions), stages, moments, now)


def _events(record: RolloutRecord, decisions: Sequence[Mapping[str, Any]]) -> tuple[Event, ...]:
    """From the decisions where they reach further back than the record's newest 200."""
    if len(decisions) < len(record.events):
        return record.events
    fields = ("at", "what", "stage", "share", "who", "reason", "generation")
    return tuple(Event(**{name: d[name] for name in fields}) for d in decisions)


def _stages(record: RolloutRecord, settings: Rollout, events: Sequence[Event]) -> tuple[StageStory, ...]:
    entered: dict[int, Event] = {}
    for mark in record.marks:
        first = next((e for e in events if e.generation == mark.generation), None)
        if first is not None:
            entered.setdefault(mark.stage, first)
    kept = {p.stage: p for p in record.evidence.passed}
    steps = record.evidence.steps
    present = Passed(steps[-1].stage, record.evidence.users, record.evidence.looks) if steps else None
    found = []
    for number, step in enumerate(steps):
        if step.stage not in entered:
            continue
        stage = settings.stages[step.stage] if step.stage < len(settings.stages) else None
        following = steps[number + 1].stage if number + 1 < len(steps) else None
        left = entered.get(following) if following is not None else _end(record, events)
        last = number + 1 == len(steps)
        users = present if last and present else kept.get(step.stage, Passed(step.stage))
        found.append(
            StageStory(
                step.stage, f"{stage.kind} {stage.percent:g} %" if stage else "soak", stage,
                entered[step.stage].at, left.at if left else None, left.reason if left else "",
                step, users.users, users.looks,
            )
        )  # fmt: skip
    return tuple(found)


def _end(record: RolloutRecord, events: Sequence[Event]) -> Event | None:
    """What ended the last stage."""
    return next((e for e in events if e.what in ("rolling back", "finishing")), None)


def _moments(record: RolloutRecord, settings: Rollout, events: Sequence[Event]) -> tuple[Moment, ...]:
    copies = {f"{s.kind} {s.percent:g} %": s.percent for s in settings.stages if s.kind in ("shadow", "dark")}
    found: list[Moment] = []
    launched = withdrawn = False
    for event in events:
        # The last plan has no candidate any more: it is the baseline.
        launched = launched or event.what in ("finishing", "launched", "routed")
        withdrawn = withdrawn or event.what == "rolling back"
        live = event.generation > 0 and not withdrawn
        mirror = copies.get(event.stage, 0.0) if live and not event.share and not launched else 0.0
        found.append(Moment(event.at, 100.0 if launched else event.share, mirror))
    return tuple(found)
