"""What the candidate answers: the distribution against the baseline's answers and the training labels."""

from collections.abc import Sequence

from evergreen.profile.validation.distances import psi, psi_floor
from evergreen.project.model.rollout import OutputGuardrail
from evergreen.rollout.judge_findings import Finding, Step, found, harm, measured, more, waiting

_PERFECT = 10**12
"""Rows of a reference that is given as shares."""


def guardrails(step: Step) -> list[Finding]:
    """Population stability index of the labels, or ranges of numbers, that the candidate answers.

    Beyond the limit is what is above the project's `psi` and above the 99th percentile of what chance gives
    with so many rows. Against the training labels it decides only where the baseline, asked the same, is
    nearer to them: a model may well answer a rare label less often than it occurs, and the world may have
    changed for both.
    """
    stage, outputs = step.stage, step.guardrails.outputs
    if outputs.reaction == "off" or (stage is not None and stage.kind == "shadow"):
        return []
    seen = step.evidence.users.outputs
    candidate = seen.arms.get("shadow" if step.hidden else "candidate", ())
    baseline = seen.arms.get("baseline", ())
    rows, others = sum(candidate), sum(baseline)
    if rows < outputs.rows:
        return [_short(step, outputs, rows)]
    findings = []
    if others >= outputs.rows:
        value, limit = _distance(baseline, candidate, outputs.psi)
        findings.append(_against(outputs, "psi of outputs", "the baseline's answers", value, limit))
    elif step.hidden or step.beside:
        reason = more(others, outputs.rows, "answers of the baseline")
        waits = waiting("psi of outputs", reason, outputs.reaction, others / outputs.rows)
        findings.append(measured(waits, None, outputs.psi))
    if sum(seen.reference) > 0:
        reference = [round(v * _PERFECT) for v in seen.reference] if sum(seen.reference) <= 1.001 else [
            round(v) for v in seen.reference
        ]  # fmt: skip
        findings.append(_trained(outputs, reference, candidate, baseline))
    return findings


def _short(step: Step, outputs: OutputGuardrail, rows: int) -> Finding:
    check = "psi of outputs"
    reason = more(rows, outputs.rows, "logged answers of the candidate")
    if step.stage is None:
        finding = found(check, "skip", reason, outputs.reaction)
    else:
        finding = waiting(check, reason, outputs.reaction, rows / outputs.rows)
    return measured(finding, None, outputs.psi)


def _distance(reference: Sequence[int], counts: Sequence[int], psi_limit: float) -> tuple[float, float]:
    size = max(len(reference), len(counts))
    one, other = ([*c, *[0] * (size - len(c))] for c in (reference, counts))
    bins = sum(a + b > 0 for a, b in zip(one, other, strict=True))
    return psi(one, other), max(psi_limit, psi_floor(sum(one), sum(other), bins))


def _against(outputs: OutputGuardrail, check: str, what: str, value: float, limit: float) -> Finding:
    text = f"the candidate's answers are {value:.3f} (PSI) from {what}"
    if value > limit:
        finding = harm(check, f"{text}, more than {limit:.2g}", outputs.reaction)
    else:
        finding = found(check, "pass", text, outputs.reaction)
    return measured(finding, value, limit)


def _trained(
    outputs: OutputGuardrail, reference: Sequence[int], candidate: Sequence[int], baseline: Sequence[int]
) -> Finding:
    check, what = "psi of outputs to training", "the training labels"
    value, limit = _distance(reference, candidate, outputs.psi)
    if value <= limit:
        return _against(outputs, check, what, value, limit)
    text = f"the candidate's answers are {value:.3f} (PSI) from {what}"
    if sum(baseline) >= outputs.rows:
        other, most = _distance(reference, baseline, outputs.psi)
        if other <= most:
            reason = f"{text}, more than {limit:.2g}; the baseline's are {other:.3f}"
            return measured(harm(check, reason, outputs.reaction), value, limit)
        text += f"; the baseline's are too, {other:.3f}"
    else:
        text += "; there are no answers of the baseline to hold against it"
    return measured(found(check, "warn", text, "warn"), value, limit)
