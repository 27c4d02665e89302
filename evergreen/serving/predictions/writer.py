"""From the queue to the store: what waits becomes segments, and segments are shipped."""

from collections.abc import Callable
from typing import Any

from evergreen import log
from evergreen.project.model.values import memory_bytes
from evergreen.serving.predictions.batches import OutcomeBatches, PredictionBatches
from evergreen.serving.predictions.config import LogConfig
from evergreen.serving.predictions.intake import Intake
from evergreen.serving.predictions.lanes import Lane
from evergreen.serving.predictions.ring import KINDS, Ring
from evergreen.serving.predictions.shipper import Room, Shipper
from evergreen.serving.predictions.spool import WriterFolder
from evergreen.serving.predictions.wire import Catalog
from evergreen.storage import Store

_log = log.get(__name__)


class Writer:
    """Writes and ships what a server put into its queue; to be used by one thread at a time.

    What it is killed with, it had taken and not written: a bite of some megabytes, counted as dropped by the
    next writer. Nothing is logged twice: a batch is one write to one segment, and a segment has one key in
    the store.

    Args:
        config: What it works by.
        store: The config's, opened.
        ring: The queue.
        catalog: Of the models in it.

    Raises:
        StorageError: when the spool cannot be written.
    """

    def __init__(self, config: LogConfig, store: Store, ring: Ring, catalog: Catalog) -> None:
        settings, spool = config.settings, config.spool
        self._ring, self._queue = ring, settings.queue
        self._folder = WriterFolder.create(spool)
        self._intake = Intake(ring, catalog)
        self._room = Room(spool, memory_bytes(settings.spool), ring.show_room)
        self._before = ring.written, ring.shipped
        rotate, size = max(0.1, settings.rotate.total_seconds()), memory_bytes(settings.segment)
        batches = PredictionBatches(settings, config.salt), OutcomeBatches(config.model)
        self._lanes: tuple[Lane[Any], ...] = (
            Lane("predictions", self._intake.predictions, batches[0], self._folder, rotate, size),
            Lane("outcomes", self._intake.outcomes, batches[1], self._folder, rotate, size),
        )
        self._shipper = Shipper(spool, self._folder, store, self._room)
        self._shipper.start()
        self._show()

    @property
    def pressed(self) -> bool:
        """Whether so much waits that it must not wait for an idle moment."""
        return 2 * max(map(self._ring.waiting, KINDS)) > self._queue

    def turn(self, now: float) -> None:
        """Write what waits, and close the segments whose time has come.

        Args:
            now: By `time.monotonic`.
        """
        more = True
        while more:
            more = self._intake.pull()
            self._each(lambda lane: lane.turn(now))
        self._show()

    def finish(self, now: float, seconds: float) -> None:
        """Write what waits, close the open segments and ship them; what cannot be shipped stays spooled.

        Args:
            now: By `time.monotonic`.
            seconds: About how long the shipping may take.
        """
        self.turn(now)
        self._each(lambda lane: lane.finish())
        if self._shipper.finish(seconds):
            self._folder.release()
        self._show()
        shown = {"written": self._ring.written, "shipped": self._ring.shipped}
        _log.info("prediction log: closed", extra={**shown, "writer": self._folder.writer})

    def _show(self) -> None:
        written, shipped = self._before
        written += sum(lane.written for lane in self._lanes)
        self._ring.show(written=written, shipped=shipped + self._shipper.shipped, writer=self._folder.writer)

    def _each(self, work: Callable[[Lane[Any]], tuple[int, bool]]) -> None:
        """Let every lane do something; the log must not end while its server goes on."""
        for lane in self._lanes:
            try:
                size, closed = work(lane)
            except Exception:  # noqa: BLE001 - what comes later can be written all the same
                _log.exception("prediction log: a turn of the writer failed")
                continue
            if size:
                self._room.grew(size)
            if closed:
                self._shipper.wake()
