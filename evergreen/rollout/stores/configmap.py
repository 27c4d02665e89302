"""Records as ConfigMaps: one a rollout, compared and swapped by the API server on `resourceVersion`."""

import hashlib
import re
from typing import Any

from evergreen.errors import ConflictError, NotFoundError, StorageError
from evergreen.rollout import kube
from evergreen.rollout.codec import decode, encode
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.stores.interface import Kept, StateStore, checked_id, closed, in_order, readable

MANAGED = {"app.kubernetes.io/managed-by": "evergreen", "app.kubernetes.io/component": "rollout"}
MODEL, CLOSED = "evergreen.dev/model", "evergreen.dev/closed"
_KEY = "record.json"
_MOST_BYTES = 900_000
"""Of 1 MiB that a ConfigMap may hold (Kubernetes documentation, ConfigMap, motivation)."""
_LABEL = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
_PAGE = 50


class ConfigMapStates(StateStore):
    """ConfigMaps with the label `app.kubernetes.io/component=rollout` in one namespace.

    Args:
        namespace: The namespace; empty for the pod's own.
    """

    def __init__(self, namespace: str = "") -> None:
        api = kube.client()
        self._namespace = namespace or kube.own_namespace()
        self._api = api.CoreV1Api()

    @property
    def uri(self) -> str:
        """`configmap://NAMESPACE`."""
        return f"configmap://{self._namespace}"

    def list(self, model: str | None = None, *, closed: bool = True) -> tuple[Kept, ...]:
        """Every record, page by page, selected by labels on the server."""
        labels = [f"{name}={value}" for name, value in MANAGED.items()]
        labels += [f"{MODEL}={_label(model)}"] if model else []
        labels += [] if closed else [f"{CLOSED}=false"]
        found: list[Kept] = []
        more = ""
        while True:
            with kube.answered("rollouts", self._namespace):
                page = self._api.list_namespaced_config_map(
                    self._namespace, label_selector=",".join(labels), limit=_PAGE, _continue=more or None,
                    _request_timeout=kube.TIMEOUT,
                )  # fmt: skip
            found += [kept for kept in map(self._listed, page.items) if kept]
            more = page.metadata._continue or ""
            if not more:
                return in_order([kept for kept in found if model in (None, kept.record.model)])

    def read(self, id: str) -> Kept:
        """One record."""
        with kube.answered(f"rollout {id}", self._namespace):
            item = self._api.read_namespaced_config_map(
                _name(checked_id(id)), self._namespace, _request_timeout=kube.TIMEOUT
            )
        return self._kept(item)

    def write_if(self, record: RolloutRecord, tag: str | None) -> str:
        """Create the ConfigMap, or replace it if its resourceVersion is still `tag`."""
        name = _name(checked_id(record.id))
        body = self._body(name, record, tag)
        try:
            return self._written(name, record, body, tag)
        except NotFoundError as error:  # it was deleted meanwhile
            raise ConflictError(f"rollout {record.id}: someone else removed it first") from error

    def _written(self, name: str, record: RolloutRecord, body: dict[str, Any], tag: str | None) -> str:
        with kube.answered(f"rollout {record.id}", self._namespace):
            if tag is None:
                done = self._api.create_namespaced_config_map(
                    self._namespace, body, _request_timeout=kube.TIMEOUT
                )
            else:
                done = self._api.replace_namespaced_config_map(
                    name, self._namespace, body, _request_timeout=kube.TIMEOUT
                )
        return str(done.metadata.resource_version)

    def remove(self, id: str) -> None:
        """Delete the ConfigMap."""
        from kubernetes.client import ApiException

        with kube.answered(f"rollout {id}", self._namespace):
            try:
                self._api.delete_namespaced_config_map(
                    _name(checked_id(id)), self._namespace, _request_timeout=kube.TIMEOUT
                )
            except ApiException as error:
                if error.status != 404:
                    raise

    def _body(self, name: str, record: RolloutRecord, tag: str | None) -> dict[str, Any]:
        labels = {**MANAGED, MODEL: _label(record.model), CLOSED: str(closed(record)).lower()}
        metadata: dict[str, Any] = {
            "name": name,
            "labels": labels,
            "annotations": {"evergreen.dev/id": record.id},
        }
        if tag is not None:
            metadata["resourceVersion"] = tag
        data = {_KEY: encode(record, _MOST_BYTES).decode()}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    def _listed(self, item: Any) -> Kept | None:
        text = (item.data or {}).get(_KEY, "")
        where = f"ConfigMap {self._namespace}/{item.metadata.name}"
        return readable(text.encode(), item.metadata.resource_version, where)

    def _kept(self, item: Any) -> Kept:
        where = f"ConfigMap {self._namespace}/{item.metadata.name}"
        text = (item.data or {}).get(_KEY)
        if text is None:
            raise StorageError(where, f"no key {_KEY}", remedy="Remove it, or its labels.")
        return Kept(decode(text.encode(), where), item.metadata.resource_version)


def _name(id: str) -> str:
    """A name that Kubernetes takes (RFC 1123), and that no other id has."""
    if "_" not in id:
        return f"evergreen-rollout-{id}"
    digest = hashlib.sha256(id.encode()).hexdigest()[:8]
    return f"evergreen-rollout-{id.replace('_', '-')}-{digest}"


def _label(model: str) -> str:
    """The model's name where it may be a label's value, else a hash of it."""
    return model if _LABEL.fullmatch(model) else hashlib.sha256(model.encode()).hexdigest()[:32]
