"""Which plan belongs to which stage of a rollout; pure."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec

from evergreen.project.model.rollout import Rollout, Stage
from evergreen.rollout.plan import RoutePlan, Target
from evergreen.rollout.record import RolloutRecord

_LEAST_TIMEOUT = 1.0
_OBJECTIVES = 4.0


@lru_cache(maxsize=64)
def _parsed(text: str) -> Rollout:
    return Rollout.model_validate_json(text)


def settings_of(record: RolloutRecord) -> Rollout:
    """The record's `settings` as the project's section."""
    return _parsed(msgspec.json.encode(record.settings).decode())


def stage_of(record: RolloutRecord) -> Stage | None:
    """The stage under way; None from the launch on."""
    stages = settings_of(record).stages
    return stages[record.stage] if record.stage < len(stages) else None


def stage_name(record: RolloutRecord) -> str:
    """The stage as people read it: `shadow`, `canary 5 %`, `launch`, `soak`."""
    if record.direct:
        return "deployment"
    stage = stage_of(record)
    if stage is None:
        return "launch" if record.phase == "launching" else "soak"
    return f"{stage.kind} {stage.percent:g} %"


def first_plan(
    model: str, baseline: int, settings: Rollout, serving: Mapping[str, Any], rollout: str
) -> RoutePlan:
    """The plan of a rollout before it has any generation: it is never sent."""
    slo = settings.guardrails.latency.slo.total_seconds()
    return RoutePlan(
        model=model,
        rollout=rollout,
        generation=0,
        baseline=Target(baseline, ()),
        salt=rollout,
        user_header=str(serving.get("user_header", RoutePlan.user_header)),
        slo=slo,
        window=settings.guardrails.window.total_seconds(),
        timeout=max(_LEAST_TIMEOUT, _OBJECTIVES * slo),
        dead_man=settings.dead_man.total_seconds(),
    )


def staged(record: RolloutRecord, stage: int, targets: tuple[Target, Target], generation: int) -> RoutePlan:
    """The plan of a stage; past the last one everybody has the candidate, with the baseline as fallback.

    Args:
        record: Of the rollout.
        stage: Index into the settings' stages.
        targets: Baseline and candidate.
        generation: Of the new plan.
    """
    stages = settings_of(record).stages
    share, mirror = 100.0, 0.0
    if stage < len(stages):
        copies = stages[stage].kind in ("shadow", "dark")
        share, mirror = (0.0, stages[stage].percent) if copies else (stages[stage].percent, 0.0)
    baseline, candidate = targets
    return replace(
        record.plan, generation=generation, baseline=baseline, candidate=candidate, share=share, mirror=mirror
    )


def launched(record: RolloutRecord, endpoints: tuple[str, ...], generation: int) -> RoutePlan:
    """The plan after the launch: the candidate is the baseline, and there is no other version."""
    target = Target(record.candidate, endpoints)
    return replace(record.plan, generation=generation, baseline=target, candidate=None, share=0.0, mirror=0.0)


def withdrawn(record: RolloutRecord, generation: int) -> RoutePlan:
    """The plan of a rollback: weight 0 and no copies; the candidate stays known, so that it drains."""
    return replace(record.plan, generation=generation, share=0.0, mirror=0.0)
