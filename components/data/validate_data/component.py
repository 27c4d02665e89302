"""Hold a table to its schema, its volume and its frozen baseline."""

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
):
    """Check a table's columns, types, missing and invalid values, domains, ranges, keys, volume and drift.

    Modes and thresholds are the project's `gates.data`; drift has a mode of its own and is skipped while
    there is no baseline. Decisions and report are written before the gate stops the run.

    Args:
        project: The project file's text; `gates.data` and `resources` are used.
        table: A Parquet file or folder; the `meta.json` of a training set names label, keys and time.
        profile: The profile of this very table.
        schema: What the table is held to.
        baseline: The bundle of the blessed model; an empty folder when there is none yet.

    Returns:
        decisions: What was checked, with threshold, observed value, verdict and reason.
        report: The decisions, rows and values behind them, and the distributions that moved.
    """
    from evergreen.runtime import task

    with task("validate_data"):
        from pathlib import Path

        from evergreen.decisions import stop_if_failed, write
        from evergreen.files import write_text
        from evergreen.profile.baseline import baseline_profile
        from evergreen.profile.model import Profile
        from evergreen.profile.schema.model import Schema
        from evergreen.profile.validation.page import validation_page
        from evergreen.profile.validation.validate import validate
        from evergreen.project import parse_project

        settings = parse_project(project)
        frozen = baseline_profile(Path(baseline.path))
        own, wanted = Profile.read(Path(profile.path)), Schema.read(Path(schema.path))
        checked = validate(
            Path(table.path),
            wanted,
            settings.gates.data,
            profile=own,
            baseline=frozen,
            resources=settings.resources,
        )
        write(Path(decisions.path), checked.decisions)
        write_text(Path(report.path), validation_page(checked, frozen))
        stop_if_failed(checked.decisions)
