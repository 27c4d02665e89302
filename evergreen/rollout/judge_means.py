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
UNSUSPECTED = 1.645
"""Standard errors; a loss of fewer points to nothing."""


def guardrails(step: Step) -> list[Finding]:
    """A finding for each average that is not off, while users see the candidate.

    Harm: the whole anytime-valid interval at alpha/m is beyond the margin. To go on from the last stage in
    which both arms have users: the whole interval of 95 % is inside it. To go on from a stage before that,
    where the candidate has too few users to show as much and can harm few: nothing points to harm, that is
    the loss is inside the margin as far as can be seen, or comes by chance in one case of twenty. Once
    everybody has the candidate there is nobody to compare with.
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
    if _before_the_last(step) and _unsuspected(comparison, guardrail):
        reason = f"{text}: no sign of a loss of more than {percent(margin).lstrip('+')}"
        return measured(found(check, "pass", reason, guardrail.reaction), relative, bound, shown)
    reason = f"{text} against the baseline is too wide for the margin {percent(margin).lstrip('+')}"
    # An interval narrows with the root of the users.
    half = (shown[1] - shown[0]) / 2
    part = margin / half if half > 0 else 0.0
    finding = waiting(check, reason, guardrail.reaction, part * part)
    return measured(finding, relative, bound, shown)


def _beyond(interval: tuple[float, float], guardrail: MeanGuardrail) -> bool:
    if guardrail.better == "higher":
        return interval[1] < -guardrail.margin
    return interval[0] > guardrail.margin


def _inside(interval: tuple[float, float], guardrail: MeanGuardrail) -> bool:
    if guardrail.better == "higher":
        return interval[0] > -guardrail.margin
    return interval[1] < guardrail.margin


def _before_the_last(step: Step) -> bool:
    """Whether a stage follows in which both arms have users, more of them the candidate."""
    later = step.settings.stages[step.index + 1 :]
    live = [s.percent for s in later if s.kind in ("canary", "experiment")]
    return any(step.present.share < share < 100 for share in live)


def _unsuspected(comparison: Comparison, guardrail: MeanGuardrail) -> bool:
    """Whether the loss is inside the margin as it was seen, or chance in one case of twenty (one-sided)."""
    sign = 1 if guardrail.better == "higher" else -1
    loss = -sign * (comparison.relative or 0.0)
    return loss <= guardrail.margin or sign * comparison.z() > -UNSUSPECTED


def _nobody_else(step: Step, check: str, guardrail: MeanGuardrail) -> Finding:
    for s in step.evidence.steps:
        both = all(arm in s.arms and s.arms[arm].requests > 0 for arm in ("candidate", "baseline"))
        if 0 < s.share < 100 and both:
            reason = "everybody has the candidate; it was compared in the stages before"
            return found(check, "skip", reason, guardrail.reaction)
    reason = f"{guardrail.event} was never compared: no stage before had users in both arms"
    return waiting(check, reason, guardrail.reaction)
