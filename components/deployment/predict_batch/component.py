"""Predict every row of a table with a blessed model: sharded, resumable, byte-identical when run again."""

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def predict_batch(
    project: str,
    rows: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    predictions: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.HTML],
    store: str = "",
    receipts: dsl.Input[list[dsl.Artifact]] = None,
):
    """Predict every row of a table, shard by shard, with a model that the registry calls blessed.

    Finished shards are kept in the store under `predictions/<model digest>-<rows digest>/`: a retry takes
    those whose digest still holds and computes the others; the same model and rows give the same bytes.
    Refuses a model that no gate blessed, a changed bundle, rows that lack a column of the model, and a column
    to keep that is not there.

    Args:
        project: The project file's text; `predict` and `resources` are used.
        rows: Features as build_training_set makes them (purpose `predict`).
        model: The bundle, as resolve_model fetches it.
        store: Root of the store; empty takes EVERGREEN_STORE or the project's.
        receipts: Of predict_shard tasks that did a part of the work; what they kept is not computed again.

    Returns:
        predictions: `part-*.parquet` with the keys, `prediction` and `probability` (or one a class), and
            `manifest.json`.
        report: Rows, shards, and the predictions beside the labels of the training.
    """
    from evergreen.runtime import describe, task

    with task("predict_batch"):
        from pathlib import Path

        from evergreen.files import write_text
        from evergreen.project import parse_project
        from evergreen.registry import Registry
        from evergreen.serving import batch
        from evergreen.serving.batch_report import batch_page
        from evergreen.storage import default_store, open_store

        settings = parse_project(project)
        place = open_store(default_store(settings, store), endpoint=settings.storage.endpoint)
        source = batch.blessed_source(Registry(place), settings.name, Path(model.path))
        cut = batch.Settings.of(settings)
        result = batch.predict_batch(Path(rows.path), source, Path(predictions.path), place, cut)
        describe(predictions, rows=result.plan.rows, model=result.plan.model, kept=result.uri)
        write_text(Path(report.path), batch_page(result))
