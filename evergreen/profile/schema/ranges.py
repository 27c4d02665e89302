"""Bounds that no other sample of the same world reaches, however heavy its tail."""

import math
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from evergreen.profile.model import Numbers

# How many widths of the observed range a value may lie outside of it, at least.
_WIDTHS = 3
# A record so many times rarer than the one seen is still inside.
_RARER = 1e5
# So many values make a tail that says how heavy it is.
_TAIL = 5
_YEARS = (5 * 366 * 86400.0, 20 * 366 * 86400.0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def number_range(
    numbers: Numbers, *, whole: bool, signed: bool = True
) -> tuple[int | float | None, int | float | None]:
    """Smallest and largest value allowed: three widths of the range on either side, more for a heavy tail.

    A tail is taken to be Pareto's from its outer bin to its extreme: with k values beyond the bin's edge e
    and the extreme x, both as distances from the middle, x/e grows as k^ξ, so ξ = ln(x/e)/ln k, and a value
    10⁵ times rarer lies at x·(10⁵)^ξ (de Haan and Ferreira, "Extreme value theory", 2006, ch. 3).
    The lower bound is 0 where nothing was negative.

    Args:
        numbers: Of the column.
        whole: Whether the column holds whole numbers.
        signed: Whether the sign is taken for a rule; without it the bound is 0 only where the tail towards 0
            does not reach it: some negative values may be chance.
    """
    low, high = numbers.minimum, numbers.maximum
    if low is None or high is None or low == high:
        return None, None
    middle = _middle(numbers)
    width = float(high) - float(low)
    up, down = _reach(numbers, middle, upper=True), _reach(numbers, middle, upper=False)
    top = max(float(high) + _WIDTHS * width, middle + up) if up is not None else math.inf
    bottom = min(float(low) - _WIDTHS * width, middle - down) if down is not None else -math.inf
    if (signed and low >= 0) or (down is not None and middle - down >= 0 and low >= 0):
        bottom = 0.0
    if whole and math.isfinite(bottom):
        bottom = math.floor(bottom)
    if whole and math.isfinite(top):
        top = math.ceil(top)
    bottom, top = _rounded(bottom, down=True), _rounded(top, down=False)
    if whole:
        return _whole(bottom), _whole(top)
    return (bottom if math.isfinite(bottom) else None), (top if math.isfinite(top) else None)


def time_range(numbers: Numbers) -> tuple[str | None, str | None]:
    """First and last day allowed: three spans, and at least 5 years back and 20 on: no 1900, no 9999."""
    low, high = numbers.minimum, numbers.maximum
    if low is None or high is None:
        return None, None
    span = _WIDTHS * (float(high) - float(low))
    return _day(float(low) - max(span, _YEARS[0])), _day(float(high) + max(span, _YEARS[1]))


def _day(seconds: float) -> str | None:
    try:
        return (_EPOCH + timedelta(seconds=seconds)).date().isoformat()
    except (OverflowError, ValueError):
        return None


def _middle(numbers: Numbers) -> float:
    """The median, to its bin."""
    edges, counts = numbers.bins.edges, numbers.bins.counts
    for edge, below in zip(edges, accumulate(counts), strict=False):
        if 2 * below >= numbers.count:
            return edge
    return float(numbers.maximum or 0.0)


def _reach(numbers: Numbers, middle: float, *, upper: bool) -> float | None:
    """How far from the middle values may lie on one side; None where the tail cannot be told."""
    extreme = abs(float((numbers.maximum if upper else numbers.minimum) or 0.0) - middle)
    if not extreme:
        return None
    below = dict(zip(numbers.bins.edges, accumulate(numbers.bins.counts), strict=False))
    edges = sorted(
        (e for e in below if (e > middle if upper else e < middle)), key=lambda e: -abs(e - middle)
    )
    for edge in edges:
        # Bins close at their upper edge, so a value at a lower edge is beyond it; the extreme is one too.
        beyond = numbers.count - below[edge] if upper else below[edge]
        if beyond >= _TAIL and abs(edge - middle) < extreme:
            index = math.log(extreme / abs(edge - middle)) / math.log(beyond)
            return float(extreme * _RARER ** min(index, 20.0))
    return extreme * _RARER**0.5


def _whole(bound: float) -> int | None:
    return int(bound) if math.isfinite(bound) else None


def _rounded(value: float, *, down: bool) -> float:
    """Three digits, away from the data: people read these."""
    if not math.isfinite(value) or not value:
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    rounded = (math.floor if down else math.ceil)(value / step) * step if step > 0 else value
    return float(f"{rounded:.3g}") if math.isfinite(rounded) else value
