"""Open every source of a project, and check what it says about itself."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path as FilePath

from evergreen.errors import DataError, EvergreenError
from evergreen.ingest import checks
from evergreen.ingest.landing import repairing
from evergreen.ingest.needed import Use, sql_references, wanted_columns
from evergreen.ingest.shape import Raw
from evergreen.ingest.sqlsource import stage_query
from evergreen.project.check.look import Look
from evergreen.project.model import Source
from evergreen.project.paths import is_remote
from evergreen.project.peek import PART, open_view, shape_source, stage_source
from evergreen.project.wording import Path
from evergreen.repair.check import repair_in_place
from evergreen.tables import columns, identifier


def open_sources(look: Look, scratch: FilePath) -> None:
    """Make a table and a view of every source that can be read; record what is wrong with the others.

    Args:
        look: Gets the schemas.
        scratch: A folder for the tables.
    """
    tables = scratch / "tables"
    sources = look.project.sources
    for name, source in sources.items():
        if source.path is not None and not _remote(source):
            look.told(("sources", name, "path"), partial(_files, look, name, source, scratch))
    waiting = [n for n, s in sources.items() if s.sql is not None]
    while waiting:
        ready = [n for n in waiting if not set(_references(look, n)) & set(waiting)]
        if not ready:
            look.document.add(("sources", waiting[0], "sql"), "it reads itself", "SQL over other sources")
            break
        for name in ready:
            waiting.remove(name)
            if set(_references(look, name)) <= set(look.schemas):
                look.told(("sources", name, "sql"), partial(_query, look, name, scratch))
    for name in look.schemas:
        open_view(look.con, name, tables)
        _check_source(look, name, sources[name])


def _remote(source: Source) -> bool:
    return any(is_remote(p) for p in ([source.path] if isinstance(source.path, str) else source.path or []))


def _references(look: Look, name: str) -> list[str]:
    """The sources that a query reads; none when it is not SQL, which `_query` tells."""
    try:
        return sql_references(name, look.project.sources[name].sql or "", look.project.sources)
    except EvergreenError:
        return []


def _files(look: Look, name: str, source: Source, scratch: FilePath) -> None:
    staging = stage_source(look.con, name, source, scratch)
    if staging is None:
        if not source.allow_empty:
            raise DataError(f"source {name}", "it is empty", "rows", "Or say `allow_empty: true`.")
        return
    raw = staging.raw
    for index, column in enumerate(source.columns or []):
        look.require_one_of(("sources", name, "columns", index), column, raw.types, "a column of the files")
    kept = {c: t for c, t in raw.types.items() if source.columns is None or c in source.columns}
    raw = Raw(raw.name, raw.relation, kept, raw.untyped)
    uses: dict[str, set[Use]] = {}
    for wanted in wanted_columns(look.project, name):
        uses.setdefault(wanted.column, set()).add(wanted.use)
    every = any(g.columns == "*" for g in look.project.features if g.source == name)
    policies = look.project.repair.get(name, {})
    frozen = {column: frozenset(use) for column, use in uses.items()}
    tables = scratch / "tables"
    peeked = shape_source(look.con, raw, source, tables, policies=policies, uses=frozen, every=every)
    look.schemas[name] = peeked.types
    for fault in peeked.faults:
        look.tell(("sources", name, "path"), fault)
    _repair(look, name, source, scratch)


def _query(look: Look, name: str, scratch: FilePath) -> None:
    folder = scratch / "queries" / name
    folder.mkdir(parents=True)
    stage_query(look.project, name, scratch / "tables", folder)
    target = scratch / "tables" / name / PART
    target.parent.mkdir(parents=True)
    (folder / "00000.parquet").rename(target)
    look.schemas[name] = columns(look.con, target)
    _repair(look, name, look.project.sources[name], scratch)


def _repair(look: Look, name: str, source: Source, scratch: FilePath) -> None:
    """Repair the values of a table that have policies for it; record what the repair would stop for."""
    policies = {c: p for c, p in repairing(look.project, name).items() if c in look.schemas[name]}
    if not policies:
        return
    try:
        types, failed = repair_in_place(look.con, name, scratch / "tables", policies, scratch, source.types)
        look.schemas[name] = types
    except DataError as error:
        column = next((c for c in policies if f"{error.where}.".startswith(f"repair.{name}.{c}.")), "")
        where: Path = ("repair", name, column) if column else ("repair", name)
        look.document.add(where, error.found, error.expected, error.remedy)
        del look.schemas[name]
        return
    for finding in failed:
        reason = finding.reason.partition(": ")[2]
        look.document.add(("repair", name, finding.column), reason, "a repair within its thresholds")
    if failed:
        # What else would be told of the table follows from this.
        del look.schemas[name]


def _check_source(look: Look, name: str, source: Source) -> None:
    where: Path = ("sources", name)
    for column in source.types:
        look.require((*where, "types", column), column, name)
    known = [look.require((*where, "key", i), column, name) for i, column in enumerate(source.key or [])]
    timed = source.time is not None and look.require((*where, "time"), source.time, name)
    if look.row(f"SELECT count(*) FROM {identifier(name)}") == (0,):
        if not source.allow_empty:
            remedy = "Say `allow_empty: true` if that is as it should be."
            place = (*where, "sql" if source.path is None else "path")
            look.document.add(place, "a table without rows", "rows", remedy)
        return
    if source.key and all(known):
        check_key(look, name, source.key, (*where, "key"))
    if timed:
        check_time(look, name, source.time or "", (*where, "time"))


def check_time(look: Look, name: str, column: str, where: Path) -> None:
    """Record a time column that holds no times, or times that are still to come."""
    now = datetime.now(UTC).replace(tzinfo=None)
    dropped = look.project.repair.get(name, {}).get(column)
    if dropped is not None and dropped.future == "drop":
        now += timedelta(days=365_000)
    relation = identifier(name)
    look.told(where, lambda: checks.check_time(look.con, name, relation, look.schemas[name], column, now))


def check_key(look: Look, name: str, key: Sequence[str], where: Path) -> None:
    """Record keys that stand in more than one row."""
    look.told(where, lambda: checks.check_key(look.con, name, identifier(name), key))
