"""What the data gate found, as a page: decisions, rows and values behind them, and what moved."""

from evergreen.profile.model import Profile
from evergreen.profile.report import distributions
from evergreen.profile.validation.drift import SMALL, Drift
from evergreen.profile.validation.validate import Validation
from evergreen.reports.page import Section, chip, decisions_table, details, note, page, table, worst
from evergreen.reports.text import number, percent

_BINS = 12


def validation_page(validation: Validation, baseline: Profile | None) -> str:
    """The page of a validation against a schema and, where there is one, a baseline."""
    status = worst(validation.decisions)
    sections = [
        Section("Decisions", [*_remarks(validation, baseline), decisions_table(validation.decisions)]),
        Section("Rows behind the findings", _rows(validation)),
        Section("Against the baseline", _drift(validation) if baseline else []),
        Section("Distributions", _charts(validation, baseline)),
    ]
    return page("Data validation", sections, subtitle=_subtitle(validation, baseline), status=status)


def _subtitle(validation: Validation, baseline: Profile | None) -> str:
    rows = f"{number(validation.current.rows)} rows, {len(validation.current.columns)} columns"
    return f"{rows}; baseline {number(baseline.rows)} rows" if baseline else f"{rows}; no baseline yet"


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
    """What moved first; where nothing can move, nothing."""
    if not baseline:
        return []
    columns = [validation.current.by_name[d.column] for d in validation.drifts]
    moved = sum(f.rule == "drift psi" for f in validation.findings)
    blocks = distributions(columns, baseline, shown=min(max(moved, 2), _BINS))
    return blocks if moved else [details("Nothing moved; show the distributions", *blocks)] if blocks else []
