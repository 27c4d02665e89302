"""Snapshots: every training set is a version of a Delta table on the store, named by its content digest."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from evergreen import log
from evergreen.errors import ConflictError, DataError, Fault, StorageError
from evergreen.storage import Store, delta_options, open_store
from evergreen.tables.parquet import parts

_log = log.get(__name__)
_DIGEST = "evergreen.digest"
_LOG = "_delta_log"
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


def snapshot_uri(store: str, project: str) -> str:
    """Where a project's training sets are kept in a store."""
    return f"{store.rstrip('/')}/snapshots/{project}/training_set"


def snapshot(table: Path, uri: str, digest: str, endpoint: str | None = None) -> Snapshot:
    """Append a table as a new version, streamed; does nothing when the latest version has the same digest.

    Args:
        table: The Parquet file or folder.
        uri: The Delta table; made when it is not there. Its columns may change from version to version.
        digest: The table's content digest; kept in the commit.
        endpoint: Of the S3 server; default: from the environment.

    Raises:
        StorageError: when the store refuses.
        ConflictError: when other writers won five times in a row.
    """
    _ask(uri, endpoint)
    for _ in range(_ATTEMPTS):
        latest = _latest(uri, endpoint)
        if latest is not None and latest[1] == digest:
            return Snapshot(uri, latest[0], digest, created=False)
        try:
            with _swept(uri), _explained(uri):
                write_deltalake(
                    uri,
                    _reader(table),
                    mode="overwrite",
                    schema_mode="overwrite",
                    storage_options=delta_options(uri, endpoint) or None,
                    commit_properties=CommitProperties(
                        custom_metadata={_DIGEST: digest}, max_commit_retries=0
                    ),
                )
        except ConflictError:
            continue
        version = _version_of(uri, digest, endpoint)
        _log.info("snapshot written", extra={"version": version, "digest": digest[:12]})
        return Snapshot(uri, version, digest, created=True)
    raise ConflictError(f"{uri}: other writers were faster {_ATTEMPTS} times in a row. Try again.")


def read_snapshot(uri: str, version: int | None = None, endpoint: str | None = None) -> ds.Dataset:
    """A version of a Delta table as an Arrow dataset; the latest by default.

    Raises:
        DataError: when there is no such table or version.
        StorageError: when the store refuses.
    """
    _ask(uri, endpoint)
    try:
        return _open(uri, endpoint, version).to_pyarrow_dataset()
    except (TableNotFoundError, DeltaError) as error:
        asked = "" if version is None else f" with version {version}"
        raise DataError(uri, f"no snapshot{asked} is kept there") from error


def _ask(uri: str, endpoint: str | None) -> None:
    """Let the store say what is wrong with its credentials or bucket, in words with a remedy."""
    if "://" in uri:
        open_store(uri, endpoint=endpoint).check()


def _open(uri: str, endpoint: str | None, version: int | None = None) -> DeltaTable:
    return DeltaTable(uri, version=version, storage_options=delta_options(uri, endpoint) or None)


def _reader(table: Path) -> pa.RecordBatchReader:
    dataset = ds.dataset([str(p) for p in parts(table)], format="parquet")
    return pa.RecordBatchReader.from_batches(dataset.schema, dataset.scanner(use_threads=False).to_batches())


def _latest(uri: str, endpoint: str | None) -> tuple[int, str] | None:
    """The latest version and its digest (empty when somebody else wrote it); None without a table."""
    store = open_store(uri, endpoint=endpoint)
    versions = _versions(store)
    return (versions[0], _digest_of(store, versions[0])) if versions else None


def _version_of(uri: str, digest: str, endpoint: str | None) -> int:
    """The newest version with this digest: another writer may have committed since.

    The commits are read from the log: `DeltaTable.history` counts versions back from the latest it knew of,
    and is one off when another commit comes in between.
    """
    store = open_store(uri, endpoint=endpoint)
    for version in _versions(store):
        if _digest_of(store, version) == digest:
            return version
    raise Fault(f"{uri}: the version that was just written is not in the table's log")


def _versions(store: Store) -> list[int]:
    """The versions whose commit is in the log, the newest first."""
    names = (re.fullmatch(rf"{_LOG}/(\d{{20}})\.json", entry.key) for entry in store.list(_LOG))
    return sorted((int(name[1]) for name in names if name), reverse=True)


def _digest_of(store: Store, version: int) -> str:
    for line in store.read(f"{_LOG}/{version:020d}.json").splitlines():
        action = json.loads(line)
        if "commitInfo" in action:
            return str(action["commitInfo"].get(_DIGEST, ""))
    return ""


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

    Files of a later version that failed stay until Delta's vacuum: another writer's may be among them.
    """
    folder = None if "://" in uri or Path(uri).exists() else Path(uri)
    try:
        yield
    except StorageError:
        if folder is not None and not list(folder.glob("_delta_log/*.json")):
            shutil.rmtree(folder, ignore_errors=True)
        raise
