"""Which rows of the log count for what: before the rollout was live, in the present stage, or not at all.

Times are whole microseconds since 1970, as in the log. An arm is a number in SQL: 0 for none (a request that
came past no router), 1 for the baseline, 2 for the candidate.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.users.state import Meta

MICRO = 1_000_000
GRID = 100_000
"""Stages begin at whole tenths of a second, so that answers counted by such tenths belong to one stage."""
NEVER = 2**60
_APPLYING = 1.0  # seconds that routers need to carry a new plan out; measured: below 0.5
_KEPT_GAPS = 50


@dataclass(frozen=True)
class Periods:
    """The times that say what a row counts for.

    Attributes:
        begin: From here on rows belong to the present stage: its beginning, and the time in which routers
            took over its plan and requests of the plan before were answered.
        live: When the first users got the candidate; NEVER as long as nobody did.
        epoch: Since then the share has not fallen.
        gaps: From the beginning of a stage to its `begin`: what happens there proves nothing about users.
        counts: Whether users see the candidate in the present stage.
        copies: Whether it gets copies of their requests.
        fresh: Whether the present stage begins with this read.
        reset: Whether the share fell, or the stage was disturbed, since the last read.
    """

    begin: int
    live: int
    epoch: int
    gaps: tuple[tuple[int, int], ...]
    counts: bool
    copies: bool
    fresh: bool
    reset: bool

    def place(self, time: str, arm: str) -> str:
        """SQL: 0 for a row from before the rollout was live, 1 or 2 for an arm in the stage, else NULL.

        Args:
            time: SQL of the row's time.
            arm: SQL of the row's arm.
        """
        begin = self.begin if self.counts else NEVER
        return (
            f"CASE WHEN {time} < {self.live} THEN (CASE WHEN {arm} < 2 THEN 0 END) "
            f"WHEN {time} >= {begin} AND {arm} > 0 THEN {arm} END"
        )

    def shown(self, time: str, arm: str) -> str:
        """SQL: whether a row tells which arm its user saw while the share did not fall."""
        inside = "".join(f" AND NOT ({time} >= {a} AND {time} < {b})" for a, b in self.gaps)
        return f"({arm} > 0 AND {time} >= {max(self.live, self.epoch)}{inside})"

    def seen(self, times: Iterable[int | None]) -> "Periods":
        """With the first time at which the candidate answered a user, where that was earlier than known."""
        return replace(self, live=min([self.live, *(t for t in times if t is not None)]))


def micros(seconds: float) -> int:
    """Seconds since 1970 as whole microseconds."""
    return round(seconds * MICRO)


def periods_of(record: RolloutRecord, meta: Meta | None) -> Periods:
    """The periods as a record and the state of the last read have them."""
    since, share = micros(record.since), record.plan.share
    begin = math.ceil((since + micros(record.plan.timeout + _APPLYING)) / GRID) * GRID
    known = meta.live if meta else NEVER
    fresh = meta is None or (meta.stage, meta.since, meta.share) != (record.stage, record.since, share)
    if meta is not None and fresh and meta.since == record.since:  # another share within a stage
        begin = max(begin, -(-meta.newest // GRID) * GRID)
    reset = meta is not None and fresh and (share < meta.share or meta.stage == record.stage)
    gaps = meta.gaps if meta else ()
    return Periods(
        begin=begin if fresh or meta is None else meta.begin,
        live=min(known, since) if record.plan.live else known,
        epoch=begin if reset else (meta.epoch if meta else 0),
        gaps=(*gaps, (since, begin))[-_KEPT_GAPS:] if fresh else gaps,
        counts=record.plan.live,
        copies=record.plan.mirror > 0 and not record.plan.live,
        fresh=fresh,
        reset=reset,
    )
