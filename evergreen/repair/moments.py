"""A date or time as people write it, taken apart: which numbers stand where, and what zone is named."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

from evergreen.repair.characters import listing, plain

_MONTHS = {
    name: i % 12 + 1
    for i, name in enumerate(
        listing(
            "january february march april may june july august september october november december jan feb "
            "mar apr may jun jul aug sep oct nov dec januar februar märz april mai juni juli august "
            "september oktober november dezember"
        )
    )
} | {"sept": 9, "mär": 3, "okt": 10, "dez": 12}
_TIME = (
    r"(?:[T ,]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?(?:\s*(?P<zone>Z|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?|[A-Za-z]{2,5}"
    r"|[A-Z][A-Za-z]+/[A-Za-z_/]+))?)?"
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern + _TIME, re.IGNORECASE))
    for name, pattern in (
        ("ymd", r"(?P<a>\d{4})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<c>\d{1,2})"),
        ("xxy", r"(?P<a>\d{1,2})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<c>\d{4}|\d{2})"),
        ("compact", r"(?P<a>(?:19|20)\d{2})(?P<sep>)(?P<b>\d{2})(?P<c>\d{2})"),
        ("dmy", _WEEKDAY + r"(?P<a>\d{1,2})(?:st|nd|rd|th|\.)?(?P<sep>[-/. ]\s*)(?P<b>[^\W\d_]{3,9})\.?,?"
         r"[-/. ]\s*(?P<c>\d{4}|\d{2})"),
        ("mdy", _WEEKDAY + r"(?P<b>[^\W\d_]{3,9})\.?(?P<sep>[- ])(?P<a>\d{1,2})(?:st|nd|rd|th)?(?:,\s*|[- ])"
         r"(?P<c>\d{4}|\d{2})"),
        ("cjk", r"(?P<a>\d{4})\s*(?P<sep>[년年])\s*(?P<b>\d{1,2})\s*[월月]\s*(?P<c>\d{1,2})\s*[일日]"),
    )
)  # fmt: skip
_COMPACT_TIME = re.compile(r"(\d{8})[T ]?(\d{2})(\d{2})(\d{2})(Z?)")
# Seconds, milli-, micro- and nanoseconds since 1970, told by their size: 1973 to 2200 in each.
_EPOCHS = ((1e8, 7.3e9, 1_000_000), (1e11, 7.3e12, 1_000), (1e14, 7.3e15, 1))
_EPOCH = re.compile(r"-?\d{9,16}(?:\.\d{1,6})?")
Form = Literal["ymd", "named", "day first", "month first", "in doubt", "epoch"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or time as it is written.

    Attributes:
        form: How the date is written; `named` with a month's name, `in doubt` for 03/04/2024.
        first: The number before the first sign: a year, a day or a month.
        second: The number after it.
        year: The year; two digits for 24.
        short: Whether the year has two digits.
        clock: Time of day; None for a bare date.
        zone: What is named; empty for none.
        dotted: Whether the date's numbers stand between dots.
        instant: For a number of seconds since 1970: the time (UTC).
    """

    form: Form
    first: int = 0
    second: int = 0
    year: int = 0
    short: bool = False
    clock: timedelta | None = None
    zone: str = ""
    dotted: bool = False
    instant: datetime | None = None


@lru_cache(maxsize=65_536)
def take_apart(text: str) -> Moment | None:
    """A text as a written moment; None when it is none."""
    word = plain(text)
    if _EPOCH.fullmatch(word):
        return _since_1970(word)
    compact = _COMPACT_TIME.fullmatch(word)
    if compact:
        day = compact[1]
        word = f"{day[:4]}-{day[4:6]}-{day[6:]}T{compact[2]}:{compact[3]}:{compact[4]}{compact[5]}"
    for name, pattern in _FORMS:
        match = pattern.fullmatch(word)
        if match:
            return _moment(name, match)
    return None


def _since_1970(word: str) -> Moment | None:
    size = abs(float(word))
    scale = next((s for low, high, s in _EPOCHS if low <= size < high), None)
    if scale is None:
        return None
    whole, _, part = word.partition(".")
    micros = int(whole) * scale + (int(part.ljust(6, "0")) * scale // 1_000_000 if part else 0)
    return Moment("epoch", instant=datetime(1970, 1, 1) + timedelta(microseconds=micros), zone="UTC")


def _moment(name: str, match: re.Match[str]) -> Moment | None:
    clock = _clock(match)
    if clock == "wrong":
        return None
    moment_clock, zone = clock, match["zone"] or ""
    a, c = int(match["a"]), int(match["c"])
    if name in ("dmy", "mdy"):
        month = _MONTHS.get(match["b"].casefold())
        if month is None:
            return None
        return Moment("named", a, month, c, len(match["c"]) == 2, moment_clock, zone)
    b = int(match["b"])
    if name != "xxy":
        return Moment("ymd", b, c, a, clock=moment_clock, zone=zone)
    dotted = match["sep"] == "."
    form: Form = "day first" if a > 12 >= b else "month first" if b > 12 >= a else "in doubt"
    if a > 12 and b > 12:
        return None
    short = len(match["c"]) == 2
    if short and match["sep"] == "-":
        # 24-01-05 may begin with the year.
        form = "in doubt"
    elif form == "in doubt" and (a == b or dotted):
        # Equal numbers read the same both ways; only day.month.year is written with dots (CLDR).
        form = "day first"
    return Moment(form, a, b, c, short, moment_clock, zone, dotted)


def _clock(match: re.Match[str]) -> timedelta | Literal["wrong"] | None:
    if match["hour"] is None:
        return None
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:
            return "wrong"
        hour = hour % 12 + (12 if match["half"][0] in "pP" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return "wrong"
    micros = int((match["part"] or "0")[:6].ljust(6, "0")) if match["part"] else 0
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micros)


def utc(naive: datetime) -> datetime:
    """A time with a zone as UTC without one."""
    return naive.astimezone(UTC).replace(tzinfo=None)
