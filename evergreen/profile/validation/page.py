"""What the data gate found, as a page: decisions, rows and values behind them, and what moved."""

from evergreen.profile.model import Profile
from evergreen.profile.report import distributions
from evergreen.profile.validation.drift import SMALL, Drift
from evergreen.profile.validation.pictures import picture
from evergreen.profile.validation.validate import Validation
from evergreen.reports.page import (
    Section,
    chip,
    decisions_table,
    details,
    figure,
    note,
    page,
    table,
    tiles,
    worst,
)
from evergreen.reports.text import number, percent

_BINS = 12
_PICTURES, _WORDS = 24, 40


def validation_page(validation: Validation, baseline: Profile | None) -> str:
    """The page of a validation against a schema and, where there is one, a baseline."""
    status = worst(validation.decisions)
    sections = [
        Section("Overview", [tiles(_overview(validation, baseline)), *_remarks(validation, baseline)]),
        Section("Findings", _findings(validation, baseline)),
        Section("Decisions", [decisions_table(validation.decisions)]),
        Section("Rows behind the findings", _rows(validation)),
        Section("Against the baseline", _drift(validation) if baseline else []),
        Section("Distributions", _charts(validation, baseline)),
    ]
    return page("Data validation", sections, subtitle=_subtitle(validation, baseline), status=status)


def _subtitle(validation: Validation, baseline: Profile | None) -> str:
    rows = f"{number(validation.current.rows)} rows, {len(validation.current.columns)} columns"
    return f"{rows}; baseline {number(baseline.rows)} rows" if baseline else f"{rows}; no baseline yet"


def _overview(validation: Validation, baseline: Profile | None) -> dict[str, object]:
    findings = validation.findings
    rows = validation.current.rows
    touched = {f.column for f in findings if f.column}
    shown: dict[str, object] = {
        "Failures": sum(f.severity == "fail" for f in findings),
        "Warnings": sum(f.severity == "warn" for f in findings),
        "Columns touched": (len(touched), f"of {len(validation.current.columns)}"),
        "Rows": (rows, f"{number(rows / baseline.rows)} times the baseline's")
        if baseline and baseline.rows
        else rows,
    }
    if validation.drifts:
        furthest = validation.drifts[0]
        shown["Furthest column"] = (furthest.column, f"PSI {number(furthest.psi)}")
    return shown


def _findings(validation: Validation, baseline: Profile | None) -> list[str]:
    """A picture for each finding, its reason below it; what cannot be drawn stands in words."""
    words: list[str] = []
    drawn: dict[str, list[str]] = {}
    for finding in validation.findings:
        svg = picture(finding, validation.current, baseline)
        said = f"{finding.severity}, {finding.rule}: {finding.reason}"
        if svg is None or (svg not in drawn and len(drawn) == _PICTURES):
            words.append(note(said, finding.severity if finding.severity != "skip" else "info"))
        else:
            drawn.setdefault(svg, []).append(said)
    return [*words[:_WORDS], *(figure(svg, ". ".join(said)) for svg, said in drawn.items())]


def _remarks(validation: Validation, baseline: Profile | None) -> list[str]:
    remarks: list[str] = []
    if not baseline:
        words = (
            "There is no baseline yet: drift is skipped, and this table becomes the baseline with the model."
        )
        remarks.append(note(words))
    elif min(validation.current.rows, baseline.rows) < SMALL:
        words = f"Small data: fewer than {SMALL} rows. Only large changes can be told from chance."
        remarks.append(note(words, "warn"))
    return remarks


def _rows(validation: Validation) -> list[str]:
    rows = [
        (
            chip(f.severity),
            f.rule,
            f.column,
            f.count,
            percent(f.share),
            "; ".join(f.keys),
            ", ".join(f.examples),
        )
        for f in validation.findings
        if f.count is not None and f.share is not None
    ]
    headers = ("Verdict", "Rule", "Column", "Rows", "Share", "Some rows, by key", "Values")
    return [table(headers, rows, numeric={3, 4}, caption="Rows behind the findings")] if rows else []


def _drift(validation: Validation) -> list[str]:
    headers = (
        "Column",
        "PSI",
        "By chance up to",
        "Jensen-Shannon",
        "Wasserstein or L∞",
        "Most changed bin",
        "Change",
    )
    rows = [
        (d.column, d.psi, d.floor, d.jensen_shannon, d.distance, *_most_changed(d)) for d in validation.drifts
    ]
    return [
        table(headers, rows, numeric={1, 2, 3, 4, 6}, caption="Distance of each column from the baseline")
    ]


def _most_changed(drift: Drift) -> tuple[str, str]:
    n, m = sum(drift.reference), sum(drift.current)
    changes = [b / m - a / n for a, b in zip(drift.reference, drift.current, strict=True)]
    at = max(range(len(changes)), key=lambda i: abs(changes[i]))
    return drift.labels[at], f"{percent(drift.reference[at] / n)} → {percent(drift.current[at] / m)}"


def _charts(validation: Validation, baseline: Profile | None) -> list[str]:
    """Every other column beside its baseline, folded away."""
    if not baseline:
        return []
    told = {f.column for f in validation.findings}
    columns = [validation.current.by_name[d.column] for d in validation.drifts if d.column not in told]
    blocks = distributions(columns, baseline, shown=_BINS)
    title = "Nothing moved; show the distributions" if not told else "Columns that did not move"
    return [details(title, *blocks)] if blocks else []
