"""Keep any table as a version, and tell a person what was kept."""

import re
from dataclasses import dataclass
from pathlib import Path

from evergreen.errors import DataError
from evergreen.files import write_text
from evergreen.history.versions.deltalog import Version
from evergreen.history.versions.snapshots import snapshot, snapshot_uri
from evergreen.history.versions.timetravel import list_versions
from evergreen.project.model import Project
from evergreen.storage import default_store
from evergreen.tables.connection import connect
from evergreen.tables.digest import content_digest
from evergreen.tables.parquet import count

_SHOWN = 10


@dataclass(frozen=True)
class Kept:
    """A table and the version that keeps it; `created` is False when the latest version held it already."""

    uri: str
    version: int
    digest: str
    rows: int
    created: bool


def keep_table(
    table: Path, project: Project, name: str, store: str = "", *, made_by: str = "snapshot_data"
) -> Kept:
    """Keep a table as a version of `snapshots/<project>/<name>`; the same content makes no new version.

    Args:
        table: The Parquet file or folder, streamed.
        project: For its name, store, endpoint and memory.
        name: What the table is called there: letters, digits, `-` and `_`.
        store: The store's root; empty: `evergreen.storage.default_store`.
        made_by: The step that made it, for people.

    Raises:
        DataError: when the table cannot be read, or the name is not one.
        StorageError: when the store refuses.
        ConflictError: when other writers won five times in a row.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", name):
        raise DataError("name", repr(name), "at most 63 letters, digits, - and _")
    with connect(project.resources) as con:
        rows, digest = count(con, Path(table)), content_digest(con, Path(table))
    uri = snapshot_uri(default_store(project, store), project.name, name)
    made = snapshot(
        Path(table), uri, digest, project.storage.endpoint, made_by=made_by, resources=project.resources
    )
    return Kept(made.uri, made.version, digest, rows, made.created)


def keep_with_record(table: Path, project: Project, name: str, record: Path, store: str = "") -> Kept:
    """Keep a table (see `keep_table`) and write what was kept as Markdown."""
    kept = keep_table(table, project, name, store)
    versions = list_versions(kept.uri, project.storage.endpoint)
    write_text(Path(record), markdown(name, kept, versions))
    return kept


def markdown(name: str, kept: Kept, versions: list[Version]) -> str:
    """What was kept, and the versions before it."""
    word = "new" if kept.created else "as it was: the latest version held this content already"
    lines = [
        f"# Snapshot of {name}",
        "",
        f"Version **{kept.version}** ({word}) of `{kept.uri}`: {kept.rows:,} rows, digest `{kept.digest}`.",
        "",
        "| version | time (UTC) | rows | MiB | digest | made by |",
        "|---|---|---|---|---|---|",
    ]
    for v in reversed(versions[-_SHOWN:]):
        rows = f"{v.rows:,}" if v.rows is not None else "?"
        gone = " (dropped)" if v.missing else ""
        lines.append(
            f"| {v.version}{gone} | {v.time:%Y-%m-%d %H:%M:%S} | {rows} | {v.size / 2**20:.1f} "
            f"| `{v.digest[:12]}` | {v.made_by} |"
        )
    if len(versions) > _SHOWN:
        lines += ["", f"{len(versions) - _SHOWN} older versions are not shown."]
    return "\n".join(lines) + "\n"
