"""How the numbers of checks read: a relative change, a share, seconds, a count, or a plain number."""

from collections.abc import Mapping
from math import isfinite
from typing import Literal

from evergreen.reports.text import MISSING, number, percent, seconds

Unit = Literal["relative", "share", "seconds", "count", "number"]
_UNITS: Mapping[str, Unit] = {
    "time": "seconds",
    "at_most": "seconds",
    "requests": "count",
    "baseline requests": "count",
    "sticky users": "count",
    "experiment": "count",
    "sample ratio": "share",
    "coverage": "share",
    "disagreement": "share",
    "errors": "relative",
    "latency": "relative",
    "empty_outputs": "relative",
    "missing_inputs": "relative",
    "copies failed": "relative",
    "copies slow": "relative",
    "paired latency": "seconds",
}
_NAMES: Mapping[str, str] = {
    "errors": "errors",
    "latency": "slow answers",
    "empty_outputs": "empty outputs",
    "missing_inputs": "missing inputs",
    "at_most": "longest time",
    "psi of outputs to training": "psi to training",
}


def unit_of(check: str) -> Unit:
    """The unit of a check's numbers, by the check's name as the judge gives it."""
    if check.startswith(("mean ", "experiment ")):
        return "relative"
    return _UNITS.get(check, "number")


def name_of(check: str) -> str:
    """The check as people read it."""
    if check.startswith("mean "):
        return check.removeprefix("mean ")
    return _NAMES.get(check, check)


def shown(value: object, unit: Unit) -> str:
    """A value in its unit; a dash where there is none."""
    if isinstance(value, str) or value is None or not isinstance(value, int | float):
        return str(value) if isinstance(value, str) else MISSING
    if not isfinite(value):
        return "?"
    if unit == "relative":
        return change(float(value))
    if unit == "share":
        return percent(float(value))
    if unit == "seconds":
        return f"{'−' if value < 0 else ''}{seconds(abs(float(value)))}"
    if unit == "count":
        return number(int(value) if value == int(value) else value)
    return f"{value:,.4g}".replace("-", "−")


def change(value: float) -> str:
    """A relative change with its sign: `+4.0 %`, `−12 %`."""
    if abs(value) < 0.0005:
        return "0.0 %"
    digits = 0 if abs(value) >= 0.1 else 1
    return f"{100 * value:+.{digits}f} %".replace("-", "−")


def rate(events: float, requests: float) -> str:
    """Bad requests as a share of all; with enough digits that rare ones differ from none."""
    if not requests:
        return MISSING
    part = events / requests
    return percent(part, 1 if part >= 0.1 or not events else 2 if part >= 0.001 else 3)


def bounds(interval: tuple[float, float] | None, unit: Unit) -> str:
    """An interval: `−3.0 % to +14 %`; empty for none."""
    return "" if interval is None else f"{shown(interval[0], unit)} to {shown(interval[1], unit)}"


def span(value: float) -> str:
    """Seconds that tick: `0:01:12`, `2 d 3:00:00`."""
    whole = max(0, int(value))
    days, rest = divmod(whole, 86400)
    clock = f"{rest // 3600}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days} d {clock}" if days else clock
