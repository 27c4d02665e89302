"""The embedded platform with a model: registry on its S3 server, model server, both as real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import platform_world as world
import pytest
from server_processes import gone, until

from evergreen.errors import InputError, NotFoundError
from evergreen.local import platform
from evergreen.storage import open_store

pytestmark = pytest.mark.service

UP = """
import sys
import threading
from pathlib import Path
from evergreen.local import platform, s3
print(platform.up(Path(sys.argv[1]), s3_port=0)[0].pid)
"""
# A test run in the background may have been started with SIGINT ignored, which children inherit.
INTERRUPTIBLE = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
HANGING_UP = INTERRUPTIBLE + UP.replace("print", "s3.takes_writes = lambda *_: False\nprint")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    root = tmp_path_factory.mktemp("bundles")
    return {kind: world.make_bundle(root / kind, kind) for kind in ("binary", "multiclass")}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A running platform without a model."""
    platform.up(tmp_path, s3_port=0)
    for name, value in platform.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    yield tmp_path
    platform.down(tmp_path)


def served(part: platform.Part) -> dict:
    return world.ask(part.url.removeprefix("http://"))[1]


def hanging_up(home: Path) -> tuple[subprocess.Popen, Path]:
    """An `up` in a process of its own that waits for ever, and the state file that it has written."""
    process = subprocess.Popen([sys.executable, "-c", HANGING_UP, str(home)], stderr=subprocess.PIPE)
    file = home / "platform" / "state.json"
    until(file.exists)
    return process, file


def refused(part: platform.Part) -> bool:
    """Whether nobody listens where a part did."""
    try:
        socket.create_connection(("127.0.0.1", int(part.url.rsplit(":", 1)[1]))).close()
    except ConnectionRefusedError:
        return True
    return False


def test_the_baseline_is_served_and_down_stops_it_all(home, bundles):
    world.push(home, bundles["binary"])
    s3, server = platform.up(home, model="demo@baseline", model_port=0)
    assert [p.name for p in (s3, server)] == ["s3", "model server"]
    world.until_up(home, "s3", "model server")
    assert served(server)["model_version"] == "1"
    assert served(server)["predictions"][0]["prediction"] in ("no", "yes")
    assert 0 < server.memory < 300 * 2**20
    assert "listening" in server.log.read_text()
    assert set(platform.down(home)) == {"s3", "model server"}
    for part in (s3, server):
        assert gone(part.pid)
        until(lambda part=part: refused(part))  # its threads may end after it


def test_up_again_keeps_the_server_until_the_alias_moves(home, bundles):
    world.push(home, bundles["binary"])
    first = platform.up(home, model="demo@baseline", model_port=0)
    again = platform.up(home)
    assert [p.pid for p in first] == [p.pid for p in again]
    world.push(home, bundles["multiclass"])
    s3, server = platform.up(home, model="demo@baseline")
    assert s3.pid == first[0].pid and server.pid != first[1].pid and server.url == first[1].url
    assert served(server)["model_version"] == "2"
    assert platform.up(home, model="demo@previous")[1].detail.startswith("demo@previous")
    assert served(server)["model_version"] == "1"


def test_up_again_keeps_a_server_that_answers_late(home, bundles):
    world.push(home, bundles["binary"])
    server = platform.up(home, model="demo@baseline", model_port=0)[1]
    os.kill(server.pid, signal.SIGSTOP)
    threading.Timer(3.0, os.kill, (server.pid, signal.SIGCONT)).start()
    assert platform.up(home)[1].pid == server.pid


def test_a_killed_model_server_is_down_and_up_repairs_it(home, bundles):
    world.push(home, bundles["binary"])
    server = platform.up(home, model="demo@1", model_port=0)[1]
    os.kill(server.pid, signal.SIGKILL)
    world.until_states(home, {"s3": "up", "model server": "down"})
    again = platform.up(home)[1]
    assert again.url == server.url
    world.until_up(home, "s3", "model server")
    assert served(again)["model_version"] == "1"


def test_a_model_that_is_not_there_changes_nothing(home):
    before = platform.status(home)
    with pytest.raises(NotFoundError, match="demo"):
        platform.up(home, model="demo@baseline", model_port=0)
    assert [(p.name, p.pid) for p in platform.status(home)] == [("s3", before[0].pid)]
    world.until_up(home, "s3")


def test_up_with_a_model_that_is_not_there_starts_nothing(tmp_path):
    with pytest.raises(InputError):
        platform.up(tmp_path, s3_port=0, model="demo@baseline", model_port=0)
    assert platform.status(tmp_path) == ()
    assert not (tmp_path / "platform" / "state.json").exists()


def test_a_tampered_bundle_is_not_served_and_the_reason_is_told(home, bundles):
    version = world.push(home, bundles["binary"])
    store = open_store(platform.store_uri(home))
    key = f"models/demo/versions/{version:06d}/bundle/model.onnx"
    content = bytearray(store.read(key))
    content[50] ^= 1
    store.write(key, bytes(content))
    with pytest.raises(
        InputError, match=r"model server: ended at its start with exit code 2(.|\n)*model\.onnx"
    ):
        platform.up(home, model="demo@baseline", model_port=0)
    assert [p.name for p in platform.status(home)] == ["s3"]


def test_a_taken_model_port_is_refused_and_s3_stays(home, bundles):
    world.push(home, bundles["binary"])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"port {port} for the model server: is taken .*--model-port"):
            platform.up(home, model="demo@baseline", model_port=port)
    world.until_up(home, "s3")


def test_the_parts_outlive_the_command_that_started_them(tmp_path):
    subprocess.run([sys.executable, "-c", UP, str(tmp_path)], check=True, timeout=120)
    try:
        (part,) = platform.status(tmp_path)
        assert os.getsid(part.pid) == part.pid
        world.until_up(tmp_path, "s3")
    finally:
        assert platform.down(tmp_path) == ("s3",)


def test_an_interrupted_up_leaves_nothing(tmp_path):
    process, file = hanging_up(tmp_path)
    pid = json.loads(file.read_text())["parts"]["s3"]["pid"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert gone(pid) and not file.exists()


def test_an_up_that_was_killed_can_be_taken_down(tmp_path):
    process, _ = hanging_up(tmp_path)
    process.kill()
    process.communicate(timeout=60)
    (part,) = platform.status(tmp_path)
    assert platform.down(tmp_path) == ("s3",)
    assert gone(part.pid)


def test_ups_at_the_same_time_make_one_platform(tmp_path):
    started = [
        subprocess.Popen([sys.executable, "-c", UP, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    pids = {process.communicate(timeout=120)[0].strip() for process in started}
    try:
        assert len(pids) == 1 and pids == {str(platform.status(tmp_path)[0].pid)}
    finally:
        platform.down(tmp_path)
