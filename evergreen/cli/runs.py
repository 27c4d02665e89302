"""The commands that run pipelines here or on a cluster, and show what came of them."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from evergreen.project.model import Project

PipelineName = Annotated[
    str, typer.Argument(metavar="PIPELINE", help="prepare_data, train, rollout, predict_batch.")
]
ProjectFile = Annotated[Path, typer.Option("--project", help="The project file.")]
Store = Annotated[str | None, typer.Option(help="Root of registry and snapshots: a folder, s3:// or gs://.")]
Parameters = Annotated[list[str] | None, typer.Option("--param", metavar="K=V", help="A pipeline parameter.")]


def parse_parameters(pairs: list[str] | None) -> dict[str, Any]:
    """`K=V` pairs as a dict; a value that is JSON is read as such, anything else is text.

    Raises:
        InputError: for a pair without `=`.
    """
    from evergreen.errors import InputError

    parsed: dict[str, Any] = {}
    for pair in pairs or []:
        key, sign, value = pair.partition("=")
        if not sign or not key:
            raise InputError("--param", f"{pair!r}", "K=V, such as promote=false")
        try:
            parsed[key] = json.loads(value)
        except ValueError:
            parsed[key] = value
    return parsed


def _check_pipeline(name: str) -> str:
    from importlib.util import find_spec

    from evergreen.errors import InputError
    from evergreen.near import did_you_mean

    found = find_spec("pipelines")
    folder = Path(found.origin).parent if found and found.origin else Path()
    names = sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_"))
    name = name.replace("-", "_")
    if name not in names:
        raise InputError("pipeline", f"{name!r}", f"one of {', '.join(names)}", did_you_mean(name, names))
    return name


def _arguments(project: "Project", text: str, store: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {"project": text, "name": project.name, "store": store, **parameters}


def run(
    pipeline: PipelineName,
    project: ProjectFile,
    param: Parameters = None,
    root: Annotated[Path | None, typer.Option(help="The run's folder; run.json stands there.")] = None,
    store: Store = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Print the tasks' logs at the end.")] = False,
) -> int:
    """Run a pipeline on this machine, with live progress; DIR/run.json holds what came of it.

    Example: evergreen run train --project examples/coupons/project.yaml --root out
    """
    import time

    from evergreen.cli.console import RunView
    from evergreen.cli.context import HOME, resolve
    from evergreen.local.run import exit_code, run_pipeline
    from evergreen.project import dump_project, load_project

    name = _check_pipeline(pipeline)
    parsed = load_project(project)
    parameters = parse_parameters(param)
    uri, environment = resolve(parsed, store)
    root = root or HOME / "runs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
    arguments = _arguments(parsed, dump_project(parsed), uri, parameters)
    with RunView(name) as view:
        result = run_pipeline(name, arguments, root, environment=environment, watch=view.update)
    view.finish(result, root)
    if verbose:
        typer.echo((root / "run.log").read_text(errors="replace"))
    return exit_code(result)


def compile_(
    out: Annotated[Path, typer.Option(help="Where the YAML files are written.")] = Path("build"),
) -> int:
    """Write the YAML of every component and pipeline, to upload or to kubectl-apply.

    Example: evergreen compile --out build
    """
    return subprocess.call([sys.executable, "-P", "-m", "pipelines", "compile", "--out", str(out)])  # noqa: S603


def _must_be_remote(project: "Project", store: str) -> None:
    from evergreen.errors import InputError

    paths = [
        p for s in project.sources.values() for p in ([s.path] if isinstance(s.path, str) else s.path or [])
    ]
    local = [p for p in [*paths, store] if "://" not in p or p.startswith(("file://", "package://"))]
    if local:
        raise InputError(
            local[0],
            "a path of this machine, which a cluster cannot read",
            "s3:// or gs:// URIs",
            "Put the data in a bucket and name it in the project file; name the store with --store.",
        )


def submit(
    pipeline: PipelineName,
    project: ProjectFile,
    host: Annotated[str, typer.Option(help="The KFP API, such as http://localhost:8888.")],
    param: Parameters = None,
    store: Store = None,
    experiment: Annotated[str, typer.Option(help="The KFP experiment.")] = "evergreen",
    wait: Annotated[float, typer.Option(help="Wait so many seconds for the run's end.")] = 0,
) -> int:
    """Submit a pipeline to a Kubeflow Pipelines backend.

    Example: evergreen submit train --project project.yaml --host http://localhost:8888 --store s3://mlpipeline/evergreen
    """
    from evergreen.project import dump_project, load_project
    from evergreen.storage import default_store

    name = _check_pipeline(pipeline)
    parsed = load_project(project)
    uri = default_store(parsed, store or "")
    _must_be_remote(parsed, uri)
    arguments = _arguments(parsed, dump_project(parsed), uri, parse_parameters(param))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as handle:
        json.dump(arguments, handle)
        handle.flush()
        command = [sys.executable, "-P", "-m", "pipelines", "submit", name, "--arguments", handle.name]
        command += ["--host", host, "--experiment", experiment, "--wait", str(wait)]
        return subprocess.call(command)  # noqa: S603 - our own interpreter and module


def report(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder, or its run.json.")],
    out: Annotated[Path | None, typer.Option(help="The page; default RUN/report.html.")] = None,
) -> None:
    """Write one self-contained HTML page about a run, with every task's report inside.

    Example: evergreen report out
    """
    from evergreen.errors import NotFoundError
    from evergreen.files import write_text
    from evergreen.reports.run import run_report

    record = run_folder if run_folder.is_file() else run_folder / "run.json"
    if not record.is_file():
        raise NotFoundError(
            str(record), "no such file", "the folder of a run, as given to `evergreen run --root`"
        )
    page = out or record.parent / "report.html"
    write_text(page, run_report(json.loads(record.read_text()), record.parent))
    typer.echo(f"wrote {page}")
