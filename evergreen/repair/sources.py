"""Repair the sources of a project: an overlay of the repaired ones, and of the SQL that reads them."""

import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from evergreen import log
from evergreen.errors import DataError
from evergreen.files import aside
from evergreen.ingest.checks import CLOCK_SLACK, check_key, check_time
from evergreen.ingest.landing import pending_sources, repairing
from evergreen.ingest.manifest import Ingested, SourceTable, read_manifest, write_manifest
from evergreen.ingest.needed import label_key, needed_sources
from evergreen.ingest.source import Clock, ingest_source
from evergreen.project.model import Project
from evergreen.repair.table import (
    PART,
    TableRepair,
    repair_table,
    rows_query,
    write_audit,
    write_quarantine,
)  # fmt: skip
from evergreen.tables.connection import connect
from evergreen.tables.digest import content_digest
from evergreen.tables.parquet import columns, scan, write_query
from evergreen.tables.sql import identifier, literal

_log = log.get(__name__)


@dataclass
class Repaired:
    """What was repaired, as far as it came.

    Attributes:
        tables: By source, in the order of the work.
        sources: The overlay's manifest: repaired sources, and SQL sources that read them.
        problems: Sources that cannot be used even so: no time in a time column, duplicate keys, no rows.
    """

    tables: list[TableRepair] = field(default_factory=list)
    sources: dict[str, SourceTable] = field(default_factory=dict)
    problems: list[DataError] = field(default_factory=list)


def repair_sources(project: Project, tables: Path, overlay: Path, audit: Path, quarantine: Path) -> Repaired:
    """Repair what the project's policies say, source by source; all of the overlay or nothing.

    Args:
        project: The project.
        tables: The folder that `ingest_data` wrote.
        overlay: The folder to make: only the sources that differ from those in `tables`, and a manifest.
        audit: The folder to make: for each repaired source `changes.parquet` and `rows.parquet`.
        quarantine: The folder to make: for each repaired source the rows that were set aside.

    Raises:
        DataError: for policies that cannot be; what is wrong with the repaired data is in `problems`.
    """
    tables = Path(tables).absolute()
    base = read_manifest(tables)
    as_of = datetime.fromisoformat(base.as_of) if base.as_of else None
    clock = Clock(datetime.now(UTC).replace(tzinfo=None, microsecond=0), as_of)
    done = Repaired()
    with aside(Path(overlay)) as out, aside(Path(audit)) as log_, aside(Path(quarantine)) as left:
        for folder in (out, log_, left):
            folder.mkdir()
        with tempfile.TemporaryDirectory(prefix="evergreen-repair-") as scratch:
            layers = Path(scratch) / "layers"
            layers.mkdir()
            for name in base.sources:
                (layers / name).symlink_to(tables / name, target_is_directory=True)
            work = _Work(project, layers, out, log_, left, Path(scratch), clock)
            for name in _order(project, base):
                _source(work, base, name, done)
        write_manifest(out, Ingested(done.sources, base.as_of))
    return done


@dataclass(frozen=True)
class _Work:
    """Where things are: `layers` shows each source as it is by now."""

    project: Project
    layers: Path
    out: Path
    audit: Path
    quarantine: Path
    scratch: Path
    clock: Clock


def _order(project: Project, base: Ingested) -> list[str]:
    """The sources that must be looked at, those that a query reads before it."""
    there = [*base.sources, *base.pending]
    order = needed_sources(project, there) if there else []
    waiting = set(pending_sources(project, order))
    return [n for n in order if n in there and (n in waiting or repairing(project, n))]


def _source(work: _Work, base: Ingested, name: str, done: Repaired) -> None:
    """Run a SQL source that waited, then repair it if it has policies; what is wrong with it is recorded."""
    project = work.project
    try:
        if name in base.sources:
            found = base.sources[name]
        else:
            found = ingest_source(project, name, work.layers, work.clock)
        if repairing(project, name):
            found = _repaired(work, name, found, done)
        else:
            shutil.move(work.layers / name, work.out / name)
        (work.layers / name).unlink(missing_ok=True)
        (work.layers / name).symlink_to(work.out / name, target_is_directory=True)
        done.sources[name] = found
    except DataError as error:
        done.problems.append(error)


def _repaired(work: _Work, name: str, found: SourceTable, done: Repaired) -> SourceTable:
    project, policies = work.project, repairing(work.project, name)
    source = project.sources[name]
    folder, scratch = work.layers / name, work.scratch / "rows" / name
    key = list(source.key or (label_key(project) if name == project.label.source else ()))
    with connect(project.resources) as con:
        types = columns(con, scan(folder))
        repaired = repair_table(
            con, name, scan(folder), types, policies, scratch, key=key, declared=source.types
        )
        done.tables.append(repaired)
        write_audit(con, repaired, work.audit / name)
        write_quarantine(con, repaired, work.quarantine / name)
        target = work.out / name
        dropped = _write(con, work, repaired, target / PART)
        if not folder.is_symlink():
            (folder / PART).unlink()
            folder.rmdir()
        table = _checked(con, work, name, replace(found, dropped={**found.dropped, **dropped}), target)
    _log.info("source repaired", extra={"source": name, "rows": table.rows, "changed": repaired.changed})
    return table


def _write(
    con: duckdb.DuckDBPyConnection, work: _Work, repaired: TableRepair, target: Path
) -> dict[str, int]:
    """Write the rows that stay; returns how many were left out beside, by reason."""
    rows = rows_query(repaired)
    limits = _limits(work, repaired)
    dropped = {}
    applied = repaired.applied
    if applied.set_aside:
        dropped["set aside by the repair"] = applied.set_aside
    if applied.dropped:
        dropped["values that cannot be repaired"] = applied.dropped
    if limits:
        tests = ", ".join(f"count(*) FILTER (WHERE {sql})" for sql in limits.values())
        counted = con.execute(f"SELECT {tests} FROM ({rows})").fetchall()[0]
        dropped |= {reason: int(n) for reason, n in zip(limits, counted, strict=True) if n}
        late = " OR ".join(f"coalesce({sql}, FALSE)" for sql in limits.values())
        rows = f"SELECT * FROM ({rows}) WHERE NOT ({late})"
    write_query(con, rows, target, where=f"source {repaired.name}")
    return dropped


def _limits(work: _Work, repaired: TableRepair) -> dict[str, str]:
    """Conditions on repaired times that ingestion had to leave: the future, and rows after `as_of`."""
    limits = {}
    time = work.project.sources[repaired.name].time
    for result in repaired.results:
        if result.type not in ("timestamp", "date"):
            continue
        name = identifier(result.column)
        if result.repair.policy.future == "drop":
            limits[f"{result.column} is in the future"] = f"{name} > {literal(work.clock.now + CLOCK_SLACK)}"
        if work.clock.as_of is not None and result.column == time:
            limits[f"{result.column} is after {work.clock.as_of}"] = f"{name} > {literal(work.clock.as_of)}"
    return limits


def _checked(
    con: duckdb.DuckDBPyConnection, work: _Work, name: str, found: SourceTable, folder: Path
) -> SourceTable:
    """The checks that ingestion left, now that the columns have their types; then the table's description."""
    project, source = work.project, work.project.sources[name]
    relation = scan(folder)
    types = columns(con, relation)
    rows = int(con.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0])
    if rows == 0 and not source.allow_empty:
        remedy = "See the quarantine for the reasons, and correct the policy or the source."
        raise DataError(f"source {name}", "no row is left after the repair", "at least one row", remedy)
    alerts = list(found.alerts)
    own = name == project.label.source
    for column in dict.fromkeys(c for c in (source.time, project.time if own else None) if c):
        alerts += check_time(con, name, relation, types, column, work.clock.now)
    keys = [list(source.key or ()), label_key(project) if own else []]
    for key in dict.fromkeys(tuple(k) for k in keys if k):
        check_key(con, name, relation, key)
    digest = content_digest(con, folder)
    return replace(found, rows=rows, digest=digest, columns=types, alerts=tuple(dict.fromkeys(alerts)))
