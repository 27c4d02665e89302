"""Server processes for tests: free ports, a process that is ready, one that answers, and one that ended."""

import contextlib
import functools
import http.client
import itertools
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

T = TypeVar("T")

_BLOCK = 400
_BLOCKS = range(10_400, 20_000, _BLOCK)  # below what the system gives away, and what the platform looks for


class _Ports:
    """Ports that stay ours until a server listens on them: other test processes take theirs elsewhere.

    A process has a block of ports as long as it holds the first of them.
    """

    def __init__(self) -> None:
        self._held = socket.socket()
        for first in _BLOCKS:
            with contextlib.suppress(OSError):
                self._held.bind(("127.0.0.1", first))
                self._turns = itertools.cycle(range(first + 1, first + _BLOCK))
                return
        raise RuntimeError(f"no free block of ports from {_BLOCKS.start} to {_BLOCKS.stop}")

    def next(self) -> int:
        """One that nobody has, nor had a moment ago; all others come before it is given again."""
        for port in itertools.islice(self._turns, _BLOCK):
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("", port))
                return port
        raise RuntimeError(f"none of {_BLOCK} ports is free")


_ports = functools.cache(_Ports)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, each another one."""
    return [_ports().next() for _ in range(count)]


def free_port() -> int:
    """One that nobody listens on."""
    return free_ports(1)[0]


@contextlib.contextmanager
def running(
    command: list[str],
    folder: Path,
    ready: Callable[[], bool],
    variables: dict[str, str] | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[None]:
    """Run a server until the block ends; enter it when `ready` says so."""
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **(variables or {})}, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + 60
        while not ready():
            try:
                process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                assert time.monotonic() < deadline, f"{command[0]} is not ready: {log.read_text()[-2000:]}"
            else:
                pytest.fail(f"{command[0]} ended: {log.read_text()[-2000:]}")
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return response.status == 200
    except (OSError, http.client.HTTPException):
        return False


def until(condition: Callable[[], T], seconds: float = 60.0, every: float = 0.02) -> T:
    """The first true value of a condition."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(every)
    return value


def gone(pid: int) -> bool:
    """Whether the process ended; one whose parent does not ask for its exit code stays as a zombie."""
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return True
