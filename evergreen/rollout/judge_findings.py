"""What one check found, and what follows from it for the step; sentences about numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Literal

from evergreen.decisions import Decision, Mode
from evergreen.decisions import Verdict as Outcome
from evergreen.project.model.rollout import Guardrails, Reaction, Rollout, Stage
from evergreen.rollout.evidence import Evidence, StepEvidence

GATE = "rollout"
CONFIDENCE = 0.05
"""1 less the confidence of the intervals that are shown, and that non-inferiority is read from."""
Effect = Literal["roll_back", "stop", "wait", "clear"]
_MODES: Mapping[Reaction, Mode] = {"roll_back": "fail", "hold": "fail", "warn": "warn", "off": "off"}


@dataclass(frozen=True)
class Finding:
    """A check's record and what follows from it.

    Attributes:
        decision: The record.
        effect: `roll_back` and `stop`: harm, or what needs a person. `wait`: what is needed to go on is not
            shown yet. `clear`: nothing against going on.
        progress: Of a `wait`: how much of what it needs is there, from 0 to 1.
    """

    decision: Decision
    effect: Effect = "clear"
    progress: float = 1.0


@dataclass(frozen=True)
class Step:
    """What is judged: the settings, the evidence, and where the rollout stands.

    Attributes:
        settings: The project's `rollout` section.
        evidence: All of it.
        index: The stage's index; the number of stages for the soak.
        elapsed: Seconds since the stage began.
    """

    settings: Rollout
    evidence: Evidence
    index: int
    elapsed: float

    @property
    def stage(self) -> Stage | None:
        """The stage; None for the soak."""
        return self.settings.stages[self.index] if self.index < len(self.settings.stages) else None

    @property
    def hidden(self) -> bool:
        """Whether users do not see the candidate's answers."""
        return self.stage is not None and self.stage.kind in ("shadow", "dark")

    @property
    def guardrails(self) -> Guardrails:
        """What must not get worse."""
        return self.settings.guardrails

    @property
    def present(self) -> StepEvidence:
        """What routers saw in this stage; empty where they saw nothing yet."""
        steps = self.evidence.steps
        if steps and steps[-1].stage == self.index:
            return steps[-1]
        return StepEvidence(self.index, self.stage.percent if self.stage and not self.hidden else 100.0)

    @property
    def beside(self) -> bool:
        """Whether both arms have users."""
        return not self.hidden and 0 < self.present.share < 100

    @property
    def level(self) -> float:
        """The level of each test of harm: alpha over the number of active ones (Bonferroni)."""
        g = self.guardrails
        rates = (g.errors.reaction, g.latency.reaction, g.empty_outputs.reaction, g.missing_inputs.reaction)
        active = sum(r != "off" for r in (*rates, *(mean.reaction for mean in g.means)))
        return g.alpha / max(1, active)


def found(
    check: str, outcome: Outcome, reason: str, reaction: Reaction = "hold", effect: Effect = "clear",
    progress: float = 1.0,
) -> Finding:  # fmt: skip
    """A finding without numbers; `measured` adds them. A guardrail that only warns has no effect."""
    if reaction in ("warn", "off"):
        effect, outcome = "clear", "warn" if outcome == "fail" else outcome
    progress = min(1.0, max(0.0, progress)) if isfinite(progress) else 0.0
    return Finding(Decision(GATE, check, outcome, reason, mode=_MODES[reaction]), effect, progress)


def harm(check: str, reason: str, reaction: Reaction) -> Finding:
    """The finding that something is worse than tolerated."""
    return found(check, "fail", reason, reaction, "roll_back" if reaction == "roll_back" else "stop")


def waiting(check: str, reason: str, reaction: Reaction = "hold", progress: float = 0.0) -> Finding:
    """The finding that something is not shown yet."""
    return found(check, "skip", reason, reaction, "wait", progress)


def measured(
    finding: Finding,
    observed: float | None,
    threshold: float | None,
    interval: tuple[float, float] | None = None,
) -> Finding:
    """The finding with its numbers; those that are not finite are left out."""
    if observed is not None and not isfinite(observed):
        observed = None
    if interval is not None and not all(isfinite(v) for v in interval):
        interval = None
    decision = replace(finding.decision, observed=observed, threshold=threshold, interval=interval)
    return replace(finding, decision=decision)


def percent(value: float) -> str:
    """A relative change for people: `+4.0 %`; without a fraction from 10 on."""
    return f"{100 * value:+.0f} %" if abs(value) >= 0.1 else f"{100 * value:+.1f} %"


def between(interval: tuple[float, float]) -> str:
    """An interval of relative changes for people: `[-3.0 %, +14 %]`."""
    low, high = (percent(v) if isfinite(v) else "?" for v in interval)
    return f"[{low}, {high}]"


def more(have: float, need: float, what: str) -> str:
    """What is missing, for people: `needs 312 more requests`."""
    return f"needs {max(1, ceil(need - have)):,} more {what}"
