"""Server processes for tests: free ports, a process that is ready, and one that answers."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evergreen.serving.ports import free_ports


def free_port() -> int:
    """One that nobody listens on."""
    return free_ports(1)[0]


@contextmanager
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
    except (urllib.error.URLError, OSError):
        return False
