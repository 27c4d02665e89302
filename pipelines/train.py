"""Train: from raw tables to a gated, registered model. One flat pipeline, locally and on a cluster."""

from kfp import dsl

from components.deployment.check_serving.component import check_serving
from components.deployment.push_model.component import push_model
from components.evaluation.compare_models.component import compare_models
from components.evaluation.evaluate_model.component import evaluate_model
from components.training.train_model.component import train_model
from components.training.tune_model.component import tune_model
from pipelines._cluster import on_cluster, prepared
from pipelines._data import data_half


@dsl.pipeline(name="train", description="From raw tables to a gated, registered model.")
def train(
    project: str,
    name: str,
    store: str = "",
    as_of: str = "",
    data_shards: list[int] = [0],  # noqa: B006 - KFP reads the default as the parameter's default
    data_shard_count: int = 1,
    tune_shards: list[int] = [0],  # noqa: B006
    tune_shard_count: int = 1,
    promote: bool = True,
) -> None:
    """Prepare the data, tune, train, evaluate, gate, push.

    Args:
        project: The project file's text (YAML).
        name: The model's name in the registry; the project's name.
        store: Root URI of registry and snapshots, such as s3://bucket/evergreen; empty: the project's.
        as_of: ISO time that stands for now (immature labels, future rows, last-N windows); empty: now.
        data_shards: One task of profiling and of validation for each number, 0 to data_shard_count - 1.
        data_shard_count: How many tasks share each of the two; the result is the same for any number.
        tune_shards: One task of the search for each number, 0 to tune_shard_count - 1.
        tune_shard_count: How many tasks share the search; the result is the same for any number.
        promote: Move the alias `baseline` to a model that passed the gate.
    """
    data = data_half(project, name, store, as_of, data_shards, data_shard_count)
    splits, selection = data.splits.outputs["splits"], data.selection.outputs["selection"]
    with dsl.ParallelFor(tune_shards, name="tune") as shard:
        search = tune_model(
            project=project,
            splits=splits,
            selection=selection,
            shard=shard,
            shards=tune_shard_count,
        )
    trained = train_model(
        project=project,
        splits=splits,
        profile=data.profile.outputs["profile"],
        schema=data.schema.outputs["schema"],
        selection=selection,
        studies=dsl.Collected(search.outputs["study"]),
    )
    evaluated = evaluate_model(
        project=project,
        splits=splits,
        model=trained.outputs["model"],
        baseline=data.baseline.outputs["model"],
        strategy=data.strategy.outputs["strategy"],
    )
    served = check_serving(
        project=project, model=trained.outputs["model"], splits=data.splits.outputs["splits"]
    )
    gate = compare_models(
        project=project,
        evaluation=evaluated.outputs["evaluation"],
        data_decisions=data.validation.outputs["decisions"],
        repair_decisions=data.repair.outputs["decisions"],
        label_decisions=data.labels.outputs["decisions"],
        selection_decisions=data.selection.outputs["decisions"],
        serving_decisions=served.outputs["decisions"],
    )
    pushed = push_model(
        project=project,
        model=trained.outputs["model"],
        evaluation=evaluated.outputs["evaluation"],
        decisions=gate.outputs["decisions"],
        store=store,
        promote=promote,
        snapshot=data.built.outputs["digest"],
    )
    pushed.set_caching_options(False)
    on_cluster(pushed)
    prepared(search, trained, evaluated, served, gate, pushed)
