"""The servers of a run: all on one core, started together, and stopped while another one is measured."""

import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import psutil

from benchmarks.serving_contenders import Contender, environment
from benchmarks.serving_world import HERE

READY_SECONDS = 90
KTHREADD = 2  # the parent of all kernel threads
END_SECONDS = 10


@dataclass
class Running:
    """A started server and the processes that it consists of."""

    contender: Contender
    processes: list[psutil.Process]

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes."""
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    @contextmanager
    def awake(self) -> Iterator["Running"]:
        """Let it run for a while; outside of this it stands still and takes nothing from the others."""
        self.tell(signal.SIGCONT)
        try:
            yield self
        finally:
            self.tell(signal.SIGSTOP)

    def cpu_seconds(self) -> float:
        """CPU time of all its processes so far, user and system, to the nanosecond."""
        return cpu_seconds(self.processes)

    def resident(self) -> float:
        """Resident memory of all its processes in MiB; pages that they share count for each."""
        return sum(process.memory_info().rss for process in self.processes if process.is_running()) / 2**20


@contextmanager
def launched(
    command: Sequence[str],
    core: int,
    variables: Mapping[str, str] | None = None,
    folder: Path = HERE,
    said: IO[bytes] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process on one core that is ended, with all of its children, when the block is left."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        process = subprocess.Popen(
            command, stdout=said or subprocess.DEVNULL, stderr=subprocess.STDOUT, cwd=folder,
            env={**environment(), **(variables or {})}, start_new_session=True,
        )  # fmt: skip
    finally:
        os.sched_setaffinity(0, own)
    try:
        yield process
    finally:
        _end(process)


@contextmanager
def started(contender: Contender, core: int) -> Iterator[Running]:
    """Start a server on one core, wait until it is ready and answers right; it stands still until `awake`.

    Raises:
        RuntimeError: it ended, did not become ready, or answered something else than its model says.
    """
    with (
        tempfile.TemporaryFile() as said,
        launched(contender.command, core, contender.environment, contender.folder, said) as process,
    ):
        try:
            _wait_ready(process, contender)
            check_answers(contender)
        except (RuntimeError, OSError) as error:
            said.seek(0)
            last = said.read().decode(errors="replace").strip().splitlines()[-3:]
            raise RuntimeError(f"{error}: {' / '.join(last)}") from None
        running = Running(contender, family(process))
        running.tell(signal.SIGSTOP)
        yield running


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wake it and its children, ask it to end, then those whom it left behind; kill what does not."""
    members: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        members = family(process)
        for each in members:
            each.send_signal(signal.SIGCONT)
    for each in members:  # the parent first: it knows best how its children end
        with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            each.terminate()
            each.wait(END_SECONDS)
        with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            each.kill()
            each.wait(1)
    process.wait(END_SECONDS)


def _wait_ready(process: subprocess.Popen[bytes], contender: Contender) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{contender.name} ended with {process.returncode}")
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", contender.port, timeout=2)
            connection.request("GET", contender.ready)
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"{contender.name} was not ready after {READY_SECONDS} s")


def check_answers(contender: Contender, tolerance: float = 1e-5) -> None:
    """Ask for every probe row once and compare with what the model itself says.

    Raises:
        RuntimeError: another status or another probability.
    """
    with socket.create_connection(("127.0.0.1", contender.port), timeout=20) as opened:
        for request, expected in zip(contender.requests, contender.expected, strict=True):
            opened.sendall(request)
            response = http.client.HTTPResponse(opened)
            response.begin()
            body = response.read()
            if response.status != 200:
                raise RuntimeError(f"{contender.name} answered {response.status}: {body[:200]!r}")
            found = contender.probability(body)
            if not abs(found - expected) <= tolerance:
                raise RuntimeError(f"{contender.name} answered {found}, its model says {expected}")


def with_port(contender: Contender, port: int) -> Contender:
    """The same contender as asked through something that listens on another port."""
    return replace(contender, port=port)


def cores() -> tuple[int, int]:
    """The servers' core and the generator's.

    Raises:
        SystemExit: there is only one.
    """
    allowed: Sequence[int] = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise SystemExit("the benchmark needs two cores: one for the server, one for the load")
    return allowed[0], allowed[-1]


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """A process and all that it started."""
    root = psutil.Process(process.pid)
    return [root, *root.children(recursive=True)]


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """CPU time of processes so far, user and system, to the nanosecond."""
    # CPUCLOCK_SCHED of another process, as clock_getcpuclockid(3) makes it; /proc counts in 10 ms.
    return sum(time.clock_gettime(~p.pid << 3 | 2) for p in processes if p.is_running())


def busy_seconds(core: int) -> float:
    """Seconds that a core was not idle since the machine started, whoever used it."""
    line = next(x for x in Path("/proc/stat").read_text().splitlines() if x.startswith(f"cpu{core} "))
    ticks = [int(x) for x in line.split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def kernel_seconds() -> float:
    """CPU time of the kernel's own threads so far; 0 where it does not say."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == KTHREADD:
                total += int((folder / "schedstat").read_text().split()[0])
    return total / 1e9
