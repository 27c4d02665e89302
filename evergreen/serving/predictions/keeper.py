"""Keeps the writer's process alive as long as its server lives."""

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress

from evergreen import log
from evergreen.serving.predictions.config import WriterOrder

_log = log.get(__name__)
_COMMAND = (sys.executable, "-m", "evergreen.serving.predictions.process")
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 30.0
_LASTED = 60.0
_GRACE = 2.0


class Keeper:
    """Starts the writer's process, and again whenever it ends before its time.

    Args:
        order: What it is told, as one line at its standard input: secrets stand in no command line.
    """

    def __init__(self, order: WriterOrder) -> None:
        self._line = order.model_dump_json().encode() + b"\n"
        self._descriptors = order.ring, order.catalog
        self._lock, self._ending = threading.Lock(), threading.Event()
        self._process = self._start()
        threading.Thread(target=self._keep, name="prediction-log-keeper", daemon=True).start()

    @property
    def pid(self) -> int:
        """Of the last process."""
        return self._process.pid

    def wake(self) -> None:
        """Ask for a turn at once; never waits."""
        with self._lock, suppress(OSError, ValueError):  # it has just ended, or has enough to read already
            assert self._process.stdin is not None
            os.write(self._process.stdin.fileno(), b"!")

    def end(self, seconds: float) -> None:
        """Tell the process that its server ends, and wait for it; one that dies then is started once more.

        Args:
            seconds: How long it may take; after that it is killed.
        """
        self._ending.set()
        deadline = time.monotonic() + seconds + _GRACE
        with self._lock:
            if self._ended(deadline) != 0 and time.monotonic() < deadline:
                self._process = self._start()
                self._ended(deadline)

    def _ended(self, deadline: float) -> int:
        """Close the process's input and wait for it; its exit code."""
        process = self._process
        if process.stdin is not None:
            process.stdin.close()
        try:
            return process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _log.warning("prediction log: the writer did not end; what it wrote is in the spool")
            process.kill()
            return process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - our own program, by its full path
            _COMMAND, stdin=subprocess.PIPE, pass_fds=self._descriptors, bufsize=0
        )
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(self._line)
        os.set_blocking(process.stdin.fileno(), False)
        return process

    def _keep(self) -> None:
        wait = _FIRST_WAIT
        while True:
            begun = time.monotonic()
            code = self._process.wait()
            if self._ending.is_set():
                return
            wait = _FIRST_WAIT if time.monotonic() - begun > _LASTED else min(_LONGEST_WAIT, 2 * wait)
            _log.error(
                "prediction log: the writer ended, and is started again", extra={"code": code, "in": wait}
            )
            if self._ending.wait(wait):
                return
            with self._lock:
                if self._ending.is_set():
                    return
                if self._process.stdin is not None:
                    self._process.stdin.close()
                self._process = self._start()
