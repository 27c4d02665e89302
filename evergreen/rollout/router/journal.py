"""What the agent remembers on disk: buckets, and how far the access log was read, in one line each time.

A line is whole or it does not count, so a bucket and the place in the log that it was counted up to are kept
or lost together: nothing is counted twice, and nothing is left out, wherever the agent is killed.
"""

import os
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from evergreen.errors import InputError
from evergreen.files import aside, explained
from evergreen.rollout.evidence import Bucket
from evergreen.rollout.router.tally import Harm


class Entry(msgspec.Struct, frozen=True):
    """One line of the journal: what is known after it.

    Attributes:
        seq: Of the last bucket.
        positions: By log file: the bytes that were counted.
        rotations: How often a log was set aside; the number of the last one.
        moving: The log that is being set aside: from, to; empty for none.
        buckets: New ones, as they are served.
        harmed: Users who were harmed anew.
    """

    seq: int = 0
    positions: dict[str, int] = {}
    rotations: int = 0
    moving: tuple[str, ...] = ()
    buckets: tuple[msgspec.Raw, ...] = ()
    harmed: tuple[Harm, ...] = ()


class _Seq(msgspec.Struct):
    seq: int


class Journal:
    """The agent's journal, and in memory the newest buckets.

    Args:
        path: The file; made when it is not there.
        keep: How many buckets are kept; older ones are dropped, and `first` says so.

    Raises:
        InputError: the file is not a journal.
    """

    def __init__(self, path: Path, keep: int = 20_000) -> None:
        self._path, self._keep = Path(path), keep
        self._buckets: deque[tuple[int, msgspec.Raw]] = deque(maxlen=keep)
        self.last = Entry()
        self._lines = 0
        self.harmed: list[Harm] = []  # of before this start
        with explained(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._read()

    @property
    def first(self) -> int:
        """The number of the oldest bucket that is kept; one past the last where there is none."""
        return self._buckets[0][0] if self._buckets else self.last.seq + 1

    def append(self, entry: Entry) -> None:
        """Write an entry through to the disk; only then its buckets can be asked for.

        Raises:
            StorageError: the disk is full; nothing is remembered, and it may be tried again.
        """
        line = msgspec.json.encode(entry) + b"\n"
        with explained(self._path):
            size = os.fstat(self._file).st_size
            try:
                view = memoryview(line)
                while view:
                    view = view[os.write(self._file, view) :]
                os.fdatasync(self._file)
            except OSError:
                os.ftruncate(self._file, size)
                raise
        self._remember(entry)

    def after(self, seq: int, most: int = 5000) -> bytes:
        """The buckets after number `seq`, at most so many, as a JSON list."""
        found = [raw for number, raw in self._buckets if number > seq][:most]
        return msgspec.json.encode(found)

    def compact(self, harmed: Sequence[Harm]) -> None:
        """Write the file anew, without what is not kept, once it is twice as long as needed."""
        if self._lines <= 2 * self._keep:
            return
        last = self.last
        whole = Entry(
            last.seq, last.positions, last.rotations, last.moving,
            tuple(raw for _, raw in self._buckets), tuple(harmed),
        )  # fmt: skip
        with aside(self._path) as temporary:
            temporary.write_bytes(msgspec.json.encode(whole) + b"\n")
            temporary.chmod(0o600)
        os.close(self._file)
        self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        self._lines = 1

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _read(self) -> None:
        """Read what is there; a line that a crash left torn at the end is cut off."""
        good = 0
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    break
                entry = self._entry(line, number)
                self.harmed.extend(entry.harmed)
                self._remember(entry)
                good += len(line)
        os.ftruncate(self._file, good)

    def _entry(self, line: bytes, number: int) -> Entry:
        try:
            return msgspec.json.decode(line, type=Entry)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise InputError(
                f"{self._path}, line {number}", f"is no entry of a router's journal ({error})",
                remedy="Remove the router's folder; what it counted and nobody read is lost with it.",
            ) from error  # fmt: skip

    def _remember(self, entry: Entry) -> None:
        for raw in entry.buckets:
            # A copy: a slice would keep the whole line that it was decoded from.
            self._buckets.append((msgspec.json.decode(raw, type=_Seq).seq, msgspec.Raw(bytes(raw))))
        self.last = entry
        self._lines += 1


def encoded(buckets: Iterable[Bucket]) -> tuple[msgspec.Raw, ...]:
    """Buckets as they are kept and served."""
    return tuple(msgspec.Raw(msgspec.json.encode(bucket)) for bucket in buckets)
