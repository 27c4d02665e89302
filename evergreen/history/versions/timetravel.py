"""The versions of a kept table: which there are, one of them as it was, and an old one made the newest."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from evergreen.errors import DataError, NotFoundError
from evergreen.files import aside, sha256
from evergreen.history.versions.deltalog import Version, read_log
from evergreen.history.versions.snapshots import Snapshot, ask, snapshot
from evergreen.storage import Store, open_store
from evergreen.tables.connection import connect
from evergreen.tables.digest import content_digest
from evergreen.tables.meta import write_meta

_KEPT = "Keep more of them: `storage.retention` in the project file."


def list_versions(uri: str, endpoint: str | None = None) -> list[Version]:
    """Every version of a Delta table, oldest first.

    Args:
        uri: The table: a folder, `s3://…` or `gs://…`.
        endpoint: Of the S3 server; default: from the environment.

    Raises:
        DataError: when no table is kept there.
        StorageError: when the store refuses.
    """
    ask(uri, endpoint)
    return read_log(open_store(uri, endpoint=endpoint))


def pick(
    uri: str, versions: Sequence[Version], number: int | None = None, as_of: datetime | None = None
) -> Version:
    """One version: by its number, or the newest that was there at a moment; the latest by default.

    Args:
        uri: The table, for the error.
        versions: All of them, oldest first; at least one.
        number: The version's number; negative numbers count from the end, -1 being the latest.
        as_of: A moment; without a zone it is UTC.

    Raises:
        DataError: for a version that is not there, a moment before the first, or both asked for at once.
    """
    if number is not None and as_of is not None:
        raise DataError(uri, "a version and a moment", "one of them")
    if as_of is not None:
        moment = as_of.replace(tzinfo=UTC) if as_of.tzinfo is None else as_of
        before = [v for v in versions if v.time <= moment]
        if not before:
            first = versions[0].time.isoformat(timespec="seconds")
            raise DataError(uri, f"no version is as old as {moment.isoformat()}", f"{first} or later")
        return before[-1]
    if number is None:
        return versions[-1]
    wanted = number if number >= 0 else versions[-1].version + 1 + number
    found = next((v for v in versions if v.version == wanted), None)
    if found is None:
        known = f"one from {versions[0].version} to {versions[-1].version}"
        raise DataError(uri, f"no snapshot with version {number} is kept there", known)
    return found


def fetch_version(uri: str, version: Version, folder: Path, endpoint: str | None = None) -> Path:
    """Write a version as it was: `data/part-*.parquet` in the order of its rows, and its `meta.json`.

    Every file that Evergreen wrote is checked against its SHA-256: a changed byte is refused.

    Args:
        uri: The table.
        version: One of `list_versions`.
        folder: The folder to make; replaced, whole or not at all.
        endpoint: Of the S3 server.

    Returns:
        The folder.

    Raises:
        DataError: when files of the version are gone, or were changed.
        StorageError: when the store or the disk refuses.
    """
    store = open_store(uri, endpoint=endpoint)
    with aside(Path(folder)) as temporary:
        (temporary / "data").mkdir(parents=True)
        for number, file in enumerate(version.files):
            _download(store, uri, version, file.path, temporary / "data" / f"part-{number:05d}.parquet")
        if version.meta:
            write_meta(temporary, {**version.meta, "version": version.version, "uri": uri})
    return Path(folder)


def _download(store: Store, uri: str, version: Version, path: str, target: Path) -> None:
    try:
        store.download(path, target)
    except NotFoundError as error:
        found = f"version {version.version} is no longer kept: {path} is gone"
        raise DataError(uri, found, remedy=_KEPT) from error
    wanted = version.sha256.get(path)
    if wanted and sha256(target) != wanted:
        found = f"version {version.version}: the bytes of {path} were changed after it was kept"
        raise DataError(uri, found, remedy="Take another version, or restore the file from a backup.")


def restore(uri: str, version: Version, endpoint: str | None = None) -> Snapshot:
    """Make an old version the newest: its rows become a version of their own, nothing in between is lost.

    The files are copied, not named a second time, so that dropping the old version never harms the new one.

    Raises:
        DataError: when the old version's files are gone, or were changed.
        ConflictError: when other writers won five times in a row.
        StorageError: when the store refuses.
    """
    with TemporaryDirectory(prefix="evergreen-restore-") as scratch:
        folder = fetch_version(uri, version, Path(scratch) / "version", endpoint)
        digest = version.digest
        if not digest:
            with connect() as con:
                digest = content_digest(con, folder)
        return snapshot(folder, uri, digest, endpoint, made_by=f"restore of version {version.version}")


def parse_moment(text: str) -> datetime:
    """A moment as people write it: `2026-11-23`, `2026-11-23T10:00`, with or without a zone (then UTC).

    Raises:
        DataError: for anything else.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise DataError(
            "--as-of", repr(text), "a moment such as 2026-11-23 or 2026-11-23T10:00:00Z"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
