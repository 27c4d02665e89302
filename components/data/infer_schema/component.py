"""Infer a table's schema from its profile, or take the baseline's."""

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def infer_schema(
    project: str,
    profile: dsl.Input[dsl.Artifact],
    baseline: dsl.Input[dsl.Model],
    schema: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
):
    """Take the schema of the blessed baseline where there is one, else infer it from the profile.

    The first schema has room for what chance would change: types, shares missing and invalid, domains of
    categories and of the label, uniqueness, ranges wide enough for new records but not for another unit; the
    label is expected in training only. It is YAML that people read and edit, and that `evergreen schema`
    compares, relaxes and tightens. Refuses a baseline whose schema is broken, naming the line.

    Args:
        project: The project file's text.
        profile: The profile of this run's table.
        baseline: The bundle of the blessed model; an empty folder when there is none yet.

    Returns:
        schema: `schema.yaml`, what `validate_data` holds the table to.
        report: What each column is held to, and what this table alone would change of the baseline's schema.
    """
    from evergreen.runtime import describe, task

    with task("infer_schema"):
        from pathlib import Path

        from evergreen.profile.validation.task import write_schema
        from evergreen.project import parse_project

        parse_project(project)
        chosen = write_schema(Path(profile.path), Path(baseline.path), Path(schema.path), Path(report.path))
        describe(schema, version=chosen.version, columns=len(chosen.columns))
