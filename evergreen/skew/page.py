"""The report of a skew check: the two data sets by name, what differs and why, with pictures of it."""

from evergreen.profile.report import distributions
from evergreen.reports.charts import bars, points
from evergreen.reports.page import (
    Section,
    chip,
    code,
    decisions_table,
    details,
    figure,
    note,
    page,
    table,
    tiles,
    worst,
)
from evergreen.reports.text import interval, number, percent
from evergreen.skew.check import Skew
from evergreen.skew.names import Named
from evergreen.skew.points import Points

_BARS, _SHOWN = 25, 6


def skew_page(skew: Skew, title: str = "Training against serving") -> str:
    """The page of a skew check."""
    sections = [
        Section("Overview", [tiles(_overview(skew)), *(note(r) for r in skew.remarks)]),
        Section("Decisions", [decisions_table(skew.decisions)]),
        Section("Features that differ for the same row", _differences(skew)),
        Section("Value by value", [figure(svg, caption) for svg, caption in map(_picture, skew.points)]),
        Section("Some of the rows", _samples(skew)),
        Section("Rows without a training row, in distribution", _distribution(skew)),
        Section("The two data sets", [_named(skew)]),
    ]
    rows = f"{number(skew.rows.serving)} serving rows, {number(skew.rows.matched)} of them matched"
    return page(title, sections, subtitle=rows, status=worst(skew.decisions))


def _overview(skew: Skew) -> dict[str, object]:
    rows = skew.rows
    same = len(skew.tables.features) - len(skew.differences)
    return {
        "Matched rows": (rows.matched, f"{percent(rows.share)} of serving"),
        "Features the same": (f"{same} of {len(skew.tables.features)}", "in the matched rows"),
        "Only in serving": rows.serving - rows.matched,
        "Missing features": len(skew.tables.absent),
    }


def _differences(skew: Skew) -> list[str]:
    if not skew.differences:
        return []
    severity = {f.column: f.severity for f in skew.findings if f.rule.startswith("skew")}
    rows = [
        (
            chip(severity.get(d.feature.name, "none")), d.feature.name, d.causes[0].text, d.rows,
            percent(d.share), interval(*d.interval), d.missing_serving, d.missing_training,
        )
        for d in skew.differences
    ]  # fmt: skip
    headers = ("Verdict", "Feature", "What it looks like", "Rows", "Share", "95 % interval",
               "Missing in serving", "Missing in training")  # fmt: skip
    shown = skew.differences[:_BARS]
    chart = bars(
        [d.feature.name for d in shown],
        [d.share for d in shown],
        "Share of the matched rows that differ",
        [d.interval for d in shown],
    )
    listing = table(headers, rows, numeric={3, 4, 5, 6, 7}, caption="Features that differ")
    return [figure(chart), listing]


def _picture(one: Points) -> tuple[str, str]:
    name = one.feature.name
    if one.moves:
        labels = [f"{a} → {b}" for a, b, _ in one.moves]
        return bars(
            labels, [float(n) for *_, n in one.moves], f"{name}: training → serving"
        ), "rows by change"
    series = {"the same": list(one.same), "different": list(one.other)}
    drawn = {key: pairs for key, pairs in series.items() if pairs}
    if one.feature.family == "time":
        svg = points(drawn, "training, year", "serving less training, hours", name)
        return svg, "one dot a matched row (a sample); what is equal lies at 0"
    svg = points(drawn, "training", "serving", name, diagonal=True)
    return svg, "one dot a matched row (a sample); what is equal lies on the dashed line"


def _samples(skew: Skew) -> list[str]:
    rows = [(d.feature.name, key, a, b) for d in skew.differences for key, a, b in d.samples]
    if not rows:
        return []
    listing = table(("Feature", "Row", "Training", "Serving"), rows, caption="Rows that differ")
    return [listing if len(rows) <= 15 else details(f"Show {len(rows)} rows", listing)]


def _distribution(skew: Skew) -> list[str]:
    if skew.compared is None:
        return []
    checked = skew.compared.validation
    known = set(skew.compared.reference.by_name)
    ranked = [checked.current.by_name[d.column] for d in checked.drifts if d.column in known]
    moved = {f.column for f in skew.compared.findings}
    first = sorted(ranked, key=lambda c: c.name not in moved)
    words = f"{number(skew.compared.rows)} serving rows have no training row to be compared with one by one"
    blocks = distributions(first, skew.compared.reference, shown=max(2, min(len(moved), _SHOWN)))
    if moved:
        return [note(f"{words}; {len(moved)} features are distributed otherwise", "warn"), *blocks]
    return [note(f"{words}; they are distributed as training is", "pass"), details("Show them", *blocks)]


def _named(skew: Skew) -> str:
    def row(role: str, one: Named) -> tuple[object, ...]:
        version = "not kept" if one.version is None else str(one.version)
        return (role, code(one.uri), version, code(one.digest[:12] or "–"), one.rows)

    rows = [row("training", skew.training), row("serving", skew.serving)]
    return table(("Data set", "Where", "Version", "Digest", "Rows"), rows, numeric={4}, caption="Data sets")
