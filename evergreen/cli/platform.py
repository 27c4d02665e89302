"""The commands of the embedded platform, the model server and the registry."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evergreen.cli.context import HOME

if TYPE_CHECKING:
    from evergreen.local.parts import Part

Home = Annotated[Path, typer.Option(help="Where the platform keeps its state, logs and data.")]
Store = Annotated[str | None, typer.Option(help="Root of the registry: a folder, s3:// or gs://.")]
ProjectFile = Annotated[Path | None, typer.Option("--project", help="Take the store from this project file.")]


def _print_status(home: Path, as_json: bool = False) -> int:
    import json
    from dataclasses import asdict

    from evergreen.local.platform import overview

    found = overview(home)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1, default=str))
    elif not found.parts:
        typer.echo("the platform is down; start it with: evergreen up")
    else:
        _print_parts(found.parts)
        for name, text in (("router", found.url), ("serves", found.serves), ("rollout", found.rollout)):
            if text:
                typer.echo(f"{name:<9}{text}")
    return 0 if all(part.state in ("up", "ending") for part in found.parts) else 3


def _print_parts(parts: "tuple[Part, ...]") -> None:
    width = max(len(part.name) for part in parts) + 2
    for part in parts:
        memory = f"{part.memory / 2**20:.0f} MiB"
        detail = f"pid {part.pid:<8}{memory:<9}{part.detail}"
        typer.echo(f"{part.name:<{width}}{part.state:<8}{part.url:<28}{detail}".rstrip())
        typer.echo(f"{'':<{width}}log {part.log}")


def up(
    home: Home = HOME,
    s3_port: Annotated[
        int | None, typer.Option(help="Port of the S3 server; 0 picks free ones. [8333]")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Also serve this model, such as coupons@baseline.")
    ] = None,
    model_port: Annotated[
        int | None, typer.Option(help="Port of the model server, without a router; 0 picks one. [8080]")
    ] = None,
    router: Annotated[
        bool, typer.Option("--router", help="Serve through a router, with a controller of rollouts.")
    ] = False,
    router_port: Annotated[int | None, typer.Option(help="Port of the router; 0 picks one. [10000]")] = None,
    routers: Annotated[int | None, typer.Option(help="How many routers share that port. [1]")] = None,
    project: Annotated[
        Path | None, typer.Option(help="Project file, for its sections serving and rollout.")
    ] = None,
) -> int:
    """Start the embedded platform: a real S3 server, and with --model a model server or all of a rollout.

    With --router users ask Envoy for the model's baseline, a controller takes new versions to them, and what
    dies is started again by itself. What runs stays as it is; a part that died is started again by the next
    `up`. No port is ever changed silently.

    Example: evergreen up --model coupons@baseline --router --project project.yaml
    """
    from evergreen.errors import InputError
    from evergreen.local.platform import overview
    from evergreen.local.platform import up as start
    from evergreen.local.routing import Wish

    given = (router_port, routers, project)
    wanted = router or bool(overview(home).url)
    if not wanted and any(value is not None for value in given):
        raise InputError(
            "evergreen up", "--router-port, --routers or --project without --router", remedy="Add --router."
        )
    start(home, s3_port=s3_port, model=model, model_port=model_port, router=Wish(*given) if wanted else None)
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
    project: Annotated[
        Path | None, typer.Option("--project", help="Take store and `serving` from this project file.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="Take `serving` from this file of JSON. [EVERGREEN_SERVING]")
    ] = None,
    follow: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Look at the alias so often, and swap when it has moved."),
    ] = None,
    drain_delay: Annotated[
        float, typer.Option(metavar="SECONDS", help="Answer for so long after SIGTERM, with readiness false.")
    ] = 0.0,
    log_spool: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a prediction log, kept here until it is shipped."),
    ] = None,
) -> None:
    """Serve a model of the registry over the Open Inference Protocol v2 (REST) until stopped.

    The alias may move while it serves: SIGHUP, or --follow, then swaps the version without a failed request.

    Example: evergreen serve coupons@baseline --port 8080 --follow 2
    """
    import os

    from evergreen.cli.context import resolve
    from evergreen.project import load_project
    from evergreen.threads import thread_limits

    uri, _ = resolve(load_project(project) if project else None, store)
    os.environ.update(thread_limits(1))  # one request must not take every core
    from evergreen.log import configure
    from evergreen.serving import Options
    from evergreen.serving import serve as start
    from evergreen.serving.settings import read_settings

    configure()
    options = Options(read_settings(project, settings), follow, drain_delay, log_spool)
    start(model, uri, host=host, port=port, options=options)


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
