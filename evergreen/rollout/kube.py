"""The cluster's API for state and leases: how it is reached, and what its refusals mean in plain words."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from evergreen.errors import ConflictError, NotFoundError, StorageError

TIMEOUT = 4.0
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@lru_cache(maxsize=1)
def client() -> Any:
    """The Kubernetes client: the pod's own account, else the kubeconfig (KUBECONFIG).

    Raises:
        StorageError: when the client is not installed, or no cluster is configured.
    """
    try:
        from kubernetes import client as api
        from kubernetes import config
    except ModuleNotFoundError as error:
        remedy = "Install evergreen-kfp[pipeline]."
        raise StorageError("cluster", "the Kubernetes client is not installed", remedy=remedy) from error
    try:
        config.load_incluster_config()
    except config.ConfigException:
        try:
            config.load_kube_config()
        except (config.ConfigException, OSError) as error:
            remedy = "Set KUBECONFIG, or run in a pod with a service account."
            raise StorageError("cluster", "none is configured", remedy=remedy) from error
    return api


def own_namespace() -> str:
    """The namespace of this pod; outside of one, that of the kubeconfig's context, or `default`."""
    if _NAMESPACE.is_file():
        return _NAMESPACE.read_text(encoding="utf-8").strip()
    client()
    from kubernetes import config

    try:
        return str(config.list_kube_config_contexts()[1]["context"].get("namespace") or "default")
    except (config.ConfigException, OSError, KeyError, IndexError):
        return "default"


@contextmanager
def answered(what: str, namespace: str) -> Iterator[None]:
    """Turn the API's refusals into errors that say what to do.

    Raises:
        NotFoundError: there is no such object.
        ConflictError: someone else was faster.
        StorageError: not allowed, not reachable, or refused otherwise.
    """
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        reason = f"{error.status} {error.reason}"
        if error.status == 404:
            raise NotFoundError(what, f"not in namespace {namespace}") from error
        if error.status == 409:
            raise ConflictError(f"{what}: someone else changed it first") from error
        remedy = "Look at the cluster's API server."
        if error.status in (401, 403):
            remedy = (
                f"Bind this service account to the Role of manifests/base/roles.yaml that allows it, "
                f"in namespace {namespace}."
            )
        raise StorageError(what, f"the cluster's API refused: {reason}", remedy=remedy) from error
    except (HTTPError, OSError) as error:
        found = f"the cluster's API cannot be reached ({type(error).__name__})"
        raise StorageError(what, found, remedy="Look at the network and the API server.") from error
