"""Model servers of versions as parts of the platform: real servers, real S3."""

import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import platform_world as world
import psutil
import pytest
from server_processes import gone, until

from evergreen.errors import InputError
from evergreen.local import parts, platform, servers
from evergreen.local.state import server_name
from evergreen.rollout.fleets.local import LocalFleet
from evergreen.serving.ports import is_free
from evergreen.storage import open_store

pytestmark = pytest.mark.service
SERVING = {"replicas": 1, "violations": "impute", "log": {"rotate": "200ms"}}
ENSURE = """
import sys, time
from pathlib import Path
from evergreen.local import platform
from evergreen.rollout.fleets.local import LocalFleet
fleet = LocalFleet(Path(sys.argv[1]))
while len(platform.status(Path(sys.argv[1]))) < 2:
    fleet.ensure("demo", 1, 1, {})
print("asked", flush=True)
time.sleep(100)
"""


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    root = tmp_path_factory.mktemp("bundles")
    return {kind: world.make_bundle(root / kind, kind) for kind in ("binary", "multiclass")}


@pytest.fixture
def home(tmp_path, monkeypatch, bundles):
    """A platform with version 1 in its registry, and no server."""
    platform.up(tmp_path, s3_port=0)
    for name, value in platform.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    world.push(tmp_path, bundles["binary"])
    yield tmp_path
    platform.down(tmp_path)


def ready(fleet, version=1, replicas=1, serving=SERVING):
    return until(lambda: fleet.ensure("demo", version, replicas, serving))


def running(home, version=1, number=1):
    return world.folder(home).read().parts[server_name("demo", version, number)]


def given_back(place):
    """Wait for the port of a killed server: its threads may end after it. Returns where it is."""
    host, _, port = place.partition(":")
    until(lambda: is_free(host, int(port)))
    return host, int(port)


def test_servers_come_up_on_free_ports_and_go_again(home):
    fleet = LocalFleet(home)
    assert fleet.ensure("demo", 1, 2, SERVING) is None
    places = ready(fleet, replicas=2)
    assert len(set(places)) == 2 and all(world.ask(place)[0] == 200 for place in places)
    world.until_up(home, "s3", "model server demo@1 #1", "model server demo@1 #2")
    pids = [running(home, number=k).pid for k in (1, 2)]
    fleet.remove("demo", 1)
    assert all(map(gone, pids)) and [p.name for p in platform.status(home)] == ["s3"]
    fleet.remove("demo", 1)


def test_what_was_answered_is_in_the_store_when_the_server_is_gone(home):
    fleet = LocalFleet(home)
    (place,) = ready(fleet)
    for k in range(5):
        assert world.ask(place, f"user {k}")[0] == 200
    fleet.remove("demo", 1)
    keys = [info.key for info in open_store(platform.store_uri(home)).list("predictions/demo")]
    assert keys and all(key.endswith(".parquet") for key in keys)
    assert not list((home / "platform" / "spool").rglob("*.open"))


def test_secrets_reach_servers_by_environment_only(home):
    fleet = LocalFleet(home)
    ready(fleet)
    process = psutil.Process(running(home).pid)
    found = process.environ()
    secrets = world.folder(home).credentials()
    assert found["EVERGREEN_USER_SALT"] == secrets.salt and len(secrets.salt) == 64
    assert found["OMP_NUM_THREADS"] == "1"
    for secret in (secrets.salt, secrets.secret_key):
        assert secret not in " ".join(process.cmdline())
        for path, content in world.contents(home / "platform"):
            assert path.name == "credentials.json" or secret.encode() not in content, path


def test_a_killed_server_is_started_again_on_its_port(home):
    fleet = LocalFleet(home)
    places = ready(fleet)
    os.kill(running(home).pid, signal.SIGKILL)
    until(lambda: not running(home).process.alive())
    given_back(*places)
    assert fleet.ensure("demo", 1, 1, SERVING) is None
    assert ready(fleet) == places and running(home).restarts == 1


def test_a_taken_port_is_left_to_whoever_has_it(home):
    fleet = LocalFleet(home)
    (place,) = ready(fleet)
    os.kill(running(home).pid, signal.SIGKILL)
    until(lambda: not running(home).process.alive())
    with socket.create_server(given_back(place)):
        (other,) = ready(fleet)
        assert other != place and world.ask(other)[0] == 200


def test_a_version_that_is_not_there_says_so_and_is_not_tried_all_the_time(home):
    fleet = LocalFleet(home)
    assert fleet.ensure("demo", 7, 1, SERVING) is None

    def refused():
        try:
            fleet.ensure("demo", 7, 1, SERVING)
        except InputError as error:
            return str(error)
        return ""

    text = until(refused)
    assert "model server demo@7 #1: cannot be started" in text and "7" in text.splitlines()[-1]
    before = running(home, 7)
    assert until(refused) == text and running(home, 7) == before
    down = next(p for p in platform.status(home) if p.name.endswith("demo@7 #1"))
    assert down.state == "down" and "cannot be started" in down.detail
    fleet.remove("demo", 7)
    assert [p.name for p in platform.status(home)] == ["s3"]


def test_no_store_is_no_reason_to_refuse_a_version(home):
    fleet = LocalFleet(home)
    s3 = world.folder(home).read().parts["s3"]
    os.kill(s3.pid, signal.SIGKILL)
    until(lambda: not s3.process.alive())
    assert fleet.ensure("demo", 1, 1, SERVING) is None
    assert server_name("demo", 1, 1) not in world.folder(home).read().parts
    platform.up(home)
    ready(fleet)


def test_ports_that_a_killed_store_gives_back_late_are_waited_for(home):
    state = world.folder(home).read()
    os.kill(state.parts["s3"].pid, signal.SIGKILL)
    until(lambda: not state.parts["s3"].process.alive())
    last = max(parts.server(world.folder(home), state).ports.values())
    until(lambda: is_free(state.host, last))
    late = socket.create_server((state.host, last))
    threading.Timer(1.0, late.close).start()
    platform.up(home)
    assert world.folder(home).read().s3_port == state.s3_port


def test_many_callers_make_one_set_of_servers(home):
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: ready(LocalFleet(home), replicas=2), range(6)))
    assert len(set(found)) == 1
    assert len([p for p in platform.status(home) if p.name.startswith("model server")]) == 2


def test_a_killed_caller_leaves_servers_that_the_next_one_knows(home):
    caller = subprocess.Popen([sys.executable, "-c", ENSURE, str(home)], stdout=subprocess.PIPE, text=True)
    assert caller.stdout.readline() == "asked\n"
    caller.kill()
    caller.communicate()
    pid = running(home).pid
    ready(LocalFleet(home), serving={})
    assert running(home).pid == pid
    assert set(platform.down(home)) == {"s3", "model server demo@1 #1"} and gone(pid)


def test_a_version_keeps_its_settings_and_is_never_made_smaller(home):
    fleet = LocalFleet(home)
    ready(fleet)
    both = ready(fleet, replicas=2, serving={"violations": "refuse"})
    kept = {running(home, number=k).variables["EVERGREEN_SERVING"] for k in (1, 2)}
    assert len(kept) == 1 and "impute" in kept.pop()
    assert ready(fleet, replicas=1) == both


def test_an_ensure_while_up_is_at_work_does_not_wait_for_it(home):
    fleet = LocalFleet(home)
    with world.folder(home).locked():
        assert fleet.ensure("demo", 1, 1, SERVING) is None
    assert server_name("demo", 1, 1) not in world.folder(home).read().parts
    places = ready(fleet)
    with world.folder(home).locked():
        assert ready(fleet) == places


def test_a_server_that_hangs_is_replaced(home, monkeypatch):
    fleet = LocalFleet(home)
    places = ready(fleet)
    first = running(home)
    os.kill(first.pid, signal.SIGSTOP)
    with monkeypatch.context() as patch:  # not for the next one, which may be slow
        patch.setattr("evergreen.local.watch.HANGS_SECONDS", 0.5)
        until(lambda: fleet.ensure("demo", 1, 1, SERVING) is None and not first.process.alive())
    given_back(*places)
    assert ready(fleet) == places and running(home).pid != first.pid


def test_without_a_platform_there_are_no_servers(tmp_path):
    with pytest.raises(InputError, match="no platform runs here"):
        LocalFleet(tmp_path).ensure("demo", 1, 1, {})
    LocalFleet(tmp_path).remove("demo", 1)
    assert servers.wait(servers.Running(1, "", 0.0)) == 0.0
