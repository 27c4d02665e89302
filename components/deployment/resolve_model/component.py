"""Fetch a version of a model from the registry."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def resolve_model(
    name: str,
    model: dsl.Output[dsl.Model],
    alias: str = "baseline",
    store: str = "",
    required: bool = True,
    project: str = "",
) -> NamedTuple("Outputs", [("version", int), ("digest", str)]):
    """Fetch a version of a model from the registry and verify every digest.

    Refuses a name, alias or version that is not there (unless not required; the model is then an empty folder
    and the version 0) and a bundle with a changed byte. Switch caching off for this task.

    Args:
        name: The model's name in the registry.
        alias: An alias such as baseline, or a version's number.
        store: Root URI of the registry, such as s3://bucket/models; empty: EVERGREEN_STORE or the project's.
        required: Fail when there is no such model or alias.
        project: The project file's text (YAML), for its store and endpoint; may be empty with a `store`.

    Returns:
        model: The bundle's folder; its metadata name the version.
        version: The version's number, 0 when there is none.
        digest: The bundle's digest, empty when there is none.
    """
    from evergreen.runtime import describe, task

    with task("resolve_model", model=name, alias=alias):
        from pathlib import Path

        from evergreen.project import parse_project
        from evergreen.registry import Registry
        from evergreen.storage import default_store, open_store

        parsed = parse_project(project) if project else None
        root = open_store(default_store(parsed, store), endpoint=parsed.storage.endpoint if parsed else None)
        registry = Registry(root)
        fetch = registry.fetch if required else registry.fetch_or_empty
        found = fetch(f"{name}@{alias}", Path(model.path))
        version, digest = (found.version, found.digest) if found else (0, "")
        describe(model, name=name, alias=alias, version=version, digest=digest)
    return (version, digest)
