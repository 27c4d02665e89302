"""Averages over users that must not get worse: CTR, retry rate."""

from evergreen.project.model.rollout import MeanGuardrail
from evergreen.rollout.evidence import Evidence, UserMoments
from evergreen.rollout.judge_findings import (
    CONFIDENCE,
    Finding,
    Step,
    between,
    found,
    harm,
    measured,
    more,
    percent,
    waiting,
)
from evergreen.rollout.statistics.means import Comparison, compare, floored
from evergreen.rollout.statistics.sequences import multiplier

_NONE = UserMoments()


def guardrails(step: Step) -> list[Finding]:
    """A finding for each average that is not off, while users see the candidate.

    Harm: the whole anytime-valid interval at alpha/m is beyond the margin. To go on: the whole interval of
    95 % is inside it. Once everybody has the candidate there is nobody to compare with; the margin was kept
    in the stages before.
    """
    if step.hidden:
        return []
    return [_mean(step, g) for g in step.guardrails.means if g.reaction != "off"]


def moments(evidence: Evidence, name: str) -> tuple[UserMoments, UserMoments]:
    """Of candidate and baseline."""
    arms = evidence.users.metrics.get(name, {})
    return arms.get("candidate", _NONE), arms.get("baseline", _NONE)


def _mean(step: Step, guardrail: MeanGuardrail) -> Finding:
    check = f"mean {guardrail.event}"
    if not step.beside:
        return _nobody_else(step, check, guardrail)
    candidate, baseline = moments(step.evidence, guardrail.event)
    comparison = compare(candidate, baseline)
    if comparison is None:
        reason = f"nothing is known about {guardrail.event} by user in both arms yet"
        return waiting(check, reason, guardrail.reaction)
    short = short_of_events(candidate, baseline, step.guardrails.min_events)
    if short is not None:
        reason = more(short, step.guardrails.min_events, f"{guardrail.event} events in an arm")
        finding = waiting(check, reason, guardrail.reaction, short / step.guardrails.min_events)
        return measured(finding, comparison.relative, guardrail.margin)
    if candidate.events < step.guardrails.min_events:
        comparison = floored(comparison)
    return _compared(step, check, guardrail, comparison)


def short_of_events(candidate: UserMoments, baseline: UserMoments, least: int) -> float | None:
    """The events of the arm with fewer when they are too few, else None.

    The candidate's may be those that the baseline's rate would have given: few events are also a result.
    """
    expected = baseline.events * candidate.n / baseline.n if baseline.n > 0 else 0.0
    have = min(float(baseline.events), max(float(candidate.events), expected))
    return None if have >= least else have


def _compared(step: Step, check: str, guardrail: MeanGuardrail, comparison: Comparison) -> Finding:
    users = comparison.candidate.users + comparison.baseline.users
    strict = comparison.interval(multiplier(users, step.level))
    shown = comparison.interval(multiplier(users, CONFIDENCE))
    relative, margin = comparison.relative, guardrail.margin
    bound = -margin if guardrail.better == "higher" else margin
    if strict is not None and relative is not None and _beyond(strict, guardrail):
        text = f"{guardrail.event} {percent(relative)} against the baseline, {between(strict)}"
        reason = f"{text}: a loss of more than {percent(margin).lstrip('+')}"
        return measured(harm(check, reason, guardrail.reaction), relative, bound, strict)
    if shown is None or relative is None:
        reason = (
            f"the baseline's {guardrail.event} is not far enough above 0 to compare with: needs more users"
        )
        return waiting(check, reason, guardrail.reaction)
    text = f"{guardrail.event} {percent(relative)}, {between(shown)}"
    if _inside(shown, guardrail):
        reason = f"{text}: no loss of more than {percent(margin).lstrip('+')}"
        return measured(found(check, "pass", reason, guardrail.reaction), relative, bound, shown)
    reason = f"{text} against the baseline is too wide for the margin {percent(margin).lstrip('+')}"
    # An interval narrows with the root of the users.
    half = (shown[1] - shown[0]) / 2
    finding = waiting(check, reason, guardrail.reaction, (margin / half) ** 2 if half > 0 else 0.0)
    return measured(finding, relative, bound, shown)


def _beyond(interval: tuple[float, float], guardrail: MeanGuardrail) -> bool:
    if guardrail.better == "higher":
        return interval[1] < -guardrail.margin
    return interval[0] > guardrail.margin


def _inside(interval: tuple[float, float], guardrail: MeanGuardrail) -> bool:
    if guardrail.better == "higher":
        return interval[0] > -guardrail.margin
    return interval[1] < guardrail.margin


def _nobody_else(step: Step, check: str, guardrail: MeanGuardrail) -> Finding:
    for s in step.evidence.steps:
        both = all(arm in s.arms and s.arms[arm].requests > 0 for arm in ("candidate", "baseline"))
        if 0 < s.share < 100 and both:
            reason = "everybody has the candidate; it was compared in the stages before"
            return found(check, "skip", reason, guardrail.reaction)
    reason = f"{guardrail.event} was never compared: no stage before had users in both arms"
    return waiting(check, reason, guardrail.reaction)
