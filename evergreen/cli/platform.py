"""The commands of the embedded platform, the model server and the registry."""

from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[Path, typer.Option(help="Where the platform keeps its state, logs and data.")]
Store = Annotated[str | None, typer.Option(help="Root of the registry: a folder, s3:// or gs://.")]
ProjectFile = Annotated[Path | None, typer.Option("--project", help="Take the store from this project file.")]


def _print_status(home: Path) -> int:
    from evergreen.local.platform import status as look

    parts = look(home)
    if not parts:
        typer.echo("the platform is down; start it with: evergreen up")
        return 0
    for part in parts:
        typer.echo(f"{part.name:<14}{part.state:<8}{part.url}  pid {part.pid}  log {part.log}")
    return 0


def up(
    home: Home = Path(".evergreen"),
    s3_port: Annotated[int, typer.Option(help="Port of the S3 server.")] = 8333,
    model: Annotated[str | None, typer.Option(help="Also serve this model, such as coupons@baseline.")] = None,
    model_port: Annotated[int, typer.Option(help="Port of the model server.")] = 8080,
) -> int:
    """Start the embedded platform: a real S3 server and, with --model, the model server.

    Example: evergreen up --s3-port 8333 --model coupons@baseline
    """
    from evergreen.local.platform import up as start

    start(home, s3_port=s3_port, model=model, model_port=model_port)
    return _print_status(home)


def down(
    home: Home = Path(".evergreen"),
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Also delete what was stored.")] = False,
) -> None:
    """Stop the embedded platform; stored data stays unless --delete-data.

    Example: evergreen down
    """
    from evergreen.local.platform import down as stop

    stop(home, delete_data=delete_data)
    typer.echo("the platform is down")


def status(home: Home = Path(".evergreen")) -> int:
    """Show what of the embedded platform runs.

    Example: evergreen status
    """
    return _print_status(home)


def serve(
    model: Annotated[str, typer.Argument(metavar="MODEL@ALIAS", help="Such as coupons@baseline or coupons@3.")],
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8080,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    store: Store = None,
    project: ProjectFile = None,
) -> None:
    """Serve a model of the registry over the Open Inference Protocol v2 (REST) until stopped.

    Example: evergreen serve coupons@baseline --port 8080
    """
    from evergreen.cli.context import resolve
    from evergreen.log import configure
    from evergreen.project import load_project
    from evergreen.serving import serve as start

    configure()
    uri, _ = resolve(load_project(project) if project else None, store)
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
        typer.echo(f"{row['name']}@{row['version']:<5}{blessed:<13}{aliases:<28}{row['created']}  {row['digest'][:12]}")
