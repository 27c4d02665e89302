"""Time zones: offsets, names of the IANA data base, and the abbreviations that mean one thing."""

import re
from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

# RFC 5322 (UT, GMT and North America's but Central, which China's standard time shares), and those that are
# in use in one place only. CST, IST and BST are in use in several: a policy's `zones` tells.
_HOURS = {
    "Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2,
    "EET": 2,
    "EEST": 3, "MSK": 3, "KST": 9, "JST": 9, "SGT": 8, "HKT": 8, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7,
    "MDT": -6, "PST": -8, "PDT": -7, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?")


@lru_cache(maxsize=1024)
def zone_of(text: str) -> tzinfo | None:
    """The zone of an offset (+09:00, UTC+9), a name (Asia/Seoul) or an abbreviation (KST); else None."""
    word = text.strip()
    if word.upper() in _HOURS:
        hours = _HOURS[word.upper()]
        return UTC if hours == 0 else timezone(timedelta(hours=hours))
    match = _OFFSET.fullmatch(word.upper().replace("−", "-"))
    if match:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return timezone(-offset if match[1] == "-" else offset) if offset < timedelta(hours=15) else None
    if "/" not in word:
        return None
    try:
        return ZoneInfo(word)
    except (OSError, ValueError):
        return None
