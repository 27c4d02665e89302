"""Ingest one source: stage its files, plan its columns, write the kept rows, check what was written."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import duckdb

from evergreen import log
from evergreen.errors import DataError
from evergreen.ingest.checks import CLOCK_SLACK, check_key, check_misfits, check_time, check_wanted, unify
from evergreen.ingest.convert import SQL_TYPES
from evergreen.ingest.csvfiles import looks_like_data
from evergreen.ingest.infer import pieces
from evergreen.ingest.landing import repairing
from evergreen.ingest.locate import locate
from evergreen.ingest.manifest import SourceTable
from evergreen.ingest.needed import Use, label_key, wanted_columns
from evergreen.ingest.shape import Asked, ColumnPlan, Raw, plan_columns, staged_rows
from evergreen.ingest.sqlsource import stage_query
from evergreen.ingest.stage import Staged, stage
from evergreen.project.model import Project
from evergreen.tables.connection import connect, explained
from evergreen.tables.digest import content_digest
from evergreen.tables.names import missing_column
from evergreen.tables.parquet import columns, scan, write_query
from evergreen.tables.sql import identifier, literal

_log = log.get(__name__)
PART = "part-00000.parquet"


@dataclass(frozen=True)
class Clock:
    """What counts as now (UTC): times after `now` are in the future, rows after `as_of` are left out."""

    now: datetime
    as_of: datetime | None = None


@dataclass(frozen=True)
class _Files:
    """A source's staged files, the spans they are from, and what a person should know."""

    staged: tuple[Staged, ...]
    span: tuple[str, str] | None = None
    alerts: tuple[str, ...] = ()

    @property
    def parquet(self) -> list[Path]:
        return [s.path for s in self.staged if s.path is not None]


@dataclass(frozen=True)
class _Written:
    """What came of planning and writing: rows left out by reason, notes."""

    dropped: Mapping[str, int] = field(default_factory=dict)
    alerts: tuple[str, ...] = ()


def ingest_source(project: Project, name: str, out: Path, clock: Clock) -> SourceTable:
    """Write `<out>/<name>/part-00000.parquet`.

    Args:
        project: The project; local paths are absolute.
        name: The source; what its SQL reads is in `out` already.
        out: The folder of the tables.
        clock: What counts as now.

    Raises:
        DataError: when the source is missing, empty, corrupt, or not what the project says.
        StorageError: when an object store or the disk refuses.
    """
    with (
        tempfile.TemporaryDirectory(prefix="evergreen-ingest-") as scratch,
        connect(project.resources) as con,
    ):
        files = _staged(con, project, name, Path(scratch), out, clock)
        if files.parquet:
            written = _shaped(con, project, name, files, out / name / PART, clock)
        else:
            written = _empty(con, project, name, out / name / PART)
        table = _described(con, project, name, files, out / name, clock)
    done = replace(table, dropped=written.dropped, alerts=(*files.alerts, *written.alerts, *table.alerts))
    _log.info("source ingested", extra={"source": name, "rows": done.rows, "alerts": len(done.alerts)})
    return done


def _staged(
    con: duckdb.DuckDBPyConnection, project: Project, name: str, scratch: Path, out: Path, clock: Clock
) -> _Files:
    source = project.sources[name]
    if source.sql is not None:
        return _Files((stage_query(project, name, out, scratch),))
    endpoint = project.storage.endpoint
    try:
        located = locate(name, source, clock.as_of, endpoint)
    except DataError as error:
        if source.allow_empty:
            return _Files((), alerts=(f"missing, taken as empty: {error}",))
        raise
    staged = tuple(stage(con, source, located.files, scratch, endpoint))
    span = (located.spans[0], located.spans[-1]) if located.spans else None
    gaps = located.gaps
    more = f" and {len(gaps) - 10} more" if len(gaps) > 10 else ""
    alerts = (f"no data for {len(gaps)} spans: {', '.join(gaps[:10])}{more}",) if gaps else ()
    empty = [s.uri for s in staged if s.path is None]
    if empty and len(empty) < len(staged):
        alerts = (*alerts, f"{len(empty)} of {len(staged)} files are empty, such as {empty[0]}")
    return _Files(staged, span, alerts)


def _shaped(
    con: duckdb.DuckDBPyConnection, project: Project, name: str, files: _Files, target: Path, clock: Clock
) -> _Written:
    """Type, filter and write the rows of a source that has columns."""
    types, notes = unify(con, f"source {name}", [s for s in files.staged if s.path])
    formats = {s.format for s in files.staged}
    wanted = project.sources[name].columns or list(types)
    for column in wanted:
        if column not in types:
            raise missing_column(f"source {name}", column, types, f"sources.{name}.columns")
    kept = {c: types[c] for c in types if c in wanted}
    table = staged_rows(name, files.parquet, kept, all_text="csv" in formats)
    check_wanted(project, name, list(kept), "csv" in formats and looks_like_data(list(types)))
    asked = _asked(project, name)
    with explained(table.where, "The file seems to be corrupt: write it again."):
        plans = plan_columns(con, table, asked)
        misfits: dict[str, int] = {}
        for some in pieces(plans):
            misfits |= check_misfits(con, table, some)
        dropped = _write(con, table, plans, _limits(project, name, plans, clock), target)
    said = [f"column {p.name!r}: {n}" for p in plans for n in p.notes]
    for plan in plans:
        if plan.invalid == "missing" and misfits.get(plan.name):
            said.append(f"column {plan.name!r}: {misfits[plan.name]} values did not fit and are missing now")
    said += [f"{n} rows were left out: {reason}" for reason, n in dropped.items()]
    return _Written(dropped, (*notes, *said))


def _asked(project: Project, name: str) -> Asked:
    uses: dict[str, set[Use]] = {}
    for wanted in wanted_columns(project, name):
        uses.setdefault(wanted.column, set()).add(wanted.use)
    every = any(g.columns == "*" for g in project.features if g.source == name)
    # A query that reads a column of this source by its name needs that column's type to be right.
    queries = [s.sql for s in project.sources.values() if s.sql is not None and name.lower() in s.sql.lower()]
    frozen = {column: frozenset(u) for column, u in uses.items()}
    return Asked(project.sources[name], project.repair.get(name, {}), frozen, every, " ".join(queries))


def _limits(project: Project, name: str, plans: Sequence[ColumnPlan], clock: Clock) -> dict[str, str]:
    """Conditions that leave rows out, by their reason, beside values that do not fit."""
    limits = {p.name + " does not fit": p.misfit for p in plans if p.invalid == "drop" and not p.total}
    policies = project.repair.get(name, {})
    time = project.sources[name].time
    for plan in plans:
        if plan.landed or plan.target not in ("timestamp", "date"):
            continue
        policy = policies.get(plan.name)
        if policy is not None and policy.future == "drop":
            limits[f"{plan.name} is in the future"] = f"({plan.value}) > {literal(clock.now + CLOCK_SLACK)}"
        if clock.as_of is not None and plan.name == time:
            limits[f"{plan.name} is after {clock.as_of}"] = f"({plan.value}) > {literal(clock.as_of)}"
    return limits


def _write(
    con: duckdb.DuckDBPyConnection,
    table: Raw,
    plans: Sequence[ColumnPlan],
    limits: Mapping[str, str],
    target: Path,
) -> dict[str, int]:
    """Write the rows that no limit leaves out; returns how many each left out, the first that does counts."""
    items = ", ".join(plan.item for plan in plans)
    if not limits:
        write_query(con, f"SELECT {items} FROM {table.relation}", target, where=table.where)
        return {}
    cases = " ".join(f"WHEN {sql} THEN {i}" for i, sql in enumerate(limits.values()))
    reason = f"CASE {cases} END"
    write_query(
        con, f"SELECT {items} FROM {table.relation} WHERE ({reason}) IS NULL", target, where=table.where
    )
    reasons = f"SELECT {reason} AS reason FROM {table.relation}"
    counted = con.execute(f"SELECT reason, count(*) FROM ({reasons}) GROUP BY 1 ORDER BY 1").fetchall()
    return {list(limits)[i]: n for i, n in counted if i is not None}


def _empty(con: duckdb.DuckDBPyConnection, project: Project, name: str, target: Path) -> _Written:
    """Write a table without rows, with the columns that the project names."""
    source = project.sources[name]
    if not source.allow_empty:
        raise _no_rows(project, name)
    types = dict.fromkeys((w.column for w in wanted_columns(project, name)), "VARCHAR")
    types |= {column: SQL_TYPES[given] for column, given in source.types.items()}
    if source.time and source.time not in source.types:
        types[source.time] = "TIMESTAMP"
    items = ", ".join(f"CAST(NULL AS {t}) AS {identifier(c)}" for c, t in types.items()) or "NULL AS empty"
    write_query(con, f"SELECT {items} WHERE FALSE", target)
    return _Written()


def _no_rows(project: Project, name: str) -> DataError:
    source = project.sources[name]
    origin = source.path if isinstance(source.path, str) else ", ".join(source.path or ["its SQL"])
    remedy = f"Check what fills {origin}, or say `allow_empty: true`."
    return DataError(f"source {name}", "it is empty: no rows", "at least one row", remedy)


def _described(
    con: duckdb.DuckDBPyConnection, project: Project, name: str, files: _Files, folder: Path, clock: Clock
) -> SourceTable:
    """Check what was written, and describe it."""
    source, waiting = project.sources[name], set(repairing(project, name))
    relation = scan(folder)
    types = columns(con, relation)
    row = con.execute(f"SELECT count(*) FROM {relation}").fetchone()
    rows = int(row[0]) if row else 0
    if rows == 0 and not source.allow_empty:
        raise _no_rows(project, name)
    alerts = ["it is empty"] if rows == 0 else []
    times = [source.time, project.time if name == project.label.source else None]
    for column in dict.fromkeys(c for c in times if c and c not in waiting):
        alerts += check_time(con, name, relation, types, column, clock.now)
    keys = [list(source.key or ()), label_key(project) if name == project.label.source else []]
    for key in dict.fromkeys(tuple(k) for k in keys if k and not waiting & set(k)):
        check_key(con, name, relation, key)
    formats = sorted({s.format for s in files.staged}) or ["none"]
    return SourceTable(
        uris=tuple(s.uri for s in files.staged if s.uri),
        format=formats[0],
        rows=rows,
        bytes=sum(s.size for s in files.staged),
        digest=content_digest(con, folder),
        span=files.span,
        columns=types,
        alerts=tuple(alerts),
    )
