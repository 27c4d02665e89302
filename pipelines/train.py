"""Train: from raw tables to a gated, registered model. One flat pipeline, locally and on a cluster."""

from kfp import dsl

from components.data.build_training_set.component import build_training_set
from components.data.infer_schema.component import infer_schema
from components.data.ingest_data.component import ingest_data
from components.data.profile_data.component import profile_data
from components.data.split_data.component import split_data
from components.data.validate_data.component import validate_data
from components.deployment.push_model.component import push_model
from components.deployment.resolve_model.component import resolve_model
from components.evaluation.compare_models.component import compare_models
from components.evaluation.evaluate_model.component import evaluate_model
from components.training.train_model.component import train_model
from components.training.tune_model.component import tune_model
from pipelines._cluster import on_cluster, prepared


@dsl.pipeline(name="train", description="From raw tables to a gated, registered model.")
def train(
    project: str,
    name: str,
    store: str = "",
    as_of: str = "",
    tune_shards: list[int] = [0],  # noqa: B006 - KFP reads the default as the parameter's default
    tune_shard_count: int = 1,
    promote: bool = True,
) -> None:
    """Ingest, build the training set, profile, validate, split, tune, train, evaluate, gate, push.

    Args:
        project: The project file's text (YAML).
        name: The model's name in the registry; the project's name.
        store: Root URI of registry and snapshots, such as s3://bucket/evergreen; empty: the project's.
        as_of: ISO time that stands for now (immature labels, future rows, last-N windows); empty: now.
        tune_shards: One task of the search for each number, 0 to tune_shard_count - 1.
        tune_shard_count: How many tasks share the search; the result is the same for any number.
        promote: Move the alias `baseline` to a model that passed the gate.
    """
    tables = ingest_data(project=project, as_of=as_of)
    tables.set_caching_options(False)
    built = build_training_set(project=project, tables=tables.outputs["tables"], store=store)
    snapshot = built.outputs["training_set"]

    baseline = resolve_model(name=name, alias="baseline", store=store, required=False, project=project)
    baseline.set_caching_options(False)
    profile = profile_data(project=project, table=snapshot)
    schema = infer_schema(
        project=project, profile=profile.outputs["profile"], baseline=baseline.outputs["model"]
    )
    validated = validate_data(
        project=project,
        table=snapshot,
        profile=profile.outputs["profile"],
        schema=schema.outputs["schema"],
        baseline=baseline.outputs["model"],
    )

    parts = split_data(project=project, training_set=snapshot)
    with dsl.ParallelFor(tune_shards, name="tune") as shard:
        search = tune_model(
            project=project, splits=parts.outputs["splits"], shard=shard, shards=tune_shard_count
        )
    trained = train_model(
        project=project,
        splits=parts.outputs["splits"],
        profile=profile.outputs["profile"],
        schema=schema.outputs["schema"],
        studies=dsl.Collected(search.outputs["study"]),
    )
    evaluated = evaluate_model(
        project=project,
        splits=parts.outputs["splits"],
        model=trained.outputs["model"],
        baseline=baseline.outputs["model"],
    )
    gate = compare_models(
        project=project,
        evaluation=evaluated.outputs["evaluation"],
        data_decisions=validated.outputs["decisions"],
    )
    pushed = push_model(
        project=project,
        model=trained.outputs["model"],
        evaluation=evaluated.outputs["evaluation"],
        decisions=gate.outputs["decisions"],
        store=store,
        promote=promote,
        snapshot=built.outputs["digest"],
    )
    pushed.set_caching_options(False)

    on_cluster(tables, built, baseline, pushed)
    prepared(
        tables, built, baseline, profile, schema, validated, parts, search, trained, evaluated, gate, pushed
    )
