"""`python -m evergreen.serving.predictions.process`: the process that writes a model server's prediction log.

A server starts it, with one line of JSON at its standard input, and two descriptors: the queue and the
catalog. Each further byte at the input means that there is much to do. The input's end is the server's,
however that came about: what is in the queue is written and shipped, and the process ends.
"""

import contextlib
import math
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from evergreen import log
from evergreen.errors import EvergreenError
from evergreen.serving.predictions.config import WriterOrder
from evergreen.serving.predictions.ring import Ring
from evergreen.serving.predictions.wire import Catalog
from evergreen.serving.predictions.writer import Writer
from evergreen.storage import open_store

_log = log.get(__name__)
_SHORTEST = 0.01  # seconds between two turns
_LATE, _HURRY = 1.0, 60.0  # seconds of a turn on a busy core, and for how long none waits for it then
_PATIENCE = 10.0  # seconds to end, for a server that could not say how many


def _step_back() -> None:
    """Let this thread run only where nobody else wants the core: requests must not wait for their log."""
    if hasattr(os, "SCHED_IDLE"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def write_log(
    writer: Writer, ring: Ring, flush: float, inlet: int, step_back: Callable[[], None] = _step_back
) -> None:
    """Write what a server puts into the queue, until its end of the pipe is closed.

    Most of it is done by a thread that stepped back; where that takes long or much waits, by this one.

    Args:
        writer: Does it.
        ring: The queue.
        flush: Seconds between two turns.
        inlet: A descriptor to read from: a byte asks for a turn, the end for the last one.
        step_back: Called by the thread that shall not be in the way.
    """
    hurried = -math.inf
    with ThreadPoolExecutor(1, "idle", step_back) as idle:
        while not _ended(inlet, max(_SHORTEST, flush)):
            now = time.monotonic()
            if writer.pressed or now < hurried:
                writer.turn(now)
                continue
            idle.submit(writer.turn, now).result()
            if time.monotonic() - now > _LATE:
                hurried = now + _HURRY
    writer.finish(time.monotonic(), ring.patience or _PATIENCE)


def _ended(inlet: int, seconds: float) -> bool:
    """Whether the pipe's other end is closed; asked at the latest after so many seconds."""
    ready, _, _ = select.select([inlet], [], [], seconds)
    return bool(ready) and not os.read(inlet, 4096)


def main() -> int:
    """Write a log until its server ends; returns the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT):  # told to the whole group; the server says when it ends
        signal.signal(number, signal.SIG_IGN)
    log.configure()
    line = _line(sys.stdin.fileno())
    if not line:  # the server ended before it could say anything
        return 0
    order = WriterOrder.model_validate_json(line)
    ring, catalog = Ring(order.ring), Catalog(order.catalog)
    try:
        writer = Writer(order.config, open_store(order.config.store), ring, catalog)
    except EvergreenError as error:
        _log.error("prediction log: the writer cannot start", extra={"error": str(error)})
        return error.exit_code
    write_log(writer, ring, order.config.settings.flush.total_seconds(), sys.stdin.fileno())
    return 0


def _line(inlet: int) -> bytes:
    """The first line, and no byte of what follows."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(inlet, 1)):
        line += byte
    return line


if __name__ == "__main__":
    raise SystemExit(main())
