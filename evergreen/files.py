"""Local files, written whole or not at all: write aside, flush, rename."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evergreen.errors import StorageError

_REMEDIES = {
    errno.ENOSPC: ("no space left on the disk", "Free some space, or name another folder."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space, or name another folder."),
    errno.EROFS: ("the file system is read-only", "Name a folder that can be written to."),
    errno.EACCES: ("permission denied", "Give this user the right to write there, or name another folder."),
    errno.EPERM: ("permission denied", "Give this user the right to write there, or name another folder."),
    errno.EEXIST: ("a part of the path is a file, not a folder", "Name another folder."),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "Name another folder."),
}


def storage_error(error: OSError, path: str | os.PathLike[str]) -> StorageError | None:
    """The `StorageError` that says what to do about an `OSError`; None for one that is not about storage."""
    if error.errno not in _REMEDIES:
        return None
    found, remedy = _REMEDIES[error.errno]
    return StorageError(str(error.filename or path), found, remedy=remedy)


@contextmanager
def explained(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn a full, read-only or forbidden disk into a `StorageError` that names the path."""
    try:
        yield
    except OSError as error:
        explanation = storage_error(error, path)
        if explanation is None:
            raise
        raise explanation from error


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on failure it is removed.

    Works for a file and for a folder: make whichever you need at the yielded path.

    Raises:
        StorageError: when the disk is full, read-only or forbidden.
    """
    path = Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        temporary = holder / path.name
        try:
            yield temporary
            if temporary.is_dir() and path.is_dir():
                path.rename(holder / "replaced")
            elif temporary.is_file():
                with temporary.open("rb") as handle:
                    os.fsync(handle.fileno())
            temporary.replace(path)
        finally:
            shutil.rmtree(holder, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8), whole or not at all."""
    with aside(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a binary file, whole or not at all."""
    with aside(path) as temporary:
        temporary.write_bytes(data)


def sha256(path: Path) -> str:
    """The hex SHA-256 of a file's bytes, read in blocks."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
