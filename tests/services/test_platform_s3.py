"""The embedded platform's S3 part, with the real server."""

import io
import os
import signal
import socket
import stat
from pathlib import Path

import platform_world as world
import psutil
import pytest
from minio import Minio
from server_processes import gone, until

from evergreen.errors import InputError
from evergreen.local import platform, s3
from evergreen.local.state import Folder

pytestmark = pytest.mark.service


@pytest.fixture
def home(tmp_path):
    yield tmp_path
    platform.down(tmp_path)


def client(home: Path) -> Minio:
    """One that has more patience than the platform's own."""
    variables = platform.environment(home)
    return Minio(
        variables["AWS_ENDPOINT_URL"].removeprefix("http://"),
        variables["AWS_ACCESS_KEY_ID"],
        variables["AWS_SECRET_ACCESS_KEY"],
        secure=False,
        region=s3.REGION,
    )


def listening(pid: int) -> set[tuple[str, int]]:
    return {tuple(c.laddr) for c in psutil.Process(pid).net_connections("tcp") if c.status == "LISTEN"}


def test_up_serves_s3_on_its_own_ports_only_and_down_leaves_nothing(home):
    (part,) = platform.up(home, s3_port=0)
    world.until_up(home, "s3")
    assert 0 < part.memory < 1024**3

    port = int(part.url.rsplit(":", 1)[1])
    expected = {("127.0.0.1", port + i) for i in range(10)}
    until(lambda: len(listening(part.pid)) >= len(expected))
    assert listening(part.pid) == expected

    client(home).put_object("evergreen", "a/b", io.BytesIO(b"kept"), 4)
    assert platform.store_uri(home) == "s3://evergreen"
    assert platform.down(home) == ("s3",)

    assert gone(part.pid)
    assert platform.status(home) == ()
    assert platform.environment(home) == {}
    left = {p.name for p in (home / "platform").iterdir()}
    assert left == {"credentials.json", "data", "logs"}
    assert not [
        p for p in Path("/tmp").glob("seaweedfs-*.sock") if any(str(port + i) in p.name for i in range(10))
    ]
    assert platform.down(home) == ()

    # The data is still there, also behind other ports.
    platform.up(home, s3_port=0)
    assert client(home).get_object("evergreen", "a/b").read() == b"kept"
    platform.down(home, delete_data=True)
    assert not (home / "platform").exists()


def test_up_twice_changes_nothing_and_other_ports_are_refused(home):
    first = platform.up(home, s3_port=0)
    second = platform.up(home)
    assert [p.pid for p in first] == [p.pid for p in second]
    with pytest.raises(InputError, match="already up on"):
        platform.up(home, s3_port=9)


def test_two_platforms_run_side_by_side(tmp_path):
    homes = [tmp_path / "a", tmp_path / "b"]
    try:
        pids = [platform.up(home, s3_port=0)[0].pid for home in homes]
        assert not listening(pids[0]) & listening(pids[1])
        client(homes[0]).put_object("evergreen", "mine", io.BytesIO(b"1"), 1)
        assert [o.object_name for o in client(homes[1]).list_objects("evergreen", recursive=True)] == []
    finally:
        for home in homes:
            platform.down(home)


def test_a_killed_part_is_down_and_up_repairs_it(home):
    (part,) = platform.up(home, s3_port=0)
    client(home).put_object("evergreen", "x", io.BytesIO(b"1"), 1)
    os.kill(part.pid, signal.SIGKILL)
    world.until_states(home, {"s3": "down"})
    (again,) = platform.up(home)
    assert again.url == part.url and again.pid != part.pid
    world.until_up(home, "s3")
    assert client(home).get_object("evergreen", "x").read() == b"1"


def test_a_part_that_hangs_is_unwell(home):
    (part,) = platform.up(home, s3_port=0)
    os.kill(part.pid, signal.SIGSTOP)
    world.until_states(home, {"s3": "unwell"})
    os.kill(part.pid, signal.SIGCONT)
    world.until_up(home, "s3")


@pytest.mark.parametrize("inner", [0, 3, 9])
def test_a_taken_port_is_refused_by_name_and_nothing_is_started(home, inner):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # A block below the system's own range, where no other test's connection sits by chance.
        port = platform._free_block(home, "127.0.0.1", len(s3.PORTS)) + inner
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(InputError, match=rf"port {port} .*taken by process {os.getpid()} .*--s3-port"):
            platform.up(home, s3_port=port - inner)
    assert platform.status(home) == ()
    assert not (home / "platform" / "data").exists()


def test_a_start_that_fails_is_undone(home, monkeypatch):
    monkeypatch.setattr(
        s3.Server, "command", property(lambda self: ["/bin/sh", "-c", "echo the reason; exit 7"])
    )
    with pytest.raises(Exception, match=r"exit code 7(.|\n)*the reason"):
        platform.up(home, s3_port=0)
    assert platform.status(home) == ()
    assert not (home / "platform" / "state.json").exists()


def test_a_start_that_never_gets_ready_is_undone(home, monkeypatch):
    monkeypatch.setattr(s3.Server, "command", property(lambda self: ["/bin/sleep", "1000"]))
    started = []
    write = Folder.write
    monkeypatch.setattr(Folder, "write", lambda self, state: (started.append(state), write(self, state))[1])
    with pytest.raises(Exception, match=r"not ready after 0\.5 seconds"):
        platform.up(home, s3_port=0, deadline=0.5)
    assert gone(started[0].parts["s3"].pid)
    assert platform.status(home) == ()


def test_a_pid_that_someone_else_has_now_is_not_killed(home):
    import json

    (part,) = platform.up(home, s3_port=0)
    file = home / "platform" / "state.json"
    state = json.loads(file.read_text())
    bystander = psutil.Popen(["/bin/sleep", "1000"])
    try:
        state["parts"]["s3"]["pid"] = bystander.pid
        file.write_text(json.dumps(state))
        assert world.states(home) == {"s3": "down"}
        assert platform.down(home) == ()
        assert bystander.is_running() and bystander.status() != psutil.STATUS_ZOMBIE
    finally:
        bystander.kill()
        bystander.wait()
        psutil.Process(part.pid).terminate()
        psutil.wait_procs([psutil.Process(part.pid)] if psutil.pid_exists(part.pid) else [], timeout=15)


def test_secrets_stand_in_no_argument_and_no_log(home):
    (part,) = platform.up(home, s3_port=0)
    file = home / "platform" / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = platform.environment(home)["AWS_SECRET_ACCESS_KEY"]
    assert secret not in " ".join(psutil.Process(part.pid).cmdline())
    for path, content in world.contents(home / "platform"):
        assert path == file or secret.encode() not in content, path


def test_a_damaged_state_file_is_named(home):
    (home / "platform").mkdir()
    (home / "platform" / "state.json").write_text('{"host": 1}')
    with pytest.raises(InputError, match=r"state\.json: is damaged"):
        platform.status(home)
    (home / "platform" / "state.json").unlink()
