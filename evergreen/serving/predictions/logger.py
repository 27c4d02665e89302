"""The prediction log of one server process: takes what was served, writes and ships it off the request path.

What a killed server loses: the requests of the last `flush`, and what waited beyond it. Nothing is logged
twice: a batch is one write to one segment, and a segment has one key in the store.
"""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evergreen import log
from evergreen.errors import InputError
from evergreen.files import explained
from evergreen.project.model.serving import PredictionLog
from evergreen.project.model.values import memory_bytes
from evergreen.serving.predictions.batches import OutcomeBatches, PredictionBatches
from evergreen.serving.predictions.channel import Channel
from evergreen.serving.predictions.entry import Outcome, Served
from evergreen.serving.predictions.lanes import Lane
from evergreen.serving.predictions.privacy import is_sampled
from evergreen.serving.predictions.shipper import Room, Shipper
from evergreen.serving.predictions.spool import WriterFolder
from evergreen.storage import Store
from evergreen.storage.keys import checked_key

_log = log.get(__name__)
_SHORTEST = 0.01  # seconds between two turns of the writer
_OWN_VALUES, _OUTCOME_VALUES = 15, 5  # of a row of each kind, about


class PredictionLogger:
    """Takes what was served and writes it off the request path.

    Args:
        settings: The project's `serving.log`.
        model: The served model's name; the log lies below `predictions/<model>/` in the store.
        spool: A local folder for what is not shipped yet; several servers may share it.
        store: Where segments are shipped to.
        salt: Of hashed columns (`evergreen.serving.predictions.salt.find_salt(spool)`), never logged.

    Raises:
        StorageError: when the spool cannot be written, or the model's name cannot be part of a key.
    """

    def __init__(self, settings: PredictionLog, model: str, spool: Path, store: Store, salt: str) -> None:
        checked_key(f"predictions/{model}/day")
        if "/" in model:
            raise InputError("model", repr(model), "a name without /")
        with explained(spool):
            Path(spool).mkdir(parents=True, exist_ok=True)
        self._sample = settings.sample
        self._flush = max(_SHORTEST, settings.flush.total_seconds())
        self._wake, self._stopping = threading.Event(), False
        self._predictions: Channel[Served] = Channel(settings.queue, self._wake.set)
        self._outcomes: Channel[Outcome] = Channel(settings.queue, self._wake.set)
        self._folder = WriterFolder.create(spool)
        self._room = Room(spool, memory_bytes(settings.spool))
        rotate, size = max(0.1, settings.rotate.total_seconds()), memory_bytes(settings.segment)
        self._lanes: tuple[Lane[Served], Lane[Outcome]] = (
            Lane(
                "predictions",
                self._predictions,
                PredictionBatches(settings, salt),
                self._folder,
                rotate,
                size,
            ),
            Lane("outcomes", self._outcomes, OutcomeBatches(model), self._folder, rotate, size),
        )
        self._shipper = Shipper(spool, self._folder, store, self._room)
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._shipper.start()
        self._thread.start()

    @property
    def writer(self) -> str:
        """The id of this writer, part of its segments' names."""
        return self._folder.writer

    def record(self, served: Served) -> bool:
        """Take one request; never blocks, never raises. False when it was dropped (which is counted)."""
        if self._sample < 1 and not is_sampled(served.request_id, self._sample):
            return True
        if self._room.full:
            self._predictions.drop(1, "disk")
            return False
        values = served.rows * (len(served.arrays) + _OWN_VALUES)
        return self._predictions.offer([served], max(values, served.size // 8))

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> bool:
        """Take outcomes, all or none; False when they were dropped, which is counted."""
        if self._room.full:
            self._outcomes.drop(len(outcomes), "disk")
            return False
        return self._outcomes.offer(list(outcomes), _OUTCOME_VALUES * len(outcomes))

    @property
    def dropped(self) -> int:
        """Requests and outcomes that were dropped, whatever the reason."""
        return self._predictions.dropped.total() + self._outcomes.dropped.total()

    @property
    def dropped_by_reason(self) -> dict[str, int]:
        """Of them by reason: `queue` was full, `disk` budget or space used up, `closed`, `encode`."""
        return dict(self._predictions.dropped + self._outcomes.dropped)

    @property
    def written(self) -> int:
        """Rows that are in a segment's file."""
        return sum(lane.written for lane in self._lanes)

    @property
    def shipped(self) -> int:
        """Segments that the store has, those of dead writers too."""
        return self._shipper.shipped

    @property
    def waiting(self) -> int:
        """Requests and outcomes that wait to be written."""
        return self._predictions.waiting + self._outcomes.waiting

    @property
    def spooled(self) -> int:
        """Bytes on the local disk that are not shipped yet."""
        return self._room.used

    def close(self, seconds: float = 10.0) -> None:
        """Write what waits, close the open segments and ship them; what cannot be shipped stays spooled.

        Args:
            seconds: About how long that may take.
        """
        if self._stopping:
            return
        end = time.monotonic() + seconds
        self._predictions.stopped = self._outcomes.stopped = "closed"
        self._stopping = True
        self._wake.set()
        self._thread.join(seconds)
        written = not self._thread.is_alive()
        if self._shipper.finish(max(0.1, end - time.monotonic())) and written:
            self._folder.release()
        extra = {"written": self.written, "shipped": self.shipped, "dropped": self.dropped}
        _log.info("prediction log: closed", extra=extra)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._flush)
            self._wake.clear()
            self._turn()
        self._each(lambda lane: lane.finish())

    def _turn(self) -> None:
        now = time.monotonic()
        self._each(lambda lane: lane.turn(now))

    def _each(self, work: Callable[[Lane[Any]], tuple[int, bool]]) -> None:
        """Let every lane do something; the log must not end while its server goes on."""
        for lane in self._lanes:
            try:
                size, closed = work(lane)
            except Exception:  # noqa: BLE001 - nobody would see the end of this thread
                _log.exception("prediction log: a turn of the writer failed")
                continue
            if size:
                self._room.grew(size)
            if closed:
                self._shipper.wake()
