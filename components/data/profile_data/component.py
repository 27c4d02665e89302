"""Profile a table: counts, moments, bins, frequent and distinct values of every column."""

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def profile_data(
    project: str,
    table: dsl.Input[dsl.Dataset],
    profile: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
):
    """Profile a table in bounded memory, by column and by the project's slices.

    Every number in the profile is a count or adds up across parts, and the bin edges are frozen with it:
    later tables are counted into the same bins. Refuses a table without a Parquet file, a corrupt one, and a
    slice by a column that the table does not have.

    Args:
        project: The project file's text; `slices` and `resources` are used.
        table: A Parquet file or folder; the `meta.json` of a training set names label, keys and time.

    Returns:
        profile: `profile.json`, the frozen profile.
        report: Charts and statistics of the columns.
    """
    from evergreen.runtime import task

    with task("profile_data"):
        from pathlib import Path

        from evergreen.files import write_text
        from evergreen.profile.counting.statistics import profile_table
        from evergreen.profile.report import profile_page
        from evergreen.project import parse_project

        settings = parse_project(project)
        made = profile_table(Path(table.path), slices=settings.slices, resources=settings.resources)
        profile.metadata.update(rows=made.rows, columns=len(made.columns))
        write_text(Path(profile.path), made.to_json())
        write_text(Path(report.path), profile_page(made))
