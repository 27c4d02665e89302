"""The few SVG parts that the charts are made of: scales, axes, marks, a frame with a title.

Drawn directly rather than by a chart library: the one that renders without a network (Vega through V8)
costs each task 2.4 s and 140 MB, and the image 90 MB (docs/adr/0011-charts.md). Colours are the page's CSS
variables, with fallbacks that read on light and dark. Same input, same bytes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

TEXT = "currentColor"
MUTED = "var(--muted,#7b8494)"
AXIS = "var(--axis,#7b849466)"
GRID = "var(--grid,#7b84942e)"
HEAT = "var(--heat,#4c86e8)"
SERIES = tuple(
    f"var(--c{i},{fallback})"
    for i, fallback in enumerate(("#4c86e8", "#e08a3c", "#2ca37d", "#9a6bd6", "#d65f96", "#7b8494"), 1)
)
DASHES = ("", "6 3", "2 3", "8 3 2 3", "4 4", "1 2")
WIDTH, CHARACTER = 400.0, 6.1


def finite(value: float | None) -> bool:
    """Whether a value can be drawn: a number, and not so large that a scale would overflow."""
    return value is not None and abs(value) < 1e200


def short(value: float) -> str:
    """A coordinate with at most one decimal."""
    rounded = round(value, 1) + 0.0
    return f"{rounded:.1f}".removesuffix(".0")


def cut(text: str, pixels: float) -> str:
    """The text, with an ellipsis in its middle where it would be wider than `pixels` at 11 px."""
    room = max(3, int(pixels / CHARACTER))
    if len(text) <= room:
        return text
    # Names that begin alike (aggregates of one column) differ at their ends: keep both.
    end = (room - 1) // 2
    return text[: room - 1 - end] + "…" + text[len(text) - end :]


def ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round values from `low` to `high` (steps of 1, 2, 2.5 or 5 times a power of ten)."""
    rough = (high - low) / max(1, count)
    if not rough > max(abs(low), abs(high), 1e-290) * 1e-9:
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((power * m for m in (1, 2, 2.5, 5, 10)), key=lambda s: abs(math.log(s / rough)))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def tick_labels(values: Sequence[float]) -> list[str]:
    """Labels for ticks, with as many decimals as tell them apart: `0.25`, `1,500`, `20k`, `3.5M`."""
    size = max((abs(v) for v in values), default=0.0)
    step = min((b - a for a, b in pairwise(values)), default=size) or 1.0
    unit, suffix = 1.0, ""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= max(limit, 1e4) and step >= limit / 100:
            unit, suffix = limit, letter
            break
    decimals = None
    if 1e-4 <= size < 1e15:
        decimals = len(f"{float(f'{step / unit:.2g}'):.12f}".rstrip("0").partition(".")[2])
    shown = [f"{v / unit:.4g}" if decimals is None else f"{v / unit:,.{decimals}f}" for v in values]
    return [f"{label.replace('-', '−')}{suffix if v else ''}" for v, label in zip(values, shown, strict=True)]


@dataclass(frozen=True)
class Scale:
    """A linear scale from data (`low` to `high`) to pixels (`start` to `end`)."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value; the middle where the scale has no extent."""
        if self.high <= self.low:
            return (self.start + self.end) / 2
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def extent(values: Sequence[float], *, zero: bool = False, pad: float = 0.0) -> tuple[float, float]:
    """The range of the values that can be drawn, widened to hold zero, or by a share on both sides."""
    drawn = [v for v in values if finite(v)] or [0.0, 1.0]
    low, high = min(drawn), max(drawn)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        high = low + (abs(low) or 1.0)
        low = low if zero else low - (abs(low) or 1.0) * 0.5
    room = (high - low) * pad
    return low - (0 if zero and low == 0 else room), high + room


def text(
    x: float, y: float, content: str, *, anchor: str = "start", fill: str = MUTED, extra: str = ""
) -> str:
    """A text of 11 px."""
    place = f'x="{short(x)}" y="{short(y)}" text-anchor="{anchor}" fill="{fill}"'
    return f"<text {place}{extra}>{escape(content)}</text>"


def line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    stroke: str,
    width: float = 1.0,
    dash: str = "",
    opacity: float = 1.0,
) -> str:
    """A straight line."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    faint = f' stroke-opacity="{opacity:.2f}"' if opacity < 1 else ""
    path = f"M{short(x1)},{short(y1)}L{short(x2)},{short(y2)}"
    return f'<path d="{path}" stroke="{stroke}" stroke-width="{width:g}"{dashed}{faint}/>'


def rect(
    x: float, y: float, width: float, height: float, fill: str, tip: str = "", opacity: float = 1.0
) -> str:
    """A filled box with a tooltip."""
    faint = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
    inner = f"<title>{escape(tip)}</title>" if tip else ""
    box = f'width="{short(max(width, 0.5))}" height="{short(max(height, 0.5))}"'
    return f'<rect x="{short(x)}" y="{short(y)}" {box} rx="1.5" fill="{fill}"{faint}>{inner}</rect>'


def dot(x: float, y: float, radius: float, fill: str, tip: str = "", opacity: float = 1.0) -> str:
    """A filled circle with a tooltip."""
    faint = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
    inner = f"<title>{escape(tip)}</title>" if tip else ""
    return f'<circle cx="{short(x)}" cy="{short(y)}" r="{radius:g}" fill="{fill}"{faint}>{inner}</circle>'


def polyline(points: Sequence[tuple[float, float]], stroke: str, dash: str = "") -> str:
    """A line through points in order."""
    if not points:
        return ""
    path = "M" + "L".join(f"{short(x)},{short(y)}" for x, y in points)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<path d="{path}" stroke="{stroke}" stroke-width="2" stroke-linejoin="round" fill="none"{dashed}/>'
    )


def legend(names: Sequence[str], y: float) -> tuple[list[str], float]:
    """One entry a series where there are several; returns the parts and the height they take."""
    if len(names) < 2:
        return [], 0.0
    parts, x, top = [], 0.0, y
    for i, name in enumerate(names):
        label = cut(name, 150)
        width = 22 + len(label) * CHARACTER
        if x and x + width > WIDTH:
            x, y = 0.0, y + 16
        parts.append(dot(x + 4, y - 3.5, 4, SERIES[i % len(SERIES)]))
        parts.append(text(x + 12, y, label))
        x += width
    return parts, y - top + 18


def frame(title: str, height: float, parts: Sequence[str]) -> str:
    """The SVG: as wide as its place up to 520 px, its title on top and read out."""
    heading = text(0, 14, cut(title, WIDTH * 0.76), fill=TEXT, extra=' font-size="13" font-weight="600"')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {short(WIDTH)} {short(height)}" role="img" '
        f'aria-label="{escape(title, quote=True)}" font-size="11" style="width:100%;max-width:520px">'
        f"{heading}{''.join(parts)}</svg>"
    )
