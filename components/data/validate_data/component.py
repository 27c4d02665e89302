"""Hold a table to its schema, its rules, its volume, its sources and its frozen baseline."""

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def validate_data(
    project: str,
    table: dsl.Input[dsl.Dataset],
    profile: dsl.Input[dsl.Artifact],
    schema: dsl.Input[dsl.Artifact],
    baseline: dsl.Input[dsl.Model],
    decisions: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    tables: dsl.Input[dsl.Dataset] = None,
    repaired: dsl.Input[dsl.Dataset] = None,
    counts: dsl.Input[list[dsl.Artifact]] = None,
):
    """Check a table's columns, types, missing and invalid values, domains, ranges, keys, rules and drift.

    Against the baseline also: new values, lateness, extremes, forms, decimals, hours, gaps, repeated rows and
    relations between columns, and every slice. Of the sources: freshness, rows and references. Modes and
    thresholds are the project's `gates.data`; drift has a mode of its own and is skipped while there is no
    baseline. Decisions and report are written before the gate stops the run.

    Args:
        project: The project file's text; `gates.data`, `sources` and `resources` are used.
        table: A Parquet file or folder; the `meta.json` of a training set names label, keys and time.
        profile: The profile of this very table.
        schema: What the table is held to.
        baseline: The bundle of the blessed model; an empty folder when there is none yet.
        tables: What `ingest_data` wrote; without it the sources are not checked.
        repaired: What `repair_data` wrote beside it.
        counts: What the shards of `validate_rows` counted; without them the rows are counted here.

    Returns:
        decisions: What was checked, with threshold, observed value, verdict and reason.
        report: The decisions, rows and values behind them, and the distributions that moved.
    """
    from evergreen.runtime import task

    with task("validate_data"):
        from pathlib import Path

        from evergreen.profile.validation.task import Inputs, decide, paths
        from evergreen.project import parse_project

        inputs = Inputs(
            *(Path(a.path) for a in (table, profile, schema, baseline)),
            tables=Path(tables.path) if tables else None,
            repaired=Path(repaired.path) if repaired else None,
            counts=paths(counts),
        )
        decide(parse_project(project), inputs, Path(decisions.path), Path(report.path))
