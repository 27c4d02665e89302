"""Begin the rollout of a version, or attach to the one under way."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def start_rollout(
    project: str,
    version: int,
    decisions: dsl.Output[dsl.Artifact],
    store: str = "",
    state: str = "",
    why: str = "",
    run: str = "",
    again: bool = False,
) -> NamedTuple("Outputs", [("rollout", str), ("attached", bool)]):
    """Begin the rollout of a version, or attach to the one under way; a controller carries it out.

    Doing it again, in a retried task or run, finds the same rollout. When users have the version already
    there is nothing to do: the id is empty, and the tasks that follow have nothing to do either. Refuses a
    version that no gate blessed, one whose content was rolled back before (unless `again`), and a model
    without a baseline. Switch caching off for this task.

    Args:
        project: The project file's text; `rollout` and `serving` are used, its name is the model's.
        version: The version in the registry.
        store: Root URI of the registry; empty: EVERGREEN_STORE or the project's.
        state: Where rollouts are recorded; empty: see deploy_model.
        why: The reason; it stands in the record.
        run: The id of the pipeline's run; kept in the record, so that the run finds its rollout again.
        again: Begin it even though its content was rolled back or aborted before.

    Returns:
        rollout: The rollout's id; empty when there is nothing to roll out.
        attached: Whether it was there before.
        decisions: The record of it.
    """
    from evergreen.runtime import task

    with task("start_rollout", version=version, run=run):
        from pathlib import Path

        from evergreen import decisions as records
        from evergreen.rollout.tasks.begin import start_rollout as start
        from evergreen.rollout.tasks.places import open_places

        begun = start(open_places(project, store, state), version, why=why, run=run, again=again)
        records.write(Path(decisions.path), [begun.decision])
    return (begun.rollout, begun.attached)
