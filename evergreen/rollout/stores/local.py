"""Records as files of a folder: flushed to the disk before they count, compared and swapped under a lock."""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evergreen.errors import ConflictError, NotFoundError
from evergreen.files import explained
from evergreen.rollout.codec import decode, encode
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.stores.interface import Kept, StateStore, checked_id, closed, in_order, readable

_Signature = tuple[int, int, int]
_SETTLED_NS = 2 * 10**9


class LocalStates(StateStore):
    """One file a rollout; processes and threads share the folder's lock.

    Args:
        folder: Where the files are; made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder).absolute()
        self._known: dict[str, tuple[_Signature, Kept | None]] = {}

    @property
    def uri(self) -> str:
        """The folder's absolute path."""
        return str(self._folder)

    def list(self, model: str | None = None, *, closed: bool = True) -> tuple[Kept, ...]:
        """Every record; a file that has not changed since the last time is not read again."""
        with explained(self._folder):
            names = sorted(p.name for p in self._folder.glob("*.json")) if self._folder.is_dir() else []
        found = [self._kept(name) for name in names]
        return in_order([kept for kept in found if kept and _wanted(kept.record, model, closed)])

    def read(self, id: str) -> Kept:
        """One record."""
        path = self._folder / f"{checked_id(id)}.json"
        kept = self._kept(path.name)
        if kept is None and not path.exists():
            raise NotFoundError(f"rollout {id}", f"not in {self._folder}")
        return kept or Kept(decode(path.read_bytes(), str(path)), "")

    def write_if(self, record: RolloutRecord, tag: str | None) -> str:
        """Write the record's file if its content's hash is still `tag`."""
        path = self._folder / f"{checked_id(record.id)}.json"
        data = encode(record)
        with explained(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._locked():
                if self._tag(path) != tag:
                    raise ConflictError(f"rollout {record.id}: someone else changed it first")
                _durable(path, data)
        return hashlib.sha256(data).hexdigest()

    def remove(self, id: str) -> None:
        """Remove the record's file."""
        path = self._folder / f"{checked_id(id)}.json"
        if path.exists():
            with explained(path), self._locked():
                path.unlink(missing_ok=True)

    def _kept(self, name: str) -> Kept | None:
        path, now = self._folder / name, time.time_ns()
        with explained(path):
            try:
                with path.open("rb") as handle:
                    state = os.fstat(handle.fileno())
                    signature = state.st_ino, state.st_mtime_ns, state.st_size
                    known = self._known.get(name)
                    if known and known[0] == signature:
                        return known[1]
                    data = handle.read()
            except FileNotFoundError:
                self._known.pop(name, None)
                return None
        kept = readable(data, hashlib.sha256(data).hexdigest(), str(path))
        # Clocks of files tick, and inodes are used again: what is younger may change and look as it did.
        if now - state.st_mtime_ns > _SETTLED_NS:
            self._known[name] = signature, kept
        return kept

    def _tag(self, path: Path) -> str | None:
        try:
            return hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError:
            return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / ".lock").open("ab") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _wanted(record: RolloutRecord, model: str | None, with_closed: bool) -> bool:
    return (model is None or record.model == model) and (with_closed or not closed(record))


def _durable(path: Path, data: bytes) -> None:
    """Replace a file so that after a power cut it is there with the old content or with the new one."""
    aside = path.with_name(f".{path.name}.new")  # one name is enough: the caller holds the lock
    with aside.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    aside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
