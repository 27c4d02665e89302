"""Checks of a source: its columns, files that agree, keys that are unique, times that have been."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from evergreen.errors import DataError
from evergreen.ingest.needed import wanted_columns
from evergreen.ingest.shape import ColumnPlan, Raw, misfits
from evergreen.ingest.stage import Staged
from evergreen.project.model import Project
from evergreen.tables.kinds import Kind, kind
from evergreen.tables.names import check_names, missing_column
from evergreen.tables.parquet import columns, file_scan
from evergreen.tables.sql import identifier, identifiers, literal

# A time without a zone may be local time, up to 14 hours ahead of UTC.
CLOCK_SLACK = timedelta(hours=14)
_MERGES: tuple[frozenset[Kind], ...] = (frozenset({"integer", "number"}), frozenset({"date", "timestamp"}))


def unify(
    con: duckdb.DuckDBPyConnection, where: str, staged: Sequence[Staged]
) -> tuple[dict[str, str], list[str]]:
    """The columns of all of a source's files together, and what a person should know about their differences.

    Returns:
        Column to DuckDB type (the union's), in order of first appearance; and notes.

    Raises:
        DataError: for names that differ only by case, and for a column of two types in two files.
    """
    files = [(s, s.path) for s in staged if s.path is not None]
    seen: dict[str, tuple[Kind, str]] = {}
    lacking: dict[str, int] = {}
    for index, (file, path) in enumerate(files):
        check_names(f"{where}, file {file.uri}", pq.read_schema(path).names)
        types = columns(con, path)
        for name, duckdb_type in types.items():
            now = kind(duckdb_type)
            before, first = seen.setdefault(name, (now, file.uri))
            if now != before and not _agree(con, path, name, {now, before}, files[:index]):
                found = f"{before} in {first}, {now} in {file.uri}"
                remedy = "Write the files alike, or name the ones that are."
                raise DataError(f"{where}, column {name!r}", found, "one type in all files", remedy)
        for name in set(seen) - set(types):
            lacking[name] = lacking.get(name, 0) + 1
        for name in set(types) - (set(seen) & set(columns(con, files[0][1]))) if index else ():
            lacking.setdefault(name, index)
    relation = file_scan([path for _, path in files], by_name=len(files) > 1)
    notes = [f"column {n!r} is not in {m} of {len(files)} files" for n, m in sorted(lacking.items())]
    return columns(con, relation), notes


def _agree(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    column: str,
    kinds: set[Kind],
    earlier: Sequence[tuple[Staged, Path]],
) -> bool:
    """Whether two kinds of one column go together; a column with no values at all goes with everything."""
    if any(kinds <= merge for merge in _MERGES):
        return True
    query = f"SELECT count({identifier(column)}) FROM "
    here = con.execute(query + file_scan([path])).fetchone()
    if here and here[0] == 0:
        return True
    before = con.execute(query + file_scan([p for _, p in earlier], by_name=True)).fetchone()
    return bool(before and before[0] == 0)


def check_wanted(project: Project, name: str, known: Sequence[str], data_like: bool = False) -> None:
    """Check that every column the project names is there.

    Args:
        project: The project.
        name: The source.
        known: The columns that the source has.
        data_like: Whether its names look like values, so that the header line may be missing.

    Raises:
        DataError: for the first one that is not.
    """
    for wanted in wanted_columns(project, name):
        if wanted.column not in known:
            error = missing_column(f"source {name}", wanted.column, known, wanted.field)
            if data_like:
                remedy = "The first line looks like data: say `options: {header: false, names: [a, b, …]}`."
                raise DataError(error.where, error.found, error.expected, remedy)
            raise error


def check_misfits(con: duckdb.DuckDBPyConnection, table: Raw, plans: Sequence[ColumnPlan]) -> dict[str, int]:
    """Count the values that do not fit their column's type; column to count, zeros left out.

    Raises:
        DataError: for a column with misfits whose policy is to fail.
    """
    doubtful = [p for p in plans if not p.total]
    if not doubtful:
        return {}
    counts = ", ".join(f"count_if({p.misfit})" for p in doubtful)
    row = con.execute(f"SELECT count(*), {counts} FROM {table.relation}").fetchone() or (0,)
    rows, found = row[0], dict(zip((p.name for p in doubtful), row[1:], strict=True))
    for plan in doubtful:
        if found[plan.name] and plan.invalid == "fail":
            samples = misfits(con, table.relation, plan)
            policy = f"`repair: {{{table.name}: {{{plan.name}: {{invalid: missing}}}}}}`"
            raise DataError(
                f"{table.where}, column {plan.name!r}",
                f"{found[plan.name]} of {rows} values do not fit type {plan.target} ({samples})",
                remedy=f"Correct the file, or say what to do with them: {policy} (or `invalid: drop`).",
            )
    return {name: n for name, n in found.items() if n}


def duplicate_keys(
    con: duckdb.DuckDBPyConnection, relation: str, key: Sequence[str], most: int = 5
) -> tuple[int, list[str]]:
    """Rows whose key is not their own: their number, and up to `most` of the keys in order."""
    names = identifiers(key)
    groups = f"SELECT {names}, count(*) AS n FROM {relation} GROUP BY {names} HAVING count(*) > 1"
    row = con.execute(f"SELECT coalesce(sum(n), 0)::BIGINT FROM ({groups})").fetchone()
    if not row or not row[0]:
        return 0, []
    texts = ", ".join(f"CAST({identifier(c)} AS VARCHAR)" for c in key)
    samples = con.execute(
        f"SELECT {texts}, n FROM ({groups}) ORDER BY n DESC, {names} LIMIT {most}"
    ).fetchall()
    shown = [
        ", ".join(f"{c}={v}" for c, v in zip(key, s, strict=False)) + f" ({s[-1]} rows)" for s in samples
    ]
    return int(row[0]), shown


def check_key(con: duckdb.DuckDBPyConnection, name: str, relation: str, key: Sequence[str]) -> None:
    """Check that a declared key is unique.

    Raises:
        DataError: with the number of rows and up to five of the keys.
    """
    rows, samples = duplicate_keys(con, relation, key)
    if rows:
        raise DataError(
            f"source {name}, key {', '.join(key)}",
            f"duplicate keys: {rows} rows share theirs with another, such as {'; '.join(samples)}",
            "each key once",
            "Remove the duplicates, or name the columns that tell the rows apart.",
        )


def check_time(
    con: duckdb.DuckDBPyConnection,
    name: str,
    relation: str,
    types: Mapping[str, str],
    column: str,
    now: datetime,
) -> list[str]:
    """Check a time column of a finished source: it holds times, and none of them is still to come.

    Returns:
        Notes, such as how many rows have no time.

    Raises:
        DataError: when the column holds something else, or times in the future.
    """
    where = f"source {name}, column {column!r}"
    if kind(types[column]) not in ("timestamp", "date"):
        remedy = (
            "Say how dates are written, such as `options: {dateformat: '%d/%m/%Y'}`, or that they are dates: "
            f"`types: {{{column}: timestamp}}`."
        )
        raise DataError(
            where, f"it is the time but holds {kind(types[column])} values", "timestamps or dates", remedy
        )
    limit = literal(now + CLOCK_SLACK)
    time = identifier(column)
    row = con.execute(
        f"SELECT count(*), count(*) - count({time}), count_if({time} > {limit}), CAST(max({time}) AS VARCHAR)"
        f" FROM {relation}"
    ).fetchone() or (0, 0, 0, "")
    rows, without, future, latest = row
    if future:
        policy = f"`repair: {{{name}: {{{column}: {{future: drop}}}}}}`"
        remedy = f"Correct the source, or leave such rows out: {policy}."
        raise DataError(
            where,
            f"{future} of {rows} rows lie in the future, the latest at {latest}",
            f"times up to {now:%Y-%m-%d %H:%M} UTC",
            remedy,
        )
    return [f"{without} of {rows} rows have no {column!r}"] if without else []
