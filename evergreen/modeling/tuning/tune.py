"""The search over `model.tune.space`: independent sub-studies, side by side in processes of their own.

The result depends on the project and the data alone: not on the number of processes, tasks or cores. Only a
`timeout` can cut it short, and then the study says so.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from evergreen.errors import Fault, InputError
from evergreen.modeling.cores import available_cores
from evergreen.modeling.tuning.study import Study, merge, read_study
from evergreen.modeling.tuning.substudy import unpack
from evergreen.project import dump_project
from evergreen.project.model import Project
from evergreen.threads import thread_limits

_POLL_SECONDS = 0.1


def tune(
    project: Project,
    splits: Path,
    *,
    shard: int = 0,
    shards: int = 1,
    processes: int | None = None,
    selection: Path | None = None,
) -> Study:
    """Run the sub-studies `i` with `i % shards == shard`.

    Args:
        project: The project; without `model.tune` the study is empty.
        splits: The folder of `split_training_set`.
        shard: Which share of the sub-studies.
        shards: How many shares there are.
        processes: How many sub-studies run side by side; default: a core each.
        selection: What `select_features` wrote; trials are fitted to the features that it keeps.

    Raises:
        InputError: when the space names an unknown parameter, or every trial of the share fails.
        Fault: when a process dies.
    """
    section = project.model.tune
    if section is None:
        return Study()
    if not 0 <= shard < shards:
        raise InputError("shard", f"{shard} of {shards}", "a number from 0 to shards - 1")
    # A project without a search does not wait for scikit-learn and Optuna.
    from evergreen.modeling.tuning.search import check_search, prepare, run_substudy, trials_of

    check_search(project, splits, selection)
    indices = [i for i in range(section.parallel) if i % shards == shard and trials_of(section, i)]
    deadline = None if section.timeout is None else time.time() + section.timeout.total_seconds()
    cores = available_cores(project.resources.threads)
    side_by_side = max(1, min(processes or cores, len(indices)))
    if side_by_side == 1:
        setting = prepare(project, splits, selection)
        study = merge(run_substudy(setting, i, deadline, cores) for i in indices)
    else:
        threads = max(1, cores // side_by_side)
        request = {
            "project": dump_project(project),
            "splits": str(splits),
            "selection": None if selection is None else str(selection),
            "deadline": deadline,
            "threads": threads,
        }
        study = merge(_in_processes(request, indices, side_by_side))
    _refuse_if_all_failed(study)
    return study


def _refuse_if_all_failed(study: Study) -> None:
    failed = [t for t in study.trials if t.state == "failed"]
    if failed and len(failed) == len(study.trials):
        first = failed[0]
        given = ", ".join(f"{k}={v}" for k, v in first.params.items())
        raise InputError(
            "model.tune",
            f"all {len(failed)} trials failed; the first one ({given}): {first.error}",
            remedy="Correct the search space or the estimator.",
        )


def _in_processes(shared: Mapping[str, object], indices: Sequence[int], side_by_side: int) -> list[Study]:
    """Run sub-studies as child processes, at most `side_by_side` at a time; none outlives this process."""
    waiting = list(indices)
    running: dict[int, subprocess.Popen[bytes]] = {}
    studies = []
    with tempfile.TemporaryDirectory(prefix="evergreen-tune-") as scratch, ExitStack() as stack:
        stack.callback(_end_all, running)
        folder = Path(scratch)
        while waiting or running:
            while waiting and len(running) < side_by_side:
                index = waiting.pop(0)
                request = {**shared, "index": index, "out": str(folder / f"study-{index}")}
                running[index] = _start(folder / f"request-{index}.json", request)
            for index in [i for i, child in running.items() if child.poll() is not None]:
                child = running.pop(index)
                _close(child)
                studies.append(_result(index, child.returncode, folder / f"study-{index}"))
            time.sleep(_POLL_SECONDS)
    return studies


def _start(path: Path, request: Mapping[str, object]) -> "subprocess.Popen[bytes]":
    path.write_text(json.dumps(dict(request)), encoding="utf-8")
    limits = thread_limits(int(str(request["threads"])))
    command = [sys.executable, "-m", "evergreen.modeling.tuning.substudy", str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, **limits})  # noqa: S603


def _result(index: int, code: int, out: Path) -> Study:
    error = out / "error.json"
    if error.is_file():
        raise unpack(json.loads(error.read_text(encoding="utf-8")))
    if code != 0:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        hint = " It may have run out of memory: lower `model.tune.max_rows`." if code == -9 else ""
        raise Fault(f"sub-study {index} ended with {how}; its log says why.{hint}")
    return read_study(out)


def _end_all(children: dict[int, "subprocess.Popen[bytes]"]) -> None:
    for child in children.values():
        _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    _close(child)


def _close(child: "subprocess.Popen[bytes]") -> None:
    if child.stdin is not None:
        with suppress(OSError):
            child.stdin.close()
