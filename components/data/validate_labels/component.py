"""Find labels that are missing, conflicting, duplicated or wrong."""

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def validate_labels(
    project: str,
    splits: dsl.Input[dsl.Dataset],
    baseline: dsl.Input[dsl.Model],
    review: dsl.Output[dsl.Dataset],
    decisions: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    tables: dsl.Input[dsl.Dataset] = None,
    repaired: dsl.Input[dsl.Dataset] = None,
    store: str = "",
):
    """Check labels: missing, immature, rare, conflicting, copied across the split, moved, wrong, disputed.

    Small data (`gates.labels.small`) is looked at row by row, of large data a seeded sample; counts and exact
    copies are over every row, streamed. Wrong labels are found by models that did not see the row (confident
    learning), and reported only beyond what overlapping classes explain. Decisions and report are written
    before the gate stops the run.

    Args:
        project: The project file's text; `gates.labels`, `model.transform`, `slices` and `resources` are
            used.
        splits: The folder of split_data.
        baseline: The bundle of the blessed model; an empty folder when there is none yet.
        tables: The tables of ingest_data; needed where `gates.labels.labellers` names a source.
        repaired: The overlay of repair_data.
        store: Where people's decisions are kept; empty: EVERGREEN_STORE, else the project's `storage.root`.

    Returns:
        review: `review.parquet`, the labels to review, the worst first, and `meta.json`.
        decisions: What was checked, with threshold, observed value, verdict and reason.
        report: The labels and their baseline, who looks wrong and why, twins, labellers.
    """
    from evergreen.runtime import describe, task

    with task("validate_labels"):
        from pathlib import Path

        from evergreen.decisions import stop_if_failed
        from evergreen.labels.task import validate_with_report
        from evergreen.project import parse_project

        checked = validate_with_report(
            parse_project(project), Path(splits.path), Path(review.path), Path(decisions.path),
            Path(report.path), store=store, baseline=Path(baseline.path),
            tables=Path(tables.path) if tables else None,
            repaired=Path(repaired.path) if repaired else None,
        )  # fmt: skip
        describe(review, rows=checked.review_rows)
        stop_if_failed(checked.decisions)
