"""The commands of the embedded platform, the model server and the registry."""

from pathlib import Path
from typing import Annotated

import typer

from evergreen.cli.context import HOME

Home = Annotated[Path, typer.Option(help="Where the platform keeps its state, logs and data.")]
Store = Annotated[str | None, typer.Option(help="Root of the registry: a folder, s3:// or gs://.")]
ProjectFile = Annotated[Path | None, typer.Option("--project", help="Take the store from this project file.")]


def _print_status(home: Path, as_json: bool = False) -> int:
    import json
    from dataclasses import asdict

    from evergreen.local.platform import status as look

    parts = look(home)
    if as_json:
        typer.echo(json.dumps([asdict(part) for part in parts], indent=1, default=str))
    elif not parts:
        typer.echo("the platform is down; start it with: evergreen up")
    else:
        for part in parts:
            memory = f"{part.memory / 2**20:.0f} MiB"
            typer.echo(
                f"{part.name:<14}{part.state:<8}{part.url:<28}pid {part.pid:<8}{memory:<9}{part.detail}"
            )
            typer.echo(f"{'':<14}log {part.log}")
    return 0 if all(part.state == "up" for part in parts) else 3


def up(
    home: Home = HOME,
    s3_port: Annotated[
        int | None, typer.Option(help="Port of the S3 server; 0 picks free ones. [8333]")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Also serve this model, such as coupons@baseline.")
    ] = None,
    model_port: Annotated[
        int | None, typer.Option(help="Port of the model server; 0 picks one. [8080]")
    ] = None,
) -> int:
    """Start the embedded platform: a real S3 server and, with --model, the model server.

    What runs stays as it is; a part that died is started again. No port is ever changed silently.

    Example: evergreen up --s3-port 8333 --model coupons@baseline
    """
    from evergreen.local.platform import up as start

    start(home, s3_port=s3_port, model=model, model_port=model_port)
    return _print_status(home)


def down(
    home: Home = HOME,
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Also delete what was stored.")] = False,
) -> None:
    """Stop the embedded platform; stored data and logs stay unless --delete-data.

    Example: evergreen down
    """
    from evergreen.local.platform import down as stop

    stopped = stop(home, delete_data=delete_data)
    typer.echo(f"stopped: {', '.join(stopped)}" if stopped else "the platform was not running")


def status(
    home: Home = HOME,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Show what of the embedded platform runs; exit code 3 when a part of it is not well.

    Example: evergreen status
    """
    return _print_status(home, json_)


def serve(
    model: Annotated[
        str, typer.Argument(metavar="MODEL@ALIAS", help="Such as coupons@baseline or coupons@3.")
    ],
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8080,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    store: Store = None,
    project: ProjectFile = None,
) -> None:
    """Serve a model of the registry over the Open Inference Protocol v2 (REST) until stopped.

    Example: evergreen serve coupons@baseline --port 8080
    """
    import os

    from evergreen.cli.context import resolve
    from evergreen.project import load_project

    uri, _ = resolve(load_project(project) if project else None, store)
    # Numerical libraries read these once, at import: one request must not take every core.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    from evergreen.log import configure
    from evergreen.serving import serve as start

    configure()
    start(model, uri, host=host, port=port)


def models(
    store: Store = None,
    project: ProjectFile = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the registry's models, their versions and aliases.

    Example: evergreen models --store s3://evergreen
    """
    import json

    from evergreen.cli.context import resolve
    from evergreen.project import load_project
    from evergreen.registry import Registry
    from evergreen.storage import open_store

    parsed = load_project(project) if project else None
    uri, _ = resolve(parsed, store)
    listing = Registry(open_store(uri, endpoint=parsed.storage.endpoint if parsed else None)).listing()
    if json_:
        typer.echo(json.dumps(listing, indent=1))
        return
    if not listing:
        typer.echo(f"no models in {uri}; train one with: evergreen run train --project PROJECT")
    for row in listing:
        aliases = ", ".join(row["aliases"]) or "-"
        blessed = "blessed" if row["blessed"] else "not blessed"
        typer.echo(
            f"{row['name']}@{row['version']:<5}{blessed:<13}{aliases:<28}{row['created']}  "
            f"{row['digest'][:12]}"
        )
