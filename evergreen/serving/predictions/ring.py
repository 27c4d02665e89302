"""A queue in memory that a server and its log's writer share: one process puts, another takes, nobody waits.

What is in it outlives the process that put it. Positions and counters are words of 8 bytes, each written by
one side only. A frame counts once the word that says so is written and its checksum holds: a processor may
show another one the word first.
"""

import mmap
import os
import struct
import tempfile
import threading
import zlib
from collections.abc import Mapping
from typing import NamedTuple

PREDICTIONS, OUTCOMES = KINDS = (0, 1)
REASONS = ("queue", "disk", "closed", "encode", "killed")
_HEADER = 4096
_FRAME = struct.Struct("<IIIIQ")  # bytes of data, CRC-32, kind, items, number of the last item of its kind
_WRAP = 2**32 - 1
_EARLY = 4 * 2**20  # an empty queue begins anew from here, so that few pages are ever touched
_TRIES = 5
_WRITER = slice(3072, 3136)
_HEAD, _TAIL, _PATIENCE, _SPOOLED, _FULL, _WRITTEN, _SHIPPED, _PUT, _TAKEN, _SETTLED = (*range(7), 8, 10, 12)
_COUNTS = 16  # from here by kind and reason: dropped by the server, dropped by the writer, told in a segment


class Frame(NamedTuple):
    """What was put at once.

    Attributes:
        kind: `PREDICTIONS` or `OUTCOMES`.
        items: How many things it holds.
        data: Their bytes.
    """

    kind: int
    items: int
    data: bytes


class Ring:
    """The queue; the process that makes it puts, those that get its descriptor take.

    Args:
        descriptor: Of an open file that holds a queue; None makes a new one in memory.
        capacity: Bytes of a new one.
    """

    def __init__(self, descriptor: int | None = None, capacity: int = 64 * 2**20) -> None:
        self.descriptor = memory(_HEADER + capacity) if descriptor is None else descriptor
        size = os.fstat(self.descriptor).st_size
        self._map = mmap.mmap(self.descriptor, size)
        self._capacity = size - _HEADER
        self._words = memoryview(self._map)[:_HEADER].cast("Q")
        self._tries = 0
        self._lock = threading.Lock()

    def put(self, kind: int, items: int, data: bytes) -> bool:
        """Put what belongs together; False when there is no room."""
        words, length = self._words, len(data)
        head, tail = words[_HEAD], words[_TAIL]
        size = _room(length)
        at = self._place(head, tail, size)
        if at is None:
            return False
        if at != head:
            _FRAME.pack_into(self._map, _HEADER + head, _WRAP, 0, 0, 0, 0)
        last, begin = words[_PUT + kind] + items, _HEADER + at
        _FRAME.pack_into(self._map, begin, length, zlib.crc32(data), kind, items, last)
        begin += _FRAME.size
        self._map[begin : begin + length] = data
        words[_PUT + kind] = last
        words[_HEAD] = at + size
        return True

    def _place(self, head: int, tail: int, size: int) -> int | None:
        """Where a frame goes: behind the last one, with room for a mark, or at the beginning."""
        if head < tail:
            return head if head + size < tail else None
        if head == tail and head > _EARLY and size < tail:
            return 0
        if head + size + _FRAME.size <= self._capacity:
            return head
        return 0 if size < tail else None

    def take(self, most: int) -> list[Frame]:
        """Frames of about so many bytes, in order. What they hold counts as taken, not as settled."""
        frames: list[Frame] = []
        words, held = self._words, 0
        taken = [words[_TAKEN + kind] for kind in KINDS]
        at, head = words[_TAIL], words[_HEAD]
        while at != head and held < most:
            length, checksum, kind, items, last = _FRAME.unpack_from(self._map, _HEADER + at)
            if length == _WRAP:
                at = 0
                continue
            begin = _HEADER + at + _FRAME.size
            data = self._map[begin : begin + length]
            whole = len(data) == length and zlib.crc32(data) == checksum
            if not whole or kind not in KINDS or last <= taken[kind]:  # not here yet: it shows what was there
                if self._is_lost(frames):
                    at, taken = head, self._given_up()
                break
            frames.append(Frame(kind, items, data))
            self._missed(kind, last - items - taken[kind])
            taken[kind] = last
            held, at = held + length, at + _room(length)
        words[_TAIL] = at
        for kind in KINDS:
            words[_TAKEN + kind] = taken[kind]
        return frames

    def _is_lost(self, before: list[Frame]) -> bool:
        """Whether a frame whose checksum does not hold never will; asked for again and again."""
        self._tries = 0 if before else self._tries + 1
        return self._tries > _TRIES

    def _given_up(self) -> list[int]:
        """Count all that was put and not taken as dropped."""
        for kind in KINDS:
            self._missed(kind, self._words[_PUT + kind] - self._words[_TAKEN + kind])
        return [self._words[_PUT + kind] for kind in KINDS]

    def _missed(self, kind: int, items: int) -> None:
        """Things that were taken, and nobody knows whether they were written."""
        if items > 0:
            self.drop(kind, items, "killed", by_writer=True)

    def settle(self, kind: int) -> None:
        """What was taken is written, or counted as dropped."""
        self._words[_SETTLED + kind] = self._words[_TAKEN + kind]

    def attach(self) -> None:
        """Begin to take where another process ended; what it had taken and not settled counts as dropped."""
        for kind in KINDS:
            self._missed(kind, self._words[_TAKEN + kind] - self._words[_SETTLED + kind])
            self.settle(kind)

    def waiting(self, kind: int) -> int:
        """How many things are not settled yet."""
        return max(0, self._words[_PUT + kind] - self._words[_SETTLED + kind])

    def drop(self, kind: int, items: int, reason: str, *, by_writer: bool = False) -> None:
        """Count what was dropped; any thread may."""
        with self._lock:
            self._words[_place_of(kind, reason) + by_writer] += items

    def dropped(self, kind: int) -> dict[str, int]:
        """What was dropped, by reason."""
        counts = {reason: self._total(kind, reason) for reason in REASONS}
        return {reason: count for reason, count in counts.items() if count}

    def _total(self, kind: int, reason: str) -> int:
        place = _place_of(kind, reason)
        return self._words[place] + self._words[place + 1]

    def untold(self, kind: int) -> dict[str, int]:
        """What was dropped and stands in no segment yet, by reason."""
        words = self._words
        counts = {
            reason: self._total(kind, reason) - words[_place_of(kind, reason) + 2] for reason in REASONS
        }
        return {reason: count for reason, count in counts.items() if count > 0}

    def tell(self, kind: int, gap: Mapping[str, int], sign: int = 1) -> None:
        """Take note that a segment tells of a gap; with -1, that it does not after all."""
        for reason, count in gap.items():
            self._words[_place_of(kind, reason) + 2] += sign * count

    def show(self, *, written: int, shipped: int, writer: str) -> None:
        """Let the server know how its log does."""
        self._words[_WRITTEN], self._words[_SHIPPED] = written, shipped
        self._map[_WRITER] = writer.encode().ljust(64, b"\0")

    def show_room(self, used: int, full: bool) -> None:
        """Let the server know how full the spool is."""
        self._words[_SPOOLED], self._words[_FULL] = used, full

    @property
    def written(self) -> int:
        """Rows in segments, by every writer of this queue."""
        return self._words[_WRITTEN]

    @property
    def shipped(self) -> int:
        """Segments that the store has."""
        return self._words[_SHIPPED]

    @property
    def spooled(self) -> int:
        """Bytes on the local disk."""
        return self._words[_SPOOLED]

    @property
    def full(self) -> bool:
        """Whether the local disk holds as much as it may."""
        return self._words[_FULL] > 0

    @property
    def writer(self) -> str:
        """The id of the last writer; empty before the first one."""
        return self._map[_WRITER].rstrip(b"\0").decode()

    @property
    def patience(self) -> float:
        """Seconds that the writer has to end once the server has; 0 where it did not say."""
        return self._words[_PATIENCE] / 1000

    @patience.setter
    def patience(self, seconds: float) -> None:
        self._words[_PATIENCE] = int(seconds * 1000)


def _room(length: int) -> int:
    return (_FRAME.size + length + 7) // 8 * 8


def _place_of(kind: int, reason: str) -> int:
    return _COUNTS + (kind * len(REASONS) + REASONS.index(reason)) * 3


def memory(size: int) -> int:
    """An open file of so many bytes that takes memory only where it was written.

    Raises:
        OSError: when there is none to be had.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("prediction-log", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
