"""Child processes that outlive the command that started them, and that are known again later.

A process is known by its pid together with the moment it started, so that a pid which the system gave to
someone else is never taken for ours, and never killed.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_POLL_SECONDS = 0.05
_KEEP_LOG_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Process:
    """A started process: its pid and `born`, the system's own mark of when it started.

    `child` is there only in the program that started it.
    """

    pid: int
    born: str
    child: subprocess.Popen[bytes] | None = field(default=None, compare=False, repr=False)

    def alive(self) -> bool:
        """Whether this very process still runs (not a zombie, nor another one with its pid)."""
        return bool(self.born) and birth(self.pid) == self.born

    def exit_code(self) -> int | None:
        """What a child ended with; None while it runs, and for a process that is not our child."""
        return self.child.poll() if self.child else None

    def resident_bytes(self) -> int:
        """Resident memory in bytes; 0 when it cannot be seen."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except OSError:
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def ask_to_end(self) -> None:
        """SIGTERM to the process and its group, without waiting. No error if it is gone."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGTERM)

    def stop(self, patience: float = 15.0) -> None:
        """End the process and its group: SIGTERM, `patience` seconds, SIGKILL. No error if it is gone."""
        for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
            if not self.alive():
                break
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)
            deadline = time.monotonic() + seconds
            while self.alive() and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)


def birth(pid: int) -> str:
    """The mark of when the process with this pid started; empty when there is none or it is a zombie."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _birth_by_ps(pid)
    return "" if state in "ZX" else f"{_boot()}/{fields[18]}"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _birth_by_ps(pid: int) -> str:
    """The same for systems without /proc."""
    ps = shutil.which("ps")
    if ps is None:
        return ""
    command = [ps, "-o", "state=,lstart=", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    state, _, started = done.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else started.strip()


def start(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Process:
    """Start a process in a session of its own, with its output appended to `log`.

    Args:
        command: Program and arguments; never a secret, every user of the machine can read them.
        environment: The whole environment of the process; secrets go here.
        log: The log file; a long one is first set aside as `<name>.1`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _KEEP_LOG_BYTES:
        log.replace(log.with_name(log.name + ".1"))
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
            list(command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=dict(environment), start_new_session=True, cwd=log.parent,
        )  # fmt: skip
    return Process(child.pid, birth(child.pid), child)


def tail(log: Path, lines: int = 12, start: int = 0) -> str:
    """The last lines of a log file from byte `start` on, indented; empty when there is none."""
    try:
        with log.open("rb") as handle:
            end = handle.seek(0, os.SEEK_END)
            handle.seek(max(start, end - 16_384))
            text = handle.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "".join(f"\n  {line}" for line in text.splitlines()[-lines:])
