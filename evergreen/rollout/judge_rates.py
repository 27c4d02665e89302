"""Rates of bad requests: errors, slow answers, empty outputs, missing inputs.

Harm is evidence of m/alpha that the candidate's rate is above 1 + harm times the baseline's, over all
steps together. To go on, one of two must hold. Either the anytime-valid interval lies below 1 + harm: no
more than is tolerated. Or nothing points to harm: as far as can be seen the rate is not above 1 + harm,
or the candidate has hardly any bad events, or so many of them come by chance in one case of twenty when
both arms are alike. So with rare errors a good candidate passes without waiting for events that hardly
come, and one that looks worse stays where it is until more requests have told.
"""

from collections.abc import Sequence
from math import exp, inf, log

from scipy.special import betainc

from evergreen.project.model.rollout import RateGuardrail
from evergreen.rollout.evidence import RATES, ArmCounts, StepEvidence
from evergreen.rollout.judge_findings import (
    CONFIDENCE,
    Finding,
    Step,
    between,
    found,
    harm,
    measured,
    percent,
    waiting,
)
from evergreen.rollout.statistics import rates
from evergreen.rollout.statistics.rates import Alone, Arms

UNSUSPECTED = 0.05
"""At or above this probability under equal rates, nothing points to harm."""
FEW = 3
"""Fewer bad events of the candidate point to nothing."""
_NONE = ArmCounts()
_NAMES = {
    "errors": "errors",
    "latency": "slow answers",
    "empty_outputs": "empty outputs",
    "missing_inputs": "missing inputs",
}


def guardrails(step: Step) -> list[Finding]:
    """A finding for each rate that is not off, while users see the candidate."""
    if step.hidden:
        return []
    found_ = []
    for rate in RATES:
        guardrail: RateGuardrail = getattr(step.guardrails, rate)
        if guardrail.reaction != "off":
            found_.append(_rate(step, rate, guardrail))
    return found_


def log_evidence(
    step: Step, rate: str, guardrail: RateGuardrail
) -> tuple[float, tuple[Arms, ...], Alone | None]:
    """ln of the evidence of harm over all steps so far, and the counts that it is from."""
    steps = [s for s in step.evidence.steps if s.stage <= step.index]
    arms = tuple(bad_events(s, rate) for s in steps if 0 < s.share < 100)
    alone = None if step.beside else _alone(steps, rate)
    log_e = rates.log_e(arms, guardrail.harm)
    if alone is not None:
        log_e += rates.log_e_alone(alone, guardrail.harm, step.level)
    return log_e, arms, alone


def _rate(step: Step, rate: str, guardrail: RateGuardrail) -> Finding:
    log_e, arms, alone = log_evidence(step, rate, guardrail)
    if alone is not None:
        interval, ratio = rates.interval_alone(alone, CONFIDENCE), _ratio(alone)
    else:
        interval, ratio = rates.interval(arms, CONFIDENCE), rates.relative(arms)
    growth = (interval[0] - 1, interval[1] - 1)
    finding = _judged(step, rate, guardrail, arms, alone, (log_e, growth, ratio))
    return measured(finding, None if ratio is None else ratio - 1, guardrail.harm, growth)


def _judged(
    step: Step, rate: str, guardrail: RateGuardrail, arms: Sequence[Arms], alone: Alone | None,
    seen: tuple[float, tuple[float, float], float | None],
) -> Finding:  # fmt: skip
    log_e, growth, ratio = seen
    name, most = _NAMES[rate], percent(guardrail.harm)
    if log_e >= -log(step.level):
        size = f"{percent(ratio - 1)} " if ratio is not None else ""
        reason = (
            f"{name} {size}against the baseline, {between(growth)}: more than {most} (p {p_value(log_e):.2g})"
        )
        return harm(rate, reason, guardrail.reaction)
    if not step.beside and alone is None:
        reason = f"nothing is known about the baseline's {name}: it has answered no requests in this rollout"
        return waiting(rate, reason, guardrail.reaction)
    if growth[1] <= guardrail.harm:
        reason = f"{name} {between(growth)} against the baseline: at most {most}"
        return found(rate, "pass", reason, guardrail.reaction)
    have, mean, chance = suspicion(arms, alone)
    counts = f"{have:,.0f} {name} of the candidate for {mean:,.1f} expected"
    little = ratio is not None and ratio - 1 <= guardrail.harm
    if have < FEW or chance >= UNSUSPECTED or little:
        return found(rate, "pass", f"{counts} when both arms are alike", guardrail.reaction)
    reason = f"{counts} when both arms are alike (chance {chance:.2g}): more requests will tell"
    return waiting(rate, reason, guardrail.reaction, chance / UNSUSPECTED)


def p_value(log_e: float) -> float:
    """1/E, an anytime-valid p-value: arXiv 2205.14762."""
    return min(1.0, exp(min(0.0, -log_e)))


def suspicion(arms: Sequence[Arms], alone: Alone | None) -> tuple[float, float, float]:
    """The candidate's events, how many are expected under equal rates, and the chance of so many or more.

    The number is a sum of binomials; its tail is that of the binomial with the same mean and variance.
    """
    cells = [(a.candidate / a.design, (a.candidate + a.baseline) / a.design, a.share) for a in arms]
    if alone is not None:
        share = alone.requests / (alone.requests + alone.baseline_requests)
        both = (alone.candidate + alone.baseline) / alone.design
        cells.append((alone.candidate / alone.design, both, share))
    have = sum(c for c, _, _ in cells)
    mean = sum(both * p for _, both, p in cells)
    variance = sum(both * p * (1 - p) for _, both, p in cells)
    if have <= 0 or mean <= 0 or variance >= mean:
        return have, mean, 1.0
    p = 1 - variance / mean
    trials = mean / p
    return have, mean, float(betainc(have, trials - have + 1, p)) if have < trials + 1 else 0.0


def bad_events(step: StepEvidence, rate: str) -> Arms:
    """The bad events of both arms in a stage."""
    candidate, baseline = (step.arms.get(arm, _NONE) for arm in ("candidate", "baseline"))
    return Arms(step.share / 100, events(candidate, rate), events(baseline, rate), repeats(step, rate))


def repeats(step: StepEvidence, rate: str) -> int:
    """How much the events cluster by user (`Arms.repeats`), as each router knows it, or all together do."""
    return max(_known_repeats(step, rate), step.repeats.get(rate, 0))


def _known_repeats(step: StepEvidence, rate: str) -> int:
    return sum(counts.repeats.get(rate, 0) for counts in step.arms.values())


def events(counts: ArmCounts, rate: str) -> int:
    """Bad events, a user at most once a window; all of them where a router does not tell."""
    return counts.harmed.get(rate, counts.events.get(rate, 0))


def _alone(steps: Sequence[StepEvidence], rate: str) -> Alone | None:
    """The candidate's counts since it is alone, and those of everybody before; None without a baseline there.

    Before are both arms: the same people as now, or a few users who fail often would make a difference by the
    arm that they were on (simulated: 4 % false alarms instead of 1 %). All bad events count, since who was
    counted before does not count again in a window; they are worth as many as users were harmed, each of whom
    several routers may have counted.
    """
    now = [s.arms.get("candidate", _NONE) for s in steps if s.share >= 100]
    earlier = [s.arms for s in steps if s.share < 100]
    before = [arms.get(arm, _NONE) for arms in earlier for arm in ("candidate", "baseline")]
    if sum(arms.get("baseline", _NONE).requests for arms in earlier) <= 0:
        return None
    every = [*now, *before]
    total = sum(_all(c, rate) for c in every)
    counted = sum(events(c, rate) for c in every)
    known = counted + sum(_known_repeats(s, rate) for s in steps)
    users = counted * known / (counted + sum(repeats(s, rate) for s in steps)) if counted else 0
    return Alone(
        sum(_all(c, rate) for c in now),
        sum(c.requests for c in now),
        sum(_all(c, rate) for c in before),
        sum(c.requests for c in before),
        max(1.0, total / users) if users else 1.0,
    )


def _all(counts: ArmCounts, rate: str) -> int:
    return max(counts.events.get(rate, 0), counts.harmed.get(rate, 0))


def _ratio(alone: Alone) -> float | None:
    if not alone.baseline or not alone.requests:
        return inf if alone.candidate else None
    return alone.candidate * alone.baseline_requests / (alone.requests * alone.baseline)
