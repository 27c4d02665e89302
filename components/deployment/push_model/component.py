"""Push a gated model to the registry as a new version and move its aliases."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def push_model(
    project: str,
    model: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    decisions: dsl.Input[dsl.Artifact],
    record: dsl.Output[dsl.Markdown],
    store: str = "",
    promote: bool = True,
    snapshot: str = "",
) -> NamedTuple("Outputs", [("version", int), ("digest", str)]):
    """Push a gated model to the registry as a new version and move its aliases.

    The alias `candidate` is set to the new version, with `promote` also `baseline` (`previous` is then where
    the baseline stood). Refuses a model that a gate said no to, one without decisions, a bundle with a
    changed byte, and a promotion when the baseline was moved since the comparison. Doing it again with the
    same model gives the same version. Switch caching off for this task.

    Args:
        project: The project file's text (YAML).
        model: The bundle of train_model.
        evaluation: The evaluation of evaluate_model.
        decisions: The decisions of compare_models.
        store: Root URI of the registry, such as s3://bucket/models; empty: EVERGREEN_STORE or the project's.
        promote: Move the alias `baseline` to the new version.
        snapshot: Digest of the training set, kept with the version.

    Returns:
        version: The version's number, counted from 1.
        digest: The bundle's digest.
        record: What was pushed, as Markdown: version, aliases, digest, metrics, decisions.
    """
    from evergreen.runtime import task

    with task("push_model", promote=promote):
        from pathlib import Path

        from evergreen.files import write_text
        from evergreen.project import parse_project
        from evergreen.registry import Registry, publish
        from evergreen.storage import default_store, open_store

        parsed = parse_project(project)
        root = open_store(default_store(parsed, store), endpoint=parsed.storage.endpoint)
        published = publish(
            Registry(root),
            parsed.name,
            Path(model.path),
            evaluation=Path(evaluation.path),
            decided=Path(decisions.path),
            snapshot=snapshot,
            settings=parsed.model_dump(mode="json", include={"serving", "rollout"}),
            promote=promote,
        )
        write_text(Path(record.path), published.record)
    return (published.version.version, published.version.digest)
