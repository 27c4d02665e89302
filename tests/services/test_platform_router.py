"""The embedded platform with a router: every part a real process, on free ports."""

import contextlib
import json
import os
import signal
import socket
import threading
import time

import platform_world as world
import psutil
import pytest
from server_processes import gone, until
from typer.testing import CliRunner

from evergreen.cli.app import app
from evergreen.errors import InputError
from evergreen.local import platform
from evergreen.local.routing import Wish
from evergreen.project.model import Rollout, Serving
from evergreen.registry import Registry
from evergreen.rollout import commands
from evergreen.rollout.stores.local import LocalStates
from evergreen.storage import open_store

pytestmark = pytest.mark.service
PROJECT = """
serving:
  replicas: 2
  log: {rotate: 200ms}
"""
QUICK = Rollout(
    stages=[{"kind": "canary", "share": 50, "at_least": "3s", "requests": 20}],
    soak="1s", interval="200ms", dead_man="20s",
    guardrails={
        "missing_inputs": {"reaction": "off"}, "latency": {"reaction": "off"}, "outputs": {"reaction": "off"},
    },
)  # fmt: skip
SERVERS = {"model server demo@1 #1", "model server demo@1 #2"}
OWN = {"s3", "router #1", "controller", "supervisor"}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    root = tmp_path_factory.mktemp("bundles")
    return {kind: world.make_bundle(root / kind, kind) for kind in ("binary", "multiclass")}


@contextlib.contextmanager
def new_home(folder, bundles, patch):
    """A platform with S3 only, version 1 of `demo` as the baseline, and the environment to it."""
    platform.up(folder, s3_port=0)
    try:
        for name, value in platform.environment(folder).items():
            patch.setenv(name, value)
        world.push(folder, bundles["binary"])
        yield folder
    finally:
        platform.down(folder)


@pytest.fixture
def home(tmp_path, bundles, monkeypatch):
    with new_home(tmp_path, bundles, monkeypatch) as folder:
        yield folder


@pytest.fixture(scope="module")
def routed(tmp_path_factory, bundles):
    """A platform with a router and two servers of version 1."""
    folder = tmp_path_factory.mktemp("routed")
    with pytest.MonkeyPatch.context() as patch, new_home(folder, bundles, patch):
        project = folder / "project.yaml"
        text = (world.ROOT / "examples/coupons/project.yaml").read_text()
        project.write_text(text.split("\nserving:")[0].split("\nrollout:")[0] + PROJECT)
        platform.up(folder, model="demo@baseline", router=Wish(port=0, project=project))
        yield folder


def pids(home):
    """Every process of a platform, Envoys too."""
    found = {part.name: part.pid for part in platform.status(home)}
    for file in (home / "platform" / "routers").glob("*/envoy.json"):
        found[f"envoy {file.parent.name}"] = json.loads(file.read_text())["pid"]
    return found


def address(home):
    return platform.overview(home).url.removeprefix("http://")


@contextlib.contextmanager
def load(address, seconds=0.02):
    """Constant requests by many users; yields the statuses so far."""
    statuses, stop = [], threading.Event()

    def run():
        k = 0
        while not stop.wait(seconds):
            k += 1
            statuses.append(world.status(address, f"user {k % 97}"))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        thread.join()


def test_everything_is_up_and_users_get_the_baseline(routed):
    world.until_up(routed, *OWN, *SERVERS)
    found = platform.overview(routed)
    assert found.serves == "demo@1" and found.rollout.startswith("demo-1-")
    status, answer = world.ask(address(routed), "someone")
    assert status == 200 and answer["model_version"] == "1"
    secrets = world.folder(routed).credentials()
    for pid in pids(routed).values():
        words = " ".join(psutil.Process(pid).cmdline())
        assert secrets.salt not in words and secrets.secret_key not in words


def test_status_says_it_to_people_and_to_programs(routed):
    run = CliRunner().invoke
    url = platform.overview(routed).url

    def shown():  # in a look that came too late a part is not well
        done = run(app, ["status", "--home", str(routed)])
        return done.output if done.exit_code == 0 else ""

    text = until(shown)
    assert f"router   {url}" in text and "serves   demo@1" in text
    told = json.loads(run(app, ["status", "--home", str(routed), "--json"]).output)
    assert told["url"] == url and told["serves"] == "demo@1" and told["rollout"]
    assert {part["name"] for part in told["parts"]} == OWN | SERVERS


def test_up_again_changes_nothing(routed):
    before = pids(routed)
    platform.up(routed)
    platform.up(routed, model="demo@baseline", router=Wish())
    assert pids(routed) == before


@pytest.mark.parametrize(
    "options,message",
    [
        ({"model": "demo@candidate"}, "users get the alias baseline"),
        ({"model": "other@baseline"}, "serves demo"),
        ({"model_port": 0}, "take free ports"),
        ({"router": Wish(port=9)}, "is up on port"),
        ({"router": Wish(routers=99)}, "expected 1 to 8"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(routed, options, message):
    before = pids(routed)
    with pytest.raises(InputError, match=message):
        platform.up(routed, **options)
    assert pids(routed) == before
    world.until_up(routed, *OWN, *SERVERS)


@pytest.mark.parametrize("victim", ["model server demo@1 #1", "router #1", "controller", "s3"])
def test_what_is_killed_comes_back_and_no_request_is_lost(routed, victim):
    pid = pids(routed)[victim]
    with load(address(routed)) as statuses:
        until(lambda: len(statuses) > 20)
        os.kill(pid, signal.SIGKILL)
        until(lambda: pids(routed)[victim] != pid and world.states(routed)[victim] == "up")
        count = len(statuses)
        until(lambda: len(statuses) > count + 20)
    assert set(statuses) == {200}
    world.until_up(routed, *OWN, *SERVERS)


def test_a_killed_envoy_comes_back_in_seconds(routed):
    pid = pids(routed)["envoy 1"]
    killed = time.time()
    os.kill(pid, signal.SIGKILL)
    until(lambda: pids(routed)["envoy 1"] != pid and world.states(routed)["router #1"] == "up")
    assert psutil.Process(pids(routed)["envoy 1"]).create_time() - killed < 20
    until(lambda: world.status(address(routed), "a") == 200)


def test_a_killed_supervisor_is_started_by_the_next_up(routed):
    os.kill(pids(routed)["supervisor"], signal.SIGKILL)
    until(lambda: world.states(routed)["supervisor"] == "down")
    platform.up(routed)
    world.until_up(routed, *OWN, *SERVERS)


def test_more_routers_share_the_port(routed):
    before = pids(routed)
    with load(address(routed)) as statuses:
        platform.up(routed, router=Wish(routers=2))
        after = pids(routed)
        assert after["router #1"] == before["router #1"] and "router #2" in after
        until(lambda: len(statuses) > 20)
        platform.up(routed, router=Wish(routers=1))
    assert "router #2" not in pids(routed) and gone(after["envoy 2"])
    assert set(statuses) == {200}


def test_down_ends_everything_and_answers_what_is_at_work(home):
    platform.up(home, model="demo@baseline", router=Wish(port=0))
    processes, url = pids(home), address(home)
    assert set(processes) == OWN | {"model server demo@1 #1", "envoy 1"}
    with load(url, 0.01) as statuses:
        until(lambda: len(statuses) > 10)
        stopped = platform.down(home)
    assert 503 not in statuses and 500 not in statuses
    assert set(stopped) == set(processes) - {"envoy 1"} and all(map(gone, processes.values()))
    with pytest.raises(OSError):
        world.ask(url)
    assert platform.overview(home) == platform.Overview(()) and not (home / "platform/state.json").exists()


def test_down_after_a_crash_leaves_nothing(home):
    platform.up(home, model="demo@baseline", router=Wish(port=0))
    processes = pids(home)
    for name in ("supervisor", "controller", "router #1"):  # in this order nobody starts another one again
        os.kill(processes[name], signal.SIGKILL)
    killed = ("supervisor", "controller", "router #1")
    until(lambda: all(world.states(home)[name] == "down" for name in killed))
    assert not gone(processes["envoy 1"])
    platform.down(home)
    assert all(map(gone, processes.values()))


def test_a_taken_router_port_is_refused_and_nothing_is_left(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"port {port} for the router: is taken .*--router-port"):
            platform.up(home, model="demo@baseline", router=Wish(port=port))
    world.until_up(home, "s3")
    assert platform.overview(home).url == ""


def test_a_model_that_is_not_there_starts_nothing(home):
    with pytest.raises(InputError, match="other"):
        platform.up(home, model="other@baseline", router=Wish(port=0))
    with pytest.raises(InputError, match="--model NAME@baseline"):
        platform.up(home, router=Wish(port=0))
    world.until_up(home, "s3")


def test_a_router_takes_the_place_of_the_single_server(home):
    platform.up(home, model="demo@baseline", model_port=0)
    platform.up(home, router=Wish(port=0))
    assert set(world.states(home)) == OWN | {"model server demo@1 #1"}
    assert world.ask(address(home))[0] == 200


@pytest.mark.slow
def test_a_rollout_outlives_a_restart_of_the_platform(home, bundles, monkeypatch):
    platform.up(home, model="demo@baseline", router=Wish(port=0, drain=1.0))
    world.push(home, bundles["multiclass"], baseline=False)
    records = LocalStates(home / "rollouts")
    registry = Registry(open_store(platform.store_uri(home)))
    until(lambda: commands.status(records, "demo").ended)
    record = commands.start(registry, records, "demo", 2, settings=QUICK, serving=Serving())
    until(lambda: records.read(record.id).record.phase == "running")
    until(lambda: "50 % demo@2" in platform.overview(home).serves)
    before = {name: part.url for name, part in world.folder(home).read().parts.items()}
    platform.down(home)
    platform.up(home, s3_port=0, model="demo@baseline", router=Wish(port=0, drain=1.0))
    for name, value in platform.environment(home).items():  # other tests may have taken the port meanwhile
        monkeypatch.setenv(name, value)
    registry = Registry(open_store(platform.store_uri(home)))
    with load(address(home)) as statuses:
        ended = commands.wait(records, record.id, 120, every=0.2)
        assert ended.phase == "launched", platform.overview(home).rollout
        until(lambda: "model server demo@1 #1" not in world.states(home))
    assert set(statuses) == {200}
    assert platform.overview(home).serves == "demo@2" and registry.resolve("demo@baseline").version == 2
    kept = world.folder(home).read().parts["model server demo@2 #1"].url
    assert kept == before["model server demo@2 #1"]
    known = pids(home)
    platform.up(home)
    assert pids(home) == known
