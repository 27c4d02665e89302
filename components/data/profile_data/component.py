"""Profile a table: counts, moments, bins, frequent and distinct values of every column."""

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def profile_data(
    project: str,
    table: dsl.Input[dsl.Dataset],
    profile: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    shard: int = 0,
    shards: int = 1,
):
    """Profile a table, or one shard of it, in bounded memory, by column and by the project's slices.

    Every number in the profile is a count or adds up across parts, and the bin edges are frozen with it:
    later tables are counted into the same bins. All shards have the same layout, so that `merge_profiles` of
    them gives the profile of the whole table. Refuses a table without a Parquet file, a corrupt one, a slice
    by a column that the table does not have, and a shard that there is not.

    Args:
        project: The project file's text; `slices` and `resources` are used.
        table: A Parquet file or folder; the `meta.json` of a training set names label, keys and time.
        shard: Which part of the table to profile, from 0; only its row groups are read, beside a sample and
            columns of few values.
        shards: How many parts there are.

    Returns:
        profile: `profile.json`, the frozen profile.
        report: Charts and statistics of the columns.
    """
    from evergreen.runtime import describe, task

    with task("profile_data"):
        from pathlib import Path

        from evergreen.files import write_text
        from evergreen.profile.counting.statistics import profile_table
        from evergreen.profile.report import profile_page
        from evergreen.profile.traits.observe import with_traits
        from evergreen.project import parse_project

        settings, part = parse_project(project), (shard, shards) if shards != 1 or shard else None
        made = profile_table(
            Path(table.path), slices=settings.slices, resources=settings.resources, shard=part
        )
        # The traits are of a sample of the whole table: one shard observes them, and merging keeps them.
        made = made if shard else with_traits(made, Path(table.path), resources=settings.resources)
        describe(profile, rows=made.rows, columns=len(made.columns), shard=shard, shards=shards)
        write_text(Path(profile.path), made.to_json())
        write_text(Path(report.path), profile_page(made))
