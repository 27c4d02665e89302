"""A store in a local folder: objects are files, the tag is the SHA-256 of the content."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from evergreen.errors import ConflictError, NotFoundError, StorageError
from evergreen.files import aside, explained
from evergreen.storage.interface import Entry, Store, local_files
from evergreen.storage.keys import checked_key, checked_prefix, joined


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the file stays, because removing it would split the lock in two."""
    with (folder / ".lock").open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _tag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _copy(source: Path, target: Path) -> None:
    """Copy in blocks; unlike `shutil.copyfile` it does not blame the source for a full disk."""
    with source.open("rb") as reader, target.open("wb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)


class LocalStore(Store):
    """Files below `root`, written aside and renamed under a lock that threads and processes share."""

    def __init__(self, root: Path) -> None:
        self._root = Path(root)

    @property
    def uri(self) -> str:
        """The absolute path of the folder."""
        return str(self._root)

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    def _missing(self, key: str) -> NotFoundError:
        return NotFoundError(str(self._path(key)), "no such file")

    def _content(self, path: Path) -> bytes | None:
        with explained(path):
            try:
                return path.read_bytes()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                return None

    def read_tagged(self, key: str) -> tuple[bytes, str]:
        """The file's bytes and their SHA-256."""
        data = self._content(self._path(key))
        if data is None:
            raise self._missing(key)
        return data, _tag(data)

    @contextmanager
    def _replacing(self, key: str) -> Iterator[tuple[Path, ExitStack]]:
        """Yield a path to fill and a stack; what enters the stack is held until the file is in its place."""
        path = self._path(key)
        if path.is_dir():
            raise StorageError(str(path), "is a folder, so it cannot be a file", remedy="Use another name.")
        try:
            with ExitStack() as stack, aside(path) as temporary:
                yield temporary, stack
        except FileExistsError as error:
            found = "a part of the path is a file, not a folder"
            raise StorageError(str(error.filename or path), found, remedy="Use another name.") from error

    def write(self, key: str, data: bytes) -> str:
        """Write a file whole or not at all."""
        with self._replacing(key) as (temporary, stack):
            temporary.write_bytes(data)
            stack.enter_context(_locked(self._path(key).parent))
        return _tag(data)

    def write_if(self, key: str, data: bytes, tag: str | None) -> str:
        """Write a file if its content's hash is still `tag`."""
        path = self._path(key)
        with self._replacing(key) as (temporary, stack):
            temporary.write_bytes(data)
            stack.enter_context(_locked(path.parent))
            now = self._content(path)
            if (None if now is None else _tag(now)) != tag:
                raise ConflictError(f"{path}: someone else wrote it first")
        return _tag(data)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every file in the folder and below, in the order of the keys."""
        prefix = checked_prefix(prefix)
        folder = self._root / prefix
        if folder.is_dir():
            for name in local_files(folder):
                try:
                    size = (folder / name).stat().st_size
                except FileNotFoundError:  # deleted since the folder was read
                    continue
                yield Entry(joined(prefix, name), size, "")

    def folders(self, prefix: str = "") -> tuple[str, ...]:
        """The folders directly in `prefix`."""
        folder = self._root / checked_prefix(prefix)
        if not folder.is_dir():
            return ()
        with explained(folder), os.scandir(folder) as entries:
            return tuple(sorted(e.name for e in entries if e.is_dir() and not e.name.startswith(".")))

    def exists(self, key: str) -> bool:
        """Whether there is such a file."""
        path = self._path(key)
        with explained(path):
            return path.is_file()

    def delete(self, key: str) -> None:
        """Remove a file."""
        if self.exists(key):
            path = self._path(key)
            with explained(path), _locked(path.parent):
                path.unlink(missing_ok=True)

    def upload(self, path: Path, key: str) -> None:
        """Copy a file in."""
        with self._replacing(key) as (temporary, stack):
            try:
                _copy(path, temporary)
            except FileNotFoundError as error:
                raise NotFoundError(str(path), "no such file") from error
            stack.enter_context(_locked(self._path(key).parent))

    def download(self, key: str, path: Path) -> None:
        """Copy a file out."""
        if not self.exists(key):
            raise self._missing(key)
        with aside(path) as temporary:
            _copy(self._path(key), temporary)

    def child(self, prefix: str) -> "LocalStore":
        """The store of a folder below."""
        return LocalStore(self._root / checked_prefix(prefix))
