"""Source files wherever they are: find them by a pattern, fetch them to a local folder."""

import glob
import re
from pathlib import Path

from evergreen.errors import NotFoundError
from evergreen.storage.keys import Place, joined, parse_uri
from evergreen.storage.places import open_store


def expand(uri: str, endpoint: str | None = None) -> list[str]:
    """The objects that a URI stands for, sorted; empty when there are none.

    `*` stands for any characters within one part of the path, `**` for any number of parts. Without a `*` it
    is the object itself, or every object in the folder of that name. Hidden names are left out.

    Raises:
        StorageError: when the store refuses.
    """
    place = parse_uri(uri)
    if place.scheme == "file":
        return _expand_local(place.path)
    parts = place.path.split("/") if place.path else []
    fixed = next((i for i, part in enumerate(parts) if "*" in part), len(parts))
    folder = Place(place.scheme, place.bucket, "/".join(parts[:fixed]))
    pattern = _regex("/".join(parts[fixed:]))
    if fixed == len(parts) and parts and open_store(str(_parent(place)), endpoint=endpoint).exists(parts[-1]):
        return [str(place)]
    keys = (entry.key for entry in open_store(str(folder), endpoint=endpoint).list())
    return sorted(joined(str(folder), key) for key in keys if pattern.fullmatch(key))


def fetch(uri: str, folder: Path, endpoint: str | None = None) -> Path:
    """Bring an object, or a folder of objects, to a local folder; a local path is returned as it is.

    Args:
        uri: An object's or a folder's URI, without `*`.
        folder: Where to put it, as `folder/bucket/key`.
        endpoint: URL of the S3 server; otherwise the environment says.

    Returns:
        The path of the file or folder.

    Raises:
        NotFoundError: when there is nothing under that URI.
        StorageError: when the store refuses, or the disk is full.
    """
    place = parse_uri(uri)
    if place.scheme == "file":
        if not Path(place.path).exists():
            raise NotFoundError(uri, "no such file or folder")
        return Path(place.path)
    target = Path(folder) / place.bucket / place.path
    name = place.path.rpartition("/")[2]
    if name:
        parent = open_store(str(_parent(place)), endpoint=endpoint)
        if parent.exists(name):
            parent.download(name, target)
            return target
    open_store(str(place), endpoint=endpoint).download_tree("", target)
    return target


def _parent(place: Place) -> Place:
    return Place(place.scheme, place.bucket, place.path.rpartition("/")[0])


def _regex(pattern: str) -> re.Pattern[str]:
    """A pattern over keys; an empty one matches every key."""
    if not pattern:
        return re.compile(r".+")
    pieces = re.split(r"(\*\*/|\*\*|\*)", pattern)
    meaning = {"**/": r"(?:.+/)?", "**": r".*", "*": r"[^/]*"}
    return re.compile("".join(meaning.get(piece) or re.escape(piece) for piece in pieces), re.DOTALL)


def _expand_local(path: str) -> list[str]:
    if "*" not in path:
        if Path(path).is_dir():
            return [f"{open_store(path).uri}/{entry.key}" for entry in open_store(path).list()]
        return [path] if Path(path).exists() else []
    pattern = path.replace("[", "[[]").replace("?", "[?]")
    found = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - Path.glob does not leave hidden names out
    return sorted(name for name in found if Path(name).is_file())
