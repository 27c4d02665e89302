"""Count one shard's rows that break rules."""

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def validate_rows(
    project: str,
    table: dsl.Input[dsl.Dataset],
    profile: dsl.Input[dsl.Artifact],
    schema: dsl.Input[dsl.Artifact],
    baseline: dsl.Input[dsl.Model],
    counts: dsl.Output[dsl.Artifact],
    shard: int = 0,
    shards: int = 1,
):
    """Count the rows of a part of a table that break rules of schema, baseline and project.

    The counts of all shards add up exactly to those of the whole table: rows are shared out by their number,
    repeated keys by the hash of the key. Decides nothing; `validate_data` does.

    Args:
        project: The project file's text; `gates.data` and `resources` are used.
        table: The whole table.
        profile: The profile of the whole table.
        schema: What the table is held to.
        baseline: The bundle of the blessed model; an empty folder when there is none yet.
        shard: Which part, from 0.
        shards: How many parts there are.

    Returns:
        counts: Rows by rule, as JSON.
    """
    from evergreen.runtime import describe, task

    with task("validate_rows", shard=shard, shards=shards):
        from pathlib import Path

        from evergreen.profile.validation.task import Inputs, count_rows
        from evergreen.project import parse_project

        inputs = Inputs(*(Path(a.path) for a in (table, profile, schema, baseline)))
        counted = count_rows(parse_project(project), inputs, Path(counts.path), shard, shards)
        describe(counts, rows=counted.rows, shard=shard)
