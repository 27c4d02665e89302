"""How a feature source's rows are found for a label row, and whether their keys can be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from evergreen.errors import DataError
from evergreen.history.joins.spine import ROW
from evergreen.ingest.checks import duplicate_keys
from evergreen.tables.kinds import Kind, kind
from evergreen.tables.parquet import file_scan, parts, scan
from evergreen.tables.sql import identifier

EVENT = "evergreen_event"


@dataclass(frozen=True)
class Keys:
    """The join of a feature source with the spine: SQL for each side's key columns, of one type each.

    Attributes:
        on: The columns.
        left: SQL over the spine, one expression per column.
        right: SQL over the source.
    """

    on: tuple[str, ...]
    left: tuple[str, ...]
    right: tuple[str, ...]

    def select(self, side: str) -> str:
        """The key expressions of a side (`left` or `right`) as items of SELECT, under `columns`' names."""
        expressions = self.left if side == "left" else self.right
        return ", ".join(f"{sql} AS {name}" for name, sql in zip(self.columns, expressions, strict=True))

    @property
    def columns(self) -> list[str]:
        """What the keys are called in between: no table has such columns of its own."""
        return [f"evergreen_key{i}" for i in range(len(self.on))]

    @property
    def names(self) -> str:
        """The columns, separated by commas."""
        return ", ".join(self.columns)

    @property
    def present(self) -> str:
        """The condition that no key is missing."""
        return " AND ".join(f"{name} IS NOT NULL" for name in self.columns)


def join_keys(
    where: str, on: Sequence[str], left: Mapping[str, str], right: Mapping[str, str], right_rows: int
) -> Keys:
    """Bring the key columns of both sides to one type.

    Integers and whole numbers go together (a missing value makes a column of integers one of numbers in many
    tools), dates and times too; anything else must be of one kind.

    Raises:
        DataError: when a column is text on one side and a number on the other, or the like.
    """
    lefts, rights = [], []
    for column in on:
        name, kinds = identifier(column), {kind(left[column]), kind(right[column])}
        if right_rows == 0:
            lefts.append(name)
            rights.append(f"TRY_CAST({name} AS {left[column]})")
            continue
        if len(kinds) > 1 and kinds != {"integer", "number"} and kinds != {"date", "timestamp"}:
            found = f"{kind(left[column])} in the label's source, {kind(right[column])} here"
            remedy = f"Say `types: {{{column}: text}}` in the source where it is a number, or the reverse."
            raise DataError(
                f"{where}, column {column!r}", f"it joins {found}", "one type on both sides", remedy
            )
        lefts.append(_common(name, kind(left[column]), kinds))
        rights.append(_common(name, kind(right[column]), kinds))
    return Keys(tuple(on), tuple(lefts), tuple(rights))


def _common(name: str, own: str, kinds: set[Kind]) -> str:
    if kinds == {"integer", "number"}:
        return (
            f"CASE WHEN {name} = trunc({name}) THEN TRY_CAST({name} AS BIGINT) END"
            if own == "number"
            else name
        )
    return f"CAST({name} AS TIMESTAMP)" if kinds == {"date", "timestamp"} else name


def numbered(folder: Path) -> str:
    """SQL to stand after FROM: a table's rows with their number in stored order, column `evergreen_event`."""
    selects, offset = [], 0
    for part in parts(folder):
        reader = file_scan([part]).removesuffix(")") + ", file_row_number = true)"
        selects.append(
            f"SELECT file_row_number + {offset} AS {EVENT}, * EXCLUDE (file_row_number) FROM {reader}"
        )
        offset += pq.read_metadata(part).num_rows
    return f"({' UNION ALL '.join(selects)})"


def check_constants(
    con: duckdb.DuckDBPyConnection, where: str, keys: Keys, spine: Path, source: Path
) -> None:
    """Check that a source without a time has one row per key, among the keys that are asked for.

    Raises:
        DataError: with up to five of the keys that have more.
    """
    asked = f"SELECT DISTINCT {keys.select('left')} FROM {scan(spine)}"
    known = f"SELECT {keys.select('right')} FROM {scan(source)}"
    relation = (
        f"(SELECT {keys.names} FROM ({known}) WHERE {keys.present} AND ({keys.names}) IN (FROM ({asked})))"
    )
    rows, samples = duplicate_keys(con, relation, keys.columns)
    if rows:
        shown = "; ".join(samples)
        for name, column in zip(keys.columns, keys.on, strict=True):
            shown = shown.replace(f"{name}=", f"{column}=")
        found = f"{rows} rows share {', '.join(keys.on)} with another, such as {shown}"
        remedy = "Give its `time`, so that the latest known row counts, or more columns in `on`."
        raise DataError(where, found, "one row for each in a source without a time", remedy)


def constants_sql(keys: Keys, spine: Path, source: Path, items: str) -> str:
    """The spine's row numbers with the items of the one source row that has their keys."""
    left = f"SELECT {ROW}, {keys.select('left')} FROM {scan(spine)}"
    right = f"SELECT {keys.select('right')}, {items} FROM {scan(source)}"
    return f"SELECT * EXCLUDE ({keys.names}) FROM ({left}) JOIN ({right}) USING ({keys.names})"
