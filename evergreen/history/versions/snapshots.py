"""Snapshots: every training set is a version of a Delta table on the store, named by its content digest."""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, PostCommitHookProperties, create_table_with_add_actions

from evergreen import log
from evergreen.errors import ConflictError, DataError, Fault, StorageError
from evergreen.files import sha256
from evergreen.history.versions.deltafiles import delta_files, rows_of
from evergreen.history.versions.deltalog import ACTOR, DIGEST, MADE_BY, META, SHA256, commits, digest_of
from evergreen.project.model import Resources
from evergreen.registry.records import actor
from evergreen.storage import Store, delta_options, open_store
from evergreen.tables.meta import read_meta

Uploaded = tuple[list[AddAction], dict[str, str]]
Upload = Callable[[Store, list[Path]], Uploaded | None]

_log = log.get(__name__)
_ATTEMPTS = 5
_REFUSALS = {
    "no space left": ("no space left on the disk", "Free some space, or name another store."),
    "read-only file system": ("the file system is read-only", "Name a store that can be written to."),
    "permission denied": ("permission denied", "Give this user the right to write there."),
}


@dataclass(frozen=True)
class Snapshot:
    """A version of a Delta table; `created` is False when the latest version had this content already."""

    uri: str
    version: int
    digest: str
    created: bool


def snapshot_uri(store: str, project: str, name: str = "training_set") -> str:
    """Where a project's tables of one name are kept in a store."""
    return f"{store.rstrip('/')}/snapshots/{project}/{name}"


def snapshot(
    table: Path,
    uri: str,
    digest: str,
    endpoint: str | None = None,
    *,
    made_by: str = "build_training_set",
    resources: Resources | None = None,
    upload: Upload | None = None,
) -> Snapshot:
    """Keep a table as a new version; does nothing when the latest version has the same digest.

    The table's own Parquet files go up as they are, so a version holds the rows in their order and bytes,
    whatever its size (deltalake's own writer interleaves the rows of a large table, and holds several files
    of them in memory). They are seen by nobody until the commit names them.

    Args:
        table: The Parquet file or folder; a `meta.json` in it is kept with the version.
        uri: The Delta table; made when it is not there. Its columns may change from version to version.
        digest: The table's content digest; kept in the commit.
        endpoint: Of the S3 server; default: from the environment.
        made_by: The step that made the table, for people.
        resources: Memory and threads, where files must be written anew (`delta_files`).
        upload: What puts the files into the table's folder, such as Spark; where it gives None, and by
            default, this process does.

    Raises:
        StorageError: when the store refuses.
        ConflictError: when other writers won five times in a row.
    """
    ask(uri, endpoint)
    store = open_store(uri, endpoint=endpoint)
    latest = _latest(store)
    if latest is not None and latest[1] == digest:
        return Snapshot(uri, latest[0], digest, created=False)
    with _swept(uri), delta_files(Path(table), resources) as (files, schema):
        told: dict[str, Any] = {DIGEST: digest, MADE_BY: made_by, ACTOR: actor(), META: _meta(Path(table))}
        adds, told[SHA256] = (upload(store, files) if upload else None) or _uploaded(store, files)
        for _ in range(_ATTEMPTS):
            try:
                _commit(uri, endpoint, schema, adds, told)
            except ConflictError:
                latest = _latest(store)
                if latest is not None and latest[1] == digest:
                    _withdraw(store, adds)
                    return Snapshot(uri, latest[0], digest, created=False)
                continue
            version = _version_of(store, digest)
            _log.info("snapshot written", extra={"version": version, "digest": digest[:12]})
            return Snapshot(uri, version, digest, created=True)
        _withdraw(store, adds)
    raise ConflictError(f"{uri}: other writers were faster {_ATTEMPTS} times in a row. Try again.")


def read_snapshot(uri: str, version: int | None = None, endpoint: str | None = None) -> ds.Dataset:
    """A version of a Delta table as an Arrow dataset; the latest by default.

    Raises:
        DataError: when there is no such table or version.
        StorageError: when the store refuses.
    """
    ask(uri, endpoint)
    try:
        return open_table(uri, endpoint, version).to_pyarrow_dataset()
    except (TableNotFoundError, DeltaError) as error:
        asked = "" if version is None else f" with version {version}"
        raise DataError(uri, f"no snapshot{asked} is kept there") from error


def ask(uri: str, endpoint: str | None) -> None:
    """Let the store say what is wrong with its credentials or bucket, in words with a remedy."""
    if "://" in uri:
        open_store(uri, endpoint=endpoint).check()


def open_table(uri: str, endpoint: str | None, version: int | None = None) -> DeltaTable:
    """A Delta table of a store, at a version or the latest."""
    return DeltaTable(uri, version=version, storage_options=delta_options(uri, endpoint) or None)


def _meta(table: Path) -> Mapping[str, Any]:
    """What the table says of its columns; where it was kept before is not what it is."""
    if not (table / "meta.json").is_file():
        return {}
    return {k: v for k, v in read_meta(table).items() if k not in ("version", "uri")}


def _uploaded(store: Store, files: list[Path]) -> Uploaded:
    """Put the files into the table's folder under names that no other writer has."""
    mine, adds, digests = uuid.uuid4().hex[:12], [], {}
    for number, (file, rows) in enumerate(zip(files, rows_of(files), strict=True)):
        name = f"part-{mine}-{number:05d}.parquet"
        digests[name] = sha256(file)
        store.upload(file, name)
        stats = json.dumps({"numRecords": rows})
        adds.append(AddAction(name, file.stat().st_size, {}, int(time.time() * 1000), True, stats))
    return adds, digests


def _withdraw(store: Store, adds: list[AddAction]) -> None:
    for add in adds:
        store.delete(add.path)


def _commit(
    uri: str, endpoint: str | None, schema: Schema, adds: list[AddAction], told: Mapping[str, Any]
) -> None:
    """Make these files the table's next version; old commits stay readable for as long as retention says."""
    with _explained(uri):
        create_table_with_add_actions(
            uri,
            schema,
            adds,
            mode="overwrite",
            storage_options=delta_options(uri, endpoint) or None,
            commit_properties=CommitProperties(custom_metadata=dict(told), max_commit_retries=0),
            post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
        )


def _latest(store: Store) -> tuple[int, str] | None:
    """The latest version and its digest (empty when somebody else wrote it); None without a table."""
    versions = commits(store)
    return (versions[0], digest_of(store, versions[0])) if versions else None


def _version_of(store: Store, digest: str) -> int:
    """The newest version with this digest: another writer may have committed since."""
    for version in commits(store):
        if digest_of(store, version) == digest:
            return version
    raise Fault(f"{store.uri}: the version that was just written is not in the table's log")


@contextmanager
def _explained(uri: str) -> Iterator[None]:
    """Turn deltalake's errors into Evergreen's."""
    try:
        yield
    except CommitFailedError as error:
        raise ConflictError(f"{uri}: another writer committed first") from error
    except (DeltaError, OSError) as error:
        text = str(error).lower()
        for words, (found, remedy) in _REFUSALS.items():
            if words in text:
                raise StorageError(uri, found, remedy=remedy) from error
        first = str(error).split("\n")[0][:300]
        raise Fault(f"{uri}: the Delta table could not be read or written: {first}") from error


@contextmanager
def _swept(uri: str) -> Iterator[None]:
    """On a local disk, leave no folder behind when a table's first version could not be written.

    Files of a later version that failed stay until retention: another writer's may be among them.
    """
    folder = None if "://" in uri or Path(uri).exists() else Path(uri)
    try:
        yield
    except StorageError:
        if folder is not None and not list(folder.glob("_delta_log/*.json")):
            shutil.rmtree(folder, ignore_errors=True)
        raise
