"""The data half that train and prepare_data share: from raw tables to a checked, described training set.

A plain function that wires tasks into the pipeline that calls it, so that pipelines stay flat.
"""

from dataclasses import dataclass
from typing import Any

from kfp import dsl

from components.data.assess_data.component import assess_data
from components.data.build_training_set.component import build_training_set
from components.data.infer_schema.component import infer_schema
from components.data.ingest_data.component import ingest_data
from components.data.merge_profiles.component import merge_profiles
from components.data.profile_data.component import profile_data
from components.data.repair_data.component import repair_data
from components.data.select_features.component import select_features
from components.data.split_data.component import split_data
from components.data.validate_data.component import validate_data
from components.data.validate_labels.component import validate_labels
from components.data.validate_rows.component import validate_rows
from components.deployment.resolve_model.component import resolve_model
from pipelines._cluster import on_cluster, prepared


@dataclass(frozen=True)
class Data:
    """The tasks whose outputs a pipeline goes on with.

    Attributes:
        repair: Of `repair_data`.
        built: Of `build_training_set`.
        baseline: Of `resolve_model`.
        profile: Of `merge_profiles`.
        schema: Of `infer_schema`.
        validation: Of `validate_data`.
        strategy: Of `assess_data`.
        splits: Of `split_data`.
        labels: Of `validate_labels`.
        selection: Of `select_features`.
    """

    repair: Any
    built: Any
    baseline: Any
    profile: Any
    schema: Any
    validation: Any
    strategy: Any
    splits: Any
    labels: Any
    selection: Any


def data_half(project: Any, name: Any, store: Any, as_of: Any, shards: Any, shard_count: Any) -> Data:
    """Ingest, repair, build, profile, validate, assess, split, check labels, select features.

    Args:
        project: The project file's text.
        name: The model's name in the registry; its baseline's profile and schema are compared with.
        store: Root URI of registry and snapshots.
        as_of: ISO time that stands for now.
        shards: One task of profiling and of validation for each number.
        shard_count: How many tasks share each of the two.
    """
    tables = ingest_data(project=project, as_of=as_of)
    tables.set_caching_options(False)
    raw = tables.outputs["tables"]
    mended = repair_data(project=project, tables=raw)
    repaired = mended.outputs["repaired"]
    built = build_training_set(project=project, tables=raw, repaired=repaired, store=store)
    # What a person decided about labels is in the store, where the cache does not look.
    built.set_caching_options(False)
    snapshot = built.outputs["training_set"]
    baseline = resolve_model(name=name, alias="baseline", store=store, required=False, project=project)
    baseline.set_caching_options(False)
    model = baseline.outputs["model"]

    with dsl.ParallelFor(shards, name="profile") as shard:
        part = profile_data(project=project, table=snapshot, shard=shard, shards=shard_count)
    whole = merge_profiles(project=project, profiles=dsl.Collected(part.outputs["profile"]))
    profile = whole.outputs["profile"]
    schema = infer_schema(project=project, profile=profile, baseline=model)
    with dsl.ParallelFor(shards, name="validate") as shard:
        counted = validate_rows(
            project=project,
            table=snapshot,
            profile=profile,
            schema=schema.outputs["schema"],
            baseline=model,
            shard=shard,
            shards=shard_count,
        )
    validated = validate_data(
        project=project,
        table=snapshot,
        profile=profile,
        schema=schema.outputs["schema"],
        baseline=model,
        tables=raw,
        repaired=repaired,
        counts=dsl.Collected(counted.outputs["counts"]),
    )

    strategy = assess_data(project=project, table=snapshot)
    splits = split_data(project=project, training_set=snapshot)
    parts = splits.outputs["splits"]
    labels = validate_labels(
        project=project, splits=parts, baseline=model, tables=raw, repaired=repaired, store=store
    )
    selection = select_features(project=project, splits=parts, tables=raw, repaired=repaired)

    on_cluster(tables, mended, built, baseline, labels)
    prepared(
        tables,
        mended,
        built,
        baseline,
        part,
        whole,
        schema,
        counted,
        validated,
        strategy,
        splits,
        labels,
        selection,
    )
    return Data(
        repair=mended,
        built=built,
        baseline=baseline,
        profile=whole,
        schema=schema,
        validation=validated,
        strategy=strategy,
        splits=splits,
        labels=labels,
        selection=selection,
    )
