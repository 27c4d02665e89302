"""An experiment: looks at fixed shares of its users, and what they say about its success metrics.

A look is taken once, when so many users are there, and kept: `users`, and by metric `z` (better is positive),
`margin` (the same against a loss of the margin), `relative`, `low` and `high`, each with the metric's name
behind a space. Looks spend alpha by O'Brien and Fleming's rule at the times at which they really fall; the
last one, at or past the planned users, spends what is left. Several success metrics share alpha (Bonferroni).
"""

from collections.abc import Mapping
from math import inf, isfinite
from typing import Literal

from evergreen.project.model.rollout import Stage, SuccessMetric
from evergreen.rollout.judge_findings import Finding, Step, between, found, measured, more, percent, waiting
from evergreen.rollout.judge_means import moments, short_of_events
from evergreen.rollout.statistics.boundaries import bounds
from evergreen.rollout.statistics.means import Comparison, compare
from evergreen.rollout.users.metrics import wanted

Looks = tuple[Mapping[str, float], ...]
Result = Literal["better", "not worse", "worse", "much worse", "open"]


def experiment(step: Step) -> tuple[list[Finding], Looks]:
    """The findings of an experiment, and its looks with the one that was due, if any."""
    stage, looks = step.stage, step.evidence.looks
    if stage is None or stage.kind != "experiment":
        return [], looks
    if not stage.success:
        reason = "the experiment has no success metric, so that nobody can win it"
        return [found("experiment", "fail", reason, effect="stop")], looks
    compared, lacks = _compared(step, stage)
    due = _due(stage, looks)
    users = min((_users(c) for c in compared.values()), default=0)
    if due is not None and not lacks and users >= due:
        looks = (*looks, _look(stage, compared, users, looks))
    findings = [_result(step, stage, metric, looks) for metric in stage.success]
    return [*findings, _whole(stage, looks, users, lacks)], looks


def name_of(step: Step, metric: SuccessMetric) -> str:
    """Under which name the evidence has a success metric."""
    by_user = metric.per == "user"
    for m in wanted(step.settings).metrics:
        if m.event == metric.event and m.by_user == by_user:
            return m.name
    return metric.event


def _compared(step: Step, stage: Stage) -> tuple[dict[str, Comparison], list[Finding]]:
    """The metrics' averages by event, and what is missing to look at them."""
    compared, lacks = {}, []
    for metric in stage.success:
        candidate, baseline = moments(step.evidence, name_of(step, metric))
        comparison = compare(candidate, baseline)
        check = f"experiment {_key(metric)}"
        if comparison is None or comparison.baseline.value <= 0:
            lacks.append(waiting(check, f"nothing is known about {metric.event} by user in both arms yet"))
            continue
        compared[_key(metric)] = comparison
        least = step.guardrails.min_events
        short = short_of_events(candidate, baseline, least)
        if short is not None:
            reason = more(short, least, f"{metric.event} events in an arm")
            lacks.append(waiting(check, reason, progress=short / least))
    return compared, lacks


def _key(metric: SuccessMetric) -> str:
    return metric.event if metric.per == "request" else f"{metric.event}/user"


def _users(comparison: Comparison) -> int:
    return comparison.candidate.users + comparison.baseline.users


def _due(stage: Stage, looks: Looks) -> float | None:
    """The users at which the next look is due; None after the last one."""
    last = looks[-1]["users"] if looks else 0.0
    return next((t for k in range(1, stage.looks + 1) if (t := stage.users * k / stage.looks) > last), None)


def _bounds(stage: Stage, looks: Looks) -> tuple[float, ...]:
    return bounds(tuple(look["users"] / stage.users for look in looks), stage.alpha / len(stage.success))


def _look(stage: Stage, compared: Mapping[str, Comparison], users: int, looks: Looks) -> dict[str, float]:
    look: dict[str, float] = {"users": float(users)}
    bound = _bounds(stage, (*looks, look))[-1]
    for metric in stage.success:
        key, sign = _key(metric), 1 if metric.better == "higher" else -1
        comparison = compared[key]
        low, high = comparison.interval(bound) or (-inf, inf)
        numbers = {
            "z": sign * comparison.z(),
            "margin": sign * comparison.z(1 - sign * stage.margin),
            "relative": comparison.relative,
            "low": low,
            "high": high,
        }
        look |= {f"{n} {key}": float(v) for n, v in numbers.items() if v is not None and isfinite(v)}
    return look


def result_of(stage: Stage, metric: SuccessMetric, looks: Looks) -> Result:
    """What the looks say about a metric; a bound that was crossed at any of them stays crossed.

    `much worse` is a loss of more than the margin; `worse` one that may still be inside it.
    """
    key = _key(metric)
    z = [(look.get(f"z {key}", 0.0), look.get(f"margin {key}", 0.0), b) for look, b in
         zip(looks, _bounds(stage, looks), strict=True)]  # fmt: skip
    if any(margin <= -bound for _, margin, bound in z):
        return "much worse"
    lost = any(value <= -bound for value, _, bound in z)
    if any(value >= bound for value, _, bound in z) and not lost:
        return "better"
    if lost and stage.require == "better":
        return "worse"
    if any(margin >= bound for _, margin, bound in z):
        return "not worse"
    return "worse" if lost else "open"


def _result(step: Step, stage: Stage, metric: SuccessMetric, looks: Looks) -> Finding:
    key = _key(metric)
    check = f"experiment {key}"
    result = result_of(stage, metric, looks)
    last = looks[-1] if looks else {}
    relative, interval = last.get(f"relative {key}"), None
    if f"low {key}" in last and f"high {key}" in last:
        interval = last[f"low {key}"], last[f"high {key}"]
    text = f"{key}: {'no look yet' if not looks else result}"
    if relative is not None:
        text += f", {percent(relative)}" + (f" {between(interval)}" if interval else "")
    gone = {"better", "not worse"} if stage.require == "not_worse" else {"better"}
    bad = result in ("worse", "much worse")
    outcome: Literal["pass", "fail", "skip"] = "pass" if result in gone else "fail" if bad else "skip"
    loss = stage.margin if metric.better == "lower" else -stage.margin
    threshold = loss if stage.require == "not_worse" else 0.0
    return measured(found(check, outcome, text), relative, threshold, interval)


def _whole(stage: Stage, looks: Looks, users: int, lacks: list[Finding]) -> Finding:
    """What follows for the step."""
    check = "experiment"
    results = {_key(m): result_of(stage, m, looks) for m in stage.success}
    over = bool(looks) and looks[-1]["users"] >= stage.users
    count = f"look {len(looks)} of {stage.looks}"
    worse = [k for k, r in results.items() if r == "much worse" or (r == "worse" and _ends(stage, over))]
    if worse:
        return found(
            check, "fail", f"{count}: the candidate is worse on {', '.join(worse)}", "roll_back", "roll_back"
        )
    enough = ("better",) if stage.require == "better" else ("better", "not worse")
    if all(r in enough for r in results.values()):
        text = ", ".join(f"{r} on {k}" for k, r in results.items())
        return found(check, "pass", f"{count}: the candidate is {text}")
    if over:
        lack = [k for k, r in results.items() if r not in enough]
        wanted_ = "better" if stage.require == "better" else "not worse"
        reason = f"the experiment ended without showing that the candidate is {wanted_} on {', '.join(lack)}"
        return found(check, "fail", reason, effect="stop")
    due = _due(stage, looks) or stage.users
    if lacks and users >= due:
        return lacks[0]
    # Until the last look more users may decide; how many of them are there is how far it is.
    reason = f"{count} is taken: the next one {more(users, due, 'users')}" if looks else (
        f"the first look {more(users, due, 'users')}"
    )  # fmt: skip
    return measured(waiting(check, reason, progress=users / stage.users), users, stage.users)


def _ends(stage: Stage, over: bool) -> bool:
    """Whether a loss that may still be inside the margin is enough: at the end, or where a gain is due."""
    return over or stage.require == "better"
