"""The interface of every store, and what all of them do alike: whole trees of files."""

import os
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from evergreen.errors import NotFoundError
from evergreen.files import aside, explained
from evergreen.storage.keys import checked_key, checked_prefix, is_visible, joined


@dataclass(frozen=True)
class Entry:
    """One object: its key below the store's URI, its size in bytes, and its tag.

    `tag` changes whenever the content does; it is empty in a local store's listing, where finding it would
    mean reading every file (`Store.read_tagged` gives it).
    """

    key: str
    size: int
    tag: str


class Store(Protocol):
    """Objects under a URI. Keys are relative, `/` between their parts; no part begins with a dot.

    Every write is seen whole or not at all. Methods raise `StorageError` when the store refuses: wrong
    credentials, no such bucket, not reachable, no room; the message names the URI and the remedy.
    """

    @property
    @abstractmethod
    def uri(self) -> str:
        """Where the keys begin: `s3://bucket/folder`, `gs://bucket/folder` or an absolute local path."""

    @abstractmethod
    def read_tagged(self, key: str) -> tuple[bytes, str]:
        """The object's bytes and the tag to hand to `write_if`.

        Raises:
            NotFoundError: when there is no such object.
        """

    @abstractmethod
    def write(self, key: str, data: bytes) -> str:
        """Write an object, replacing what is there; returns its tag."""

    @abstractmethod
    def write_if(self, key: str, data: bytes, tag: str | None) -> str:
        """Write an object only if its tag is still `tag` (None: only if there is none); returns the new tag.

        Raises:
            ConflictError: when someone else wrote or deleted the object meanwhile.
        """

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every object in the folder `prefix` and below, read page by page, in the store's own order."""

    @abstractmethod
    def folders(self, prefix: str = "") -> tuple[str, ...]:
        """The names of the folders directly in the folder `prefix`, sorted; emptied ones may be there too."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether there is such an object."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object; removing one that is not there is no error."""

    @abstractmethod
    def upload(self, path: Path, key: str) -> None:
        """Copy a local file to an object, in bounded memory."""

    @abstractmethod
    def download(self, key: str, path: Path) -> None:
        """Copy an object to a local file, in bounded memory, whole or not at all.

        Raises:
            NotFoundError: when there is no such object.
        """

    @abstractmethod
    def child(self, prefix: str) -> Self:
        """The store of the objects in the folder `prefix`."""

    def read(self, key: str) -> bytes:
        """The object's bytes.

        Raises:
            NotFoundError: when there is no such object.
        """
        return self.read_tagged(key)[0]

    def check(self) -> None:
        """Ask the store one cheap question, so that a wrong key or bucket shows before the work begins."""
        next(iter(self.list()), None)

    def upload_tree(self, folder: Path, prefix: str = "") -> tuple[str, ...]:
        """Copy every file below a local folder, hidden ones left out; returns the keys in order.

        Raises:
            NotFoundError: when there is no such folder.
        """
        keys = []
        for name in local_files(folder):
            key = joined(checked_prefix(prefix), name)
            self.upload(Path(folder) / name, key)
            keys.append(key)
        return tuple(keys)

    def download_tree(self, prefix: str, folder: Path) -> tuple[Path, ...]:
        """Copy the objects in the folder `prefix` to a local folder, which is replaced, whole or not at all.

        Returns:
            The files' paths in the order of their keys.

        Raises:
            NotFoundError: when there is no object there.
        """
        source = self.child(prefix) if prefix else self
        names = sorted(entry.key for entry in source.list())
        if not names:
            raise NotFoundError(source.uri, "nothing is stored there")
        with aside(folder) as temporary:
            for name in names:
                source.download(name, temporary / checked_key(name))
        return tuple(Path(folder) / name for name in names)


def local_files(folder: Path) -> list[str]:
    """The names of the files below a folder, relative to it, `/` between the parts, sorted, none hidden.

    Raises:
        NotFoundError: when there is no such folder.
    """
    if not Path(folder).is_dir():
        raise NotFoundError(str(folder), "no such folder")
    found = []
    with explained(folder):
        for path, folders, names in os.walk(folder, onerror=_raise_unless_gone):
            folders[:] = [name for name in folders if is_visible(name)]
            found += [
                (Path(path) / name).relative_to(folder).as_posix() for name in names if is_visible(name)
            ]
    return sorted(found)


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # a folder may go while its parent is read
        raise error
