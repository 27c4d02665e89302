"""Texts in a column of a table, described as files are: one row for each row of the table."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from evergreen.errors import DataError, Fault
from evergreen.media.describe import Described, describe_files
from evergreen.media.limits import Unusable
from evergreen.near import did_you_mean
from evergreen.profile.open import opened
from evergreen.project.model import Media
from evergreen.tables import columns, connect, count, identifier, kind, scan

_BATCH = 2_000


def describe_column(path: Path, column: str, media: Media, out: Path) -> Described:
    """Write the table of a column's texts; `path` is the number of the row, from 1.

    Args:
        path: CSV, JSON lines or Parquet.
        column: The column.
        media: How to compare the texts.
        out: The Parquet file to write.

    Raises:
        DataError: when there is no such column, or it holds no texts.
    """
    with opened(Path(path)) as table, connect() as con:
        types = columns(con, table)
        if column not in types:
            remedy = did_you_mean(column, types)
            raise DataError(str(path), f"no column {column!r}", f"one of {', '.join(types)}", remedy)
        if kind(types[column]) != "text":
            raise DataError(f"{path}, column {column!r}", f"it holds {types[column]}", "texts")
        rows = count(con, table)
        cursor = con.execute(f"SELECT {identifier(column)}::VARCHAR FROM {scan(table)}")
        return describe_files(_Column(cursor, rows), "texts", media, out)


class _Column:
    """The rows of a column, read once and in order."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, rows: int) -> None:
        self.names: Sequence[str] = _Numbers(rows)
        self._texts = _texts(cursor)
        self._next = 0

    def span(self, place: int) -> str:
        """A row has no date span."""
        return ""

    def size(self, place: int) -> int:
        """Bytes; known once it is read."""
        return 0

    def read(self, place: int, most: int) -> bytes:
        """The text of a row, as UTF-8."""
        if place != self._next:
            raise Fault(f"row {place} of a column was asked for after row {self._next}")
        self._next += 1
        text = next(self._texts)
        if text is None:
            raise Unusable("no value")
        data = text.encode("utf-8", "surrogatepass")
        if len(data) > most:
            raise Unusable(f"too large: more than {most:,} bytes")
        return data


def _texts(cursor: duckdb.DuckDBPyConnection) -> Iterator[str | None]:
    while rows := cursor.fetchmany(_BATCH):
        yield from (text for (text,) in rows)


class _Numbers(Sequence[str]):
    """The numbers of rows, from 1, as text."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, place):  # type: ignore[no-untyped-def]
        return str(place + 1)
