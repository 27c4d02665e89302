"""A look at one table: its columns, their types, how many values they take."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from evergreen.errors import DataError
from evergreen.ingest.convert import SQL_TYPES
from evergreen.ingest.infer import TextFinding
from evergreen.ingest.shape import Asked, Raw, plan_columns
from evergreen.project.init.messy import Messy, tidy
from evergreen.project.model import ColumnType, RepairPolicy, Source
from evergreen.project.peek import inspected, stage_source, text_findings
from evergreen.tables import columns, explained, identifier, kind
from evergreen.tables.kinds import Kind

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
        messy: The repair that is proposed; the other fields say what the table is after it.
    """

    name: str
    path: str
    format: str
    rows: int
    columns: Mapping[str, Column] = field(default_factory=dict)
    mixed: Mapping[str, TextFinding] = field(default_factory=dict)
    messy: Messy = field(default_factory=Messy)


def survey(
    con: duckdb.DuckDBPyConnection,
    name: str,
    path: str,
    scratch: Path,
    time: str | None = None,
    names: Sequence[str] = (),
    label: str | None = None,
) -> Table:
    """Look at every column of a local file, streaming.

    Args:
        con: An open connection; gets a view called `name`.
        name: The source's name.
        path: A file, a folder of files, or a pattern.
        scratch: A folder for the typed copy.
        time: A column that holds times, whatever its type; where the table has none of that name, but times
            written as text, the first such column.
        names: Columns that name things: of mixed types they are text.
        label: The column to predict; like names, it is never repaired.

    Raises:
        DataError: for a file that is missing, cannot be read, or has no rows.
    """
    source = Source(path=path)
    staging = stage_source(con, name, source, scratch)
    if staging is None:
        raise DataError(path, "the file is empty", "a table with a header and rows")
    raw = staging.raw
    with explained(path, "The file seems to be corrupt: write it again."):
        written = time if time is None or time in raw.types else _written_time(con, raw)
        if written is not None:
            source = Source(path=path, time=written)
            raw = replace(raw, untyped=raw.untyped | {written})
        findings = text_findings(con, raw)
        raw, messy = tidy(con, raw, findings, {*names, *([label] if label else [])}, scratch)
        findings = {c: f for c, f in findings.items() if c not in messy.policies}
        mixed = {c: f for c, f in findings.items() if f.finding == "mixed" and c not in names}
        _open(con, raw, _typed(source, findings, names), mixed)
        types = columns(con, f"SELECT * FROM {identifier(name)}")
        return _counted(con, Table(name, path, staging.format, 0, mixed=mixed, messy=messy), types, findings)


def _written_time(con: duckdb.DuckDBPyConnection, raw: Raw) -> str | None:
    """The first text column of a table without timestamps whose texts are all times; CSV is found anyway."""
    if raw.untyped or any(kind(t) in ("timestamp", "date") for t in raw.types.values()):
        return None
    texts = [c for c, t in raw.types.items() if kind(t) == "text"]
    found = inspected(con, raw.relation, texts, untyped=True)
    return next((c for c in texts if found[c].finding in ("timestamp", "date")), None)


def policy(finding: TextFinding) -> RepairPolicy:
    """What to do with a column of mixed types: what is not of the likely type counts as missing."""
    likely: ColumnType = "number" if finding.likely in ("number", "integer") else "timestamp"
    return RepairPolicy(type=likely, invalid="missing")


def _typed(source: Source, findings: Mapping[str, TextFinding], names: Sequence[str]) -> Source:
    """The source with the types that were found, so that nobody looks again; no times in other formats."""
    types: dict[str, ColumnType] = {}
    for column, found in findings.items():
        if column in names and found.finding == "mixed":
            types[column] = "text"
        elif found.finding != "mixed" and not found.date_format:
            types[column] = "text" if found.finding == "empty" else found.finding
    return source.model_copy(update={"types": types})


def _open(con: duckdb.DuckDBPyConnection, raw: Raw, source: Source, mixed: Mapping[str, TextFinding]) -> None:
    """Make a view of the rows, columns typed as ingestion will type them; values convert as they are read."""
    plans = plan_columns(con, raw, Asked(source, {c: policy(f) for c, f in mixed.items()}))
    plain = {c: t for c, t in source.types.items() if c in raw.untyped and t not in ("text", "category")}
    items = [_cast(p.name, plain[p.name]) if p.name in plain else p.item for p in plans]
    con.execute(f"CREATE VIEW {identifier(raw.name)} AS SELECT {', '.join(items)} FROM {raw.relation}")


def _cast(name: str, type_: ColumnType) -> str:
    """The text of a column that is known to fit a type, which spares the care for those that do not."""
    value = f"TRY_CAST({identifier(name)} AS {SQL_TYPES[type_]})"
    if type_ == "number":
        value = f"CASE WHEN isfinite({value}) THEN {value} END"
    return f"{value} AS {identifier(name)}"


def _counted(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    types: Mapping[str, str],
    findings: Mapping[str, TextFinding],
) -> Table:
    view = identifier(table.name)
    (rows,) = con.execute(f"SELECT count(*) FROM {view}").fetchall()[0]
    if rows == 0:
        raise DataError(table.path, "the table has no rows", "at least one row")
    found: dict[str, Column] = {}
    for names in _batches(list(types), 40):
        row = con.execute(f"SELECT {', '.join(_counts(c, types[c]) for c in names)} FROM {view}").fetchall()[
            0
        ]
        for i, name in enumerate(names):
            given, distinct, low, high, length = row[5 * i : 5 * i + 5]
            written = findings[name].date_format if name in findings else ""
            distinct = min(distinct, given)
            found[name] = Column(name, types[name], given, distinct, low, high, length or 0.0, written)
    for name, exact in _exactly(con, view, found.values()).items():
        found[name] = replace(found[name], distinct=exact)
    return replace(table, rows=rows, columns=found)


def _batches(names: list[str], size: int) -> Iterator[list[str]]:
    """Some columns at a time: DuckDB holds buffers for every expression of a query."""
    for start in range(0, len(names), size):
        yield names[start : start + size]


def _counts(name: str, type_: str) -> str:
    column = identifier(name)
    if kind(type_) == "nested":
        return f"count({column}), 0, NULL, NULL, 0"
    length = f"avg(length(CAST({column} AS VARCHAR)))" if kind(type_) == "text" else "0"
    ends = f"CAST(min({column}) AS VARCHAR), CAST(max({column}) AS VARCHAR)"
    return f"count({column}), approx_count_distinct({column}), {ends}, {length}"


def _exactly(con: duckdb.DuckDBPyConnection, view: str, columns: Collection[Column]) -> dict[str, int]:
    """Exact numbers of different values where the estimate is small, or (of names) near the rows."""
    few = [c.name for c in columns if c.kind != "nested" and 0 < c.distinct <= FEW * 1.2]
    names = [c.name for c in columns if c.kind in ("integer", "text") and c.distinct >= 0.8 * c.given]
    found: dict[str, int] = {}
    for batch in [*_batches(few, 20), *_batches([c for c in names if c not in few], 1)]:
        row = con.execute(
            f"SELECT {', '.join(f'count(DISTINCT {identifier(c)})' for c in batch)} FROM {view}"
        )
        found |= dict(zip(batch, row.fetchall()[0], strict=True))
    return found
