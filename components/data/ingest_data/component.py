"""Bring every source that a project needs to Parquet."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def ingest_data(
    project: str,
    tables: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.HTML],
    as_of: str = "",
    sources: str = "",
) -> NamedTuple("Outputs", [("rows", int), ("digest", str)]):
    """Read CSV, JSON lines, Parquet, Delta tables and SQL over them into typed Parquet, one folder a source.

    Refuses, naming the source and what to do: a source that is missing or empty, a corrupt file, a column
    that is not there or holds mixed types, times in the future, duplicate keys. Then nothing is written.

    Args:
        project: The project file's text (YAML); paths in it are absolute or on an object store.
        as_of: Pretend that it is this time (ISO, UTC): later spans and rows are left out. Empty: now.
        sources: Names of sources, separated by commas; empty: all that the project needs.

    Returns:
        tables: `<source>/part-*.parquet` for each source, and `manifest.json`.
        report: What came in, from where, with alerts.
        rows: Rows of all sources.
        digest: Content digest over all sources; the same rows give the same digest.
    """
    from evergreen.runtime import describe, task

    with task("ingest_data", as_of=as_of, sources=sources):
        from pathlib import Path

        from evergreen.ingest.task import ingest_with_report
        from evergreen.project import parse_project

        parsed = parse_project(project)
        ingested = ingest_with_report(parsed, Path(tables.path), Path(report.path), as_of=as_of, only=sources)
        describe(tables, digest=ingested.digest)
    return NamedTuple("Outputs", [("rows", int), ("digest", str)])(ingested.rows, ingested.digest)
