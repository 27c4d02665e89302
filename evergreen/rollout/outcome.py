"""Who won an experiment, from its looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from evergreen.project.model.rollout import Stage, SuccessMetric
from evergreen.rollout.judge_experiment import Result, result_of
from evergreen.rollout.statistics.boundaries import bounds

Looks = tuple[Mapping[str, float], ...]
Winner = Literal["candidate", "baseline", "none"]


@dataclass(frozen=True)
class MetricOutcome:
    """One success metric.

    Attributes:
        name: The event; with `/user` behind it when it is counted by user.
        metric: Its settings.
        result: What the looks say.
        relative: Candidate over baseline, less 1, at the last look; None before the first.
        interval: Of `relative`.
        points: z by look: the part of the planned users that were there, and z; better is above 0.
    """

    name: str
    metric: SuccessMetric
    result: Result
    relative: float | None
    interval: tuple[float, float] | None
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Outcome:
    """An experiment as it stands.

    Attributes:
        winner: `candidate` when it is better on one success metric at least and worse on none; `baseline`
            when the candidate is worse on one; else `none`.
        metrics: Each success metric.
        bounds: The part of the planned users at each look, and the bound for |z|: first those of the looks
            that were taken, then those of the looks to come.
        taken: How many looks were taken.
    """

    winner: Winner
    metrics: tuple[MetricOutcome, ...]
    bounds: tuple[tuple[float, float], ...]
    taken: int


def outcome_of(stage: Stage, looks: Looks) -> Outcome:
    """What the looks of an experiment say."""
    metrics = tuple(_metric(stage, metric, looks) for metric in stage.success)
    results = {m.result for m in metrics}
    winner: Winner = "none"
    if results & {"worse", "much worse"}:
        winner = "baseline"
    elif "better" in results:
        winner = "candidate"
    return Outcome(winner, metrics, _bounds(stage, looks), len(looks))


def _metric(stage: Stage, metric: SuccessMetric, looks: Looks) -> MetricOutcome:
    name = metric.event if metric.per == "request" else f"{metric.event}/user"
    last = looks[-1] if looks else {}
    low, high = last.get(f"low {name}"), last.get(f"high {name}")
    points = tuple(
        (look["users"] / stage.users, look[f"z {name}"]) for look in looks if f"z {name}" in look
    )  # fmt: skip
    return MetricOutcome(
        name, metric, result_of(stage, metric, looks) if looks else "open", last.get(f"relative {name}"),
        (low, high) if low is not None and high is not None else None, points,
    )  # fmt: skip


def _bounds(stage: Stage, looks: Looks) -> tuple[tuple[float, float], ...]:
    taken = [look["users"] / stage.users for look in looks]
    last = taken[-1] if taken else 0.0
    planned = [k / stage.looks for k in range(1, stage.looks + 1) if k / stage.looks > last + 1e-9]
    times = (*taken, *planned)
    found = bounds(times, stage.alpha / max(1, len(stage.success)))
    return tuple(zip(times, found, strict=True))
