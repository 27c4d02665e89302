"""Join labels with features as they were known at each label's time."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def build_training_set(
    project: str,
    tables: dsl.Input[dsl.Dataset],
    training_set: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.HTML],
    store: str = "",
    purpose: str = "train",
    repaired: dsl.Input[dsl.Dataset] = None,
) -> NamedTuple("Outputs", [("rows", int), ("digest", str), ("version", int)]):
    """Join labels point-in-time with feature tables and windowed aggregates; keep the result as a snapshot.

    No feature knows anything later than its label's time: the latest values are those whose time plus
    availability delay has come, aggregates count rows before the label's instant. Refuses duplicate keys, a
    label with one class, keys of different types, constants with several rows per key.

    Args:
        project: The project file's text (YAML).
        tables: The tables of `ingest_data`.
        store: Where snapshots are kept; empty: EVERGREEN_STORE, else the project's `storage.root`.
        purpose: `train`, or `predict` for the rows to score: every row, no label needed, no snapshot.
        repaired: The overlay of `repair_data`: a source is read from it where it is there.

    Returns:
        training_set: `data/part-*.parquet`, sorted by key, and `meta.json`.
        report: Rows kept and left out, the label over time, the features.
        rows: Rows of the training set.
        digest: Its content digest; the same rows give the same digest.
        version: Version of the snapshot's Delta table; 0 when none is made.
    """
    from evergreen.runtime import describe, task

    with task("build_training_set", purpose=purpose):
        from pathlib import Path

        from evergreen.history.task import build_with_report
        from evergreen.project import parse_project

        built = build_with_report(
            parse_project(project), Path(tables.path), Path(training_set.path), Path(report.path),
            store=store, purpose=purpose, repaired=Path(repaired.path) if repaired else None,
        )  # fmt: skip
        describe(training_set, digest=built.digest, snapshot=built.uri, version=built.version)
    return NamedTuple("Outputs", [("rows", int), ("digest", str), ("version", int)])(
        built.rows, built.digest, built.version
    )
