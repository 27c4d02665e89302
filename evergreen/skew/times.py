"""Causes of differing times: a clock that is off, a time cut to days, hours or seconds."""

from typing import TYPE_CHECKING

from evergreen.skew.shift import duration_text
from evergreen.skew.values import Cause

if TYPE_CHECKING:
    from evergreen.skew.causes import Differing

_STEPS = {"days": 86_400_000_000, "hours": 3_600_000_000, "minutes": 60_000_000, "seconds": 1_000_000,
          "milliseconds": 1_000}  # fmt: skip


def time_causes(differing: "Differing") -> list[Cause]:
    """What turns the training times (microseconds) into the serving times, where one thing does."""
    checks = {name: f"y % {step} = 0 AND y <> x AND abs(y - x) < {step}" for name, step in _STEPS.items()}
    counts = dict(zip(checks, differing.counts(list(checks.values())), strict=True))
    offset = differing.con.execute(f"SELECT median(y - x) FROM ({differing.rows})").fetchall()[0][0]
    if offset:
        rows = differing.counts([f"y - x = {int(offset)}"])[0]
        found = differing.explained("offset", f"the clock of serving is off by {duration_text(offset)}", rows)
        if found:
            return found
    for name, count in counts.items():
        if found := differing.explained("precision", f"serving is cut to {name}", count):
            return found
    return []
