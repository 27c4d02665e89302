"""The gate's report: the verdict first, then every decision."""

from collections.abc import Mapping, Sequence
from typing import Any

from evergreen.decisions import Decision
from evergreen.modeling.evaluation.gate import blessed
from evergreen.reports.charts import forest
from evergreen.reports.page import Section, decisions_table, figure, page, tiles, worst
from evergreen.reports.text import metric_name

_MOST_LANES = 40


def gate_page(decisions: Sequence[Decision], evaluation: Mapping[str, Any]) -> str:
    """The page of `compare_models`."""
    counts = {v: sum(d.verdict == v for d in decisions) for v in ("fail", "warn", "pass", "skip")}
    overall = evaluation["datasets"]["test"]["overall"]
    primary = evaluation["primary"]
    figures: dict[str, object] = {
        "Decision": "blessed" if blessed(decisions) else "stopped",
        f"{metric_name(primary)} on the test set": overall["metrics"][primary]["value"],
        "Checks": (len(decisions), ", ".join(f"{n} {v}" for v, n in counts.items() if n)),
        "Baseline": "compared" if evaluation.get("changes") else "none",
    }
    sections = [
        Section("Verdict", [tiles(figures)]),
        Section("Decisions", [decisions_table(decisions)]),
        Section("Change against the baseline", _changes(decisions)),
    ]
    status = worst(decisions)
    return page(
        "Model gate",
        sections,
        subtitle=f"{evaluation.get('name', 'model')} · the candidate against the project's bounds",
        status="pass" if status == "none" else status,
        verdict=summary(decisions),
    )


def summary(decisions: Sequence[Decision]) -> str:
    """The gate's decision in one sentence."""
    failed = [d for d in decisions if d.verdict == "fail"]
    warned = [d for d in decisions if d.verdict == "warn"]
    if failed:
        more = f" And {len(failed) - 1} more." if len(failed) > 1 else ""
        return f"Not blessed. {failed[0].reason}{more}"
    if warned:
        more = f" And {len(warned) - 1} more." if len(warned) > 1 else ""
        return f"Blessed, with warnings. {warned[0].reason}{more}"
    held = sum(d.verdict == "pass" for d in decisions)
    if not held:
        return f"Blessed. {decisions[0].reason}" if decisions else "Blessed. There was nothing to check."
    skipped = f", {len(decisions) - held} could not be held against anything" if held < len(decisions) else ""
    return f"Blessed. {held} of {len(decisions)} checks passed{skipped}."


def _changes(decisions: Sequence[Decision]) -> list[str]:
    by_check: dict[str, list[Decision]] = {}
    for decision in decisions:
        if decision.check.endswith(" change") and isinstance(decision.observed, float):
            by_check.setdefault(decision.check, []).append(decision)
    figures: list[str] = []
    for check, group in by_check.items():
        shown = group[:_MOST_LANES]
        chart = forest(
            [d.slice for d in shown],
            [float(d.observed) for d in shown if d.observed is not None],
            [d.interval for d in shown],
            f"{metric_name(check.removesuffix(' change'))}: candidate minus baseline",
            reference=0.0,
        )
        figures.append(figure(chart, "Same rows, paired bootstrap; the dashed line is no change."))
    return figures
