"""The spool: the local folder where segments are until the store has them.

    <spool>/salt
    <spool>/<writer>/lock                           held (flock) by the living server process
    <spool>/<writer>/<kind>/<seq>.open              appended to
    <spool>/<writer>/<kind>/<seq>.closed            to be converted
    <spool>/<writer>/ready/<key in the store>       Parquet, to be shipped

Several servers may share a spool. A writer whose lock can be taken is dead: whoever takes it ships what it
left. The lock goes with the process, however that ends.
"""

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from evergreen.files import explained
from evergreen.serving.predictions.layout import KINDS, Kind
from evergreen.serving.predictions.segment import CLOSED, OPEN

WRITER = re.compile(r"[a-z0-9]{8,40}")
_LOCK, _READY = "lock", "ready"
_SEQ = re.compile(r"(\d{10})(?:\.open|\.closed|\.parquet)$")


def new_writer() -> str:
    """An id that no other server process has; ids sort by the time of their making."""
    return f"{int(time.time()):08x}{secrets.token_hex(6)}"


class WriterFolder:
    """One writer's folder, locked by this process until `release`.

    Args:
        path: The folder.
        lock: The open, locked file.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path, self._lock = path, lock
        self.ready = path / _READY

    @property
    def writer(self) -> str:
        """The writer's id."""
        return self.path.name

    @classmethod
    def create(cls, spool: Path) -> "WriterFolder":
        """Make the folder of a new writer; nobody sees it before it is locked.

        Raises:
            StorageError: when the spool cannot be written.
        """
        path = spool / new_writer()
        hidden = spool / f".{path.name}"
        with explained(path):
            hidden.mkdir(parents=True)
            lock = os.open(hidden / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            for kind in KINDS:
                (hidden / kind).mkdir()
            hidden.rename(path)
        return cls(path, lock)

    @classmethod
    def adopt(cls, path: Path) -> "WriterFolder | None":
        """The folder of a dead writer; None while it lives, or when someone else ships it already."""
        try:
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
        return cls(path, lock)

    def segment(self, kind: Kind, seq: int) -> Path:
        """The file of an open segment."""
        return self.path / kind / f"{seq:010d}{OPEN}"

    def unconverted(self, kind: Kind, *, dead: bool) -> list[Path]:
        """The closed segments in order; of a dead writer also the one that was still open."""
        suffixes = (CLOSED, OPEN) if dead else (CLOSED,)
        return sorted((p for p in _files(self.path / kind) if p.suffix in suffixes), key=seq_of)

    def shippable(self, kind: Kind) -> list[tuple[str, Path]]:
        """The converted segments in order, each with its key in the store."""
        found = sorted((p for p in _files(self.ready / kind) if p.suffix == ".parquet"), key=seq_of)
        return [(path.relative_to(self.ready).as_posix(), path) for path in found]

    def release(self) -> None:
        """Let the lock go; the folder goes too when nothing is left in it."""
        left = any(True for kind in KINDS for _ in (*_files(self.path / kind), *_files(self.ready / kind)))
        if not left:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def seq_of(path: Path) -> int:
    """A segment's number by its file's name.

    Raises:
        ValueError: for the name of another file.
    """
    match = _SEQ.search(path.name)
    if match is None:
        raise ValueError(f"{path}: not a segment's name")
    return int(match[1])


def dead_writers(spool: Path) -> Iterator[WriterFolder]:
    """Take over the folders of writers that live no more, one by one; release each."""
    for path in sorted(spool.iterdir()):
        if WRITER.fullmatch(path.name) and path.is_dir():
            folder = WriterFolder.adopt(path)
            if folder is not None:
                yield folder


def used_bytes(spool: Path) -> int:
    """The bytes of all that writers, living and dead, have in the spool; a local store beside is not one."""
    total = 0
    for writer in spool.iterdir():
        if WRITER.fullmatch(writer.name):
            for folder, _, names in os.walk(writer):
                for name in names:
                    with suppress(FileNotFoundError):
                        total += (Path(folder) / name).stat().st_size
    return total


def _files(folder: Path) -> Iterator[Path]:
    """The segments' files below a folder."""
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and _SEQ.search(path.name) and path.is_file():
            yield path
