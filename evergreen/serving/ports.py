"""TCP ports: is one free, and if not, who holds it.

A port is asked for by binding it without SO_REUSEPORT. Servers that set that option (granian does) would
otherwise share a taken port in silence, and each would get a part of the connections.
"""

import errno
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from evergreen.errors import InputError

_LISTEN, _LOOPBACK, _POLL_SECONDS = "0A", "127.0.0.1", 0.02


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on `host`:`port` now.

    Raises:
        InputError: when the address is not one of this machine's, or the port needs more rights.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except socket.gaierror:
            raise InputError(f"host {host}", "is not an address", "an IP address such as 127.0.0.1") from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            forbidden = error.errno == errno.EACCES
            reason = "needs more rights" if forbidden else "is not an address of this machine"
            raise InputError(f"{host}:{port}", reason, remedy="Name another address or port.") from None
    return True


def is_freed(host: str, port: int, patience: float) -> bool:
    """Whether a port is free, or is so soon: threads of a killed process keep it for a moment.

    Args:
        host: The address to listen on.
        port: 1 to 65535.
        patience: Seconds to wait for it at most.

    Raises:
        InputError: as `is_free` does.
    """
    deadline = time.monotonic() + patience
    while not is_free(host, port):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def free_ports(count: int) -> list[int]:
    """Ports of this machine's own address that nobody listens on, each another one.

    Args:
        count: How many.
    """
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((_LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def holder(port: int) -> str:
    """Who listens on a TCP port, as `process 123 (python)`; empty when it cannot be seen (Linux only)."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        with suppress(OSError):  # it ended meanwhile, or is someone else's
            if any(_link(handle) in inodes for handle in (process / "fd").iterdir()):
                return f"process {process.name} ({(process / 'comm').read_text().strip()})"
    return ""


def _link(path: Path) -> str:
    """Where a link goes; empty when it is gone."""
    try:
        return str(path.readlink())
    except OSError:
        return ""


def require_free(host: str, port: int, purpose: str, remedy: str, patience: float = 0.0) -> None:
    """Refuse a port that something listens on.

    Args:
        host: The address to listen on.
        port: 1 to 65535.
        purpose: What the port is for, such as `the model server`.
        remedy: What to do about a taken port, as a full sentence.
        patience: Seconds that whoever has it may take to give it back.

    Raises:
        InputError: naming the port, who holds it, and the remedy.
    """
    if not 0 < port < 65536:
        raise InputError(f"port {port} for {purpose}", "is not a port", "a number from 1 to 65535")
    if not is_freed(host, port, patience):
        taken = holder(port)
        raise InputError(
            f"port {port} for {purpose}", f"is taken{f' by {taken}' if taken else ''}", "a free port", remedy
        )
