"""Bring a candidate's servers up beside the baseline's."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def deploy_model(
    project: str,
    version: int,
    decisions: dsl.Output[dsl.Artifact],
    store: str = "",
    state: str = "",
    fleet: str = "",
    timeout: float = 600.0,
    again: bool = False,
) -> NamedTuple("Outputs", [("endpoints", list), ("serves", str)]):
    """Bring a candidate's servers up beside the baseline's, and wait until all are ready.

    Nobody asks them yet: that is what a rollout does, whose controller finds them. Refuses a version that no
    gate blessed, one whose content was rolled back before, and one that cannot be served; servers that did
    not come up are removed again. Doing it again finds them. Switch caching off for this task.

    Args:
        project: The project file's text; `serving` is used.
        version: The version in the registry.
        store: Root URI of the registry; empty: EVERGREEN_STORE or the project's.
        state: Where rollouts are recorded: a folder, s3://, gs:// or configmap://NAMESPACE; empty:
            EVERGREEN_ROLLOUT_STATE, in a pod the ConfigMaps of its namespace, else the embedded platform's.
        fleet: Who runs servers: local:FOLDER or kube:NAMESPACE; empty: the embedded platform, or in a pod its
            namespace.
        timeout: Seconds until the servers must be ready.
        again: Even though a rollout of its content was rolled back or aborted before.

    Returns:
        endpoints: `host:port` of each server.
        serves: Who gets what now, such as `95 % version 3, 5 % version 4`.
        decisions: The record of it.
    """
    from evergreen.runtime import task

    with task("deploy_model", version=version):
        from pathlib import Path

        from evergreen import decisions as records
        from evergreen.rollout.tasks.deploy import deploy_model as deploy
        from evergreen.rollout.tasks.places import find_fleet, open_places

        places = open_places(project, store, state)
        deployed = deploy(places, find_fleet(fleet, places.state), version, timeout, again=again)
        records.write(Path(decisions.path), [deployed.decision])
    return (list(deployed.endpoints), deployed.serves)
