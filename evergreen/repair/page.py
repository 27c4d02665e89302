"""The report of a repair: what changed, before and after, what could not be repaired."""

from collections.abc import Mapping, Sequence

from evergreen.decisions import Decision
from evergreen.findings import Finding, worst_first
from evergreen.repair.results import ColumnResult, Refused
from evergreen.repair.shift import Shift
from evergreen.repair.table import TableRepair
from evergreen.reports.charts import bars, histogram
from evergreen.reports.page import (
    Section,
    decisions_table,
    details,
    figure,
    note,
    page,
    pre,
    table,
    text,
    tiles,
    worst,
)  # fmt: skip
from evergreen.reports.text import MISSING, number, percent, shortened

_OPEN, _FOLDED, _LENGTH = 8, 40, 60


def repair_page(
    tables: Sequence[TableRepair],
    decisions: Sequence[Decision],
    *,
    subtitle: str = "",
    policy: str = "",
    hints: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The page.

    Args:
        tables: What was repaired.
        decisions: The gate's records.
        subtitle: Below the title.
        policy: The policies as YAML, to show.
        hints: By column: what a person may want to decide.
    """
    results = [r for t in tables for r in t.results]
    changed = [r for r in results if r.changed or r.unrepaired]
    said = [note(f"{column}: {hint}", "info") for column, some in (hints or {}).items() for hint in some]
    sections = [
        Section(
            "Overview",
            [_overview(tables), *([] if changed else [note("Nothing had to be repaired.", "pass")])],
        ),
        Section("Findings", [decisions_table(decisions)] if decisions else []),
        Section("Worth a look", said),
        Section("Before and after", _charts(results)),
        Section("Changes", [_changes(results)] if any(r.changes for r in results) else []),
        Section("Not repaired", [_refused(results)] if any(r.refused for r in results) else []),
        Section("Columns", [_columns(results)] if results else []),
        Section("Policy", [pre(policy)] if policy else []),
    ]
    status = worst(decisions)
    return page("Repair", sections, subtitle=subtitle, status="pass" if status == "none" else status)


def failure_page(subtitle: str, error: Exception) -> str:
    """The report of a repair that could not be done."""
    alerts = [note(line.strip(), "fail") for line in str(error).split("\n") if line.strip()]
    return page("Repair", [Section("Alerts", alerts)], subtitle=subtitle, status="fail")


def _overview(tables: Sequence[TableRepair]) -> str:
    rows = sum(t.applied.rows for t in tables)
    aside = sum(t.applied.set_aside for t in tables)
    return tiles(
        {
            "Tables": len(tables),
            "Rows read": rows,
            "Values changed": sum(t.changed for t in tables),
            "Rows set aside": (aside, f"{percent(aside / rows)} of the rows" if rows and aside else ""),
            "Rows left out": sum(t.applied.dropped for t in tables),
            "Columns": sum(len(t.results) for t in tables),
        }
    )


def _charts(results: Sequence[ColumnResult]) -> list[str]:
    ranked = sorted(
        results, key=lambda r: -(r.shift.value or 0) - abs(r.shift.missing_after - r.shift.missing_before)
    )
    drawn = [figure(_chart(r), _caption(r)) for r in ranked[: _OPEN + _FOLDED] if r.shift.labels]
    blocks: list[str] = list(drawn[:_OPEN])
    if drawn[_OPEN:]:
        blocks.append(details(f"{len(drawn) - _OPEN} more", *drawn[_OPEN:]))
    bare = [r for r in results if not r.shift.labels]
    if bare:
        names = ", ".join(_name(r) for r in bare[:20])
        blocks.append(
            text(f"Nothing to compare with (no value could be read before, or none is left): {names}.")
        )
    rules = _rules_chart(results)
    return [rules, *blocks] if rules else blocks


def _rules_chart(results: Sequence[ColumnResult]) -> str | None:
    counts: dict[str, int] = {}
    for result in results:
        for change in result.changes:
            counts[change.rule] = counts.get(change.rule, 0) + change.rows
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:12]
    if not top:
        return None
    return figure(bars([r for r, _ in top], [float(n) for _, n in top], "Values changed, by rule"))


def _chart(result: ColumnResult) -> str:
    shift = result.shift
    labels = [shortened(label, _LENGTH) or "(empty)" for label in shift.labels]
    return histogram(labels, {"before": shift.bars_before, "after": shift.bars_after}, _name(result))


def _caption(result: ColumnResult) -> str:
    shift = result.shift
    words = [f"share of values; {number(shift.before)} could be read before, {number(shift.after)} after"]
    words.append(f"missing {percent(shift.missing_before)} before, {percent(shift.missing_after)} after")
    return "; ".join([*words, _moved(shift)])


def _moved(shift: Shift) -> str:
    if shift.value is None:
        return "not comparable"
    kind = "total variation" if shift.kind == "tv" else "largest distance"
    area = f", area {number(shift.wasserstein)} sd" if shift.wasserstein is not None else ""
    return f"{kind} {number(shift.value)}{area}"


def _name(result: ColumnResult) -> str:
    return f"{result.source}.{result.column}"


def _changes(results: Sequence[ColumnResult]) -> str:
    rows = [
        (_name(r), change.rule, change.rows, percent(change.rows / max(1, r.rows)), _arrows(change.examples))
        for r in results
        for change in r.changes
    ]
    headers = ["Column", "Rule", "Rows", "Share", "Most frequent (from → to)"]
    return table(headers, rows, numeric={2, 3}, caption="Changes by rule")


def _arrows(examples: Sequence[tuple[str | None, str | None, int]]) -> str:
    return ";  ".join(f"{quoted(a)} → {quoted(b)} ({number(n)})" for a, b, n in examples[:3])


def quoted(value: str | None) -> str:
    """A value as it reads in a cell: white space can be seen, a missing one is named."""
    if value is None:
        return "missing"
    seen = value.replace("\u00a0", "⍽").replace("\n", "⏎").replace("\t", "⇥").replace("\ufeff", "⟨BOM⟩")
    shown = shortened(seen, _LENGTH)
    return f"‘{shown}’" if shown != shown.strip() or not shown else shown


def _refused(results: Sequence[ColumnResult]) -> str:
    rows = [
        (_name(r), one.reason, r.action, one.rows, _counted(one), "; ".join(one.keys[:3]))
        for r in results
        for one in r.refused
    ]  # fmt: skip
    headers = ["Column", "Reason", "What became of it", "Rows", "Most frequent", "First rows"]
    return table(headers, rows, numeric={3}, caption="Values that could not be repaired")


def _counted(one: Refused) -> str:
    return "; ".join(f"{quoted(v)} ({number(n)})" for v, n in one.examples[:3])


def _columns(results: Sequence[ColumnResult]) -> str:
    rows = [
        (_name(r), r.type, r.rows, r.changed, r.unrepaired, percent(r.shift.missing_before),
         percent(r.shift.missing_after), MISSING if r.shift.value is None else number(r.shift.value),
         MISSING if r.shift.wasserstein is None else number(r.shift.wasserstein))
        for r in results
    ]  # fmt: skip
    headers = [
        "Column",
        "Type",
        "Rows",
        "Changed",
        "Not repaired",
        "Missing before",
        "Missing after",
        "Shift",
        "Area (sd)",
    ]
    return table(headers, rows, numeric={2, 3, 4, 5, 6, 7, 8}, caption="Repaired columns")


def ordered(findings: Sequence[Finding]) -> list[Decision]:
    """The findings as decision records, the worst first."""
    return [f.decision() for f in worst_first(findings)]
