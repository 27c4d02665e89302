"""Keys and URIs: what may name an object, and how the parts are put together."""

import re
from dataclasses import dataclass
from pathlib import Path

from evergreen.errors import StorageError
from evergreen.near import nearest

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://(.*)$", re.DOTALL)
_OTHER_NAMES = {"minio": "s3", "s3a": "s3", "s3n": "s3", "gcs": "gs", "https": "s3", "http": "s3"}
_KNOWN = ("s3", "gs", "file")


@dataclass(frozen=True)
class Place:
    """A URI in parts: `scheme` is `file`, `s3` or `gs`; `path` is the key, or the absolute local path."""

    scheme: str
    bucket: str
    path: str

    def __str__(self) -> str:
        if self.scheme == "file":
            return self.path
        return f"{self.scheme}://{self.bucket}" + (f"/{self.path}" if self.path else "")


def parse_uri(uri: str) -> Place:
    """Split a URI or a local path into its parts; a relative path is taken from the working folder.

    Raises:
        StorageError: for an unknown scheme, a missing or impossible bucket name, or a path with `..` in it.
    """
    match = _SCHEME.match(uri)
    if not match:
        return Place("file", "", _local(uri, uri))
    scheme, rest = match[1].lower(), match[2]
    if scheme == "file":
        return Place("file", "", _local(uri, rest))
    if scheme not in _KNOWN:
        near = _OTHER_NAMES.get(scheme) or nearest(scheme, _KNOWN)
        remedy = f"Did you mean {near}://?" if near else "Use one of these."
        raise StorageError(uri, f"unknown scheme {scheme}://", "s3://, gs:// or a local path", remedy)
    bucket, _, path = rest.partition("/")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", bucket):
        raise StorageError(
            uri,
            f"{bucket!r} cannot name a bucket",
            "at least 3 lower-case letters, digits, dots or hyphens",
            f"Write {scheme}://BUCKET/FOLDER.",
        )
    path = path.strip("/")
    if path and set(path.split("/")) & {"", ".", ".."}:
        raise StorageError(uri, "an empty part, `.` or `..` in the path", remedy="Write the path without it.")
    return Place(scheme, bucket, path)


def _local(uri: str, path: str) -> str:
    if not path or "\0" in path:
        raise StorageError(repr(uri), "no path", "a folder, s3://BUCKET/FOLDER or gs://BUCKET/FOLDER")
    return str(Path(path).expanduser().absolute())


def checked_key(key: str) -> str:
    """Return `key` when it may name an object: relative, `/` between its parts, none of them hidden.

    Raises:
        StorageError: for an absolute key, an empty part, `..`, a part that begins with a dot (the stores
            keep their own files under such names) or a control character.
    """
    parts = key.split("/")
    if any(not part or part.startswith(".") for part in parts) or any(ord(c) < 32 for c in key):
        raise StorageError(
            f"key {key!r}",
            "not a key",
            "relative parts joined by /, none of them empty or beginning with a dot",
        )
    return key


def checked_prefix(prefix: str) -> str:
    """A folder of keys without its slash at the end; empty means all of the store."""
    prefix = prefix.rstrip("/")
    return checked_key(prefix) if prefix else ""


def joined(*parts: str) -> str:
    """Join the parts of a key that are not empty."""
    return "/".join(part for part in parts if part)


def is_visible(key: str) -> bool:
    """Whether a key that a bucket holds is an object to us: no folder marker, no hidden part."""
    return all(part and not part.startswith(".") for part in key.split("/"))
