"""The bytes of a source's files, one at a time, wherever they are; and their names below the source."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from evergreen.errors import NotFoundError
from evergreen.ingest.locate import Found, is_remote
from evergreen.media.limits import Unusable
from evergreen.reports.text import size
from evergreen.storage import Store, open_store


class Origin(Protocol):
    """Where the bytes to describe come from: files, or the rows of a column; `names` tells them apart."""

    @property
    def names(self) -> Sequence[str]:
        """A name each, in order."""

    def span(self, place: int) -> str:
        """The date in a file's path; empty without one."""

    def size(self, place: int) -> int:
        """Bytes as far as they are known before it is read; else 0."""

    def read(self, place: int, most: int) -> bytes:
        """The bytes of one, of at most `most`.

        Raises:
            Unusable: when it cannot be read.
        """


@dataclass(frozen=True)
class Files:
    """The files of a source.

    Attributes:
        found: The files, in order of span and name.
        names: Their paths below `root`, `/` between the parts.
        root: The folder that all of them are in.
        endpoint: Of the S3 server; None: from the environment.
    """

    found: tuple[Found, ...]
    names: tuple[str, ...]
    root: str = ""
    endpoint: str | None = None
    _stores: dict[str, Store] = field(default_factory=dict, repr=False, compare=False)

    @staticmethod
    def of(found: Sequence[Found], endpoint: str | None = None) -> "Files":
        """Name the files; the name of a single file is its last part."""
        root = _common([f.uri.rpartition("/")[0] for f in found]) if found else ""
        names = tuple(f.uri[len(root) :].lstrip("/") for f in found)
        return Files(tuple(found), names, root, endpoint)

    def span(self, place: int) -> str:
        """The date in a file's path; empty without one."""
        return self.found[place].span

    def size(self, place: int) -> int:
        """Bytes; 0 for a remote file, whose size is known once it is read."""
        return self.found[place].size

    def read(self, place: int, most: int) -> bytes:
        """The bytes of one file.

        Raises:
            Unusable: when it has more than `most` bytes, is gone, or must not be read.
            StorageError: when the object store refuses.
        """
        uri = self.found[place].uri
        if not is_remote(uri):
            return _bounded(Path(uri), most)
        scheme, _, rest = uri.partition("://")
        bucket, _, key = rest.partition("/")
        with tempfile.TemporaryDirectory(prefix="evergreen-media-") as scratch:
            local = Path(scratch) / "file"
            try:
                self._store(f"{scheme}://{bucket}").download(key, local)
            except NotFoundError:
                raise Unusable("gone since it was listed") from None
            return _bounded(local, most)

    def _store(self, root: str) -> Store:
        if root not in self._stores:
            self._stores[root] = open_store(root, endpoint=self.endpoint)
        return self._stores[root]


def _bounded(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as handle:
            if os.fstat(handle.fileno()).st_size > most:
                raise Unusable(f"too large: more than {size(most)}")
            return handle.read(most + 1)
    except FileNotFoundError:
        raise Unusable("gone since it was listed") from None
    except PermissionError:
        raise Unusable("no permission to read it") from None


def _common(folders: Sequence[str]) -> str:
    """The deepest folder that all are in."""
    first, last = min(folders), max(folders)
    parts = []
    for a, b in zip(first.split("/"), last.split("/"), strict=False):
        if a != b:
            break
        parts.append(a)
    return "/".join(parts)
