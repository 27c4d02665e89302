"""A chart for a column of a profile, beside the same column of a baseline where there is one."""

from datetime import UTC, datetime

from evergreen.profile.model import Bins, Column
from evergreen.reports import charts
from evergreen.reports.text import number

_VALUES = 12
TABLE, BASELINE = "this table", "baseline"


def chart(column: Column, baseline: Column | None = None) -> str | None:
    """The distribution of a column as an SVG, in shares of all rows; None where there is nothing to draw.

    Args:
        column: Of the table.
        baseline: The same column of a reference, in the same layout; another layout is left out.
    """
    pair = baseline if baseline and _same_layout(column, baseline) else None
    if not column.valid and not (pair and pair.valid):
        return None
    if column.values and (column.values.items or column.values.other):
        labels, series = _by_value(column, pair)
    elif column.numbers and column.numbers.histogram.edges:
        labels = _bin_labels(column.numbers.histogram, column.family == "time")
        series = {TABLE: _shares(column.numbers.histogram, column.rows)}
        if pair and pair.numbers:
            series[BASELINE] = _shares(pair.numbers.histogram, pair.rows)
    else:
        return None
    title = column.name
    if len(series) == 1 and column.values and column.family == "text":
        return charts.bars(labels, series[TABLE], title)
    return charts.histogram(labels, series, title)


def _same_layout(column: Column, baseline: Column) -> bool:
    if column.family != baseline.family or bool(column.values) != bool(baseline.values):
        return False
    if column.values and baseline.values:
        return {v for v, _ in column.values.items} == {v for v, _ in baseline.values.items}
    old, new = baseline.numbers, column.numbers
    return bool(old and new and old.histogram.edges == new.histogram.edges)


def _by_value(column: Column, baseline: Column | None) -> tuple[list[str], dict[str, list[float]]]:
    assert column.values
    first = baseline.values if baseline and baseline.values else column.values
    shown = [v for v, _ in first.items[:_VALUES]]
    if column.family == "number":
        shown = sorted(v for v, _ in first.items)
    labels = [_label(v) for v in shown]
    series = {}
    for name, one in ((TABLE, column), (BASELINE, baseline)):
        if one and one.values:
            counts, rows = dict(one.values.items), max(1, one.rows)
            rest = one.valid - sum(counts[v] for v in shown)
            series[name] = [counts[v] / rows for v in shown] + [rest / rows]
    if any(heights[-1] for heights in series.values()):
        return [*labels, "others"], series
    return labels, {name: heights[:-1] for name, heights in series.items()}


def _label(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return str(value) if value != "" else "(empty)"


def _shares(bins: Bins, rows: int) -> list[float]:
    return [n / max(1, rows) for n in bins.counts]


def _bin_labels(bins: Bins, time: bool) -> list[str]:
    """Each bin by its upper edge, the last by its lower one."""
    shown = [moment(e) if time else _brief(e) for e in bins.edges]
    return [*shown, f"> {shown[-1]}"]


def _brief(value: float) -> str:
    """Three significant digits, for axes."""
    return number(float(f"{value:.3g}")) if 1 <= abs(value) < 1e6 else f"{value:.3g}"


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def week_charts(column: Column, baseline: Column | None = None) -> list[str]:
    """Rows by weekday and hour (UTC): two charts beside a baseline, else one; none for days without hours."""
    if not column.week or not column.valid:
        return []
    both = {TABLE: column.week}
    if baseline and baseline.week and baseline.valid:
        both[BASELINE] = baseline.week
    shares = {name: [n / max(1, sum(week)) for n in week] for name, week in both.items()}
    by_day = {name: [sum(own[d * 24 : d * 24 + 24]) for d in range(7)] for name, own in shares.items()}
    by_hour = {name: [sum(own[h::24]) for h in range(24)] for name, own in shares.items()}
    drawn = [charts.histogram(_DAYS, by_day, f"{column.name}, by weekday")]
    if any(own[0] < 1.0 for own in by_hour.values()):
        drawn.append(charts.histogram([str(h) for h in range(24)], by_hour, f"{column.name}, by hour"))
    if len(both) == 1 and len(drawn) == 2:
        rows = [[100 * x for x in shares[TABLE][d * 24 : d * 24 + 24]] for d in range(7)]
        title = f"{column.name}, % of rows by hour of the week"
        drawn.append(charts.heatmap([str(h) for h in range(24)], _DAYS, rows, title))
    return drawn


def moment(seconds: float | int | None) -> str:
    """Seconds since 1970 as a date, or as a number where the calendar does not reach."""
    if seconds is None:
        return "–"
    try:
        return datetime.fromtimestamp(float(seconds), UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return number(seconds)
