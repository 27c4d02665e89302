"""What `ingest_data` does around the ingest: a report of what came in, and of what did not."""

from pathlib import Path

from evergreen.errors import DataError, StorageError
from evergreen.files import write_text
from evergreen.ingest.ingest import ingest, parse_as_of
from evergreen.ingest.manifest import Ingested, SourceTable
from evergreen.project.model import Project
from evergreen.reports.page import Section, code, details, note, page, table, tiles
from evergreen.tables.kinds import kind


def ingest_with_report(
    project: Project, tables: Path, report: Path, *, as_of: str = "", only: str = ""
) -> Ingested:
    """Ingest a project's sources and write the report, also when a source cannot be used.

    Args:
        project: The project; local paths are absolute.
        tables: The folder to make.
        report: The HTML page to write.
        as_of: Pretend that it is this time; empty: now.
        only: Names of sources, separated by commas; empty: all that the project needs.

    Raises:
        DataError: see `ingest`.
        StorageError: when an object store or the disk refuses.
    """
    names = [name.strip() for name in only.split(",") if name.strip()]
    try:
        ingested = ingest(project, tables, as_of=parse_as_of(as_of), only=names)
    except (DataError, StorageError) as error:
        write_text(report, failure_page(project, error))
        raise
    write_text(report, ingest_page(project, ingested))
    return ingested


def failure_page(project: Project, error: DataError | StorageError) -> str:
    """The report of an ingest that could not be done: an alert for each source that is at fault."""
    alerts = [line.strip() for line in str(error).split("\n") if line.strip()]
    section = Section("Alerts", [note(alert, "fail") for alert in alerts])
    subtitle = "Nothing was written."
    return page("Ingested tables", [section], subtitle=f"{project.name}: {subtitle}", status="fail")


def ingest_page(project: Project, ingested: Ingested) -> str:
    """The report of what came in."""
    alerts = [f"{name}: {alert}" for name, source in ingested.sources.items() for alert in source.alerts]
    overview = tiles(
        {
            "Sources": len(ingested.sources),
            "Rows": ingested.rows,
            "Alerts": len(alerts),
            "As of": ingested.as_of or "now",
            "Digest": code(ingested.digest[:12]),
        }
    )
    rows = [
        (name, s.format, s.rows, len(s.columns), s.bytes, " to ".join(s.span or ()), code(s.digest[:12]))
        for name, s in ingested.sources.items()
    ]
    headers = ["Source", "Format", "Rows", "Columns", "Bytes read", "Span", "Digest"]
    sections = [
        Section("Overview", [overview]),
        Section("Alerts", [note(alert, "warn") for alert in alerts]),
        Section("Left to repair_data", _pending(ingested)),
        Section("Sources", [table(headers, rows, numeric={2, 3, 4})]),
        Section("Columns", [_columns(name, source) for name, source in ingested.sources.items()]),
    ]
    return page("Ingested tables", sections, subtitle=project.name, status="warn" if alerts else "pass")


def _pending(ingested: Ingested) -> list[str]:
    if not ingested.pending:
        return []
    names = ", ".join(ingested.pending)
    return [note(f"These SQL sources read a source that is repaired first: {names}.", "info")]


def _columns(name: str, source: SourceTable) -> str:
    rows = [(column, kind(duckdb_type)) for column, duckdb_type in source.columns.items()]
    blocks: list[str] = [table(["Column", "Type"], rows)]
    if source.uris:
        more = f" and {len(source.uris) - 20} more" if len(source.uris) > 20 else ""
        blocks.append(table([f"Files{more}"], [(uri,) for uri in source.uris[:20]]))
    return details(f"{name}: {len(source.columns)} columns", *blocks)
