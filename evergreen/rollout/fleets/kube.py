"""Model servers as Deployments of a cluster, one a version.

`ensure` compares what shall be with what the API server has, and changes it only where it differs; the
cluster does the rest. Endpoints are the addresses of the pods that are ready, so that Envoy needs no DNS.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from evergreen import log
from evergreen.errors import ConflictError, Fault, InputError, NotFoundError
from evergreen.rollout import kube
from evergreen.rollout.fleet import Fleet
from evergreen.rollout.fleets import objects
from evergreen.rollout.fleets.objects import Wanted

_log = log.get(__name__)
_INPUT = 2
_LAST_LINES = 3
_CRASHES = "CrashLoopBackOff"
_STUCK = (
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError",
    "CreateContainerError",
)  # fmt: skip


class KubeFleet(Fleet):
    """The servers of one namespace.

    Args:
        namespace: The namespace; empty for the pod's own.

    Raises:
        StorageError: no cluster is configured.
    """

    def __init__(self, namespace: str = "") -> None:
        api = kube.client()
        self._namespace = namespace or kube.own_namespace()
        self._apps, self._core, self._policy = api.AppsV1Api(), api.CoreV1Api(), api.PolicyV1Api()

    def ensure(
        self, model: str, version: int, replicas: int, serving: Mapping[str, Any]
    ) -> tuple[str, ...] | None:
        """Make a version's objects, or bring them to what this release of Evergreen would make.

        A Deployment that is there keeps the settings that it was made with, and is never made smaller.

        Returns:
            `address:port` of every pod once as many as wanted are ready; None while they come up.

        Raises:
            InputError: a server ended with exit code 2: what it was given is at fault; with its last words.
            Fault: a pod cannot be started now: an image that cannot be pulled, a Secret that is missing.
            StorageError: the cluster's API refuses or cannot be reached.
        """
        wanted = Wanted(self._namespace, model, version, replicas, serving)
        there = self._deployment(wanted)
        if there is None:
            self._create(wanted)
            return None
        wanted = self._as_it_stands(wanted, there)
        if (there.metadata.annotations or {}).get(objects.DIGEST) != _digest(objects.deployment(wanted)):
            self._replace(wanted, there)
        return self._endpoints(wanted)

    def remove(self, model: str, version: int) -> None:
        """Delete a version's objects; its pods answer what they are at, ship their log, and go.

        Raises:
            StorageError: the cluster's API refuses or cannot be reached.
        """
        wanted = Wanted(self._namespace, model, version, 1, {})
        if self._deployment(wanted) is not None:
            _log.info("deployment goes", extra={"deployment": wanted.name})
        for delete in (
            self._policy.delete_namespaced_pod_disruption_budget,
            self._core.delete_namespaced_service,
            self._apps.delete_namespaced_deployment,
        ):
            self._gone(wanted, delete)

    def _deployment(self, wanted: Wanted) -> Any:
        try:
            with kube.answered(f"Deployment {wanted.name}", self._namespace):
                there = self._apps.read_namespaced_deployment(
                    wanted.name, self._namespace, _request_timeout=kube.TIMEOUT
                )
        except NotFoundError:
            return None
        if any((there.metadata.labels or {}).get(k) != v for k, v in wanted.selector.items()):
            raise InputError(
                f"Deployment {wanted.name} in {self._namespace}", "is not one of ours: its labels are others",
                remedy="Remove it, or run Evergreen in another namespace.",
            )  # fmt: skip
        return there

    def _create(self, wanted: Wanted) -> None:
        """The Deployment comes last: where it is there, all is there, whenever this is cut short."""
        _log.info("deployment made", extra={"deployment": wanted.name, "replicas": wanted.replicas})
        for create, body in (
            (self._core.create_namespaced_service, objects.service(wanted)),
            (self._policy.create_namespaced_pod_disruption_budget, objects.budget(wanted)),
            (self._apps.create_namespaced_deployment, objects.deployment(wanted)),
        ):
            try:
                with kube.answered(f"{body['kind']} {wanted.name}", self._namespace):
                    create(self._namespace, body, _request_timeout=kube.TIMEOUT)
            except ConflictError:
                continue  # it is there already

    def _as_it_stands(self, wanted: Wanted, there: Any) -> Wanted:
        kept = (there.metadata.annotations or {}).get(objects.SERVING)
        serving = json.loads(kept) if kept else wanted.serving
        return replace(wanted, serving=serving, replicas=max(wanted.replicas, there.spec.replicas or 0))

    def _replace(self, wanted: Wanted, there: Any) -> None:
        body = objects.deployment(wanted)
        body["metadata"]["resourceVersion"] = there.metadata.resource_version
        try:
            with kube.answered(f"Deployment {wanted.name}", self._namespace):
                self._apps.replace_namespaced_deployment(
                    wanted.name, self._namespace, body, _request_timeout=kube.TIMEOUT
                )
        except ConflictError:
            return  # somebody was faster: the next call compares anew
        _log.info("deployment changed", extra={"deployment": wanted.name, "replicas": wanted.replicas})

    def _endpoints(self, wanted: Wanted) -> tuple[str, ...] | None:
        selector = ",".join(f"{name}={value}" for name, value in wanted.selector.items())
        with kube.answered(f"pods of {wanted.name}", self._namespace):
            pods = self._core.list_namespaced_pod(
                self._namespace, label_selector=selector, _request_timeout=kube.TIMEOUT
            ).items
        ready = sorted(pod.status.pod_ip for pod in pods if _is_ready(pod))
        if len(ready) >= wanted.replicas:
            return tuple(f"[{ip}]:{objects.PORT}" if ":" in ip else f"{ip}:{objects.PORT}" for ip in ready)
        for pod in pods:
            _refuse_stuck(pod)
        return None

    def _gone(self, wanted: Wanted, delete: Callable[..., Any]) -> None:
        try:
            with kube.answered(wanted.name, self._namespace):
                delete(wanted.name, self._namespace, _request_timeout=kube.TIMEOUT)
        except NotFoundError:
            return


def _digest(deployment: Mapping[str, Any]) -> str:
    return str(deployment["metadata"]["annotations"][objects.DIGEST])


def _is_ready(pod: Any) -> bool:
    conditions = {c.type: c.status for c in pod.status.conditions or ()}
    return (
        bool(pod.status.pod_ip) and not pod.metadata.deletion_timestamp and conditions.get("Ready") == "True"
    )


def _refuse_stuck(pod: Any) -> None:
    """A server that ended with 2 twice can never run; the kubelet says only then that it crashes."""
    for container in pod.status.container_statuses or ():
        waits = container.state.waiting if container.state else None
        ended = container.last_state.terminated if container.last_state else None
        if waits is None:
            continue
        if waits.reason == _CRASHES and ended is not None and ended.exit_code == _INPUT:
            said = "\n".join((ended.message or "").strip().splitlines()[-_LAST_LINES:])
            raise InputError(f"pod {pod.metadata.name}", f"its server cannot be started: {said}")
        if waits.reason in (*_STUCK, _CRASHES):
            raise Fault(f"pod {pod.metadata.name}: {waits.reason}: {waits.message or ''}".rstrip(": "))
