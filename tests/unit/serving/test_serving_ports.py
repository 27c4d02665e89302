import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from server_processes import free_port

from evergreen.errors import InputError
from evergreen.serving.ports import free_ports, holder, is_free, require_free


@pytest.mark.parametrize("option", [None, socket.SO_REUSEPORT])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_someone_listens_on_is_not_free_and_the_holder_is_named(option, host):
    with socket.socket() as taken:
        if option:
            taken.setsockopt(socket.SOL_SOCKET, option, 1)
        port = free_port()
        taken.bind((host, port))
        taken.listen()
        assert not is_free("127.0.0.1", port)
        assert holder(port).startswith(f"process {os.getpid()} (")
        with pytest.raises(
            InputError, match=rf"port {port} for x: is taken by process {os.getpid()} .*Try y\."
        ):
            require_free("127.0.0.1", port, "x", "Try y.")
    require_free("127.0.0.1", port, "x", "")
    assert holder(port) == ""


def test_a_process_that_ends_while_the_holder_is_looked_for_is_passed_over(monkeypatch):
    with subprocess.Popen(["true"]) as gone:
        pass
    listed = Path.glob
    monkeypatch.setattr(Path, "glob", lambda *given: [Path(f"/proc/{gone.pid}"), *listed(*given)])
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert holder(port).startswith(f"process {os.getpid()} (")


def test_a_port_just_left_by_its_server_is_free():
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as server:
        link = socket.create_connection(("127.0.0.1", port))
        other, _ = server.accept()
        other.close()
    link.close()
    assert is_free("127.0.0.1", port)


def test_a_port_that_is_given_back_soon_is_waited_for():
    port = free_port()
    taken = socket.create_server(("127.0.0.1", port))
    with pytest.raises(InputError, match="is taken"):
        require_free("127.0.0.1", port, "x", "", patience=0.05)
    threading.Timer(0.2, taken.close).start()
    require_free("127.0.0.1", port, "x", "", patience=60)


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_a_number_that_is_no_port_is_refused(port):
    with pytest.raises(InputError, match=rf"port {port} for x: is not a port"):
        require_free("127.0.0.1", port, "x", "")


@pytest.mark.parametrize("host", ["no such host", "203.0.113.7"])
def test_an_address_that_is_not_ours_is_refused(host):
    with pytest.raises(InputError, match="is not an address"):
        require_free(host, 40_000, "x", "")


def test_free_ports_are_free_and_differ():
    found = free_ports(5)
    assert len(set(found)) == 5 and all(is_free("127.0.0.1", port) for port in found)
