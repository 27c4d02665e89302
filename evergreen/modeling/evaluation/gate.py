"""The model gate: absolute bounds, and change against the blessed baseline, overall and by slice.

A threshold is held against the measured value; its interval is recorded beside it. A change says no only when
the whole interval of the paired difference lies beyond `max_loss`, and warns while the interval still holds
the bound. A slice with few rows (`evaluation.min_slice_rows`) never stops a run: it warns when even the
better end of its interval misses the bound, and is skipped otherwise.

A slice of the long tail (`long_tail:…`, found by `assess_data`) is judged by its interval alone, which is
made for few rows and for all of them together: a no needs the whole interval beyond the bound, so that noise
cannot stop a run and a collapse does. Where the project sets no bound for them, the changes that it asks of
the whole test set are watched in them, and warn.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evergreen.decisions import Decision, Mode, Verdict, verdict
from evergreen.errors import InputError
from evergreen.modeling.evaluation.longtail import PREFIX, is_tail, own_names, tail_names
from evergreen.project.model import Change, ModelGate, Threshold
from evergreen.project.wording import did_you_mean, listed
from evergreen.reports.text import interval, metric_name, number

GATE, OVERALL, EVERY = "model", "overall", "*"
_EVIDENCE = "evaluation: datasets.test"


def decide(
    gate: ModelGate, evaluation: Mapping[str, Any], data_decisions: Sequence[Decision] = ()
) -> list[Decision]:
    """Check an evaluation against the project's bounds.

    Args:
        gate: `gates.model` of the project.
        evaluation: What `evergreen.modeling.evaluation.evaluate.read_evaluation` gives.
        data_decisions: What the gates on the data decided; a `fail` there is one here.

    Returns:
        One decision for each bound and slice; the model is blessed when none is `fail`.

    Raises:
        InputError: when the gate names a metric or a slice that the evaluation does not have.
    """
    found = [*_data(data_decisions)]
    for place, threshold in enumerate(gate.thresholds):
        where = f"gates.model.thresholds[{place}]"
        names = _slices(evaluation, threshold.slice, threshold.metric, where)
        found += _nothing(gate.mode, threshold.slice, threshold.metric, names)
        for name in names:
            found += _threshold(gate.mode, threshold, _Part(evaluation, name, threshold.metric))
    for place, change in enumerate(gate.changes):
        where = f"gates.model.changes[{place}]"
        names = _slices(evaluation, change.slice, change.metric, where)
        found += _nothing(gate.mode, change.slice, change.metric, names)
        for name in names:
            found.append(_change(gate.mode, change, _Part(evaluation, name, change.metric), evaluation))
    found += _watched(gate, evaluation)
    if not gate.thresholds and not gate.changes:
        reason = "The project sets no bound for the model (`gates.model`)."
        found.append(Decision(GATE, "bounds", "skip", reason, mode=gate.mode))
    return found


def _watched(gate: ModelGate, evaluation: Mapping[str, Any]) -> Iterator[Decision]:
    """Warnings about slices of the long tail that lost more than is allowed overall; no bound names them."""
    if gate.mode == "off" or _names_tail(gate):
        return
    names = tail_names(evaluation["datasets"]["test"])
    for change in gate.changes:
        if change.slice == OVERALL:
            own = change.model_copy(update={"slice": f"{PREFIX}*"})
            parts = (_Part(evaluation, name, change.metric) for name in names)
            watched = (_change("warn", own, part, evaluation) for part in parts)
            yield from (d for d in watched if d.verdict == "warn" and d.observed is not None)


def _names_tail(gate: ModelGate) -> bool:
    named = [*(t.slice for t in gate.thresholds), *(c.slice for c in gate.changes)]
    return any(map(is_tail, named))


def _nothing(mode: Mode, wanted: str, metric: str, names: Sequence[str]) -> Iterator[Decision]:
    """A bound on slices of the long tail that this training set does not have."""
    if not names and is_tail(wanted):
        reason = f"{metric_name(metric)} on {wanted} was not checked: this test set has no such slice."
        yield Decision(GATE, metric, "skip", reason, slice=wanted, mode=mode, evidence=_EVIDENCE)


def blessed(decisions: Iterable[Decision]) -> bool:
    """Whether a model with these decisions may go on: no decision is `fail`."""
    return all(d.verdict != "fail" for d in decisions)


def _data(decisions: Sequence[Decision]) -> Iterator[Decision]:
    """One line for each gate on the data that said no."""
    for gate in dict.fromkeys(d.gate for d in decisions if d.verdict == "fail"):
        failed = [d for d in decisions if d.verdict == "fail" and d.gate == gate]
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        reason = f"The {gate} gate said no: {failed[0].reason}{more}"
        yield Decision(GATE, f"{gate} gate", "fail", reason, evidence=f"decisions of gate {gate}")


def _slices(evaluation: Mapping[str, Any], wanted: str, metric: str, where: str) -> list[str]:
    """The names of the slices that a bound is for.

    Raises:
        InputError: when the metric was not measured, or there is no such slice.
    """
    parts = evaluation["datasets"]["test"]
    measured = list(parts[OVERALL]["metrics"])
    if metric not in measured:
        remedy = did_you_mean(metric, measured) or f"Add `{metric}` to `evaluation.metrics`."
        raise InputError(
            f"{where}.metric", f"`{metric}` was not measured", f"one of {listed(measured)}", remedy
        )
    if wanted == EVERY:
        return [name for name in own_names(parts) if name != OVERALL]
    if is_tail(wanted) and wanted not in parts:
        return tail_names(parts) if wanted == f"{PREFIX}*" else []
    if wanted not in parts:
        remedy = did_you_mean(wanted, parts) or "Name a slice that the test set has rows of."
        raise InputError(
            f"{where}.slice", f"no slice {wanted!r} in the test set", f"one of {listed(list(parts))}", remedy
        )
    return [wanted]


@dataclass(frozen=True)
class _Part:
    """A metric of one slice of the test set."""

    evaluation: Mapping[str, Any]
    slice: str
    metric: str

    @property
    def content(self) -> Mapping[str, Any]:
        """The slice's rows and metrics."""
        part: Mapping[str, Any] = self.evaluation["datasets"]["test"][self.slice]
        return part

    @property
    def measured(self) -> Mapping[str, Any]:
        """Value, low, high, reason."""
        entry: Mapping[str, Any] = self.content["metrics"][self.metric]
        return entry

    @property
    def small(self) -> bool:
        """Whether the slice has too few rows to stop a run."""
        return bool(self.content.get("small"))

    @property
    def tail(self) -> bool:
        """Whether it is a slice of the long tail, which its interval alone judges."""
        return is_tail(self.slice)

    @property
    def words(self) -> str:
        """Where, for a sentence: the test set, or the slice with its rows."""
        rows = f"{self.content['rows']:,} rows"
        return f"the test set ({rows})" if self.slice == OVERALL else f"{self.slice} ({rows})"


def _threshold(mode: Mode, bound: Threshold, part: _Part) -> Iterator[Decision]:
    for side, limit in (("min", bound.min), ("max", bound.max)):
        if limit is None:
            continue
        outcome, reason = _against(mode, side, limit, part, bound.slice == EVERY)
        yield Decision(
            gate=GATE,
            check=f"{part.metric} {side}",
            verdict=outcome,
            reason=reason,
            threshold=limit,
            observed=part.measured["value"],
            interval=_interval(part.measured),
            slice=part.slice,
            mode=mode,
            evidence=_EVIDENCE,
        )


def _against(mode: Mode, side: str, limit: float, part: _Part, every: bool) -> tuple[Verdict, str]:
    name, value = metric_name(part.metric), part.measured["value"]
    if value is None:
        reason = f"{name} on {part.words} cannot be measured: {part.measured.get('reason', 'no value')}."
        return ("skip" if every or part.small else verdict(False, mode)), reason
    held = value >= limit if side == "min" else value <= limit
    word = "at least" if side == "min" else "at most"
    if held:
        return verdict(True, mode), f"{name} on {part.words} is {number(value)}, {word} {limit:g} as asked."
    between = _between(part.measured)
    reason = f"{name} on {part.words} is {number(value)}{between}, not {word} {limit:g}."
    best = part.measured["high" if side == "min" else "low"]
    surely = best is not None and (best < limit if side == "min" else best > limit)
    if part.tail and not part.small and not surely:
        why = "too few rows for an interval" if best is None else "that can be noise in so few rows"
        return "skip", f"{reason} Long tail: {why}, not gated."
    if not part.small:
        return verdict(False, mode), reason
    small = (
        " Small data: " if part.tail else f" Small data (under {part.evaluation['min_slice_rows']} rows): "
    )
    if surely and mode != "off":
        return "warn", reason + small + "a warning, although the whole interval misses the bound."
    return "skip", reason + small + "not gated."


def _change(mode: Mode, bound: Change, part: _Part, evaluation: Mapping[str, Any]) -> Decision:
    better = 1.0 if evaluation["higher_is_better"][part.metric] else -1.0
    change = ((evaluation.get("changes") or {}).get(part.slice) or {}).get(part.metric) or {}
    outcome, reason = _compared(mode, bound, part, change, better)
    return Decision(
        gate=GATE,
        check=f"{part.metric} change",
        verdict=outcome,
        reason=reason,
        threshold=-better * bound.max_loss + 0.0,
        observed=change.get("value"),
        interval=_interval(change),
        slice=part.slice,
        mode=mode,
        evidence="evaluation: changes",
    )


def _compared(
    mode: Mode, bound: Change, part: _Part, change: Mapping[str, Any], better: float
) -> tuple[Verdict, str]:
    name = metric_name(part.metric)
    if part.evaluation.get("changes") is None:
        problem = part.evaluation.get("baseline_problem")
        if problem and mode != "off":
            return "warn", f"{name} was not compared: {problem}."
        return "skip", f"{name} was not compared: {problem or 'there is no baseline yet'}."
    if change.get("value") is None:
        reason = (
            f"The change of {name} on {part.words} cannot be measured: {change.get('reason', 'no value')}."
        )
        known = bound.slice != EVERY and not part.small and mode != "off"
        return ("warn" if known else "skip"), reason
    gain = better * change["value"]
    ends = sorted(better * e for e in (change["low"], change["high"]) if e is not None) or [gain, gain]
    moved = f"{name} on {part.words} {_moved(gain, ends)}"
    allowed = f"a loss of {bound.max_loss:g} is allowed" if bound.max_loss else "no loss is allowed"
    if mode == "off":
        return "skip", f"{moved}; not gated."
    if part.tail and _interval(change) is None:
        return "skip", f"{moved}; long tail: too few rows for an interval, not gated."
    if ends[-1] < -bound.max_loss:
        if part.small:
            return "warn", f"{moved}; {allowed}. Small data: a warning only."
        return verdict(False, mode), f"{moved}; {allowed}."
    if ends[0] >= -bound.max_loss:
        return "pass", f"{moved}; {allowed}."
    if part.small:
        return "skip", f"{moved}; small data, not gated."
    if part.tail:
        return "skip", f"{moved}; {allowed}: more than that can be noise in so few rows, not gated."
    return "warn", f"{moved}; {allowed}, and whether it is more cannot be told from these rows."


def _moved(gain: float, ends: Sequence[float]) -> str:
    """How the metric moved, with the interval as seen from the better side."""
    low, high = ends[0], ends[-1]
    between = ""
    if low < 0 < high:
        between = f" (from {number(-low)} worse to {number(high)} better)"
    elif low != high:
        between = f" ({interval(*sorted((abs(low), abs(high))))})"
    if gain == 0:
        return f"is the same as the baseline's{between}"
    return f"is {number(abs(gain))} {'better' if gain > 0 else 'worse'} than the baseline's{between}"


def _interval(entry: Mapping[str, Any]) -> tuple[float, float] | None:
    low, high = entry.get("low"), entry.get("high")
    return None if low is None or high is None else (low, high)


def _between(entry: Mapping[str, Any]) -> str:
    words = interval(entry.get("low"), entry.get("high"))
    return f" ({words})" if words else ""
