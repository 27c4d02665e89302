"""Predict a batch: the newest rows of the project's source, scored by a blessed model of the registry."""

from kfp import dsl

from components.data.build_training_set.component import build_training_set
from components.data.check_skew.component import check_skew
from components.data.ingest_data.component import ingest_data
from components.data.repair_data.component import repair_data
from components.deployment.predict_batch.component import predict_batch as collect_predictions
from components.deployment.predict_shard.component import predict_shard
from components.deployment.resolve_model.component import resolve_model
from pipelines._cluster import on_cluster, prepared


@dsl.pipeline(name="predict-batch", description="Score a source with a blessed model of the registry.")
def predict_batch(
    project: str,
    name: str,
    store: str = "",
    alias: str = "baseline",
    as_of: str = "",
    shards: list[int] = [0],  # noqa: B006 - KFP reads the default as the parameter's default
    shard_count: int = 1,
) -> None:
    """Resolve the model, ingest, repair, build the rows' features, check them for skew, score in shards.

    Args:
        project: The project file's text (YAML).
        name: The model's name in the registry; the project's name.
        store: Root URI of registry and predictions; empty: the project's.
        alias: The alias of the model to use; the version behind it must be blessed.
        as_of: ISO time that stands for now; empty: now.
        shards: One task of the prediction for each number, 0 to shard_count - 1.
        shard_count: How many tasks share the prediction; the result is the same for any number.
    """
    model = resolve_model(name=name, alias=alias, store=store, required=True, project=project)
    model.set_caching_options(False)
    tables = ingest_data(project=project, as_of=as_of)
    tables.set_caching_options(False)
    mended = repair_data(project=project, tables=tables.outputs["tables"])
    rows = build_training_set(
        project=project,
        tables=tables.outputs["tables"],
        repaired=mended.outputs["repaired"],
        store=store,
        purpose="predict",
    )
    skew = check_skew(
        project=project, serving=rows.outputs["training_set"], baseline=model.outputs["model"], store=store
    )
    skew.set_caching_options(False)
    with dsl.ParallelFor(shards, name="predict") as share:
        part = predict_shard(
            project=project,
            rows=rows.outputs["training_set"],
            model=model.outputs["model"],
            store=store,
            share=share,
            shares=shard_count,
        )
        part.set_caching_options(False)
    scored = collect_predictions(
        project=project,
        rows=rows.outputs["training_set"],
        model=model.outputs["model"],
        store=store,
        receipts=dsl.Collected(part.outputs["receipt"]),
    )
    scored.set_caching_options(False)
    on_cluster(model, tables, mended, rows, skew, part, scored)
    prepared(model, tables, mended, rows, skew, part, scored)
