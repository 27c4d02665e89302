"""From evidence to a verdict: the one place that says whether a rollout goes on, stays, stops or goes back.

In this order:

1. Roll back when a harm test of reaction `roll_back` fires, or an experiment ends worse.
2. Stop, and wait for a person, when one of reaction `hold` fires, users fall on the arms in other shares than
   they should, or an experiment ends without what it requires.
3. Promote when nothing waits: the least time, the candidate's requests, a clean sample ratio, a number of
   every query, and every guardrail clean. Clean is: of rates and averages, what `judge_rates` and
   `judge_means` say; of outputs, enough rows and a small distance; of copies, enough of them answered; of an
   experiment, its requirement met. What is not known is never clean, so no data never promotes.
4. Stop when the stage lasts longer than it may. Else hold, and say what is furthest from being there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from evergreen.project.model.rollout import Rollout
from evergreen.rollout import (
    judge_experiment,
    judge_means,
    judge_outputs,
    judge_pairs,
    judge_queries,
    judge_rates,
    judge_traffic,
)
from evergreen.rollout.evidence import Evidence
from evergreen.rollout.judge_findings import Finding, Step
from evergreen.rollout.record import Verdict


@dataclass(frozen=True)
class Judgement:
    """What follows, and what must be remembered.

    Attributes:
        verdict: With every check's record.
        looks: All looks at the present experiment: those of the evidence, and the one that was due; they are
            kept as `Evidence.looks` in the same write as the verdict.
    """

    verdict: Verdict
    looks: judge_experiment.Looks = ()


def judge(settings: Rollout, stage: int, evidence: Evidence, elapsed: float) -> Judgement:
    """Judge a step.

    Args:
        settings: The project's `rollout` section.
        stage: The stage's index; the number of stages for the soak after the launch.
        evidence: What is known; its last step is the present stage.
        elapsed: Seconds since the stage began.
    """
    step = Step(settings, evidence, stage, elapsed)
    trial, looks = judge_experiment.experiment(step)
    findings = [
        judge_traffic.time(step),
        *judge_traffic.requests(step),
        *judge_traffic.sample_ratio(step),
        *judge_rates.guardrails(step),
        *(judge_means.guardrails(step) if step.stage is not None else ()),
        *judge_pairs.guardrails(step),
        *judge_outputs.guardrails(step),
        *judge_queries.guardrails(step),
        *trial,
    ]
    late = judge_traffic.overdue(step)
    return Judgement(_verdict(findings, late), looks)


def _verdict(findings: Sequence[Finding], late: Finding | None) -> Verdict:
    every = (*findings, late) if late else findings
    checks = tuple(f.decision for f in every)
    kinds: tuple[Literal["roll_back", "stop"], ...] = ("roll_back", "stop")
    for kind in kinds:
        bad = [f for f in findings if f.effect == kind]
        if bad:
            return Verdict(kind, _sentence(bad), checks)
    waits = [f for f in findings if f.effect == "wait"]
    if not waits:
        return Verdict("promote", _clean(findings), checks)
    waits.sort(key=lambda f: f.progress)
    last, names = waits[0].decision.reason, tuple(f.decision.check for f in waits)
    if late:
        return Verdict("stop", f"{late.decision.reason}: {last}", checks, names)
    return Verdict("hold", last, checks, names)


def _sentence(findings: Iterable[Finding]) -> str:
    return "; ".join(f.decision.reason for f in findings)


def _clean(findings: Sequence[Finding]) -> str:
    passed = sum(f.decision.verdict == "pass" for f in findings)
    warned = [f.decision.check for f in findings if f.decision.verdict == "warn"]
    text = f"{passed} checks passed"
    return f"{text}, with warnings: {', '.join(warned)}" if warned else text
