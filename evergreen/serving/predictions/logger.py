"""The prediction log of one server process: takes what was served, and lets another process write it.

It packs each request, in some microseconds, and puts it into memory that the writer's process shares.
Files, Arrow, Parquet and the store are the writer's. A server that is killed loses nothing of what it had
taken; a container or machine that ends at once, with its writer, loses what came since the last `flush`.
"""

import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from evergreen import log
from evergreen.errors import InputError
from evergreen.files import explained
from evergreen.serving.lines import BoundedLog
from evergreen.serving.predictions.config import LogConfig, WriterOrder
from evergreen.serving.predictions.entry import Outcome, Served
from evergreen.serving.predictions.keeper import Keeper
from evergreen.serving.predictions.privacy import is_sampled
from evergreen.serving.predictions.ring import KINDS, OUTCOMES, PREDICTIONS, Ring, memory
from evergreen.serving.predictions.wire import Catalog, pack_outcomes, pack_served
from evergreen.storage.keys import checked_key

_log = log.get(__name__)
_EARLY_ITEMS = 2000  # from here the writer does not wait for its next turn


class Hand(Protocol):
    """Whoever writes what is in the queue."""

    def wake(self) -> None:
        """Write at once; never waits."""

    def end(self, seconds: float) -> None:
        """Write and ship what is left, for so long."""


class PredictionLogger:
    """Takes what was served and has it written and shipped by a process of its own.

    Args:
        config: What it works by.
        hand: Who writes instead of a process of its own.

    Raises:
        InputError: when the model's name cannot be part of a key.
        StorageError: when the spool cannot be written.
    """

    def __init__(self, config: LogConfig, hand: Callable[[Ring, Catalog], Hand] | None = None) -> None:
        checked_key(f"predictions/{config.model}/day")
        if "/" in config.model:
            raise InputError("model", repr(config.model), "a name without /")
        config = config.model_copy(update={"spool": config.spool.absolute()})
        with explained(config.spool):
            config.spool.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=config.spool).close()
        settings = config.settings
        self._sample, self._queue = settings.sample, settings.queue
        self._early = min(_EARLY_ITEMS, max(1, settings.queue // 2))
        self._ring, self._catalog = Ring(), Catalog(memory(0))
        self._lock, self._stopped = threading.Lock(), False
        self._faults = BoundedLog(_log, 2, burst=10)
        order = WriterOrder(config=config, ring=self._ring.descriptor, catalog=self._catalog.descriptor)
        self._hand = hand(self._ring, self._catalog) if hand else Keeper(order)

    @property
    def writer(self) -> str:
        """The id of the writer, part of its segments' names; empty before it has begun."""
        return self._ring.writer

    def record(self, served: Served) -> bool:
        """Take one request; never blocks, never raises. False when it was dropped (which is counted)."""
        if self._sample < 1 and not is_sampled(served.request_id, self._sample):
            return True
        try:
            number = self._catalog.number(served.identity, served.signature)
            data = pack_served(served, number)
        except Exception:  # noqa: BLE001 - whatever a server hands over, it has been answered
            if self._faults.takes():
                self._faults.write("prediction log: not loggable", failed=True)
            self._ring.drop(PREDICTIONS, 1, "encode")
            return False
        return self._put(PREDICTIONS, 1, data)

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> bool:
        """Take outcomes, all or none; False when they were dropped, which is counted."""
        return self._put(OUTCOMES, len(outcomes), pack_outcomes(outcomes))

    def _put(self, kind: int, items: int, data: bytes) -> bool:
        ring = self._ring
        with self._lock:
            waiting = ring.waiting(kind)
            reason = "closed" if self._stopped else "disk" if ring.full else ""
            if not reason and (waiting + items > self._queue or not ring.put(kind, items, data)):
                reason = "queue"
        if reason:
            ring.drop(kind, items, reason)
            return False
        if waiting < self._early <= waiting + items:
            self._hand.wake()
        return True

    @property
    def dropped(self) -> int:
        """Requests and outcomes that were dropped, whatever the reason."""
        return sum(self.dropped_by_reason.values())

    @property
    def dropped_by_reason(self) -> dict[str, int]:
        """Of them by reason.

        `queue` was full, `disk` budget or space used up, `closed`, `encode` (not loggable), `killed` with the
        writer.
        """
        return dict(sum((Counter(self._ring.dropped(kind)) for kind in KINDS), Counter[str]()))

    @property
    def written(self) -> int:
        """Rows that are in a segment's file."""
        return self._ring.written

    @property
    def shipped(self) -> int:
        """Segments that the store has, those of dead writers too."""
        return self._ring.shipped

    @property
    def waiting(self) -> int:
        """Requests and outcomes that wait to be written."""
        return sum(map(self._ring.waiting, KINDS))

    @property
    def spooled(self) -> int:
        """Bytes on the local disk that are not shipped yet."""
        return self._ring.spooled

    def close(self, seconds: float = 10.0) -> None:
        """Write what waits, close the open segments and ship them; what cannot be shipped stays spooled.

        Args:
            seconds: About how long that may take.
        """
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            self._ring.patience = seconds
        self._hand.end(seconds)
        extra = {"written": self.written, "shipped": self.shipped, "dropped": self.dropped}
        _log.info("prediction log: closed", extra=extra)
