"""CleanData: repair values that are written wrongly, log it, set aside what cannot be repaired."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def repair_data(
    project: str,
    tables: dsl.Input[dsl.Dataset],
    repaired: dsl.Output[dsl.Dataset],
    audit: dsl.Output[dsl.Dataset],
    quarantine: dsl.Output[dsl.Dataset],
    decisions: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
) -> NamedTuple("Outputs", [("changed", int), ("quarantined", int)]):
    """Correct numbers, booleans, dates, units, texts and categories by the project's `repair` policies.

    Every change is logged by rule and by row; a row with a value that cannot be repaired is set aside with
    the reason; each column's distribution before and after is compared. A repair that moves it past its
    threshold, sets aside more than its share, or has to guess stops the run. Without a policy that repairs
    values nothing is written but an empty overlay.

    Args:
        project: The project file's text (YAML); `repair`, `sources` and `resources` are used.
        tables: The tables of `ingest_data`; columns to repair are in them as they were written.

    Returns:
        repaired: Only the repaired sources, and the SQL sources that read them, in the layout of `tables`.
        audit: `<source>/changes.parquet` (column, rule, from, to, rows, keys) and `<source>/rows.parquet`.
        quarantine: `<source>/part-*.parquet`: rows that were set aside, as they were written, with reasons.
        decisions: What was checked, with threshold, observed value, verdict and reason.
        report: What changed, distributions before and after, what could not be repaired.
        changed: Values that changed.
        quarantined: Rows that were set aside.
    """
    from evergreen.runtime import task

    with task("repair_data"):
        from pathlib import Path

        from evergreen.project import parse_project
        from evergreen.repair.task import Folders, repair_with_report

        folders = Folders(
            Path(repaired.path), Path(audit.path), Path(quarantine.path), Path(decisions.path),
            Path(report.path),
        )  # fmt: skip
        done = repair_with_report(parse_project(project), Path(tables.path), folders)
    return NamedTuple("Outputs", [("changed", int), ("quarantined", int)])(done.changed, done.quarantined)
