"""What is kept of a rollout: one record, changed by compare-and-swap, from which any controller can go on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from evergreen.decisions import Decision
from evergreen.rollout.evidence import Evidence
from evergreen.rollout.plan import RoutePlan

Phase = Literal[
    "starting", "running", "paused", "held", "launching", "soaking",
    "launched", "rolling_back", "rolled_back", "aborted", "superseded", "failed",
]  # fmt: skip
ENDED: frozenset[str] = frozenset({"launched", "rolled_back", "aborted", "superseded", "failed"})
"""The phases that are final.

`starting`: the candidate's servers come up. `running`: a stage is under way. `paused`: a person stopped it.
`held`: a guardrail or a stage's end stopped it. `launching`: the baseline alias moves. `soaking`: launched,
the old baseline still ready. `rolling_back`: weight 0 is being confirmed.
"""

Order = Literal["pause", "resume", "promote", "abort", "roll_back"]
Waits = Literal["", "evidence", "time", "disturbed"]
"""What a held rollout waits for: clean evidence, or a person; past its time, or disturbed, a person only."""


@dataclass(frozen=True)
class Wish:
    """What a person, or a pipeline, asked the controller to do."""

    order: Order
    who: str
    why: str
    at: float


@dataclass(frozen=True)
class Verdict:
    """What follows from the evidence.

    Attributes:
        kind: `promote`: go on to the next stage; `hold`: stay; `stop`: stay, and wait for a person;
            `roll_back`.
        reason: One sentence for people.
        checks: Every check with what was observed and its interval; `gate` is `rollout`.
        waits: The checks that do not show yet what it takes to go on; first the one that is furthest from it.
    """

    kind: Literal["promote", "hold", "stop", "roll_back"]
    reason: str
    checks: tuple[Decision, ...] = ()
    waits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """Something that happened to a rollout."""

    at: float
    what: str
    stage: str
    share: float
    who: str
    reason: str
    generation: int = 0


@dataclass(frozen=True)
class Mark:
    """From this generation on the plan is that of this stage; -1: of none, it is over."""

    generation: int
    stage: int


@dataclass(frozen=True)
class RolloutRecord:
    """A rollout as it stands.

    Attributes:
        id: `<model>-<candidate version>-<6 hex digits>`.
        model: The model's name.
        baseline: Version that users had before.
        candidate: Version that is being rolled out.
        previous: The alias `previous` before the launch, 0 for none.
        settings: The project's `rollout` section as plain data.
        serving: The project's `serving` section as plain data.
        phase: See `Phase`.
        stage: Index into the settings' stages; past the last one it is the launch.
        since: When the stage began (seconds since 1970, controller's clock).
        created: When the rollout began.
        by: Who started it.
        plan: What the routers shall do: the intent.
        confirmed: By router: the generation that it has applied.
        evidence: What is known.
        verdict: The last one.
        wish: What somebody asked for and is not done yet.
        events: What happened, oldest first; the newest 200.
        heartbeat: When a controller last looked.
        holder: The controller that last looked.
        metadata: What a pipeline wants to find again, such as its run id.
        direct: Without stages: a first deployment, or the way back to `previous`.
        waits: What a held rollout waits for.
        ends: The phase that a rollback under way ends in.
        marks: Which generations belong to which stage, oldest first.
        replaced: The rollout that took the model's plan over; from then on this record's plan never changes.
        settled: Nothing is left to do for it: servers removed, records shipped.
        decided: How many decisions were taken; the number of the last one.
        outbox: Decisions that are not in the object store yet.
        carried: The newest generation that every router has confirmed.
    """

    id: str
    model: str
    baseline: int
    candidate: int
    settings: Mapping[str, Any]
    serving: Mapping[str, Any]
    phase: Phase
    stage: int
    since: float
    created: float
    by: str
    plan: RoutePlan
    previous: int = 0
    confirmed: Mapping[str, int] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)
    verdict: Verdict | None = None
    wish: Wish | None = None
    events: tuple[Event, ...] = ()
    heartbeat: float = 0.0
    holder: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    direct: bool = False
    waits: Waits = ""
    ends: Phase | None = None
    marks: tuple[Mark, ...] = ()
    replaced: str = ""
    settled: bool = False
    decided: int = 0
    outbox: tuple[Mapping[str, Any], ...] = ()
    carried: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase in ENDED
