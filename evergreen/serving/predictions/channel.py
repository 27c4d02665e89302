"""The queue between a server and its log: bounded, never waited for, and what does not fit is counted."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")
_MOST_VALUES = 8_000_000  # of all that waits: about 64 MB, however many rows a request has
_EARLY_VALUES = 500_000  # from here the writer does not wait for its next turn


class Channel(Generic[T]):
    """Items of one kind on their way to the log.

    Args:
        limit: The most items that wait.
        wake: Called when so much waits that the writer should begin at once.
    """

    def __init__(self, limit: int, wake: Callable[[], None]) -> None:
        self._limit, self._wake = limit, wake
        self._lock = threading.Lock()
        self._items: list[T] = []
        self._values = 0
        self._early = min(1000, max(1, limit // 2))
        self.stopped = ""
        self.dropped: Counter[str] = Counter()
        self._gap: Counter[str] = Counter()

    def offer(self, items: list[T], values: int) -> bool:
        """Let items wait, all or none; False when they were dropped, which is counted.

        Args:
            items: What is to be logged.
            values: How many values of 8 bytes they hold, about.
        """
        with self._lock:
            waiting, before = len(self._items), self._values
            reason = self.stopped
            if not reason and (waiting + len(items) > self._limit or before > _MOST_VALUES):
                reason = "queue"
            if reason:
                self.dropped[reason] += len(items)
                self._gap[reason] += len(items)
                return False
            self._items += items
            self._values = before + values
        if waiting < self._early <= waiting + len(items) or before < _EARLY_VALUES <= before + values:
            self._wake()
        return True

    def drop(self, count: int, reason: str) -> None:
        """Count items that were dropped after they had waited, or before they came here."""
        with self._lock:
            self.dropped[reason] += count
            self._gap[reason] += count

    def take(self) -> list[T]:
        """Everything that waits."""
        with self._lock:
            items, self._items, self._values = self._items, [], 0
        return items

    def take_gap(self) -> dict[str, int]:
        """What was dropped since it was asked last, by reason; untold, it goes back by `keep_gap`."""
        if not self._gap:
            return {}
        with self._lock:
            gap, self._gap = self._gap, Counter()
        return dict(gap)

    def keep_gap(self, gap: Mapping[str, int]) -> None:
        """Tell of it another time."""
        with self._lock:
            self._gap.update(gap)

    @property
    def waiting(self) -> int:
        """How many items wait."""
        return len(self._items)
