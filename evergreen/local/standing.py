"""What users get from a platform with a router, and how its rollout stands: one line each."""

from evergreen.local.state import Folder, Routing
from evergreen.rollout import plans
from evergreen.rollout.plan import RoutePlan
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.stores.local import LocalStates


def standing(folder: Folder, routing: Routing) -> tuple[str, str]:
    """What is served, such as `coupons@3, 5 % coupons@4`, and the last rollout; empty where there is none.

    Raises:
        StorageError: the records cannot be read.
    """
    kept = LocalStates(folder.rollouts).current(routing.model)
    if kept is None:
        return "", ""
    return served(kept.record.plan), rollout(kept.record)


def served(plan: RoutePlan) -> str:
    """Who gets what by a plan; empty before the first."""
    if not plan.generation:
        return ""
    text = f"{plan.model}@{plan.baseline.version}"
    if plan.candidate is None:
        return text
    name = f"{plan.model}@{plan.candidate.version}"
    copies = f"; {plan.mirror:g} % copied to {name}" if plan.mirror else ""
    return f"{text}{f', {plan.share:g} % {name}' if plan.share else ''}{copies}"


def rollout(record: RolloutRecord) -> str:
    """A rollout in one line: id, stage, phase, and why it stands there."""
    phase = record.phase.replace("_", " ")
    why = record.verdict.reason if record.verdict and not record.ended else ""
    if not why and record.events:
        why = record.events[-1].reason
    return f"{record.id}: {plans.stage_name(record)}, {phase}{f': {why}' if why else ''}"
