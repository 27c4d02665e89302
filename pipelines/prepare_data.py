"""Prepare data: from raw tables to a versioned, checked and described training set, with no model yet."""

from kfp import dsl

from pipelines._data import data_half


@dsl.pipeline(name="prepare-data", description="From raw tables to a versioned, checked training set.")
def prepare_data(
    project: str,
    name: str,
    store: str = "",
    as_of: str = "",
    data_shards: list[int] = [0],  # noqa: B006 - KFP reads the default as the parameter's default
    data_shard_count: int = 1,
) -> None:
    """Ingest, repair, build, profile, validate, assess, split, check the labels, select features.

    Args:
        project: The project file's text (YAML).
        name: The model's name in the registry; its baseline's profile and schema are compared with.
        store: Root URI of registry and snapshots, such as s3://bucket/evergreen; empty: the project's.
        as_of: ISO time that stands for now (immature labels, future rows, last-N windows); empty: now.
        data_shards: One task of profiling and of validation for each number, 0 to data_shard_count - 1.
        data_shard_count: How many tasks share each of the two; the result is the same for any number.
    """
    data_half(project, name, store, as_of, data_shards, data_shard_count)
