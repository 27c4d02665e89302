"""KubeFleet with the real client against an API server of a few lines: what it asks for, and what follows."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from evergreen.errors import Fault, InputError, StorageError
from evergreen.rollout import kube
from evergreen.rollout.fleets import objects

pytest.importorskip("kubernetes")
PATH = re.compile(r"/(?:api|apis/[a-z]+)/v1/namespaces/ns/([a-z]+)(?:/([a-z0-9-]+))?")
NAME = "evergreen-coupons-v8"


class Cluster:
    """Objects by kind and name; `asked` is every request; `refuse` answers that status from then on."""

    def __init__(self):
        self.objects, self.asked, self.refuse, self.version = {}, [], 0, 0

    def answer(self, method, url, body):
        kind, name = PATH.fullmatch(urlsplit(url).path).groups()
        self.asked.append((method, kind))
        if self.refuse:
            return self.refuse, {"reason": "Refused"}
        known = self.objects.setdefault(kind, {})
        if method == "GET" and name is None:
            wanted = dict(p.split("=") for p in parse_qs(urlsplit(url).query)["labelSelector"][0].split(","))
            items = [o for o in known.values() if wanted.items() <= o["metadata"]["labels"].items()]
            return 200, {"items": items}
        if method == "POST":
            name = body["metadata"]["name"]
            return (409, {}) if name in known else (201, self.kept(known, name, body))
        if name not in known:
            return 404, {}
        if method == "PUT":
            stale = body["metadata"]["resourceVersion"] != known[name]["metadata"]["resourceVersion"]
            return (409, {}) if stale else (200, self.kept(known, name, body))
        return 200, known.pop(name) if method == "DELETE" else known[name]

    def kept(self, known, name, body):
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        known[name] = body
        return body

    def pod(self, name, ip="", ready=False, waiting="", code=None, said="", going=False):
        state = {"waiting": {"reason": waiting, "message": "what it says"}} if waiting else {"running": {}}
        last = {"terminated": {"exitCode": code, "message": said}} if code is not None else {}
        status = {"name": "server", "state": state, "lastState": last, "ready": ready, "restartCount": 2,
                  "image": "x", "imageID": "x"}  # fmt: skip
        metadata = {"name": name, "labels": objects.Wanted("ns", "coupons", 8, 1, {}).selector}
        if going:
            metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        found = {"podIP": ip, "conditions": conditions, "containerStatuses": [status]}
        self.objects.setdefault("pods", {})[name] = {"metadata": metadata, "status": found}


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    known = Cluster()

    class Handler(BaseHTTPRequestHandler):
        def work(self):
            text = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, body = known.answer(self.command, self.path, json.loads(text) if text else None)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = work

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    config = tmp_path / "config"
    url = f"http://127.0.0.1:{server.server_address[1]}"
    config.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "ns"}}],
    }))  # fmt: skip
    monkeypatch.setenv("KUBECONFIG", str(config))
    from kubernetes.config import kube_config

    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(config))
    monkeypatch.setattr(kube, "TIMEOUT", 60.0)  # a client that was kept waiting asks a second time
    kube.client.cache_clear()
    yield known
    kube.client.cache_clear()
    server.shutdown()
    server.server_close()


@pytest.fixture
def fleet(cluster):
    from evergreen.rollout.fleets.kube import KubeFleet

    return KubeFleet("ns")


def ensure(fleet, replicas=1, serving=None):
    return fleet.ensure("coupons", 8, replicas, serving or {})


def test_a_version_is_made_once_with_the_deployment_last(fleet, cluster):
    assert ensure(fleet) is None
    made = [kind for method, kind in cluster.asked if method == "POST"]
    assert made == ["services", "poddisruptionbudgets", "deployments"]
    assert set(cluster.objects["deployments"]) == {NAME}
    cluster.asked.clear()
    assert ensure(fleet) is None
    assert cluster.asked == [("GET", "deployments"), ("GET", "pods")]


def test_what_was_cut_short_is_finished(fleet, cluster):
    ensure(fleet)
    del cluster.objects["deployments"][NAME]
    ensure(fleet)
    assert set(cluster.objects["deployments"]) == {NAME} == set(cluster.objects["services"])


def test_pods_that_are_ready_are_the_endpoints(fleet, cluster):
    ensure(fleet, 2)
    cluster.pod("a", "10.0.0.1", ready=True)
    cluster.pod("b", "10.0.0.2")
    assert ensure(fleet, 2) is None
    cluster.pod("b", "fd00::2", ready=True)
    cluster.pod("c", "10.0.0.3", ready=True, going=True)
    assert ensure(fleet, 2) == ("10.0.0.1:8080", "[fd00::2]:8080")


def test_a_deployment_grows_keeps_its_settings_and_follows_the_image(fleet, cluster, monkeypatch):
    ensure(fleet, 1, {"violations": "impute"})
    ensure(fleet, 3, {"violations": "refuse"})
    ensure(fleet, 2)
    known = cluster.objects["deployments"][NAME]
    assert known["spec"]["replicas"] == 3
    assert json.loads(known["metadata"]["annotations"][objects.SERVING]) == {"violations": "impute"}
    cluster.asked.clear()
    monkeypatch.setattr(objects.images, "IMAGE", "registry.example/evergreen:2")
    ensure(fleet)
    ensure(fleet)
    assert cluster.asked.count(("PUT", "deployments")) == 1
    pod = cluster.objects["deployments"][NAME]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "registry.example/evergreen:2"


def test_a_server_that_can_never_run_and_one_that_cannot_now(fleet, cluster):
    ensure(fleet)
    cluster.pod("a", code=2, said="old\n" * 9 + "coupons@8: no such version")
    assert ensure(fleet) is None  # the store may have been away: the kubelet tries it again first
    cluster.pod("a", waiting="CrashLoopBackOff", code=2, said="old\n" * 9 + "coupons@8: no such version")
    with pytest.raises(
        InputError, match=r"pod a: its server cannot be started: old\nold\ncoupons@8: no such"
    ):
        ensure(fleet)
    cluster.pod("a", waiting="CrashLoopBackOff", code=137)
    with pytest.raises(Fault, match="pod a: CrashLoopBackOff: what it says"):
        ensure(fleet)
    cluster.pod("a", waiting="ImagePullBackOff")
    with pytest.raises(Fault, match="pod a: ImagePullBackOff"):
        ensure(fleet)
    cluster.pod("a", waiting="ContainerCreating")
    assert ensure(fleet) is None


def test_remove_takes_everything_and_may_be_repeated(fleet, cluster):
    ensure(fleet)
    for _ in range(2):
        fleet.remove("coupons", 8)
        assert not any(cluster.objects[kind] for kind in ("deployments", "services", "poddisruptionbudgets"))


def test_a_deployment_of_somebody_else_is_left_alone(fleet, cluster):
    ensure(fleet)
    cluster.objects["deployments"][NAME]["metadata"]["labels"] = {"app": "mine"}
    cluster.asked.clear()
    for work in (lambda: ensure(fleet), lambda: fleet.remove("coupons", 8)):
        with pytest.raises(InputError, match="is not one of ours"):
            work()
    assert {method for method, _ in cluster.asked} == {"GET"}


def test_missing_rights_say_what_to_do(fleet, cluster):
    cluster.refuse = 403
    with pytest.raises(StorageError, match=r"403.*Role of .*roles.yaml that allows it, in namespace ns"):
        ensure(fleet)
    with pytest.raises(StorageError, match="403"):
        fleet.remove("coupons", 8)
