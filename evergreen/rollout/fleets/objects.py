"""The Kubernetes objects of one version's servers: Deployment, headless Service, disruption budget. Pure.

Pods run under the Pod Security level `restricted`. They take no token of a service account: a model server
asks the cluster's API nothing.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evergreen import images
from evergreen.project.model import Serving
from evergreen.project.model.values import memory_bytes

PORT = 8080
MANAGED = {
    "app.kubernetes.io/name": "evergreen",
    "app.kubernetes.io/component": "model-server",
    "app.kubernetes.io/managed-by": "evergreen",
}
MODEL, VERSION = "evergreen.dev/model", "evergreen.dev/version"
SERVING, DIGEST = "evergreen.dev/serving", "evergreen.dev/digest"
ACCOUNT = "evergreen-model-server"
CONFIG, STORE_SECRET, SALT_SECRET = "evergreen", "evergreen-object-store", "evergreen-user-salt"
_USER = 65532
_DRAIN_SECONDS = 5
_GRACE_SECONDS = 60
_LABEL = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
_LONGEST_NAME = 52


@dataclass(frozen=True)
class Wanted:
    """What shall run.

    Attributes:
        namespace: Where.
        model: The model's name.
        version: Its version in the registry.
        replicas: How many servers.
        serving: The project's section `serving` as plain data.
    """

    namespace: str
    model: str
    version: int
    replicas: int
    serving: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Of all objects: a DNS label (RFC 1123) that no other version has."""
        return object_name(self.model, self.version)

    @property
    def selector(self) -> dict[str, str]:
        """The labels by which the version's pods are known."""
        return {**MANAGED, MODEL: label(self.model), VERSION: str(self.version)}


def object_name(model: str, version: int) -> str:
    """The name of a version's objects."""
    plain = f"evergreen-{model}-v{version}"
    if "_" not in model and len(plain) <= _LONGEST_NAME:
        return plain
    digest = hashlib.sha256(f"{model}@{version}".encode()).hexdigest()[:8]
    return f"{plain.replace('_', '-')[: _LONGEST_NAME - 9].rstrip('-')}-{digest}"


def label(model: str) -> str:
    """The model's name where it may be a label's value, else a hash of it."""
    return model if _LABEL.fullmatch(model) else hashlib.sha256(model.encode()).hexdigest()[:32]


def deployment(wanted: Wanted) -> dict[str, Any]:
    """The Deployment; its annotations say what it was made from, so that a change is seen."""
    serving = json.dumps(dict(wanted.serving), sort_keys=True)
    spec = {
        "replicas": wanted.replicas,
        "revisionHistoryLimit": 1,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "selector": {"matchLabels": wanted.selector},
        "template": {"metadata": {"labels": wanted.selector}, "spec": _pod(wanted, serving)},
    }
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(wanted, {SERVING: serving, DIGEST: digest}),
        "spec": spec,
    }


def service(wanted: Wanted) -> dict[str, Any]:
    """A headless Service: the name under which people and Prometheus find the version's pods."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(wanted),
        "spec": {
            "clusterIP": "None",
            "selector": wanted.selector,
            "ports": [{"name": "http", "port": PORT, "targetPort": "http"}],
        },
    }


def budget(wanted: Wanted) -> dict[str, Any]:
    """The disruption budget: nodes are drained one server at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(wanted),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": wanted.selector}},
    }


def _metadata(wanted: Wanted, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    known = {
        "name": wanted.name,
        "namespace": wanted.namespace,
        "labels": wanted.selector,
    }
    return {**known, "annotations": dict(annotations)} if annotations else known


def _pod(wanted: Wanted, serving: str) -> dict[str, Any]:
    section = Serving.model_validate(dict(wanted.serving))
    spool = round(1.25 * memory_bytes(section.log.spool))
    return {
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": wanted.selector},
            }
        ],
        "containers": [_container(wanted, serving, section)],
        "volumes": [
            {"name": "spool", "emptyDir": {"sizeLimit": str(spool)}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}},
        ],
    }


def _container(wanted: Wanted, serving: str, section: Serving) -> dict[str, Any]:
    ready = {"path": "/v2/health/ready", "port": "http"}
    alive = {"path": "/v2/health/live", "port": "http"}
    return {
        "name": "server",
        "image": images.IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "evergreen.serving"],
        "args": [
            f"{wanted.model}@{wanted.version}", "--store", "$(EVERGREEN_STORE)", "--host", "0.0.0.0",  # noqa: S104 - a pod's own address
            "--port", str(PORT), "--log-spool", "/spool", "--drain-delay", str(_DRAIN_SECONDS),
        ],
        "env": _environment(serving),
        "ports": [{"name": "http", "containerPort": PORT}],
        "startupProbe": {"httpGet": alive, "periodSeconds": 1, "failureThreshold": 120},
        "livenessProbe": {"httpGet": alive, "periodSeconds": 10, "timeoutSeconds": 3, "failureThreshold": 3},
        "readinessProbe": {"httpGet": ready, "periodSeconds": 1, "timeoutSeconds": 2, "failureThreshold": 2},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {
            "requests": {"cpu": "250m", "memory": "512Mi"},
            "limits": {"memory": str(2 * max(memory_bytes(section.check.memory), 2**29))},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "spool", "mountPath": "/spool"}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - the container's own
    }  # fmt: skip


def _environment(serving: str) -> list[dict[str, Any]]:
    """Where the store is, the key to it, and the salt; the names are those of manifests/README.md."""

    def taken(kind: str, source: str, key: str, name: str, optional: bool) -> dict[str, Any]:
        return {"name": name, "valueFrom": {kind: {"name": source, "key": key, "optional": optional}}}

    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return [
        {"name": "EVERGREEN_SERVING", "value": serving},
        {"name": "OMP_NUM_THREADS", "value": "1"},
        taken("configMapKeyRef", CONFIG, "EVERGREEN_STORE", "EVERGREEN_STORE", False),
        taken("configMapKeyRef", CONFIG, "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL", True),
        taken("configMapKeyRef", CONFIG, "AWS_REGION", "AWS_REGION", True),
        *(taken("secretKeyRef", STORE_SECRET, key, key, True) for key in keys),
        taken("secretKeyRef", SALT_SECRET, "salt", "EVERGREEN_USER_SALT", False),
    ]
