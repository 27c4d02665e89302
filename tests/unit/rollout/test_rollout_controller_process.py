"""`python -m evergreen.rollout.controller` as a process: what it refuses, its page, how it ends."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from rollout_world import World

from evergreen.errors import InputError, StorageError
from evergreen.rollout.controller.command import assembled, lease_for, main, open_fleet, resolved, routers_of
from evergreen.rollout.controller.effects import move_alias
from evergreen.rollout.lease import FileLease
from evergreen.rollout.opening import Opening, opened, settings_like
from evergreen.rollout.stores.local import LocalStates
from evergreen.rollout.stores.objects import ObjectStates

COMMAND = [sys.executable, "-m", "evergreen.rollout.controller"]


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def page_of(log: Path) -> str:
    """Where a controller serves its page, once it says so."""
    found = re.search(r'"controller started".*"page": (\d+)}', log.read_text())
    return f"http://127.0.0.1:{found[1]}" if found else ""


def lease_in(state: Path) -> dict:
    with (state / ".lease").open() as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)  # its holder writes it anew all the time
        return json.loads(handle.read() or "{}")


@pytest.mark.slow
def test_it_serves_its_page_and_ends_on_sigterm(tmp_path):
    World(tmp_path)
    arguments = ["--state", str(tmp_path / "state"), "--store", str(tmp_path / "store"), "--port", "0",
                 "--fleet", f"local:{tmp_path}", "--router", "shop=http://127.0.0.1:9"]  # fmt: skip
    log = tmp_path / "log"
    with log.open("wb") as told:
        process = subprocess.Popen(
            [*COMMAND, *arguments], stderr=told, env={**os.environ, "EVERGREEN_LOG": "json"}
        )
    deadline = time.monotonic() + 60

    def until(condition):
        while not (found := condition()):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        return found

    try:
        page = until(lambda: page_of(log))
        assert fetched(f"{page}/healthz") == "ok\n"
        until(lambda: "evergreen_rollout_controller_leads 1.0" in fetched(f"{page}/metrics"))
        assert lease_in(tmp_path / "state")["pid"] == process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert process.returncode == 0, log.read_text()
    assert lease_in(tmp_path / "state") == {}  # given up


@pytest.mark.parametrize(
    "arguments,told",
    [
        (["--fleet", "swarm:x"], "names no fleet"),
        (["--fleet", "local:x", "--router", "shop"], "names no router"),
        (["--fleet", "local:x", "--state", "ftp://x"], "unknown scheme"),
    ],
)
def test_what_it_refuses(tmp_path, capsys, arguments, told):
    assert main(["--store", str(tmp_path), *arguments]) == 2
    assert told in capsys.readouterr().err


def test_the_lease_lies_beside_the_records(tmp_path):
    assert isinstance(lease_for(LocalStates(tmp_path), "me", 5), FileLease)
    bucket = ObjectStates.__new__(ObjectStates)
    bucket._store = type("S", (), {"uri": "s3://bucket/x"})()
    assert lease_for(bucket, "me", 5) is None
    with pytest.raises(InputError):
        open_fleet("local")
    assert callable(assembled)


def test_routers_behind_a_name():
    assert resolved("dns://localhost:8091")[0].endswith(":8091")
    find = routers_of({"shop": ("http://a:1", "dns://localhost:2", "dns://no.such.invalid:3")})
    deadline = time.monotonic() + 20
    while len(find("shop")) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "http://127.0.0.1:2" in find("shop") or "http://[::1]:2" in find("shop")
    assert find("shop")["http://a:1"] is find("shop")["http://a:1"] and find("other") == {}


def test_a_version_of_another_evergreen_says_which_setting_it_is(tmp_path):
    world = World(tmp_path)
    number = world.push("odd", {"serving": {"log": {"colour": "red"}}, "rollout": {}})
    with pytest.raises(InputError, match=r"shop@4: was pushed with .*log\.colour.*--project"):
        settings_like(None, world.registry.version("shop", number))


def test_a_registry_that_cannot_be_reached_is_no_refusal(tmp_path):
    world = World(tmp_path)
    settings, serving = settings_like(None, world.registry.version("shop", 2))
    record = opened(Opening("shop", 2, 1, 0, "ada", ""), settings, serving, 0.0, None)

    class Away:
        uri = "s3://away"

        def aliases(self, name):
            raise StorageError("s3://away", "cannot be reached")

    with pytest.raises(StorageError):
        move_alias(Away(), record, "forward")
    world.registry.move("shop", "baseline", 3, why="somebody else")
    assert "stands at version 3" in move_alias(world.registry, record, "forward")
    assert move_alias(world.registry, record, "back") == ""  # not ours to move
    assert world.registry.aliases("shop")["baseline"] == 3
