"""`manifest.json`: what was ingested, from where, and what a person should know about it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from evergreen.tables.meta import read_meta, write_meta

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class SourceTable:
    """One ingested source.

    Attributes:
        uris: The files it came from; empty for a SQL source.
        format: csv, jsonl, parquet, delta, sql, or none when it may be empty and is.
        rows: Rows kept.
        bytes: Size of the files it came from.
        digest: Content digest of the kept rows.
        span: First and last date span, or None.
        columns: Column to DuckDB type.
        dropped: Rows left out, by reason.
        alerts: What a person should know.
    """

    uris: tuple[str, ...]
    format: str
    rows: int
    bytes: int
    digest: str
    span: tuple[str, str] | None
    columns: Mapping[str, str]
    dropped: Mapping[str, int] = field(default_factory=dict)
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ingested:
    """All ingested sources.

    Attributes:
        sources: By name.
        as_of: Empty, or an ISO time (UTC).
        landed: Sources with columns that are as they were written, until `repair_data` repairs them.
        pending: SQL sources that wait for `repair_data`, since they read a source that it repairs.
    """

    sources: Mapping[str, SourceTable]
    as_of: str = ""
    landed: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of all sources."""
        return sum(s.rows for s in self.sources.values())

    @property
    def digest(self) -> str:
        """SHA-256 over the sources' names and digests."""
        pairs = sorted((name, table.digest) for name, table in self.sources.items())
        return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()


def write_manifest(folder: Path, ingested: Ingested) -> None:
    """Write `manifest.json` into a folder of tables."""
    sources = {name: asdict(table) for name, table in ingested.sources.items()}
    meta = {
        "as_of": ingested.as_of,
        "digest": ingested.digest,
        "landed": list(ingested.landed),
        "pending": list(ingested.pending),
        "sources": sources,
    }
    write_meta(folder, meta, MANIFEST)


def read_manifest(folder: Path) -> Ingested:
    """Read what `write_manifest` wrote.

    Raises:
        DataError: when the folder has none.
    """
    meta = read_meta(folder, MANIFEST)
    sources = {}
    for name, entry in meta["sources"].items():
        span = tuple(entry["span"]) if entry["span"] else None
        tuples = {"uris": tuple(entry["uris"]), "alerts": tuple(entry["alerts"]), "span": span}
        sources[name] = SourceTable(**{**entry, **tuples})
    landed, pending = tuple(meta.get("landed", ())), tuple(meta.get("pending", ()))
    return Ingested(sources, meta["as_of"], landed, pending)
