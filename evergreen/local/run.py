"""Run a pipeline on this machine, follow its tasks, and keep what came of it in `run.json`.

The pipelines floor runs in a process group of its own (`python -m pipelines run …`); its tasks leave records
in `DIR/tasks` (`evergreen.runtime`), which is all that this module needs to know of KFP.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evergreen import log
from evergreen.errors import InputError, StorageError
from evergreen.files import explained, write_text
from evergreen.local.results import collect

_log = log.get(__name__)
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Progress:
    """Where a run stands: the planned tasks in order, and each started task's record."""

    plan: tuple[str, ...]
    records: Mapping[str, Mapping[str, Any]]
    seconds: float


def read_records(root: Path) -> dict[str, dict[str, Any]]:
    """The task records of a run, by task name; a record that is being replaced is left for the next look."""
    records = {}
    for path in sorted((root / "tasks").glob("*.json")):
        with contextlib.suppress(OSError, ValueError):
            records[path.stem] = json.loads(path.read_text())
    return dict(sorted(records.items(), key=lambda item: item[1].get("started", 0)))


def _read_plan(root: Path) -> tuple[str, ...]:
    try:
        return tuple(json.loads((root / "plan.json").read_text()))
    except (OSError, ValueError):
        return ()


def _prepare(root: Path, arguments: Mapping[str, Any]) -> Path:
    for stale in ("tasks", "artifacts"):
        shutil.rmtree(root / stale, ignore_errors=True)
    for stale in ("plan.json", "run.json", "report.html"):
        (root / stale).unlink(missing_ok=True)
    (root / "tasks").mkdir(parents=True)
    path = root / "arguments.json"
    write_text(path, json.dumps(arguments, indent=1))
    return path


def _stop(process: subprocess.Popen[bytes]) -> None:
    for name in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, name)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue
        return


def run_pipeline(
    name: str,
    arguments: Mapping[str, Any],
    root: Path,
    *,
    environment: Mapping[str, str] | None = None,
    watch: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Run a pipeline to its end and return what `root`/run.json then holds.

    Args:
        name: The pipeline: a module of pipelines/.
        arguments: The pipeline's parameters.
        root: The run's folder; what an earlier run left there is replaced.
        environment: Added to this process's environment for the tasks (credentials, endpoint).
        watch: Called about ten times a second with the run's progress.

    Returns:
        The run record: pipeline, state ("succeeded", "stopped" by a gate, "failed"), seconds, tasks,
        decisions, metrics, model, artifacts, error.

    Raises:
        StorageError: when `root` cannot be written.
        InputError: when another run is using `root`.
    """
    root = root.resolve()
    with explained(root), _locked(root), _scratch() as scratch:
        argument_file = _prepare(root, arguments)
        command = [sys.executable, "-m", "pipelines", "run", name]
        command += ["--arguments", str(argument_file), "--root", str(root)]
        variables = {
            **os.environ,
            **(environment or {}),
            "EVERGREEN_RUN_DIR": str(root),
            "TMPDIR": scratch,
            "PYTHONSAFEPATH": "1",
        }
        begun = time.time()
        with (root / "run.log").open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env=variables, start_new_session=True,
            )  # fmt: skip
            try:
                while process.poll() is None:
                    watch(Progress(_read_plan(root), read_records(root), time.time() - begun))
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(POLL_SECONDS)
            except BaseException:
                _stop(process)
                raise
        records = read_records(root)
        watch(Progress(_read_plan(root), records, time.time() - begun))
        result = collect(name, root, records, process.returncode, time.time() - begun)
        write_text(root / "run.json", json.dumps(result, indent=1, default=str) + "\n")
        return result


def _scratch() -> tempfile.TemporaryDirectory[str]:
    """The tasks' own TMPDIR: kfp.local leaves a folder there for each, and a killed task what it wrote."""
    return tempfile.TemporaryDirectory(prefix="evergreen-run-", ignore_cleanup_errors=True)


@contextlib.contextmanager
def _locked(root: Path) -> Any:
    import fcntl

    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remedy = "Name a folder that can be written to with --root."
        raise StorageError(str(root), f"cannot be made: {error.strerror}", remedy=remedy) from error
    with (root / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                str(root), "another run is using this folder", remedy="Name another folder with --root."
            ) from None
        yield


def exit_code(result: Mapping[str, Any]) -> int:
    """0 for a run that succeeded, 1 for one that a gate stopped, else the failed task's own code."""
    if result["state"] == "succeeded":
        return 0
    return int((result.get("error") or {}).get("exit_code", 3))
