"""What every component does around its work: logs, time, errors with their exit code, a task record.

On a laptop `evergreen run` sets EVERGREEN_RUN_DIR, and each task leaves `tasks/<task>.json` there: that is
how the command line follows a run. In a pod the variable is not set and the log lines are all there is.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any, Protocol

from evergreen import log
from evergreen.errors import EvergreenError, GateStopped
from evergreen.files import storage_error, write_text

_log = log.get("evergreen.task")


class Described(Protocol):
    """An artifact of KFP, by what is used of it here."""

    metadata: dict[str, Any]


def _task_folder(argv: list[str]) -> Path | None:
    """The folder KFP gives this task's outputs, from the executor input on the command line."""
    try:
        executor_input = json.loads(argv[argv.index("--executor_input") + 1])
        return Path(executor_input["outputs"]["outputFile"]).parent
    except (ValueError, IndexError, KeyError):
        return None


def _record(name: str, record: dict[str, Any]) -> None:
    run = os.environ.get("EVERGREEN_RUN_DIR")
    if run:
        folder = _task_folder(sys.argv)
        stem = folder.name if folder else name
        full = {
            "name": name,
            "task": stem,
            "folder": str(folder) if folder else "",
            "pid": os.getpid(),
            **record,
        }
        write_text(Path(run) / "tasks" / f"{stem}.json", json.dumps(full, default=str))


def _state(error: BaseException) -> str:
    return "stopped" if isinstance(error, GateStopped) else "failed"


def describe(artifact: Described, **values: str | float | bool | None) -> None:
    """Give an output artifact its metadata, which the dashboard shows.

    A value that is missing or not finite is left out: KFP's launcher takes no null, JSON has no NaN.

    Args:
        artifact: The output.
        values: By name.
    """
    artifact.metadata.update(
        {k: v for k, v in values.items() if v is not None and not (isinstance(v, float) and not isfinite(v))}
    )


@contextmanager
def task(name: str, **fields: Any) -> Iterator[None]:
    """Run a component's work; an `EvergreenError` ends the process with its exit code and its message last.

    Args:
        name: The component's name.
        fields: Parameters worth a log line; no secrets, no rows.

    Raises:
        SystemExit: with code 1, 2 or 3 for an `EvergreenError` or an explained `OSError`.
    """
    log.configure()
    begun = time.time()
    _record(name, {"state": "running", "started": begun})
    _log.info("task started", extra={"task": name, **fields})
    try:
        yield
    except BaseException as caught:
        error: BaseException = caught
        if isinstance(caught, OSError):
            error = storage_error(caught, name) or caught
        seconds = round(time.time() - begun, 3)
        known = isinstance(error, EvergreenError)
        code = error.exit_code if isinstance(error, EvergreenError) else 3
        detail = {"type": type(error).__name__, "message": str(error), "exit_code": code}
        if not known:
            detail["traceback"] = "".join(traceback.format_exception(error))[-8000:]
        _record(name, {"state": _state(error), "started": begun, "seconds": seconds, "error": detail})
        if not known:
            raise
        _log.error("task ended", extra={"task": name, "seconds": seconds, "error": detail["type"]})
        sys.stdout.flush()
        print(str(error), file=sys.stderr, flush=True)
        raise SystemExit(code) from None
    seconds = round(time.time() - begun, 3)
    _record(name, {"state": "succeeded", "started": begun, "seconds": seconds})
    _log.info("task succeeded", extra={"task": name, "seconds": seconds})
