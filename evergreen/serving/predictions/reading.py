"""The log as it lies in the store: which segments there are, local copies of them, and their rows.

A consumer keeps how far it has read as {writer: last seq}: a writer's segments appear in the order of their
numbers. A killed server's last segments appear once another server finds them in the spool, in the folder of
their own day: read some days back (`since`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from evergreen.errors import DataError
from evergreen.serving.predictions.layout import About, Kind
from evergreen.storage import Store
from evergreen.tables.connection import explained
from evergreen.tables.parquet import columns, file_scan

_NAME = re.compile(r"([a-z0-9]{8,40})-(\d{10})\.parquet")


@dataclass(frozen=True)
class SegmentRef:
    """A segment in the store.

    Attributes:
        kind: `predictions` or `outcomes`.
        model: The model's name.
        day: Of every prediction's time, or of the outcomes' arrival, in UTC.
        writer: The server process that wrote it.
        seq: Its number among the writer's segments of this kind, from 1.
        key: Its key in the store.
        size: Bytes.
    """

    kind: Kind
    model: str
    day: date
    writer: str
    seq: int
    key: str
    size: int


@dataclass(frozen=True)
class SegmentFacts:
    """What a segment's file says about itself.

    Attributes:
        rows: Its rows.
        version: The model's version; 0 for outcomes.
        first: The earliest row's time; None without rows.
        last: The latest row's time; None without rows.
        dropped: What its writer dropped since the segment before: counts by reason.
        torn: Bytes that a killed server had not written whole.
    """

    rows: int
    version: int
    first: datetime | None
    last: datetime | None
    dropped: Mapping[str, int]
    torn: int


def segments(
    store: Store,
    model: str,
    after: Mapping[str, int] | None = None,
    since: date | None = None,
    until: date | None = None,
    *,
    kind: Kind = "predictions",
) -> list[SegmentRef]:
    """The segments that a consumer has not read yet, by day, writer and number.

    Only the folders of the wanted days are listed.

    Args:
        store: Where the log is.
        model: The model's name.
        after: How far each writer's segments were read: {writer: last seq}.
        since: The first day to look at; None for all.
        until: The last day to look at; None for all.
        kind: `predictions` or `outcomes`.

    Raises:
        StorageError: when the store refuses.
    """
    read = after or {}
    found = []
    for name in store.folders(f"{kind}/{model}"):
        day = _day(name)
        if day is None or (since and day < since) or (until and day > until):
            continue
        for entry in store.list(f"{kind}/{model}/{name}"):
            match = _NAME.fullmatch(entry.key.rpartition("/")[2])
            if match and int(match[2]) > read.get(match[1], 0):
                ref = SegmentRef(kind, model, day, match[1], int(match[2]), entry.key, entry.size)
                found.append(ref)
    return sorted(found, key=lambda s: (s.day, s.writer, s.seq))


def offsets(refs: Iterable[SegmentRef], after: Mapping[str, int] | None = None) -> dict[str, int]:
    """How far each writer has been read once these segments are read, too."""
    reached = dict(after or {})
    for ref in refs:
        reached[ref.writer] = max(ref.seq, reached.get(ref.writer, 0))
    return reached


def fetch(store: Store, refs: Iterable[SegmentRef], folder: Path) -> list[Path]:
    """Local copies of segments, in the order given; one that is there already is not fetched again.

    Args:
        store: Where the log is.
        refs: What to fetch.
        folder: The cache; segments never change, so any of its files may be deleted at any time.

    Raises:
        NotFoundError: for a segment that was deleted meanwhile.
        StorageError: when the store or the disk refuses.
    """
    paths = []
    for ref in refs:
        path = folder / ref.key
        if not path.is_file() or path.stat().st_size != ref.size:
            store.download(ref.key, path)
        paths.append(path)
    return paths


def facts(path: Path) -> SegmentFacts:
    """What a segment's file says about itself, by its footer alone.

    Raises:
        DataError: for a file that is not a segment.
    """
    try:
        footer = pq.read_metadata(path)
    except (OSError, ValueError) as error:
        raise DataError(str(path), "not a Parquet file", "a segment of the prediction log") from error
    about = About.read(footer.metadata)
    if about is None:
        raise DataError(str(path), "a Parquet file of another kind", "a segment of the prediction log")
    spans = [footer.row_group(i).column(0).statistics for i in range(footer.num_row_groups)]
    known = [s for s in spans if s is not None and s.has_min_max]
    first = min((_utc(s.min) for s in known), default=None)
    last = max((_utc(s.max) for s in known), default=None)
    return SegmentFacts(footer.num_rows, about.version, first, last, about.dropped, about.torn)


def log_query(con: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> str:
    """SQL for the rows of local segments: streamed, columns by name, times in UTC without a zone.

    The column `features` has every feature of every file; those that a version lacks are NULL. A feature
    that is text in one version is text in all.

    Args:
        con: An open connection (`evergreen.tables.connect`, which bounds its memory).
        files: Segments of one kind.

    Raises:
        DataError: when there is none, or one cannot be read.
    """
    if not files:
        raise DataError("prediction log", "no segment")
    scan = file_scan(files, by_name=True)
    known = columns(con, scan)
    extra = "" if "features" in known or "row" not in known else ", NULL AS features"
    return f"SELECT * REPLACE (CAST(time AS TIMESTAMP) AS time){extra} FROM {scan}"


def log_relation(con: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> duckdb.DuckDBPyRelation:
    """`log_query` as a relation of the connection.

    Raises:
        DataError: when there is no file, or one cannot be read.
    """
    with explained("prediction log"):
        return con.sql(log_query(con, files))


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
