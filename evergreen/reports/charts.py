"""The charts of the reports: each function returns one inline SVG for `evergreen.reports.page.figure`.

Values that are None, NaN or infinite are left out of the drawing. Same input, same bytes.
"""

import math
from collections.abc import Mapping, Sequence

from evergreen.reports import drawing as d
from evergreen.reports.text import interval, number

_TOP, _PLOT, _LANE = 30.0, 170.0, 24.0


def histogram(labels: Sequence[str], series: Mapping[str, Sequence[float]], title: str) -> str:
    """Bars by bin, one colour a series, side by side.

    Args:
        labels: The bins' names, in order.
        series: Heights by bin, such as shares, for each series' name.
        title: Shown above the chart and read out.
    """
    names = list(series)
    parts, taken = d.legend(names, _TOP)
    low, high = d.extent([h for heights in series.values() for h in heights], zero=True, pad=0.04)
    top = _TOP + taken - 6
    y = d.Scale(low, high, top + _PLOT, top)
    grid, left = _vertical_axis(y)
    parts += grid
    band = (d.WIDTH - left) / max(1, len(labels))
    slot = band * 0.82 / max(1, len(names))
    for s, name in enumerate(names):
        for i, height in enumerate(series[name]):
            if d.finite(height):
                x = left + i * band + band * 0.09 + s * slot
                tip = f"{labels[i]}: {number(float(height))}" + _of(name, names)
                parts.append(
                    d.rect(
                        x,
                        min(y(height), y(0)),
                        slot * 0.94,
                        abs(y(height) - y(0)),
                        d.SERIES[s % len(d.SERIES)],
                        tip,
                    )
                )
    names_below, depth = _band_labels(labels, left, band, top + _PLOT)
    return d.frame(
        title, top + _PLOT + depth, [*parts, d.line(left, y(0), d.WIDTH, y(0), d.AXIS), *names_below]
    )


def bars(
    labels: Sequence[str],
    values: Sequence[float | None],
    title: str,
    intervals: Sequence[tuple[float, float] | None] | None = None,
) -> str:
    """Horizontal bars from zero in the given order, with a whisker where there is an interval."""
    bounds = list(intervals or [None] * len(labels))
    x, parts, height = _lanes(labels, values, bounds, zero=True)
    for i, (label, value, bound) in enumerate(zip(labels, values, bounds, strict=True)):
        if value is None or not d.finite(value):
            continue
        y = _TOP + i * _LANE
        left, right = sorted((x(0), x(value)))
        parts.append(d.rect(left, y + 5, right - left, 12, d.SERIES[0], _tip(label, value, bound)))
        if bound and d.finite(bound[0]) and d.finite(bound[1]):
            parts.append(d.line(x(bound[0]), y + 11, x(bound[1]), y + 11, d.TEXT, 1.4))
    return d.frame(title, height, parts)


def forest(
    labels: Sequence[str],
    values: Sequence[float | None],
    intervals: Sequence[tuple[float, float] | None],
    title: str,
    reference: float | None = None,
) -> str:
    """A dot with its interval for each label; the axis need not start at zero.

    Args:
        labels: The lanes, from top to bottom.
        values: A dot each; None leaves the lane empty.
        intervals: Lower and upper bound each, or None.
        title: Shown above the chart and read out.
        reference: A dashed line across all lanes, such as the overall value or no change.
    """
    x, parts, height = _lanes(labels, values, intervals, zero=False, more=[reference])
    if reference is not None and d.finite(reference):
        parts.append(d.line(x(reference), _TOP, x(reference), _TOP + len(labels) * _LANE, d.MUTED, 1, "3 3"))
    for i, (label, value, bound) in enumerate(zip(labels, values, intervals, strict=True)):
        if value is None or not d.finite(value):
            continue
        y = _TOP + i * _LANE + 11
        if bound and d.finite(bound[0]) and d.finite(bound[1]):
            parts.append(d.line(x(bound[0]), y, x(bound[1]), y, d.SERIES[0], 2.5, opacity=0.45))
        parts.append(d.dot(x(value), y, 4.2, d.SERIES[0], _tip(label, value, bound)))
    return d.frame(title, height, parts)


def curve(
    series: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str, title: str, diagonal: bool = False
) -> str:
    """Lines through points in the given order.

    Args:
        series: Points (x, y) for each line's name.
        x: Title of the horizontal axis.
        y: Title of the vertical axis.
        title: Shown above the chart and read out.
        diagonal: Also draw the line y = x, such as chance for ROC or the ideal for calibration.
    """
    scale_x, scale_y, parts, height = _plane(series, x, y)
    parts += _diagonal(scale_x, scale_y) if diagonal else []
    names = list(series)
    few = max((len(p) for p in series.values()), default=0) <= 25
    for i, (name, points_) in enumerate(series.items()):
        drawn = [(px, py) for px, py in points_ if d.finite(px) and d.finite(py)]
        colour = d.SERIES[i % len(d.SERIES)]
        parts.append(
            d.polyline([(scale_x(a), scale_y(b)) for a, b in drawn], colour, d.DASHES[i % len(d.DASHES)])
        )
        if few:
            tips = [f"{number(a)}, {number(b)}" + _of(name, names) for a, b in drawn]
            parts += [
                d.dot(scale_x(a), scale_y(b), 3, colour, tip) for (a, b), tip in zip(drawn, tips, strict=True)
            ]
    return d.frame(title, height, parts)


def points(
    series: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str, title: str, diagonal: bool = False
) -> str:
    """A scatter plot; see `curve` for the arguments."""
    scale_x, scale_y, parts, height = _plane(series, x, y)
    parts += _diagonal(scale_x, scale_y) if diagonal else []
    names = list(series)
    count = sum(len(p) for p in series.values())
    radius, opacity = (3.4, 0.75) if count <= 200 else (2.2, 0.45)
    for i, (name, points_) in enumerate(series.items()):
        for px, py in points_:
            if d.finite(px) and d.finite(py):
                tip = f"{number(px)}, {number(py)}" + _of(name, names) if count <= 500 else ""
                parts.append(
                    d.dot(scale_x(px), scale_y(py), radius, d.SERIES[i % len(d.SERIES)], tip, opacity)
                )
    return d.frame(title, height, parts)


def heatmap(
    labels_x: Sequence[str], labels_y: Sequence[str], values: Sequence[Sequence[float | None]], title: str,
    x: str = "", y: str = "",
) -> str:  # fmt: skip
    """Cells shaded by how large their value is (negative ones in another colour), with the value in them.

    Args:
        labels_x: The columns' names.
        labels_y: The rows' names, from top to bottom.
        values: One sequence for each row.
        title: Shown above the chart and read out.
        x: Title of the columns.
        y: Title of the rows.
    """
    left = min(130.0, 12 + d.CHARACTER * max((len(str(v)) for v in labels_y), default=1)) + (16 if y else 0)
    columns, rows = max(1, len(labels_x)), max(1, len(labels_y))
    top = _TOP + (34 if x else 18)
    wide = (d.WIDTH - left) / columns
    tall = min(34.0, max(14.0, 560 / rows))
    largest = max((abs(v) for r in values for v in r if v is not None and d.finite(v)), default=0.0) or 1.0
    parts = [
        d.text(left + (i + 0.5) * wide, top - 6, d.cut(str(n), wide), anchor="middle")
        for i, n in enumerate(labels_x)
    ]
    parts += [
        d.text(left - 8, top + (j + 0.5) * tall + 4, d.cut(str(n), left - 24), anchor="end")
        for j, n in enumerate(labels_y)
    ]
    if x:
        parts.append(d.text((left + d.WIDTH) / 2, top - 22, x, anchor="middle", fill=d.TEXT))
    if y:
        middle = top + rows * tall / 2
        parts.append(
            d.text(
                10, middle, y, anchor="middle", fill=d.TEXT, extra=f' transform="rotate(-90 10 {middle:.1f})"'
            )
        )
    for j, row in enumerate(values):
        for i, value in enumerate(row):
            if value is None or not d.finite(value):
                continue
            colour, shade = (d.HEAT if value >= 0 else d.SERIES[1]), 0.05 + 0.55 * abs(value) / largest
            tip = f"{labels_y[j]}, {labels_x[i]}: {number(value)}"
            parts.append(
                d.rect(left + i * wide + 1, top + j * tall + 1, wide - 2, tall - 2, colour, tip, shade)
            )
            if columns <= 10 and tall >= 14:
                parts.append(
                    d.text(
                        left + (i + 0.5) * wide,
                        top + (j + 0.5) * tall + 4,
                        number(value),
                        anchor="middle",
                        fill=d.TEXT,
                    )
                )
    return d.frame(title, top + rows * tall + 4, parts)


def _vertical_axis(y: d.Scale) -> tuple[list[str], float]:
    marks = d.ticks(y.low, y.high, 5)
    labels = d.tick_labels(marks)
    left = 8 + d.CHARACTER * max(len(label) for label in labels)
    parts = [d.line(left, y(v), d.WIDTH, y(v), d.GRID) for v in marks]
    named = zip(marks, labels, strict=True)
    return parts + [d.text(left - 6, y(v) + 3.5, label, anchor="end") for v, label in named], left


def _horizontal_axis(x: d.Scale, bottom: float, count: int) -> list[str]:
    marks = d.ticks(x.low, x.high, count)
    named = zip(marks, d.tick_labels(marks), strict=True)
    return [d.text(x(v), bottom, label, anchor="middle") for v, label in named]


def _band_labels(labels: Sequence[str], left: float, band: float, bottom: float) -> tuple[list[str], float]:
    """The bins' names: flat where all fit, else slanted, every n-th where they would touch."""
    longest = max((len(str(v)) for v in labels), default=1) * d.CHARACTER
    if longest + 6 <= band:
        return [
            d.text(left + (i + 0.5) * band, bottom + 15, str(v), anchor="middle")
            for i, v in enumerate(labels)
        ], 22.0
    every = max(1, math.ceil(20 / band))
    parts = []
    for i in range(0, len(labels), every):
        x, y = left + (i + 0.5) * band + 3, bottom + 12
        parts.append(
            d.text(
                x,
                y,
                d.cut(str(labels[i]), 84),
                anchor="end",
                extra=f' transform="rotate(-40 {x:.1f} {y:.1f})"',
            )
        )
    return parts, 18 + min(longest, 84) * 0.68


def _lanes(
    labels: Sequence[str], values: Sequence[float | None], bounds: Sequence[tuple[float, float] | None],
    *, zero: bool, more: Sequence[float | None] = (),
) -> tuple[d.Scale, list[str], float]:  # fmt: skip
    everything = [v for v in [*values, *more] if v is not None]
    everything += [b for bound in bounds if bound for b in bound]
    low, high = d.extent(everything, zero=zero, pad=0.04)
    left = min(176.0, 14 + d.CHARACTER * max((len(str(v)) for v in labels), default=1))
    x = d.Scale(low, high, left, d.WIDTH - 10)
    bottom = _TOP + max(1, len(labels)) * _LANE
    parts = [d.line(x(v), _TOP, x(v), bottom, d.GRID) for v in d.ticks(low, high, 5)]
    parts += _horizontal_axis(x, bottom + 14, 5)
    parts += [
        d.text(left - 8, _TOP + i * _LANE + 15, d.cut(str(v), left - 8), anchor="end")
        for i, v in enumerate(labels)
    ]
    return x, parts, bottom + 20


def _plane(
    series: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str
) -> tuple[d.Scale, d.Scale, list[str], float]:
    parts, taken = d.legend(list(series), _TOP)
    top = _TOP + taken + 8
    flat = [p for points_ in series.values() for p in points_ if d.finite(p[0]) and d.finite(p[1])]
    low_y, high_y = d.extent([p[1] for p in flat], pad=0.03)
    scale_y = d.Scale(low_y, high_y, top + _PLOT, top)
    grid, left = _vertical_axis(scale_y)
    low_x, high_x = d.extent([p[0] for p in flat], pad=0.02)
    scale_x = d.Scale(low_x, high_x, left, d.WIDTH - 8)
    bottom = top + _PLOT
    parts += [*grid, d.line(left, bottom, d.WIDTH, bottom, d.AXIS), d.text(0, top - 8, y)]
    parts += _horizontal_axis(scale_x, bottom + 15, 6)
    parts.append(d.text((left + d.WIDTH) / 2, bottom + 31, x, anchor="middle"))
    return scale_x, scale_y, parts, bottom + 38


def _diagonal(x: d.Scale, y: d.Scale) -> list[str]:
    low, high = max(x.low, y.low), min(x.high, y.high)
    return [d.line(x(low), y(low), x(high), y(high), d.MUTED, 1, "3 3")] if high > low else []


def _tip(label: str, value: float, bound: tuple[float, float] | None) -> str:
    return f"{label}: {number(float(value))}" + (f" ({interval(*bound)})" if bound else "")


def _of(name: str, names: Sequence[str]) -> str:
    return f" ({name})" if len(names) > 1 else ""
