"""Bring every source that a project needs to Parquet: read once, typed, checked, described in a manifest."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from evergreen.errors import DataError
from evergreen.files import aside
from evergreen.ingest.landing import pending_sources, repairing
from evergreen.ingest.manifest import Ingested, SourceTable, write_manifest
from evergreen.ingest.needed import needed_sources, sql_references
from evergreen.ingest.source import Clock, ingest_source
from evergreen.project.model import Project


def parse_as_of(text: str) -> datetime | None:
    """`2017-10-01` or `2017-10-01T12:00:00Z` as UTC without a zone; None for an empty text.

    Raises:
        DataError: for anything else.
    """
    if not text:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        expected = "a date such as 2017-10-01 or 2017-10-01T12:00:00"
        raise DataError("as_of", f"{text!r} is no time", expected) from None
    return given if given.tzinfo is None else given.astimezone(UTC).replace(tzinfo=None)


def ingest(
    project: Project, folder: Path, *, as_of: datetime | None = None, only: Sequence[str] = ()
) -> Ingested:
    """Write `<source>/part-00000.parquet` for every needed source, and `manifest.json`; all of it or nothing.

    Columns become BIGINT, DOUBLE, VARCHAR, BOOLEAN, TIMESTAMP (UTC) or DATE. Rows keep the order of their
    files; those of SQL sources are sorted by all columns, so that the same rows give the same bytes. A column
    whose policy repairs values is landed as it is written, and SQL sources that read such a source are left
    to `repair_data` (`pending` in the manifest).

    Args:
        project: The project; local paths are absolute.
        folder: The folder to make.
        as_of: Pretend that it is this time (UTC): later spans and rows are left out.
        only: A subset of the sources, by name.

    Raises:
        DataError: when sources are missing, empty, corrupt, or not what the project says; names every one.
        StorageError: when an object store or the disk refuses.
    """
    clock = Clock(datetime.now(UTC).replace(tzinfo=None, microsecond=0), as_of)
    done: dict[str, SourceTable] = {}
    problems: dict[str, DataError] = {}
    with aside(Path(folder)) as out:
        out.mkdir()
        needed = needed_sources(project, only)
        pending = pending_sources(project, needed)
        for name in needed:
            if name in pending:
                continue
            sql = project.sources[name].sql
            if sql is not None and set(sql_references(name, sql, project.sources)) & set(problems):
                continue
            try:
                done[name] = ingest_source(project, name, out, clock)
            except DataError as error:
                problems[name] = error
        if problems:
            raise _together(list(problems.values()))
        landed = tuple(name for name in done if repairing(project, name))
        result = Ingested(done, as_of.isoformat() if as_of else "", landed, tuple(pending))
        write_manifest(out, result)
    return result


def _together(problems: Sequence[DataError]) -> DataError:
    if len(problems) == 1:
        return problems[0]
    listing = "".join(f"\n  {p}" for p in problems)
    return DataError("sources", f"{len(problems)} of them cannot be used{listing}")
