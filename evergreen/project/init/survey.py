"""A look at one table: its columns, their types, how many values they take."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from evergreen.errors import DataError
from evergreen.project.model import ColumnType, RepairPolicy, Source
from evergreen.project.peek import open_view, shape_source, stage_source, text_findings
from evergreen.tables import explained, identifier, kind
from evergreen.tables.infer import TextFinding
from evergreen.tables.kinds import Kind
from evergreen.tables.shape import Raw

FEW = 100
"""Up to this many different values are counted exactly."""


@dataclass(frozen=True)
class Column:
    """What a column holds.

    Attributes:
        type: Its DuckDB type after ingestion.
        given: Rows with a value.
        distinct: Different values; exact up to `FEW` and where nearly all differ, else estimated.
        low: Smallest value as text; None when there is none.
        high: Largest value as text.
        length: Mean length of a text; 0 for other kinds.
        written: How its times are written, as a `strptime` format, when not by ISO 8601.
    """

    name: str
    type: str
    given: int
    distinct: int
    low: str | None = None
    high: str | None = None
    length: float = 0.0
    written: str = ""

    @property
    def kind(self) -> Kind:
        """The kind of its values."""
        return kind(self.type)


@dataclass(frozen=True)
class Table:
    """What a file holds; it is a view of the connection by its name.

    Attributes:
        name: The name it gets as a source.
        path: Where it is.
        format: csv, jsonl, parquet or delta.
        rows: All rows.
        columns: By name, in order.
        mixed: Columns of numbers or times with some other text among them.
    """

    name: str
    path: str
    format: str
    rows: int
    columns: Mapping[str, Column] = field(default_factory=dict)
    mixed: Mapping[str, TextFinding] = field(default_factory=dict)


def survey(
    con: duckdb.DuckDBPyConnection, name: str, path: str, scratch: Path, time: str | None = None
) -> Table:
    """Look at every column of a local file, streaming.

    Args:
        con: An open connection; gets a view called `name`.
        name: The source's name.
        path: A file, a folder of files, or a pattern.
        scratch: A folder for the typed copy.
        time: A column that holds times, whatever its type, if the table has it.

    Raises:
        DataError: for a file that is missing, cannot be read, or has no rows.
    """
    source = Source(path=path)
    staging = stage_source(con, name, source, scratch)
    if staging is None:
        raise DataError(path, "the file is empty", "a table with a header and rows")
    raw, copied = staging.raw, staging.format != "parquet"
    if time is not None and time in raw.types:
        source = Source(path=path, time=time)
        raw = replace(raw, untyped=raw.untyped | {time})
        copied = copied or kind(raw.types[time]) in ("integer", "text")
    with explained(path, "The file seems to be corrupt: write it again."):
        findings = text_findings(con, raw)
        mixed = {c: f for c, f in findings.items() if f.finding == "mixed"}
        types = _open(con, raw, source, scratch, mixed, copied=copied)
        return _counted(con, Table(name, path, staging.format, 0, mixed=mixed), types, findings)


def policy(finding: TextFinding) -> RepairPolicy:
    """What to do with a column of mixed types: what is not of the likely type counts as missing."""
    likely: ColumnType = "number" if finding.likely in ("number", "integer") else "timestamp"
    return RepairPolicy(type=likely, invalid="missing")


def _open(
    con: duckdb.DuckDBPyConnection,
    raw: Raw,
    source: Source,
    scratch: Path,
    mixed: Mapping[str, TextFinding],
    *,
    copied: bool,
) -> dict[str, str]:
    """Make the view; a Parquet file whose columns need no conversion is looked at where it is."""
    if not copied and not mixed:
        con.execute(f"CREATE VIEW {identifier(raw.name)} AS SELECT * FROM {raw.relation}")
        return dict(raw.types)
    policies = {c: policy(f) for c, f in mixed.items()}
    peeked = shape_source(con, raw, source, scratch / "tables", policies=policies)
    open_view(con, raw.name, scratch / "tables")
    return peeked.types


def _counted(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    types: Mapping[str, str],
    findings: Mapping[str, TextFinding],
) -> Table:
    view = identifier(table.name)
    items = ", ".join(_counts(c, t) for c, t in types.items())
    row: tuple[Any, ...] = con.execute(f"SELECT count(*), {items} FROM {view}").fetchall()[0]
    if row[0] == 0:
        raise DataError(table.path, "the table has no rows", "at least one row")
    columns: dict[str, Column] = {}
    for i, (name, type_) in enumerate(types.items()):
        given, distinct, low, high, length = row[1 + 5 * i : 6 + 5 * i]
        written = findings[name].date_format if name in findings else ""
        columns[name] = Column(name, type_, given, min(distinct, given), low, high, length or 0.0, written)
    for name, exact in _exactly(con, view, columns.values()).items():
        columns[name] = replace(columns[name], distinct=exact)
    return replace(table, rows=row[0], columns=columns)


def _counts(name: str, type_: str) -> str:
    column = identifier(name)
    if kind(type_) == "nested":
        return f"count({column}), 0, NULL, NULL, 0"
    length = f"avg(length(CAST({column} AS VARCHAR)))" if kind(type_) == "text" else "0"
    ends = f"CAST(min({column}) AS VARCHAR), CAST(max({column}) AS VARCHAR)"
    return f"count({column}), approx_count_distinct({column}), {ends}, {length}"


def _exactly(con: duckdb.DuckDBPyConnection, view: str, columns: Iterable[Column]) -> dict[str, int]:
    """Exact numbers of different values where the estimate is small, or near the number of rows."""
    doubtful = [
        c.name
        for c in columns
        if c.kind != "nested" and c.given and (c.distinct <= FEW * 1.2 or c.distinct >= 0.8 * c.given)
    ]
    if not doubtful:
        return {}
    items = ", ".join(f"count(DISTINCT {identifier(c)})" for c in doubtful)
    row = con.execute(f"SELECT {items} FROM {view}").fetchone() or ()
    return dict(zip(doubtful, row, strict=True))
