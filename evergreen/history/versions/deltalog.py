"""The log of a Delta table, read commit by commit: which versions there are, and what each of them holds.

`DeltaTable.history` counts versions back from the latest it knew of, and is one off when another commit
comes in between; the log's own files say it exactly, with the digest and the origin that a snapshot keeps.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from evergreen.errors import DataError
from evergreen.storage import Store

LOG = "_delta_log"
DIGEST, MADE_BY, ACTOR = "evergreen.digest", "evergreen.made_by", "evergreen.by"
SHA256, META = "evergreen.sha256", "evergreen.meta"


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a version: its path below the table, bytes and rows (None when not told)."""

    path: str
    size: int
    rows: int | None


@dataclass(frozen=True)
class Version:
    """One version of a Delta table.

    Attributes:
        version: Its number, from 0.
        time: When it was committed, UTC.
        digest: The content digest; empty when Evergreen did not write it.
        made_by: The step that wrote it, such as `build_training_set`; else Delta's word for the operation.
        by: Who ran that step; may be empty.
        columns: Name and Delta type, in order.
        files: Its data files, in the order of its rows.
        sha256: Of each file's bytes, by path; empty when Evergreen did not write it.
        meta: What the table's `meta.json` said; empty without one.
        missing: How many of its files are gone: dropped by retention or by a vacuum.
    """

    version: int
    time: datetime
    digest: str
    made_by: str
    by: str
    columns: tuple[tuple[str, str], ...]
    files: tuple[DataFile, ...]
    sha256: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    missing: int = 0

    @property
    def rows(self) -> int | None:
        """All rows; None when a file does not tell."""
        counts = [f.rows for f in self.files]
        return None if None in counts else sum(c for c in counts if c is not None)

    @property
    def size(self) -> int:
        """Bytes of the data files."""
        return sum(f.size for f in self.files)

    def record(self) -> dict[str, Any]:
        """The version as `--json` prints it."""
        return {
            "version": self.version,
            "time": self.time.isoformat(),
            "rows": self.rows,
            "bytes": self.size,
            "digest": self.digest,
            "made_by": self.made_by,
            "by": self.by,
            "columns": [list(c) for c in self.columns],
            "available": not self.missing,
        }


def commits(store: Store) -> list[int]:
    """The versions whose commit is in the log, the newest first."""
    names = (re.fullmatch(rf"{LOG}/(\d{{20}})\.json", entry.key) for entry in store.list(LOG))
    return sorted((int(name[1]) for name in names if name), reverse=True)


def digest_of(store: Store, version: int) -> str:
    """The content digest that a commit names; empty when somebody else wrote it."""
    commit = (a["commitInfo"] for a in _actions(store, version) if "commitInfo" in a)
    info: Mapping[str, Any] = next(commit, {})
    return str(info.get(DIGEST, ""))


def read_log(store: Store, *, look: bool = True) -> list[Version]:
    """Every version that the log tells of, oldest first; a log that was cut begins where it still can.

    Args:
        store: The table's own folder.
        look: Whether to ask the store which data files are still there.

    Raises:
        DataError: when there is no such table.
    """
    numbers = sorted(commits(store))
    if not numbers:
        raise DataError(store.uri, "no snapshot is kept there", remedy="Run the step that makes it.")
    there = {e.key for e in store.list()} if look else None
    found: list[Version] = []
    active: dict[str, DataFile] = {}
    columns: tuple[tuple[str, str], ...] = ()
    for number in numbers:
        actions = list(_actions(store, number))
        active = _applied(active, actions)
        columns = next((_columns(a["metaData"]) for a in actions if "metaData" in a), columns)
        found.append(_version(number, actions, active, columns, there))
    return found


def _actions(store: Store, version: int) -> Iterable[dict[str, Any]]:
    for line in store.read(f"{LOG}/{version:020d}.json").splitlines():
        if line.strip():
            yield json.loads(line)


def _applied(active: Mapping[str, DataFile], actions: Iterable[Mapping[str, Any]]) -> dict[str, DataFile]:
    """The files after a commit: a file may be removed and added in one."""
    removed = {unquote(a["remove"]["path"]) for a in actions if "remove" in a}
    added = [_file(a["add"]) for a in actions if "add" in a]
    return {**{p: f for p, f in active.items() if p not in removed}, **{f.path: f for f in added}}


def _file(add: Mapping[str, Any]) -> DataFile:
    stats = json.loads(add.get("stats") or "{}")
    return DataFile(unquote(add["path"]), int(add["size"]), stats.get("numRecords"))


def _columns(metadata: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    fields = json.loads(metadata["schemaString"])["fields"]
    return tuple((f["name"], _type(f["type"])) for f in fields)


def _type(delta: Any) -> str:
    return delta if isinstance(delta, str) else str(delta.get("type", "nested"))


def _version(
    number: int,
    actions: Iterable[Mapping[str, Any]],
    active: Mapping[str, DataFile],
    columns: tuple[tuple[str, str], ...],
    there: set[str] | None,
) -> Version:
    info: Mapping[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
    files = tuple(sorted(active.values(), key=lambda f: f.path))
    return Version(
        version=number,
        time=datetime.fromtimestamp(int(info.get("timestamp", 0)) / 1000, UTC),
        digest=str(info.get(DIGEST, "")),
        made_by=str(info.get(MADE_BY) or info.get("operation", "")),
        by=str(info.get(ACTOR, "")),
        columns=columns,
        files=files,
        sha256=dict(info.get(SHA256) or {}),
        meta=dict(info.get(META) or {}),
        missing=sum(f.path not in there for f in files) if there is not None else 0,
    )
