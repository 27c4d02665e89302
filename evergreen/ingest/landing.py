"""What ingestion leaves to `repair_data`: columns landed as they are written, and the SQL that reads them."""

from collections.abc import Sequence

from evergreen.ingest.needed import sql_references
from evergreen.project.model import Project, RepairPolicy


def repairing(project: Project, name: str) -> dict[str, RepairPolicy]:
    """The policies of a source that repair values; those columns are landed as they are written."""
    return {c: p for c, p in project.repair.get(name, {}).items() if p.repairs}


def pending_sources(project: Project, order: Sequence[str]) -> list[str]:
    """The SQL sources that read, also by way of others, a source that is repaired.

    Args:
        project: The project.
        order: Sources, those that a query reads before it.
    """
    waiting: list[str] = []
    for name in order:
        sql = project.sources[name].sql
        if sql is None:
            continue
        read = sql_references(name, sql, project.sources)
        if any(r in waiting or repairing(project, r) for r in read):
            waiting.append(name)
    return waiting
