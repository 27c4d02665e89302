"""The manifests and the objects that KubeFleet makes: they parse, are locked down, ask for no more rights."""

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

from evergreen import images
from evergreen.errors import InputError
from evergreen.project.model import Serving
from evergreen.rollout.fleets import objects
from evergreen.rollout.fleets.objects import Wanted

ROOT = Path(__file__).resolve().parents[3]
BASE = ROOT / "manifests" / "base"
FILES = sorted(p for p in BASE.glob("*.yaml") if p.name != "kustomization.yaml")
SERVING = Serving(violations="impute", replicas=2).model_dump(mode="json")
CALLS = [ROOT / "evergreen/rollout" / name for name in ("stores/configmap.py", "lease.py", "fleets/kube.py")]
VERBS = {
    "create": "create",
    "read": "get",
    "list": "list",
    "replace": "update",
    "delete": "delete",
    "patch": "patch",
}
RESOURCES = {
    "config_map": "configmaps",
    "lease": "leases",
    "deployment": "deployments",
    "service": "services",
    "pod": "pods",
    "pod_disruption_budget": "poddisruptionbudgets",
}


def documents():
    return [(path.name, d) for path in FILES for d in yaml.safe_load_all(path.read_text()) if d]


def wanted(**changes):
    return Wanted(
        **{"namespace": "ns", "model": "coupons", "version": 8, "replicas": 2, "serving": SERVING, **changes}
    )


def pods():
    found = [
        (d["metadata"]["name"], d["spec"]["template"]["spec"])
        for _, d in documents()
        if d["kind"] == "Deployment"
    ]
    return [*found, ("model server", objects.deployment(wanted())["spec"]["template"]["spec"])]


def containers(pod):
    return [*pod.get("initContainers", []), *pod["containers"]]


def rules(role):
    (found,) = [d for _, d in documents() if d["kind"] == "Role" and d["metadata"]["name"] == role]
    return {
        (resource, verb)
        for rule in found["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def calls(paths):
    """(resource, verb) of every call of the cluster's API in these files."""
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            match = isinstance(node, ast.Attribute) and re.fullmatch(
                r"([a-z]+)_namespaced_([a-z_]+)", node.attr
            )
            if match:
                found.add((RESOURCES[match[2]], VERBS[match[1]]))
    return found


def test_the_folder_and_the_kustomization_name_the_same_files():
    assert set(yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]) == {
        p.name for p in FILES
    }


def test_everything_lies_in_the_namespace_that_admits_restricted_pods_only():
    namespace = next(d for _, d in documents() if d["kind"] == "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    names = {(d["kind"], d["metadata"]["name"]) for _, d in documents()}
    assert len(names) == len(documents())
    for _, document in documents():
        if document["kind"] != "Namespace":
            assert document["metadata"]["namespace"] == namespace["metadata"]["name"]


@pytest.mark.parametrize("name,pod", pods(), ids=[name for name, _ in pods()])
def test_pods_are_restricted(name, pod):
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    for container in containers(pod):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False and context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["requests"] and container["resources"]["limits"]["memory"]
        assert "privileged" not in context and "hostPort" not in str(container)
    assert all(
        set(volume) == {"name", "emptyDir"} and volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"]
    )
    mounts = {m["name"] for c in containers(pod) for m in c["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize("name,pod", pods(), ids=[name for name, _ in pods()])
def test_pods_have_probes_one_version_and_only_the_rights_they_need(name, pod):
    for container in pod["containers"]:
        assert {"startupProbe", "livenessProbe"} <= set(container)
    assert any("readinessProbe" in c for c in pod["containers"])
    ours = [c["image"] for c in containers(pod) if c["name"] != "envoy"]
    assert ours and set(ours) == {images.IMAGE}
    assert all(not c["image"].endswith(":latest") for c in containers(pod))
    assert pod["automountServiceAccountToken"] is (name == "evergreen-controller")
    accounts = {d["metadata"]["name"] for _, d in documents() if d["kind"] == "ServiceAccount"}
    assert pod["serviceAccountName"] in accounts


def test_the_example_begins_a_rollout_with_the_rights_for_that_and_no_others():
    found = {d["kind"]: d for d in yaml.safe_load_all((ROOT / "manifests/examples/rollout.yaml").read_text())}
    pod = found["Job"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert found["RoleBinding"]["roleRef"]["name"] == "evergreen-rollouts"
    assert pod["serviceAccountName"] == found["ServiceAccount"]["metadata"]["name"]
    assert container["image"] == images.IMAGE and container["securityContext"]["readOnlyRootFilesystem"]
    assert container["command"][:3] == ["evergreen", "rollout", "deploy"]


def test_envoys_folder_is_in_memory_and_shared_with_its_agent():
    pod = dict(pods())["evergreen-router"]
    volume = next(v for v in pod["volumes"] if v["name"] == "router")
    assert volume["emptyDir"]["medium"] == "Memory"
    for container in containers(pod):
        assert {"name": "router", "mountPath": "/router"} in container["volumeMounts"]
    envoy = next(c for c in pod["containers"] if c["name"] == "envoy")
    agent = next(c for c in pod["containers"] if c["name"] == "agent")
    assert envoy["lifecycle"]["preStop"]["sleep"]["seconds"] < pod["terminationGracePeriodSeconds"]
    assert "--seconds=18" in agent["lifecycle"]["preStop"]["exec"]["command"]


def test_the_controller_may_do_what_it_does_and_nothing_more():
    assert rules("evergreen-controller") == calls(CALLS)
    assert rules("evergreen-rollouts") == {("configmaps", v) for v in ("create", "get", "list", "update")}


def test_pipelines_may_bring_servers_up_and_nothing_more():
    assert rules("evergreen-deployments") == calls([p for p in CALLS if p.parent.name == "fleets"])
    assert not rules("evergreen-deployments") & rules("evergreen-rollouts")


def test_no_secret_is_in_the_manifests():
    assert not [d for _, d in documents() if d["kind"] == "Secret"]
    named = set(re.findall(r"secretKeyRef: \{name: ([a-z-]+)", "".join(p.read_text() for p in FILES)))
    assert named == {objects.STORE_SECRET, objects.SALT_SECRET, "evergreen-router-token"}


def test_network_policies_close_everything_and_open_each_component():
    policies = {d["metadata"]["name"]: d["spec"] for _, d in documents() if d["kind"] == "NetworkPolicy"}
    closed = policies["evergreen-nothing-else"]
    assert closed["policyTypes"] == ["Ingress", "Egress"] and "ingress" not in closed
    labels = closed["podSelector"]["matchLabels"].items()
    templates = [d["spec"]["template"] for _, d in documents() if d["kind"] == "Deployment"]
    for template in (*templates, objects.deployment(wanted())["spec"]["template"]):
        assert labels <= template["metadata"]["labels"].items()
    agents = [rule for rule in policies["evergreen-router"]["ingress"] if rule["ports"][0]["port"] == 8091]
    assert [r["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for r in agents] == [
        "controller"
    ]


def test_the_same_wish_makes_the_same_objects_and_another_one_another_digest():
    first, same = objects.deployment(wanted()), objects.deployment(wanted())
    assert first == same and json.loads(json.dumps(first)) == first
    digests = {
        objects.deployment(wanted(**change))["metadata"]["annotations"][objects.DIGEST]
        for change in ({}, {"replicas": 3}, {"serving": Serving().model_dump(mode="json")}, {"version": 9})
    }
    assert len(digests) == 4
    kept = json.loads(first["metadata"]["annotations"][objects.SERVING])
    assert Serving.model_validate(kept) == Serving.model_validate(SERVING)


def test_a_server_has_what_it_needs_and_no_secret_in_plain_text():
    deployment = objects.deployment(wanted())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["args"][0] == "coupons@8" and "--drain-delay" in container["args"]
    variables = {v["name"]: v for v in container["env"]}
    for name in ("AWS_SECRET_ACCESS_KEY", "EVERGREEN_USER_SALT"):
        assert set(variables[name]) == {"name", "valueFrom"}
    assert json.loads(variables["EVERGREEN_SERVING"]["value"])["violations"] == "impute"
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert objects.service(wanted())["spec"]["selector"] == selector
    assert objects.budget(wanted())["spec"]["selector"]["matchLabels"] == selector


@pytest.mark.parametrize("model", ["a", "coupons", "my_model", "my-model", "x" * 63, "a_" * 31 + "b"])
def test_names_are_dns_labels_that_no_other_version_has(model):
    names = [objects.object_name(model, version) for version in (1, 11, 999_999)]
    assert len(set(names)) == 3
    for name in names:
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) and len(name) <= 52
    assert objects.object_name("my_model", 1) != objects.object_name("my-model", 1)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?", objects.label(model))


def test_a_fleet_of_an_unknown_kind_is_refused():
    from evergreen.rollout.controller.command import open_fleet

    with pytest.raises(InputError, match="names no fleet"):
        open_fleet("docker:here")
