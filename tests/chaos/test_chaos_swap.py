"""A server that follows its alias changes its version under load, asked directly and through a router."""

import http.client
import os
import subprocess
import sys
import time

import pytest
from chaos_bundles import ROW, make_bundle
from chaos_load import Load, models
from chaos_world import SAID
from server_processes import free_port, until

from evergreen.registry import Registry
from evergreen.rollout.plan import RoutePlan, Target
from evergreen.rollout.router.client import RouterClient, RouterUnreachable
from evergreen.storage import open_store

pytestmark = pytest.mark.service


@pytest.fixture
def started():
    """Starts modules as processes, and ends them."""
    running = []

    def start(*words):
        environment = {**os.environ, "EVERGREEN_USER_SALT": "salt"}
        running.append(subprocess.Popen([sys.executable, "-m", *words], env=environment))
        return running[-1]

    yield start
    for process in reversed(running):
        process.terminate()
        process.wait(20)


def applied(client, plan):
    try:
        return client.put_plan(plan).applied
    except RouterUnreachable:
        return False


def test_hot_swap(started, tmp_path):
    registry = Registry(open_store(str(tmp_path / "store")))
    for seed in (1, 2, 3):
        registry.push("demo", make_bundle(tmp_path / f"b{seed}", "good", seed), decisions=SAID)
    registry.move("demo", "baseline", 1, why="a test")
    server, router, agent = (free_port() for _ in range(3))
    started(
        "evergreen.serving", "demo@baseline", "--store", str(tmp_path / "store"), "--port", str(server),
        "--follow", "0.2",
    )  # fmt: skip
    started(
        "evergreen.rollout.router", "--listen", f"127.0.0.1:{router}", "--agent", f"127.0.0.1:{agent}",
        "--folder", str(tmp_path / "router"), "--envoy",
    )  # fmt: skip
    plan = RoutePlan("demo", "", 1, Target(1, (f"127.0.0.1:{server}",)), dead_man=0.0)
    row = {k: v for k, v in ROW.items() if k != "loyalty"}
    until(lambda: applied(RouterClient(f"http://127.0.0.1:{agent}"), plan))
    direct = Load("swap, asked directly", [f"127.0.0.1:{server}"], tmp_path / "1.jsonl", row, rate=80)
    routed = Load("swap, through a router", [f"127.0.0.1:{router}"], tmp_path / "2.jsonl", row, rate=80)
    until(lambda: _ready(server))
    with direct, routed:
        for version in (2, 3, 1):
            registry.move("demo", "baseline", version, why="a test")
            for load in (direct, routed):
                until(lambda load=load, v=version: models(load.since(time.time() - 0.3))[f"demo@{v}"] > 3)
            direct.wait(40)
    for load in (direct, routed):
        assert models(load.answers()).keys() == {"demo@1", "demo@2", "demo@3"}


def _ready(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
