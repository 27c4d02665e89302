"""From the distinct values of a column with their counts to its tallies."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.profile.model import Family
from evergreen.profile.traits.model import Item, Tally

_LISTED = 400
# Shares below one in so many rows are not told apart.
_RAREST = 2000
_DECIMALS = 6
_UNITS = (1, 60, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400)
_PERIODS = 120
DAY = 86400.0
# UTF-8 read as Latin-1 or Windows-1252 turns é into Ã©, a quote into â€™, and what fits nowhere into U+FFFD.
_MOJIBAKE = re.compile("Ã[\x80-\xbf\u0152-\u2122]|Â[\x80-\xbf]|â€|Ð[\x80-\xbf]|�|ï¿½")
_MASKED = re.compile(r"([Aa9é ])\1+")


def tallies(values: NDArray[np.object_], counts: NDArray[np.int64], family: Family,
            like: Sequence[Tally] = ()) -> tuple[Tally, ...]:  # fmt: skip
    """All tallies of a column.

    Args:
        values: Distinct values: numbers and times (seconds since 1970, UTC) as doubles, texts, booleans.
        counts: Rows of each.
        family: Of the column.
        like: Of the baseline's column: its periods are used.
    """
    if not len(values) or family == "other":
        return ()
    rows = int(counts.sum())
    # A value that stands once is never listed, so most of a column of names or measurements is left out here.
    again = counts >= 2
    found: list[tuple[str, list[tuple[Item, int]]]] = [
        ("value", _pairs(values[again].tolist(), counts[again]))
    ]
    unit = 0
    if family == "number":
        found.append(("decimals", _summed(decimals(values.astype(np.float64)), counts)))
    elif family == "time":
        seconds = values.astype(np.float64)
        # A baseline with hours is compared also with a table that lost them.
        if np.any(seconds % DAY) or any(t.kind == "hour" for t in like):
            found.append(("hour", _summed(seconds % DAY // 3600, counts)))
        found.append(("weekday", _summed((seconds // DAY + 3) % 7, counts)))
        unit = next((t.unit for t in like if t.kind == "period"), 0) or _unit(seconds)
        found.append(("period", _summed(np.floor(seconds / unit), counts)))
    elif family == "text":
        texts = values.tolist()
        found.append(("form", _pairs(map(form, texts), counts)))
        found.append(("length", _summed(np.array([len(t) for t in texts]), counts)))
        flagged: list[tuple[Item, int]] = [
            (f, int(n)) for t, n in zip(texts, counts, strict=True) for f in flags(t)
        ]
        found.append(("flag", flagged))
    return tuple(tally(kind, pairs, rows, unit if kind == "period" else 0) for kind, pairs in found)


def tally(kind: str, pairs: Iterable[tuple[Item, int]], rows: int, unit: int = 0) -> Tally:
    """Add the counts up by item, and keep the frequent ones."""
    sums: dict[Item, int] = {}
    for item, count in pairs:
        sums[item] = sums.get(item, 0) + count
    least = max(2, rows // _RAREST) if kind in ("value", "form") else 1
    often = [pair for pair in sums.items() if pair[1] >= least]
    ranked = sorted(often, key=lambda pair: (-pair[1], str(pair[0])))
    if len(ranked) > _LISTED:
        least = max(least, ranked[_LISTED][1] + 1)
    return Tally(kind, tuple(pair for pair in ranked[:_LISTED] if pair[1] >= least), least, rows, unit)


def _pairs(items: Iterable[object], counts: NDArray[np.int64]) -> list[tuple[Item, int]]:
    return [(_plain(i), int(n)) for i, n in zip(items, counts, strict=True)]


def _summed(items: NDArray[Any], counts: NDArray[np.int64]) -> list[tuple[Item, int]]:
    """Items that are numbers, each once."""
    different, places = np.unique(items, return_inverse=True)
    return _pairs(different.tolist(), np.bincount(places, weights=counts).astype(np.int64))


def _plain(item: object) -> Item:
    if isinstance(item, str | bool | int):
        return item
    number = float(item) + 0.0  # type: ignore[arg-type]
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def decimals(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Digits after the point that each number needs, up to 6; −1, −2, −3 for multiples of 10, 100, 1000.

    To a relative 1.2·10⁻⁷, so that a number kept in 32 bits has the digits of the one kept in 64.
    """
    found = np.full(len(values), _DECIMALS, dtype=np.int64)
    size = np.abs(values)
    with np.errstate(over="ignore", invalid="ignore"):
        for digits in range(_DECIMALS - 1, -4, -1):
            scaled = values * 10.0**digits if digits >= 0 else values / 10.0**-digits
            near = np.abs(scaled - np.round(scaled)) <= np.clip(1.2e-7 * np.abs(scaled), 1e-9, 0.01)
            found[near & (found == digits + 1) & ((digits >= 0) | (size > 0))] = digits
    return found


def form(text: str) -> str:
    """How a text is written: runs of A, a, 9 and blanks as one, other letters as é, the rest as it is.

    `Berlin 10115` is `A9`-like `Aa 9`: what kinds of characters follow each other, at most 30 of them.
    """
    masked = "".join(_mask(c) for c in text[:80])
    return _MASKED.sub(r"\1", masked)[:30]


def _mask(c: str) -> str:
    if c.isascii():
        return (
            "A" if c.isupper() else "a" if c.islower() else "9" if c.isdigit() else " " if c.isspace() else c
        )
    return "é" if c.isalpha() else c


def flags(text: str) -> list[str]:
    """What is odd about a text; each flag is counted on its own."""
    found = []
    if not text:
        return ["empty"]
    if text != text.lstrip():
        found.append("leading space")
    if text != text.rstrip():
        found.append("trailing space")
    if _MOJIBAKE.search(text):
        found.append("encoding")
    if not text.isascii():
        found.append("not ASCII")
    if not text.isprintable():
        found.append("control character")
    if text.isupper():
        found.append("upper case")
    elif text.islower():
        found.append("lower case")
    if text.isdigit() and text.startswith("0") and len(text) > 1:
        found.append("leading zero")
    if "  " in text.strip():
        found.append("double space")
    return found


def _unit(seconds: NDArray[np.float64]) -> int:
    low, high = np.quantile(seconds, (0.01, 0.99))
    return next((u for u in _UNITS if (high - low) / u <= _PERIODS), _UNITS[-1] * 10)
