"""Shadow and dark: the same requests answered by both versions, and only the baseline's answers shown."""

from math import log

from evergreen.intervals import Z_99, wilson
from evergreen.project.model.rollout import RateGuardrail
from evergreen.rollout.evidence import ArmCounts, Pairs
from evergreen.rollout.judge_findings import (
    CONFIDENCE,
    Finding,
    Step,
    found,
    harm,
    measured,
    percent,
    waiting,
)
from evergreen.rollout.judge_rates import FEW, UNSUSPECTED, p_value, suspicion
from evergreen.rollout.statistics.rates import Arms, interval, log_e, relative
from evergreen.rollout.statistics.sequences import paired_mean


def guardrails(step: Step) -> list[Finding]:
    """Coverage, disagreement, failed and slow copies, differences of score and latency."""
    if not step.hidden:
        return []
    pairs, g = step.evidence.users.pairs, step.guardrails
    found_ = [_coverage(step, pairs), _disagreement(step, pairs)]
    baseline = step.present.arms.get("baseline", ArmCounts())
    failed = baseline.events.get("errors", 0) + baseline.events.get("empty_outputs", 0)
    slow = baseline.events.get("latency", 0)
    per = pairs.pairs / pairs.requests if pairs.requests else 1.0
    for check, name, guardrail, bad, normal in (
        ("copies failed", "failed copies", g.errors, pairs.failures, failed),
        ("copies slow", "slow copies", g.latency, pairs.slower, slow),
    ):
        if guardrail.reaction != "off":
            arms = _arms(pairs.pairs / per, baseline.requests, bad / per, normal)
            found_.append(_copies(step, (check, name), guardrail, arms))
    return [*found_, *_differences(pairs)]


def _coverage(step: Step, pairs: Pairs) -> Finding:
    check, least, sent = "coverage", step.guardrails.outputs.coverage, step.present.mirrored
    have = pairs.requests or pairs.pairs
    if sent <= 0:
        return measured(waiting(check, "no copies were sent to the candidate yet"), None, least)
    share = min(1.0, have / sent)
    text = f"{have:,} of {sent:,} copies were answered and paired"
    if share >= least and have:
        return measured(found(check, "pass", text), share, least)
    reason = f"{text}, {100 * share:.0f} % where {100 * least:.0f} % are needed"
    return measured(waiting(check, reason, progress=share / least if least else 0.0), share, least)


def _disagreement(step: Step, pairs: Pairs) -> Finding:
    """Wilson interval (`evergreen.intervals`) of 99 % against the largest share that is allowed."""
    check, outputs = "disagreement", step.guardrails.outputs
    if outputs.reaction == "off":
        return found(check, "skip", "is off", "off")
    if pairs.pairs <= 0:
        return measured(waiting(check, "no pairs yet", outputs.reaction), None, outputs.disagreement)
    low, high = wilson(pairs.disagreements, pairs.pairs, Z_99)
    share, most = pairs.disagreements / pairs.pairs, outputs.disagreement
    text = f"both versions answer {100 * share:.1f} % of {pairs.pairs:,} rows differently"
    if low > most:
        reason = f"{text}, more than {100 * most:.0f} %"
        finding = harm(check, reason, outputs.reaction)
    elif high <= most:
        finding = found(check, "pass", text, outputs.reaction)
    else:
        reason = f"{text}, not yet surely below {100 * most:.0f} %"
        finding = waiting(check, reason, outputs.reaction, 0.5)
    return measured(finding, share, most, (low, high))


def _arms(copies: float, requests: int, bad: float, normal: int) -> Arms | None:
    """Copies and requests as two arms: each bad event falls on either by their numbers."""
    if copies <= 0 or requests <= 0:
        return None
    return Arms(copies / (copies + requests), bad, normal)


def _copies(step: Step, names: tuple[str, str], guardrail: RateGuardrail, arms: Arms | None) -> Finding:
    """Bad copies against the baseline's own bad answers in the same stage.

    Slow copies are those that only the candidate was slow for: fewer than all of them, so that the test sees
    less than there is and never too much.
    """
    check, name = names
    if arms is None:
        reason = f"{name} cannot be judged yet: no copies are paired, or the baseline has no requests"
        return measured(waiting(check, reason, guardrail.reaction), None, guardrail.harm)
    evidence = log_e([arms], guardrail.harm)
    ratio, (low, high) = relative([arms]), interval([arms], CONFIDENCE)
    have, mean, chance = suspicion([arms], None)
    text = f"{have:,.0f} {name}, {mean:,.1f} expected when both versions are alike"
    if evidence >= -log(step.level):
        reason = f"{text}: more than {percent(guardrail.harm)} (p {p_value(evidence):.2g})"
        finding = harm(check, reason, guardrail.reaction)
    elif have < FEW or chance >= UNSUSPECTED or high - 1 <= guardrail.harm:
        finding = found(check, "pass", text, guardrail.reaction)
    else:
        reason = f"{text} (chance {chance:.2g}): more requests will tell"
        finding = waiting(check, reason, guardrail.reaction, chance / UNSUSPECTED)
    return measured(finding, None if ratio is None else ratio - 1, guardrail.harm, (low - 1, high - 1))


def _differences(pairs: Pairs) -> list[Finding]:
    """Candidate minus baseline by pair, for people: they decide nothing."""
    found_ = []
    for check, (total, squares), text in (
        ("paired latency", pairs.seconds, "the candidate takes {0:+.2f} ms, [{1:+.2f}, {2:+.2f}]"),
        ("paired score", pairs.score, "the candidate's score is {0:+.4g}, [{1:+.4g}, {2:+.4g}]"),
    ):
        mean = paired_mean(total, squares, pairs.pairs, CONFIDENCE)
        if mean is None:
            continue
        scale = 1000 if check == "paired latency" else 1
        reason = text.format(*(scale * v for v in mean)) + " against the baseline, pair by pair"
        found_.append(measured(found(check, "pass", reason, "warn"), mean[0], None, mean[1:]))
    return found_
