"""Predict a batch: the newest rows of the project's source, scored by a blessed model of the registry."""

from kfp import dsl

from components.data.build_training_set.component import build_training_set
from components.data.ingest_data.component import ingest_data
from components.deployment.predict_batch.component import predict_batch as score_rows
from components.deployment.resolve_model.component import resolve_model
from pipelines._cluster import on_cluster, prepared


@dsl.pipeline(name="predict-batch", description="Score a source with a blessed model of the registry.")
def predict_batch(project: str, name: str, store: str = "", alias: str = "baseline", as_of: str = "") -> None:
    """Resolve the model, ingest, build the rows' features, score them in resumable shards.

    Args:
        project: The project file's text (YAML).
        name: The model's name in the registry; the project's name.
        store: Root URI of registry and predictions; empty: the project's.
        alias: The alias of the model to use; the version behind it must be blessed.
        as_of: ISO time that stands for now; empty: now.
    """
    model = resolve_model(name=name, alias=alias, store=store, required=True, project=project)
    model.set_caching_options(False)
    tables = ingest_data(project=project, as_of=as_of)
    tables.set_caching_options(False)
    rows = build_training_set(
        project=project, tables=tables.outputs["tables"], store=store, purpose="predict"
    )
    scored = score_rows(
        project=project, rows=rows.outputs["training_set"], model=model.outputs["model"], store=store
    )
    scored.set_caching_options(False)
    on_cluster(model, tables, rows, scored)
    prepared(model, tables, rows, scored)
