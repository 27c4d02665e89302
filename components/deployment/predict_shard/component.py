"""Predict one share of a batch's shards, beside other tasks that predict theirs."""

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def predict_shard(
    project: str,
    rows: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    receipt: dsl.Output[dsl.Artifact],
    store: str = "",
    share: int = 0,
    shares: int = 1,
):
    """Predict every `shares`-th shard of a table, from shard `share` on, and keep them in the store.

    Any number of tasks share one batch without talking to each other; predict_batch then collects the kept
    shards. A retry takes what is finished and sound. Refuses what predict_batch refuses.

    Args:
        project: The project file's text; `predict` and `resources` are used.
        rows: Features as build_training_set makes them (purpose `predict`).
        model: The bundle, as resolve_model fetches it.
        store: Root of the store; empty takes EVERGREEN_STORE or the project's.
        share: This task's number, from 0.
        shares: How many tasks share the batch.

    Returns:
        receipt: JSON with the numbers of the shards that were computed, and of those that were there.
    """
    from evergreen.runtime import task

    with task("predict_shard", share=share):
        import json
        from pathlib import Path

        from evergreen.files import write_text
        from evergreen.project import parse_project
        from evergreen.registry import Registry
        from evergreen.serving import batch
        from evergreen.storage import default_store, open_store

        settings = parse_project(project)
        place = open_store(default_store(settings, store), endpoint=settings.storage.endpoint)
        source = batch.blessed_source(Registry(place), settings.name, Path(model.path))
        job = batch.Job.of(Path(rows.path), source, place, batch.Settings.of(settings))
        done, skipped = batch.predict_share(job, share, shares)
        write_text(Path(receipt.path), json.dumps({"done": done, "skipped": skipped}) + "\n")
