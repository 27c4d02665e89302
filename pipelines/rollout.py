"""Rollout: from a version in the registry to its users, stage by stage, judged all the way."""

from kfp import dsl

from components.deployment.await_rollout.component import await_rollout
from components.deployment.conclude_rollout.component import conclude_rollout
from components.deployment.deploy_model.component import deploy_model
from components.deployment.judge_experiment.component import judge_experiment
from components.deployment.resolve_model.component import resolve_model
from components.deployment.start_rollout.component import start_rollout
from pipelines._cluster import on_cluster, prepared, with_rollouts


@dsl.pipeline(name="rollout", description="Take a version of the registry to its users, stage by stage.")
def rollout(
    project: str,
    name: str,
    store: str = "",
    alias: str = "candidate",
    state: str = "",
    fleet: str = "",
    why: str = "",
    again: bool = False,
    timeout: float = 0.0,
) -> None:
    """Resolve the version, bring its servers up, begin the rollout, wait, judge the experiment, conclude.

    The controller carries the rollout out; this run only begins and follows it. A run that is retried, or
    that was killed, attaches to the rollout that is under way. The version was checked in the real server
    (check_serving) before train pushed it; `train` with `promote=false` pushes as `candidate` only.

    Args:
        project: The project file's text (YAML); `rollout` and `serving` are used.
        name: The model's name in the registry; the project's name.
        store: Root URI of registry, prediction log and decisions; empty: the project's.
        alias: The alias, or the number, of the version to roll out.
        state: Where rollouts are recorded; empty: as the controller's place is found (see deploy_model).
        fleet: Who runs servers: local:FOLDER or kube:NAMESPACE; empty: found by itself.
        why: The reason; it stands in the record.
        again: Begin it even though its content was rolled back or aborted before.
        timeout: Seconds that each of the two waits may take; 0 waits for ever.
    """
    model = resolve_model(name=name, alias=alias, store=store, required=True, project=project)
    version = model.outputs["version"]
    servers = deploy_model(
        project=project, version=version, store=store, state=state, fleet=fleet, again=again
    )
    begun = start_rollout(
        project=project,
        version=version,
        store=store,
        state=state,
        why=why,
        run=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        again=again,
    ).after(servers)
    id = begun.outputs["rollout"]
    passed = await_rollout(
        project=project, rollout=id, store=store, state=state, until="experiment", timeout=timeout
    )
    judged = judge_experiment(project=project, rollout=id, store=store, state=state).after(passed)
    ended = conclude_rollout(project=project, rollout=id, store=store, state=state, timeout=timeout)
    ended.after(judged)
    tasks = (model, servers, begun, passed, judged, ended)
    for task in tasks:
        task.set_caching_options(False)
    on_cluster(*tasks)
    with_rollouts(servers, begun, passed, judged, ended)
    prepared(*tasks)
