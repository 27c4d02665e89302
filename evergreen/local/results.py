"""What came of a local run, read from its task records and its artifacts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def _outputs(folder: Path) -> dict[str, Any]:
    """A task's outputs: parameters by value, artifacts by path."""
    outputs: dict[str, Any] = {}
    try:
        written = json.loads((folder / "executor_output.json").read_text())
    except (OSError, ValueError):
        written = {}
    outputs.update(written.get("parameterValues", {}))
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name != "executor_output.json" and path.name not in outputs:
            outputs[path.name] = str(path)
    return outputs


def _task(record: Mapping[str, Any]) -> dict[str, Any]:
    folder = record.get("folder")
    task = {
        "name": record["task"],
        "component": record["name"],
        "state": record["state"],
        "started": record.get("started"),
        "seconds": record.get("seconds"),
        "outputs": _outputs(Path(folder)) if folder else {},
    }
    if "error" in record:
        task["error"] = record["error"]
    return task


def _load(path: Any) -> Any:
    try:
        return json.loads(Path(str(path)).read_text())
    except (OSError, ValueError):
        return None


def _decisions(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for task in tasks:
        for decision in _load(task["outputs"].get("decisions")) or []:
            if decision not in found:
                found.append(decision)
    return found


def _metrics(tasks: list[dict[str, Any]]) -> dict[str, Any]:
    for task in tasks:
        evaluation = _load(task["outputs"].get("evaluation"))
        if evaluation:
            return {
                dataset: {
                    name: {metric: entry["value"] for metric, entry in part["metrics"].items()}
                    for name, part in slices.items()
                }
                for dataset, slices in evaluation["datasets"].items()
            }
    return {}


def _model(pipeline: str, tasks: list[dict[str, Any]], arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """The model a run made; for a pipeline that makes none, the one it used."""
    made = ("push_model", "train_model")
    for component in made if pipeline == "train" else (*made, "resolve_model"):
        for task in tasks:
            outputs = task["outputs"]
            if task["component"] == component and task["state"] == "succeeded" and outputs.get("digest"):
                return {
                    "name": arguments.get("name"),
                    "version": outputs.get("version"),
                    "digest": outputs["digest"],
                }
    return None


def collect(
    pipeline: str, root: Path, records: Mapping[str, Mapping[str, Any]], returncode: int, seconds: float
) -> dict[str, Any]:
    """The run record that `run.json` holds (README, "A run's record").

    A task that ended without a word of its own (killed, or a fault before its first line) is `failed`.
    """
    arguments = _load(root / "arguments.json") or {}
    tasks = [_task(record) for record in records.values()]
    for task in tasks:
        if task["state"] == "running":
            task["state"] = "failed"
            task["error"] = {"type": "Killed", "message": "the task ended without a result", "exit_code": 3}
    failed = next((t for t in tasks if t["state"] != "succeeded"), None)
    state, error = "succeeded", None
    if failed is not None:
        state, error = failed["state"], {"task": failed["name"], **failed["error"]}
    elif returncode != 0:
        tail = (root / "run.log").read_text(errors="replace").strip().splitlines()[-1:]
        code = 2 if returncode == 2 else 3
        state = "failed"
        error = {"task": "", "type": "Fault", "message": " ".join(tail), "exit_code": code}
    return {
        "pipeline": pipeline,
        "state": state,
        "seconds": round(seconds, 3),
        "error": error,
        "tasks": tasks,
        "decisions": _decisions(tasks),
        "metrics": _metrics(tasks),
        "model": _model(pipeline, tasks, arguments),
        "artifacts": {
            f"{task['name']}.{key}": value
            for task in tasks
            for key, value in task["outputs"].items()
            if isinstance(value, str) and value.startswith(str(root))
        },
    }
