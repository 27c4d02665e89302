"""One source's local files as a typed Parquet table, by the rules of ingestion, every fault collected."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from evergreen.errors import DataError
from evergreen.ingest.checks import check_misfits, unify
from evergreen.ingest.infer import TextFinding, inspect_text
from evergreen.ingest.locate import locate
from evergreen.ingest.needed import Use
from evergreen.ingest.shape import Asked, Raw, plan_columns, staged_rows
from evergreen.ingest.stage import stage
from evergreen.project.model import RepairPolicy, Source
from evergreen.tables import columns, explained, kind, scan, write_query
from evergreen.tables.sql import identifier

PART = "part-00000.parquet"
_AT_ONCE = 16


@dataclass(frozen=True)
class Staging:
    """A source's files read, its columns as the files have them.

    Attributes:
        raw: The rows, and the columns' types.
        format: csv, jsonl, parquet or delta.
    """

    raw: Raw
    format: str


@dataclass
class Peeked:
    """A source's table in a folder of its own, and what was found on the way there.

    Attributes:
        types: Column name to DuckDB type.
        faults: Columns of mixed types, and values that do not fit, each as the error ingestion would raise.
    """

    types: dict[str, str] = field(default_factory=dict)
    faults: list[DataError] = field(default_factory=list)


def stage_source(con: duckdb.DuckDBPyConnection, name: str, source: Source, scratch: Path) -> Staging | None:
    """Read a source's files, nothing decided about types yet; None when they hold nothing at all.

    Args:
        con: An open connection.
        name: The source's name.
        source: Its section; paths are absolute and local.
        scratch: A folder for the copies.

    Raises:
        DataError: for files that are missing, corrupt or not in their format.
    """
    folder = scratch / "staged" / name
    folder.mkdir(parents=True, exist_ok=True)
    staged = [s for s in stage(con, source, locate(name, source).files, folder) if s.path is not None]
    if not staged:
        return None
    types, _ = unify(con, f"source {name}", staged)
    paths = [s.path for s in staged if s.path is not None]
    raw = staged_rows(name, paths, types, all_text=any(s.format == "csv" for s in staged))
    return Staging(raw, staged[0].format)


def text_findings(con: duckdb.DuckDBPyConnection, raw: Raw) -> dict[str, TextFinding]:
    """What each text column holds, over all rows.

    Most columns of most files are plain numbers, and to see that is many times faster than to look in full.
    """
    texts = [c for c, t in raw.types.items() if kind(t) == "text"]
    untyped = [c for c in texts if c in raw.untyped]
    found = _numbers(con, raw, untyped)
    rest = [c for c in untyped if c not in found]
    found |= inspected(con, raw.relation, rest, untyped=True)
    typed = [c for c in texts if c not in raw.untyped]
    return found | inspected(con, raw.relation, typed, untyped=False)


def inspected(
    con: duckdb.DuckDBPyConnection, relation: str, columns: list[str], *, untyped: bool
) -> dict[str, TextFinding]:
    """`inspect_text`, some columns at a time: DuckDB holds buffers for every expression of a query."""
    found: dict[str, TextFinding] = {}
    for start in range(0, len(columns), _AT_ONCE):
        found |= inspect_text(con, relation, columns[start : start + _AT_ONCE], untyped=untyped)
    return found


def _numbers(con: duckdb.DuckDBPyConnection, raw: Raw, columns: list[str]) -> dict[str, TextFinding]:
    """The columns in which every value is a plain number, without marks of missing ones or leading zeros."""
    found: dict[str, TextFinding] = {}
    for start in range(0, len(columns), _AT_ONCE):
        batch = columns[start : start + _AT_ONCE]
        items = ", ".join(_number_counts(identifier(c)) for c in batch)
        row = con.execute(f"SELECT {items} FROM {raw.relation}").fetchall()[0]
        for i, column in enumerate(batch):
            given, integers, numbers = (count or 0 for count in row[3 * i : 3 * i + 3])
            if given and given == max(integers, numbers):
                found[column] = TextFinding("integer" if given == integers else "number", given)
    return found


def _number_counts(column: str) -> str:
    code = f"left({column}, 2) BETWEEN '00' AND '09' OR length({column}) > 18"
    number = f"isfinite(TRY_CAST({column} AS DOUBLE)) AND NOT ({code}) AND NOT contains({column}, '_')"
    return f"count({column}), count_if(TRY_CAST({column} AS BIGINT)::VARCHAR = {column}), count_if({number})"


def shape_source(
    con: duckdb.DuckDBPyConnection,
    raw: Raw,
    source: Source,
    tables: Path,
    *,
    policies: Mapping[str, RepairPolicy] | None = None,
    uses: Mapping[str, frozenset[Use]] | None = None,
    every: bool = False,
) -> Peeked:
    """Write a staged source as `<tables>/<name>/part-00000.parquet`, its columns typed.

    Args:
        con: An open connection.
        raw: The staged rows.
        source: The source's section.
        tables: The folder of tables.
        policies: Repair policies by column.
        uses: What for each column is used; without a use, mixed types are no fault.
        every: Whether every column is used.
    """
    peeked = Peeked()
    asked = Asked(source, policies or {}, uses or {}, every)
    with explained(raw.where, "The file seems to be corrupt: write it again."):
        try:
            plans = plan_columns(con, raw, asked)
        except DataError as error:
            peeked.faults.append(error)
            plans = plan_columns(con, raw, Asked(source, policies or {}))
        try:
            check_misfits(con, raw, plans)
        except DataError as error:
            peeked.faults.append(error)
        items = ", ".join(plan.item for plan in plans)
        write_query(con, f"SELECT {items} FROM {raw.relation}", tables / raw.name / PART)
    peeked.types = columns(con, tables / raw.name)
    return peeked


def open_view(con: duckdb.DuckDBPyConnection, name: str, tables: Path) -> None:
    """Make a view, by the source's name, of its table."""
    con.execute(f"CREATE OR REPLACE VIEW {identifier(name)} AS SELECT * FROM {scan(tables / name)}")
