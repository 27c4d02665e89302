"""The figures of both arms behind a check: rates of the present stage, averages over users, latencies."""

from evergreen.reports.text import number, percent, seconds
from evergreen.rollout.evidence import RATES, ArmCounts, StepEvidence, UserMoments
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.statistics.means import compare
from evergreen.rollout.view.latency import quantile
from evergreen.rollout.view.units import rate

_NONE, _NOBODY = ArmCounts(), UserMoments()


def figures(record: RolloutRecord, check: str) -> tuple[str, str]:
    """Baseline's and candidate's figure for a check; empty where it has none by arm."""
    steps = record.evidence.steps
    step = steps[-1] if steps else StepEvidence(record.stage, record.plan.share)
    baseline, candidate = (step.arms.get(arm, _NONE) for arm in ("baseline", "candidate"))
    pairs = record.evidence.users.pairs
    if check in RATES:
        return tuple(rate(a.events.get(check, 0), a.requests) for a in (baseline, candidate))  # type: ignore[return-value]
    if check == "copies failed":
        bad = baseline.events.get("errors", 0) + baseline.events.get("empty_outputs", 0)
        return rate(bad, baseline.requests), rate(pairs.failures, pairs.requests or pairs.pairs)
    if check == "copies slow":
        slow = baseline.events.get("latency", 0)
        return rate(slow, baseline.requests), rate(pairs.slower, pairs.requests or pairs.pairs)
    if check == "sample ratio":
        exposed = record.evidence.users.exposed
        return number(exposed.get("baseline", 0)), number(exposed.get("candidate", 0))
    if check.startswith(("mean ", "experiment ")):
        return _averages(record, check.partition(" ")[2])
    if check == "requests" and candidate.requests:
        return number(baseline.requests), number(candidate.requests)
    return "", ""


def p99(step: StepEvidence) -> tuple[str, str]:
    """The latency of 99 of 100 requests of both arms."""
    values = (quantile(step.arms.get(arm, _NONE).latency, 0.99) for arm in ("baseline", "candidate"))
    shown = ["" if v is None else "> 5 s" if v == float("inf") else seconds(v) for v in values]
    return shown[0], shown[1]


def _averages(record: RolloutRecord, metric: str) -> tuple[str, str]:
    arms = record.evidence.users.metrics.get(metric, {})
    comparison = compare(arms.get("candidate", _NOBODY), arms.get("baseline", _NOBODY))
    if comparison is None:
        return "", ""
    small = comparison.baseline.value < 1
    values = (comparison.baseline.value, comparison.candidate.value)
    baseline, candidate = (percent(v, 2) if small else number(v) for v in values)
    return baseline, candidate
