"""Which segments a read takes: those behind the offsets, from no more days than may hold new ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from evergreen.rollout.users.intake import first_day
from evergreen.serving.predictions.layout import KINDS, Kind
from evergreen.serving.predictions.reading import SegmentRef, offsets, segments
from evergreen.storage import Store

_HOUR = 3600.0
BACK: Mapping[Kind, float] = {"predictions": 6 * _HOUR, "outcomes": 48 * _HOUR}
"""So many seconds before the newest prediction, folders of days are still looked into."""


@dataclass(frozen=True)
class Found:
    """New segments, predictions first, and the offsets once they are read."""

    refs: tuple[SegmentRef, ...]
    offsets: dict[str, int]


def find(store: Store, model: str, read: Mapping[str, int], newest: int, start: int) -> Found:
    """The segments that were not read yet.

    Args:
        store: Where the log is.
        model: The model's name.
        read: The evidence's offsets.
        newest: The latest prediction that was read, microseconds; 0 for none.
        start: The time from which rows count, microseconds.
    """
    refs: list[SegmentRef] = []
    reached: dict[str, int] = {}
    for kind in KINDS:
        after = {
            name.removeprefix(f"{kind}/"): seq for name, seq in read.items() if name.startswith(f"{kind}/")
        }
        since = first_day(newest, BACK[kind]) if newest else first_day(start, 0)
        new = _new(store, model, after, max(since, first_day(start, 0)), kind)
        refs += new
        reached |= {f"{kind}/{writer}": seq for writer, seq in offsets(new, after).items()}
    return Found(tuple(refs), reached)


def _new(store: Store, model: str, after: Mapping[str, int], since: date, kind: Kind) -> list[SegmentRef]:
    """Folders are listed one after the other, so a writer's earlier segment may have come up meanwhile."""
    found = segments(store, model, after, since, kind=kind)
    if not _gapless(found, after):
        known = {ref.key: ref for ref in found}
        last = offsets(found, after)
        again = segments(store, model, after, since, kind=kind)
        known |= {ref.key: ref for ref in again if ref.seq <= last.get(ref.writer, 0)}
        found = sorted(known.values(), key=lambda s: (s.day, s.writer, s.seq))
    return found


def _gapless(refs: Iterable[SegmentRef], after: Mapping[str, int]) -> bool:
    by_writer: dict[str, list[int]] = {}
    for ref in refs:
        by_writer.setdefault(ref.writer, [after.get(ref.writer, 0)]).append(ref.seq)
    return all(max(seqs) - min(seqs) == len(seqs) - 1 for seqs in by_writer.values())
