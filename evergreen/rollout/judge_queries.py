"""Numbers from Prometheus."""

from math import isfinite, isnan

from evergreen.project.model.rollout import QueryGuardrail
from evergreen.rollout.judge_findings import Finding, Step, found, harm, measured, waiting


def guardrails(step: Step) -> list[Finding]:
    """A finding for each query that is not off: no number holds, one outside its bounds does what it says."""
    queries = step.guardrails.queries
    return [_query(q, step.evidence.queries.get(q.name)) for q in queries if q.reaction != "off"]


def _query(guardrail: QueryGuardrail, value: float | None) -> Finding:
    check = f"query {guardrail.name}"
    if value is None or isnan(value):
        return waiting(check, f"the query {guardrail.name} gives no number", guardrail.reaction)
    bound, words = None, ""
    if guardrail.min is not None and value < guardrail.min:
        bound, words = guardrail.min, "less"
    elif guardrail.max is not None and value > guardrail.max:
        bound, words = guardrail.max, "more"
    if bound is not None:
        finding = harm(check, f"{guardrail.name} is {value:g}, {words} than {bound:g}", guardrail.reaction)
    elif not isfinite(value):
        return waiting(check, f"the query {guardrail.name} gives {value:g}", guardrail.reaction)
    else:
        finding = found(check, "pass", f"{guardrail.name} is {value:g}", guardrail.reaction)
        bound = guardrail.max if guardrail.max is not None else guardrail.min
    return measured(finding, value, bound)
