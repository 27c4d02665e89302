"""Run, compile or submit a pipeline: the part of the command line that needs kfp.

`evergreen run|compile|submit` start this module in a process of its own, so that the command line itself
never pays for importing kfp, and a run can be stopped as one process group.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from evergreen.errors import EvergreenError, InputError
from evergreen.near import did_you_mean
from pipelines._catalog import component_names, load_component, load_pipeline, pipeline_names

_DOUBLE, _STRING = 1, 3
"""`NUMBER_DOUBLE` and `STRING` of `ParameterType` in KFP's pipeline spec."""


def task_order(spec: Any) -> list[str]:
    """The leaf tasks of a pipeline spec, each after the tasks it waits for."""
    order: list[str] = []

    def visit(dag: Any) -> None:
        waiting = dict(dag.tasks)
        done: set[str] = set()
        while waiting:
            for name in [n for n, t in waiting.items() if set(t.dependent_tasks) <= done]:
                component = spec.components[waiting.pop(name).component_ref.name]
                done.add(name)
                if component.WhichOneof("implementation") == "dag":
                    visit(component.dag)
                else:
                    order.append(name)

    visit(spec.root.dag)
    return order


def check_arguments(spec: Any, arguments: dict[str, Any]) -> None:
    """Refuse parameters that the pipeline does not have, before anything runs.

    Raises:
        InputError: naming the first unknown parameter and those that exist.
    """
    known = sorted(spec.root.input_definitions.parameters)
    for name in arguments:
        if name not in known:
            raise InputError(
                f"parameter {name}",
                "the pipeline has no such parameter",
                f"one of {', '.join(known)}",
                did_you_mean(name, known),
            )


def as_declared(spec: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as KFP wants them: `--param alias=3` was read as a number, `timeout=5` as a whole one."""
    declared = spec.root.input_definitions.parameters
    return {name: _as(declared[name].parameter_type, value) for name, value in arguments.items()}


def _as(kind: int, value: Any) -> Any:
    if kind == _STRING and not isinstance(value, str):
        return json.dumps(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if kind == _DOUBLE and whole else value


def run(name: str, arguments: dict[str, Any], root: Path) -> int:
    """Run a pipeline here, task by task, with artifacts below `root`/artifacts."""
    from kfp import local

    pipeline = load_pipeline(name)
    check_arguments(pipeline.pipeline_spec, arguments)
    arguments = as_declared(pipeline.pipeline_spec, arguments)
    root.mkdir(parents=True, exist_ok=True)
    (root / "plan.json").write_text(json.dumps(task_order(pipeline.pipeline_spec)))
    # kfp.local writes sys.executable over every "python3" in a task's command line, parameters and paths
    # included. Under this name the replacement changes nothing.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    sys.executable = "python3"
    local.init(
        local.SubprocessRunner(use_venv=False), pipeline_root=str(root / "artifacts"), raise_on_error=True
    )
    try:
        pipeline(**arguments)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 3
    return 0


def compile_all(folder: Path) -> list[Path]:
    """Write the YAML of every component and pipeline; returns the files."""
    from kfp.compiler import Compiler

    written = []
    jobs = [(load_pipeline(n), folder / "pipelines" / f"{n}.yaml") for n in pipeline_names()]
    jobs += [(load_component(s, n), folder / "components" / s / f"{n}.yaml") for s, n in component_names()]
    for function, path in jobs:
        path.parent.mkdir(parents=True, exist_ok=True)
        Compiler().compile(function, str(path))
        written.append(path)
    return written


def submit(name: str, arguments: dict[str, Any], host: str, experiment: str, wait: float) -> dict[str, Any]:
    """Submit a pipeline to a KFP backend; waits `wait` seconds for its end, 0 for not at all."""
    from kfp.client import Client

    pipeline = load_pipeline(name)
    check_arguments(pipeline.pipeline_spec, arguments)
    arguments = as_declared(pipeline.pipeline_spec, arguments)
    client = Client(host=host)
    handle = client.create_run_from_pipeline_func(pipeline, arguments=arguments, experiment_name=experiment)
    state = "SUBMITTED"
    if wait:
        state = str(client.wait_for_run_completion(handle.run_id, timeout=int(wait)).state)
    return {"run_id": handle.run_id, "state": state, "url": f"{host}/#/runs/details/{handle.run_id}"}


def main(argv: list[str] | None = None) -> int:
    """Parse and carry out one command; the result, if any, is one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m pipelines", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("run", "submit"):
        sub = commands.add_parser(command)
        sub.add_argument("name", choices=pipeline_names())
        sub.add_argument("--arguments", type=Path, required=True, help="JSON file")
        if command == "run":
            sub.add_argument("--root", type=Path, required=True)
        else:
            sub.add_argument("--host", required=True)
            sub.add_argument("--experiment", default="evergreen")
            sub.add_argument("--wait", type=float, default=0)
    commands.add_parser("compile").add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    if options.command == "compile":
        print(json.dumps([str(p) for p in compile_all(options.out)]))
        return 0
    arguments = json.loads(options.arguments.read_text())
    try:
        return _run_or_submit(options, arguments)
    except EvergreenError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _run_or_submit(options: argparse.Namespace, arguments: dict[str, Any]) -> int:
    if options.command == "run":
        return run(options.name, arguments, options.root)
    result = submit(options.name, arguments, options.host, options.experiment, options.wait)
    print(json.dumps(result))
    return 0 if result["state"].upper() in ("SUBMITTED", "SUCCEEDED") else 3


if __name__ == "__main__":
    sys.exit(main())
