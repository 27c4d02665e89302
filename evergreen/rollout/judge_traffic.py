"""Whether there is enough to judge by: time, requests, and users who fell on the arms as they should."""

from math import exp, isfinite, log

from evergreen.rollout.evidence import ArmCounts
from evergreen.rollout.judge_findings import Finding, Step, found, measured, more, waiting
from evergreen.rollout.statistics.sample_ratio import ALARM, log_e_mismatch


def time(step: Step) -> Finding:
    """The stage's least time."""
    stage = step.stage
    least = (stage.at_least if stage else step.settings.soak).total_seconds()
    if not step.elapsed >= least:
        gone = step.elapsed if isfinite(step.elapsed) else 0.0
        reason = f"the {'stage' if stage else 'soak'} needs {least - gone:,.0f} more seconds"
        finding = waiting("time", reason, progress=gone / least if least else 0.0)
    else:
        finding = found("time", "pass", f"{step.elapsed:,.0f} of {least:,.0f} seconds")
    return measured(finding, step.elapsed, least)


def overdue(step: Step) -> Finding | None:
    """Past the stage's longest time: a person decides."""
    stage = step.stage
    most = stage.at_most.total_seconds() if stage and stage.at_most else None
    if most is None or step.elapsed <= most:
        return None
    reason = f"the stage lasts {step.elapsed:,.0f} seconds, longer than the {most:,.0f} it may"
    return measured(found("at_most", "fail", reason, effect="stop"), step.elapsed, most)


def requests(step: Step) -> list[Finding]:
    """The requests that the candidate answered, and whether the baseline answered any beside it."""
    stage, evidence = step.stage, step.evidence
    if step.hidden:
        pairs = evidence.users.pairs
        have, what = pairs.requests or pairs.pairs, "requests answered by both versions"
    else:
        have, what = step.present.arms.get("candidate", ArmCounts()).requests, "requests to the candidate"
    need = max(1, stage.requests if stage else 1)
    if have >= need:
        first = found("requests", "pass", f"{have:,} {what}")
    else:
        first = waiting("requests", more(have, need, what), progress=have / need)
    findings = [measured(first, have, need)]
    if step.hidden or step.beside:
        other = step.present.arms.get("baseline", ArmCounts()).requests
        if other <= 0:
            reason = "the baseline has answered no requests beside the candidate"
            findings.append(measured(waiting("baseline requests", reason), other, 1))
    return findings


def sample_ratio(step: Step) -> list[Finding]:
    """Users by arm against the share; and users who went back to the baseline.

    A mismatch says that the arms cannot be compared, whatever else they show: never promote. Without users
    (nobody sends the user header) there is nothing to compare, which only an experiment cannot do without.
    """
    users = step.evidence.users
    if not step.beside:
        return []
    findings = [_ratio(step)]
    if users.switched:
        exposed = sum(users.exposed.values())
        reason = f"{users.switched:,} of {exposed:,} users went from the candidate back to the baseline"
        findings.append(measured(found("sticky users", "warn", reason, "warn"), users.switched, 0))
    return findings


def _ratio(step: Step) -> Finding:
    users, share = step.evidence.users, step.present.share / 100
    check = "sample ratio"
    counts = [users.exposed.get(arm, 0) for arm in ("candidate", "baseline")]
    total = sum(counts)
    if not all(isfinite(c) and c >= 0 for c in counts):
        return waiting(check, "the number of users is not known")
    if total == 0:
        experiment = step.stage is not None and step.stage.kind == "experiment"
        reason = "no user was seen in the prediction log: nothing to compare"
        return waiting(check, reason) if experiment else found(check, "skip", reason)
    if abs(users.exposed_share - step.present.share) > 1e-9:
        return waiting(check, "users were counted under another share; they are being read anew")
    log_e = log_e_mismatch(counts, (share, 1 - share))
    seen = counts[0] / total
    text = f"{counts[0]:,} of {total:,} users had the candidate, {100 * seen:.2f} % for {100 * share:g} %"
    if log_e >= log(ALARM):
        reason = f"{text}: no chance (evidence {exp(min(log_e, 60)):,.0f}), so the arms cannot be compared"
        return measured(found(check, "fail", reason, effect="stop"), seen, share)
    return measured(found(check, "pass", text), seen, share)
