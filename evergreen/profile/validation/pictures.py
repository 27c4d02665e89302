"""A picture for a finding: the column beside its baseline, or the trait that changed beside what it was."""

from evergreen.findings import Finding
from evergreen.profile.model import Profile
from evergreen.profile.pictures import BASELINE, TABLE, chart, moment
from evergreen.profile.traits.model import Item, Tally
from evergreen.profile.validation.shifts import named
from evergreen.reports import charts

_ITEMS = 14
_KINDS = {
    "values": ("value",), "precision": ("decimals",), "format": ("flag", "form"), "length": ("length",),
    "clock": ("hour", "weekday"), "gap": ("period",),
}  # fmt: skip
_TITLES = {
    "value": "single values", "decimals": "decimals", "flag": "how it is written",
    "form": "how it is written",
    "length": "characters", "hour": "hour of the day", "weekday": "weekday", "period": "rows by period",
}  # fmt: skip
_IN_ORDER = ("decimals", "length", "hour", "weekday", "period")


def picture(finding: Finding, current: Profile, baseline: Profile | None) -> str | None:
    """An SVG for a finding; None where there is nothing to draw."""
    if finding.rule == "association":
        values = [finding.threshold, finding.observed]
        shown = [float(v) for v in values if isinstance(v, int | float)]
        return charts.bars([BASELINE, TABLE], shown, f"{finding.column}: strongest lost correlation")
    if finding.rule in ("volume", "min_rows") and baseline:
        return charts.bars([BASELINE, TABLE], [baseline.rows, current.rows], "Rows")
    column = current.by_name.get(finding.column)
    if column is None:
        return None
    old = baseline.by_name.get(column.name) if baseline else None
    if baseline and finding.rule in _KINDS:
        drawn = _trait(finding, current, baseline)
        if drawn:
            return drawn
    if finding.rule in ("missing", "missing change", "max_missing"):
        shares = {TABLE: [column.missing_share]} | ({BASELINE: [old.missing_share]} if old else {})
        return charts.histogram(["missing"], shares, f"{column.name}: share missing")
    if finding.slice != "overall" and baseline:
        parts = [{s.name: s.profile for s in p.slices}.get(finding.slice) for p in (current, baseline)]
        if parts[0] and parts[1]:
            sliced = chart(parts[0].by_name[column.name], parts[1].by_name.get(column.name))
            return sliced.replace(f">{column.name}<", f">{column.name}, {finding.slice}<") if sliced else None
    return chart(column, old)


def _trait(finding: Finding, current: Profile, baseline: Profile) -> str | None:
    for kind in _KINDS[finding.rule]:
        new, old = _tally(current, finding.column, kind), _tally(baseline, finding.column, kind)
        if new is None or old is None or not (new.items or old.items):
            continue
        before, now = dict(old.items), dict(new.items)
        n, m = max(1, old.rows), max(1, new.rows)

        def change(
            item: Item, a: dict[Item, int] = before, b: dict[Item, int] = now, n: int = n, m: int = m
        ) -> float:
            return abs(a.get(item, 0) / n - b.get(item, 0) / m)

        items = sorted({*before, *now}, key=lambda i: (-change(i), str(i)))
        if not items or change(items[0]) < 0.001:
            continue
        shown = items[: 60 if kind == "period" else 24 if kind == "hour" else _ITEMS]
        if kind in _IN_ORDER:
            shown = sorted(shown, key=lambda i: float(i))
        labels = [
            moment(float(i) * new.unit) if kind == "period" else named(kind, i, new.unit) for i in shown
        ]
        series = {TABLE: [now.get(i, 0) / m for i in shown], BASELINE: [before.get(i, 0) / n for i in shown]}
        return charts.histogram(labels, series, f"{finding.column}: {_TITLES[kind]}")
    return None


def _tally(profile: Profile, column: str, kind: str) -> Tally | None:
    if profile.traits is None:
        return None
    return next((t for t in profile.traits.tallies.get(column, ()) if t.kind == kind), None)
