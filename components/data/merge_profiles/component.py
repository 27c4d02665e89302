"""Put the profiles of a table's shards together: the profile of the whole table."""

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def merge_profiles(
    project: str,
    profiles: dsl.Input[list[dsl.Artifact]],
    profile: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
):
    """Merge the profiles that `profile_data` made of all shards of one table.

    Counts, bins, listed values, extremes, means, variances and distinct sketches are exactly those of the
    profile of the whole table; whether a column's values are unique is told only where a shard repeats one.
    Refuses profiles of different tables or layouts, and naming no profile.

    Args:
        project: The project file's text; its name stands on the report.
        profiles: One of each shard, in any order.

    Returns:
        profile: `profile.json`, the frozen profile of the whole table.
        report: Charts and statistics of the columns.
    """
    from evergreen.runtime import describe, task

    with task("merge_profiles"):
        from pathlib import Path

        from evergreen.files import write_text
        from evergreen.profile import Profile, merge
        from evergreen.profile.report import profile_page
        from evergreen.project import parse_project

        settings = parse_project(project)
        made = merge(*(Profile.read(Path(one.path)) for one in profiles))
        describe(profile, rows=made.rows, columns=len(made.columns), shards=len(profiles))
        write_text(Path(profile.path), made.to_json())
        write_text(Path(report.path), profile_page(made, f"Profile of {settings.name}"))
