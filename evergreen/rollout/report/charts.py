"""The charts that only a rollout has: shares over time, and an experiment's looks against their bounds."""

from collections.abc import Mapping, Sequence

from evergreen.reports import drawing as d
from evergreen.reports.text import number, seconds
from evergreen.rollout.report.story import Moment

_TOP, _PLOT = 30.0, 160.0
_FARTHEST = 6.0
_FAIL, _WARN = "var(--fail,#b3261e)", "var(--warn,#8a5700)"
_MARKS = {"rolling back": _FAIL, "dead man": _FAIL, "held": _WARN, "paused": _WARN}

Mark = tuple[float, str, str]
"""When, what, and the sentence that a tooltip shows."""


def shares(moments: Sequence[Moment], end: float, marks: Sequence[Mark], title: str) -> str:
    """Percent of the users with the candidate over time, and of the requests that were copied to it.

    Args:
        moments: In order.
        end: Until when; seconds since 1970.
        marks: Events, drawn below the lines.
        title: Shown above the chart and read out.
    """
    copied = any(m.mirror for m in moments)
    parts, taken = d.legend(["users", "copied requests (hidden)"] if copied else [], _TOP)
    top = _TOP + taken + 2
    begin = moments[0].at if moments else end
    x = d.Scale(0.0, max(end - begin, 1e-3), 34.0, d.WIDTH - 8)
    y = d.Scale(0.0, 100.0, top + _PLOT, top)
    for value in (0.0, 25.0, 50.0, 75.0, 100.0):
        parts.append(d.line(34, y(value), d.WIDTH, y(value), d.GRID if value else d.AXIS))
        parts.append(d.text(28, y(value) + 3.5, f"{value:g} %", anchor="end"))
    drawn = (("mirror", d.SERIES[1], d.DASHES[1]), ("share", d.SERIES[0], ""))
    for series, colour, dash in drawn if copied else drawn[1:]:
        points = _steps([(m.at - begin, getattr(m, series)) for m in moments], end - begin)
        parts.append(d.polyline([(x(a), y(b)) for a, b in points], colour, dash))
    for at, what, tip in marks:
        colour = _MARKS.get(what, d.MUTED)
        parts.append(d.line(x(at - begin), top, x(at - begin), top + _PLOT, colour, 1, "2 4", 0.6))
        parts.append(d.dot(x(at - begin), top + _PLOT + 8, 3.2, colour, tip))
    for value in d.ticks(0.0, max(end - begin, 1e-3), 4):
        parts.append(d.text(x(value), top + _PLOT + 27, seconds(value) if value else "0", anchor="middle"))
    return d.frame(title, top + _PLOT + 34, parts)


def looks(
    series: Mapping[str, Sequence[tuple[float, float]]], bounds: Sequence[tuple[float, float]], title: str
) -> str:
    """z of each success metric at each look, between the bounds at which one arm has won.

    Args:
        series: By metric: the part of the planned users that were there (0 to 1), and z; better is above 0.
        bounds: The part of the users at each look, and the bound for |z|.
        title: Shown above the chart and read out.
    """
    names = [*series, "bounds"] if series else ["bounds"]
    parts, taken = d.legend(names, _TOP)
    top = _TOP + taken + 2
    values = [abs(z) for points in series.values() for _, z in points]
    most = (
        max([3.0, *(min(b, _FARTHEST) for _, b in bounds), *(min(v, 2 * _FARTHEST) for v in values)]) * 1.08
    )
    last = max([1.0, *(t for t, _ in bounds), *(t for points in series.values() for t, _ in points)])
    x, y = d.Scale(0.0, last, 34.0, d.WIDTH - 8), d.Scale(-most, most, top + _PLOT, top)
    for value in d.ticks(-most, most, 6):
        parts.append(d.line(34, y(value), d.WIDTH, y(value), d.GRID if value else d.AXIS))
        parts.append(d.text(28, y(value) + 3.5, number(float(value)), anchor="end"))
    edge = d.SERIES[len(series) % len(d.SERIES)]
    for sign in (1, -1):
        line = [(x(t), y(sign * min(b, most))) for t, b in bounds]
        parts.append(d.polyline(line, edge, d.DASHES[1]))
        parts += [
            d.dot(px, py, 2.6, edge, f"bound {number(sign * b)} at {100 * t:.0f} % of the users")
            for (px, py), (t, b) in zip(line, bounds, strict=True)
        ]
    for i, (name, points) in enumerate(series.items()):
        drawn = [(x(t), y(max(-most, min(most, z)))) for t, z in points if d.finite(z)]
        parts.append(d.polyline(drawn, d.SERIES[i]))
        tips = [f"{name}: z {number(z)} at {100 * t:.0f} % of the users" for t, z in points if d.finite(z)]
        parts += [d.dot(px, py, 4, d.SERIES[i], tip) for (px, py), tip in zip(drawn, tips, strict=True)]
    for value in d.ticks(0.0, last, 5):
        parts.append(d.text(x(value), top + _PLOT + 15, f"{100 * value:.0f} %", anchor="middle"))
    parts.append(d.text((34 + d.WIDTH) / 2, top + _PLOT + 31, "part of the planned users", anchor="middle"))
    return d.frame(title, top + _PLOT + 38, parts)


def _steps(points: Sequence[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    """A line that keeps each value until the next one."""
    drawn: list[tuple[float, float]] = []
    for at, value in points:
        if drawn:
            drawn.append((at, drawn[-1][1]))
        drawn.append((at, value))
    return [*drawn, (end, drawn[-1][1])] if drawn else []
