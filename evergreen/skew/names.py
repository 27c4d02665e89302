"""What a data set of a skew check is called: where it is kept, in which version, with which content."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evergreen.history.versions.keep import keep_table
from evergreen.project.model import Project
from evergreen.tables.connection import connect
from evergreen.tables.digest import content_digest
from evergreen.tables.meta import read_meta
from evergreen.tables.parquet import count


@dataclass(frozen=True)
class Named:
    """A data set by name.

    Attributes:
        uri: The Delta table that keeps it, or its path where it is not kept.
        version: Of the Delta table; None where it is not kept.
        digest: Of its content; may be empty.
        rows: All rows.
    """

    uri: str
    version: int | None = None
    digest: str = ""
    rows: int | None = None

    def record(self) -> dict[str, Any]:
        """The name as `--json` prints it."""
        return asdict(self)


def named(table: Path, where: str = "") -> Named:
    """The name of a table: the snapshot that its `meta.json` tells of, else its path and content digest.

    Args:
        table: A Parquet file or folder.
        where: What to call it where no snapshot keeps it; default: its path.

    Raises:
        DataError: when the table cannot be read.
    """
    table = Path(table)
    meta = read_meta(table) if (table / "meta.json").is_file() else {}
    with connect() as con:
        rows = count(con, table)
        if meta.get("uri") and meta.get("digest"):
            return Named(meta["uri"], int(meta.get("version", 0)), meta["digest"], rows)
        return Named(where or str(table), None, content_digest(con, table), rows)


def keep(table: Path, project: Project, store: str, name: str) -> Named:
    """Keep a table in the project's store and name it; one that a snapshot keeps already has its name.

    Args:
        table: The Parquet file or folder.
        project: For the store, its endpoint, and memory.
        store: The store's root; empty: `evergreen.storage.default_store`.
        name: Of the kept table, such as `serving`.

    Raises:
        DataError: when the table cannot be read.
        StorageError: when the store refuses.
    """
    table = Path(table)
    if (table / "meta.json").is_file() and read_meta(table).get("uri"):
        return named(table)
    kept = keep_table(table, project, name, store, made_by="check_skew")
    return Named(kept.uri, kept.version, kept.digest, kept.rows)
