"""Keep a table as a version that can be read again as it was."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def snapshot_data(
    project: str,
    table: dsl.Input[dsl.Dataset],
    record: dsl.Output[dsl.Markdown],
    name: str,
    store: str = "",
) -> NamedTuple("Outputs", [("rows", int), ("version", int), ("digest", str), ("uri", str)]):
    """Keep a table as a version of a Delta table in the store, named by its content digest.

    The same content makes no new version. A version holds the rows in their order, byte for byte; read one
    again by number or time with `evergreen data show`, compare two with `evergreen data diff`.

    Args:
        project: The project file's text; its name, `storage` and `resources` are used.
        table: A Parquet file or folder; a `meta.json` in it is kept too.
        name: What the table is called in the store: `snapshots/<project>/<name>`.
        store: The store's root; empty: the project's.

    Returns:
        record: The version that was kept, and those before it.
        rows: Rows of the table.
        version: The version's number.
        digest: Of the content: pass it on as a parameter, so that caching sees what changed.
        uri: The Delta table.
    """
    from evergreen.runtime import task

    with task("snapshot_data", table=name):
        from pathlib import Path

        from evergreen.history.versions.keep import keep_with_record
        from evergreen.project import parse_project

        kept = keep_with_record(Path(table.path), parse_project(project), name, Path(record.path), store)
    return NamedTuple("Outputs", [("rows", int), ("version", int), ("digest", str), ("uri", str)])(
        kept.rows, kept.version, kept.digest, kept.uri
    )
