"""Manifests and KubeFleet on a real cluster: admitted under `restricted`, taken as they are, removed whole.

Set KUBECONFIG, and EVERGREEN_TEST_CLUSTER=1 to say that the cluster may be written to.
"""

import os
import uuid
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from server_processes import until

if not (os.environ.get("KUBECONFIG") and os.environ.get("EVERGREEN_TEST_CLUSTER") == "1"):
    pytest.skip("no cluster: set KUBECONFIG and EVERGREEN_TEST_CLUSTER=1", allow_module_level=True)
if find_spec("kubernetes") is None:
    pytest.skip("the Kubernetes client is not installed (extra `pipeline`)", allow_module_level=True)

from evergreen.errors import EvergreenError
from evergreen.rollout import kube
from evergreen.rollout.fleets import objects
from evergreen.rollout.fleets.kube import KubeFleet

pytestmark = [pytest.mark.service, pytest.mark.slow]
BASE = Path(__file__).resolve().parents[2] / "manifests" / "base"


@pytest.fixture(scope="module")
def namespace():
    api = kube.client()
    core, name = api.CoreV1Api(), f"evergreen-test-{uuid.uuid4().hex[:8]}"
    found = yaml.safe_load((BASE / "namespace.yaml").read_text())
    core.create_namespace({**found, "metadata": {**found["metadata"], "name": name}})
    yield name
    core.delete_namespace(name)


def documents(namespace):
    for path in sorted(BASE.glob("*.yaml")):
        if path.name not in ("kustomization.yaml", "namespace.yaml"):
            text = path.read_text().replace("namespace: evergreen\n", f"namespace: {namespace}\n")
            yield from filter(None, yaml.safe_load_all(text))


def test_the_cluster_takes_every_manifest_and_admits_its_pods(namespace):
    from kubernetes import utils

    client, core = kube.client().ApiClient(), kube.client().CoreV1Api()
    for document in documents(namespace):
        utils.create_from_dict(
            client, document, namespace=namespace, dry_run="All", field_validation="Strict"
        )
        if document["kind"] == "Deployment":
            template = document["spec"]["template"]
            account = template["spec"]["serviceAccountName"]
            core.create_namespaced_service_account(namespace, {"metadata": {"name": account}})
            pod = {"metadata": {**template["metadata"], "generateName": "x-"}, "spec": template["spec"]}
            core.create_namespaced_pod(namespace, pod, dry_run="All", field_validation="Strict")


def test_a_version_is_admitted_grows_and_goes(namespace):
    fleet, api = KubeFleet(namespace), kube.client()
    core, apps = api.CoreV1Api(), api.AppsV1Api()
    account = {"metadata": {"name": objects.ACCOUNT}}
    core.create_namespaced_service_account(namespace, account)
    core.create_namespaced_config_map(
        namespace, {"metadata": {"name": "evergreen"}, "data": {"EVERGREEN_STORE": "s3://x"}}
    )

    def pods():
        return core.list_namespaced_pod(namespace, label_selector=f"{objects.MODEL}=my_model").items

    def ensure(replicas=1):
        try:
            return fleet.ensure("my_model", 8, replicas, {"violations": "impute"})
        except EvergreenError as error:
            return str(error)  # here are neither its image nor its Secrets

    assert ensure() is None
    assert len(until(pods, every=0.3)) == 1  # admitted by Pod Security
    name = objects.object_name("my_model", 8)
    for _ in range(3):
        ensure()
    assert apps.read_namespaced_deployment(name, namespace).metadata.generation == 1
    ensure(2)
    until(lambda: len(pods()) == 2, every=0.3)
    fleet.remove("my_model", 8)
    fleet.remove("my_model", 8)
    until(lambda: not pods(), every=0.3)
    left = core.list_namespaced_service(namespace).items + apps.list_namespaced_deployment(namespace).items
    assert left == []
