"""Which events are summed by user, as the project's `rollout` section asks for them."""

from dataclasses import dataclass

from evergreen.project.model.rollout import Rollout

RETRY = "retry"
_WITHIN = 60.0


@dataclass(frozen=True)
class Metric:
    """One metric of guardrails or experiments.

    Attributes:
        name: Its key in `UserEvidence.metrics`: the event; with `/user` behind it only where the same event
            is asked for by request and by user.
        event: What is summed.
        by_user: Whether a user's sum counts as it is, or divided by the user's requests.
    """

    name: str
    event: str
    by_user: bool = False


@dataclass(frozen=True)
class Wanted:
    """What a rollout needs from the prediction log.

    Attributes:
        metrics: Ordered by name.
        events: The events they are made of, sorted; their places name columns of the state.
        within: Seconds; a request by the same user so soon after the last one is a retry.
    """

    metrics: tuple[Metric, ...] = ()
    events: tuple[str, ...] = ()
    within: float = _WITHIN


def wanted(settings: Rollout) -> Wanted:
    """The metrics of all mean guardrails that are not off, and of the experiments of all stages."""
    means = [mean for mean in settings.guardrails.means if mean.reaction != "off"]
    successes = [metric for stage in settings.stages for metric in stage.success]
    asked = {(mean.event, False) for mean in means}
    asked |= {(metric.event, metric.per == "user") for metric in successes}
    metrics = [Metric(_name(event, by_user, asked), event, by_user) for event, by_user in asked]
    within = [mean.within.total_seconds() for mean in means if mean.event == RETRY]
    return Wanted(
        tuple(sorted(metrics, key=lambda m: m.name)),
        tuple(sorted({event for event, _ in asked})),
        within[0] if within else _WITHIN,
    )


def _name(event: str, by_user: bool, asked: set[tuple[str, bool]]) -> str:
    return f"{event}/user" if by_user and (event, False) in asked else event
