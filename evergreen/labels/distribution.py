"""How the labels are spread: missing and immature ones, rare classes, and the shares of the baseline."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from evergreen.findings import Finding, no, rows_text, softened
from evergreen.labels.rows import Rows
from evergreen.profile.model import Bins, Column, Numbers, Profile, Scalar, Values
from evergreen.profile.validation.drift import SMALL, Drift, compare, new_values_floor
from evergreen.project.model import DataGate, LabelGate
from evergreen.reports.text import number, percent
from evergreen.tables import identifier, literal

GATE = "labels"
# Two-sided 0.9999 of the normal distribution: a run looks at few classes, and 200 runs must stay silent.
_SURE = 3.9
_RATIO = 1.2
_LEVEL = 0.9995


@dataclass(frozen=True)
class Distribution:
    """Counts of the label.

    Attributes:
        classes: Rows by class; empty for a number.
        drift: Against the baseline; None without one.
    """

    classes: Mapping[str, int]
    drift: Drift | None


def excluded(meta: Mapping[str, Any], rows: int, gate: LabelGate) -> list[Finding]:
    """Rows that have no label, or none that is final yet; counted when the training set was built."""
    left_out: Mapping[str, int] = meta.get("excluded") or {}
    total = rows + sum(left_out.values())
    missing, immature = left_out.get("no label", 0), left_out.get("immature label", 0)
    found = []
    if missing > gate.max_missing * total:
        text = f"{rows_text(missing, total)} have no label; at most {percent(gate.max_missing)} may"
        found.append(_share_no("missing label", meta["label"], gate, text, missing, total, gate.max_missing))
    if immature > gate.max_immature * total:
        text = (
            f"{rows_text(immature, total)} have a label that is not final; "
            f"at most {percent(gate.max_immature)} may"
        )
        found.append(
            _share_no("immature label", meta["label"], gate, text, immature, total, gate.max_immature)
        )
    return found


def _share_no(
    rule: str, column: str, gate: LabelGate, text: str, count: int, total: int, bound: float
) -> Finding:
    return no(rule, column, gate.mode, text, observed=count / total, threshold=bound, count=count,
              share=count / total, gate=GATE)  # fmt: skip


def class_counts(rows: Rows) -> dict[Scalar, int]:
    """Rows by class, in the order of the classes; empty for a number."""
    if rows.target.classes is None:
        return {}
    label = identifier(rows.label)
    found = rows.con.execute(f"SELECT {label}, count(*) FROM {rows.relation} GROUP BY 1").fetchall()
    counts = {_plain(v): int(n) for v, n in found}
    return {c: counts.get(c, 0) for c in rows.target.classes}


def _plain(value: Any) -> Scalar:
    return value if isinstance(value, str | int | float | bool) else float(value)


def rare_classes(counts: Mapping[Scalar, int], column: str, gate: LabelGate) -> list[Finding]:
    """Classes with too few rows to learn from, or to say anything about."""
    rows = sum(counts.values())
    return [
        no(
            "rare class", column, softened(gate.mode),
            f"class {name!r} has {rows_text(n, rows)}; at least {gate.min_class_rows} are needed",
            observed=n, threshold=gate.min_class_rows, count=n, share=n / rows, slice=f"{column}={name}",
            gate=GATE,
        )
        for name, n in counts.items()
        if n < gate.min_class_rows
    ]  # fmt: skip


def against_baseline(
    rows: Rows, counts: Mapping[Scalar, int], baseline: Profile | None, gate: LabelGate, data: DataGate
) -> tuple[Drift | None, list[Finding]]:
    """Compare the label with the baseline's: classes that vanished, came, or changed their share.

    The population stability index must pass both its bound and its noise floor. A class's share must have
    changed by a fifth, and by more than 3.9 standard errors of the difference of two proportions (Fleiss,
    Levin, Paik, "Statistical methods for rates and proportions", 2003, chapter 3).
    """
    before = baseline.by_name.get(rows.label) if baseline else None
    if before is None or not before.rows:
        return None, []
    now = _counted(rows, before, counts)
    drift = compare(before, now, _LEVEL) if now else None
    if drift is None:
        return None, []
    found = _classes(before, counts, rows.label, gate) if counts and before.values else []
    bound = max(data.psi_warn, drift.floor)
    if drift.psi > bound:
        mode = gate.mode if drift.psi > max(data.psi_alarm, drift.floor) else softened(gate.mode)
        small = f" (small data: fewer than {SMALL} rows on one side)" if drift.small else ""
        text = (
            f"the label is not spread as in the baseline: population stability index {number(drift.psi)}, "
            f"chance alone stays below {number(drift.floor)}{small}"
        )
        found.append(
            no("label drift", rows.label, mode, text, observed=drift.psi, threshold=bound, gate=GATE)
        )
    return drift, found


def _classes(before: Column, counts: Mapping[Scalar, int], column: str, gate: LabelGate) -> list[Finding]:
    assert before.values
    old, n = {str(v): c for v, c in before.values.items}, before.valid
    new, m = {str(v): c for v, c in counts.items()}, sum(counts.values())
    found = []
    for name in dict.fromkeys([*old, *new]):
        p, q = old.get(name, 0) / n, new.get(name, 0) / m
        expected = p * m
        pooled = (old.get(name, 0) + new.get(name, 0)) / (n + m)
        error = math.sqrt(max(pooled * (1 - pooled), 1e-12) * (1 / n + 1 / m))
        if not q and expected >= 10 * (1 + m / n):
            text = f"class {name!r} is gone; by the baseline {number(round(expected))} rows would have it"
            found.append(_class_no("class vanished", column, name, gate.mode, text, q, p, 0))
        elif name not in old and before.values.complete and q > new_values_floor(before, m):
            text = f"class {name!r} is not in the baseline; {rows_text(new[name], m)} have it"
            found.append(_class_no("class new", column, name, gate.mode, text, q, 0.0, new[name]))
        elif name in old and abs(p - q) > _SURE * error and max(p, q) > _RATIO * min(p, q):
            text = (
                f"{percent(q)} of the labels are {name!r}, in the baseline {percent(p)}: more than chance "
                f"explains. Other rows, or other labels for the same rows?"
            )
            mode = softened(gate.mode)
            found.append(_class_no("label shift", column, name, mode, text, q, p, new.get(name, 0)))
    return found


def _class_no(
    rule: str, column: str, name: str, mode: Any, text: str, observed: float, before: float, count: int
) -> Finding:
    return no(rule, column, mode, text, observed=observed, threshold=before, count=count, share=observed,
              slice=f"{column}={name}", gate=GATE)  # fmt: skip


def _counted(rows: Rows, before: Column, counts: Mapping[Scalar, int]) -> Column | None:
    """The label of these rows in the layout of the baseline's; None where the two cannot be compared."""
    if before.values and counts:
        now = {str(v): n for v, n in counts.items()}
        items = tuple((v, now.get(str(v), 0)) for v, _ in before.values.items)
        other = rows.count - sum(n for _, n in items)
        return replace(before, rows=rows.count, missing=0, invalid=0, numbers=None,
                       values=Values(items, other, before.values.complete))  # fmt: skip
    if before.numbers and not counts:
        numbers = _numbers(rows, before.numbers)
        return replace(before, rows=rows.count, missing=0, invalid=rows.count - numbers.count, values=None,
                       numbers=numbers)  # fmt: skip
    return None


def _numbers(rows: Rows, before: Numbers) -> Numbers:
    y = f"{identifier(rows.label)}::DOUBLE"
    edges = [*before.bins.edges, *before.histogram.edges]
    below = ", ".join(f"count_if({y} <= {literal(float(e))})" for e in edges)
    found = rows.con.execute(
        f"SELECT count(*), min({y}), max({y}), avg({y}){', ' + below if below else ''} "
        f"FROM {rows.relation} WHERE isfinite({y})"
    ).fetchall()[0]
    count, low, high, mean, *cumulative = found
    cut = len(before.bins.edges)
    return replace(
        before, count=count, minimum=low, maximum=high, mean=mean,
        bins=Bins(before.bins.edges, _steps(cumulative[:cut], count)),
        histogram=Bins(before.histogram.edges, _steps(cumulative[cut:], count)),
    )  # fmt: skip


def _steps(cumulative: list[int], total: int) -> tuple[int, ...]:
    return tuple(b - a for a, b in zip([0, *cumulative], [*cumulative, total], strict=True))
