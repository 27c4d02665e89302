"""Compare what a model was trained on with what it is served, value by value and in distribution."""

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def check_skew(
    project: str,
    serving: dsl.Input[dsl.Dataset],
    decisions: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    training: dsl.Input[dsl.Dataset] = None,
    baseline: dsl.Input[dsl.Model] = None,
    store: str = "",
):
    """Compare a training set with the features that were served, row by row and in distribution.

    Rows of one key and time are compared value by value; what differs is told by feature, with its share,
    interval, sample keys and likely cause (a unit, a clock, a default, an older value, spelling, precision).
    Serving rows without a training row are compared in distribution. Both data sets are kept as versions in
    the store and named in the report. Decisions and report are written before the gate stops the run.

    Args:
        project: The project file's text; `gates.skew`, `resources` and `storage` are used.
        training: The training set; its `meta.json` names key, time, label and features.
            Without it, the one that the registry names for the model.
        serving: The serving rows: Parquet with key, time and the features as the model saw them.
        baseline: The bundle of the model that served, for its frozen profile; without one, or with an empty
            folder, the training set's own is used.
        store: Where both data sets are kept; empty: the project's.

    Returns:
        decisions: What was checked, with threshold, observed share, interval, verdict and reason.
        report: What differs and why, with pictures of pairs of values; the two data sets by name.
    """
    from evergreen.runtime import task

    with task("check_skew"):
        from pathlib import Path

        from evergreen.decisions import stop_if_failed
        from evergreen.project import parse_project
        from evergreen.skew.task import check_with_report

        found = check_with_report(
            parse_project(project),
            Path(training.path) if training else None,
            Path(serving.path),
            Path(decisions.path),
            Path(report.path),
            store=store,
            baseline=Path(baseline.path) if baseline else None,
        )
        stop_if_failed(found.decisions)
