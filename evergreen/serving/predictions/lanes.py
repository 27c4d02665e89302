"""From an inlet to segments: what waits is encoded in batches and appended to the open segment."""

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import pyarrow as pa

from evergreen import log
from evergreen.serving.predictions.batches import Batch, Batches, Target
from evergreen.serving.predictions.intake import Inlet
from evergreen.serving.predictions.layout import About, Kind
from evergreen.serving.predictions.segment import OpenSegment
from evergreen.serving.predictions.spool import WriterFolder

_log = log.get(__name__)
T = TypeVar("T")
_BATCH = 256  # items


class Lane(Generic[T]):
    """One kind of item on its way from its inlet to segments; used by one thread at a time.

    Args:
        kind: `predictions` or `outcomes`.
        inlet: Where items come from.
        batches: How they are encoded.
        folder: Where the segments are.
        rotate: A segment is closed after so many seconds.
        segment: Or when it has so many bytes.
    """

    def __init__(
        self,
        kind: Kind,
        inlet: Inlet[T],
        batches: Batches[T],
        folder: WriterFolder,
        rotate: float,
        segment: int,
    ) -> None:
        self._kind, self._inlet, self._batches, self._folder = kind, inlet, batches, folder
        self._rotate, self._segment = rotate, segment
        self._open: OpenSegment | None = None
        self._target: Target | None = None
        self._seq = 0
        self._failing = False
        self.written = 0

    def turn(self, now: float) -> tuple[int, bool]:
        """Write what waits, and close the segment when its time has come.

        Args:
            now: By `time.monotonic`.

        Returns:
            Bytes written, and whether a segment was closed.
        """
        items, before = self._inlet.take(), self._closed_segments
        size = sum(self._write(items[at : at + _BATCH]) for at in range(0, len(items), _BATCH))
        self._inlet.settle()
        if self._open is not None and now - self._open.begun >= self._rotate:
            self._close()
        return size, self._closed_segments != before

    def finish(self) -> tuple[int, bool]:
        """Write what waits, tell of what was dropped since, and close the segment; returns as `turn`."""
        size, _ = self.turn(0.0)
        gap = self._inlet.take_gap()
        if self._open is not None:
            self._close()
        if gap and self._target is not None:
            try:
                self._opened(self._target, self._batches.schema(), gap)
                self._close()
            except OSError as error:
                self._failed(0, gap, error)
        return size, True

    @property
    def _closed_segments(self) -> int:
        return self._seq - (self._open is not None)

    def _write(self, items: Sequence[T]) -> int:
        """Write items; one that cannot be encoded costs no other one. Returns the bytes."""
        gap = self._inlet.take_gap()
        try:
            batches = self._batches.made(items, gap)
        except Exception:  # noqa: BLE001 - whatever a server hands over, the log goes on
            self._inlet.keep_gap(gap)
            if len(items) > 1:
                return sum(self._write([item]) for item in items)
            _log.warning("prediction log: not loggable", extra={"kind": self._kind}, exc_info=True)
            self._inlet.drop(1, "encode")
            return 0
        return sum(self._append(batch, {} if number else gap) for number, batch in enumerate(batches))

    def _append(self, batch: Batch, gap: Mapping[str, int]) -> int:
        try:
            segment = self._opened(batch.target, batch.rows.schema, {})
            size = segment.append(batch.rows)
        except OSError as error:
            self._failed(batch.items, gap, error)
            if self._open is not None:  # whatever the disk did to it, what comes later stands in another one
                self._close()
            return 0
        self._failing = False
        self.written += batch.rows.num_rows
        if segment.size >= self._segment:
            self._close()
        return size

    def _failed(self, items: int, gap: Mapping[str, int], error: OSError) -> None:
        self._inlet.keep_gap(gap)
        self._inlet.drop(items, "disk")
        if not self._failing:
            extra = {"kind": self._kind, "reason": error.strerror}
            _log.warning("prediction log: cannot write; what comes is dropped", extra=extra)
        self._failing = True

    def _opened(self, target: Target, schema: pa.Schema, dropped: Mapping[str, int]) -> OpenSegment:
        """The open segment of a target; that of another one is closed."""
        if self._open is not None and target != self._target:
            self._close()
        if self._open is None:
            seq = self._seq + 1
            about = About(self._kind, *target, self._folder.writer, seq, dropped)
            self._open = OpenSegment(self._folder.segment(self._kind, seq), schema, about)
            self._seq, self._target = seq, target
        return self._open

    def _close(self) -> None:
        assert self._open is not None
        segment, self._open = self._open, None
        segment.close()
