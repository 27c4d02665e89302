"""The commands about rollouts: begin one, tell the controller something, go back; and those that look."""

from typing import TYPE_CHECKING, Annotated

import typer

from evergreen.cli import rollout_looks
from evergreen.cli.context import HOME
from evergreen.cli.rollout_place import Home, Place, ProjectFile, StateUri, StoreUri, Which, Who, Why

if TYPE_CHECKING:
    from evergreen.rollout.record import Order

rollout = typer.Typer(
    name="rollout",
    help="Take a new version to its users, stage by stage; see `evergreen up --router`.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@rollout.command()
def start(
    model: Annotated[
        str, typer.Argument(metavar="MODEL[@VERSION]", help="Such as coupons, coupons@4, coupons@candidate.")
    ],
    project: ProjectFile = None,
    store: StoreUri = None,
    state: StateUri = None,
    home: Home = HOME,
    why: Why = "",
    who: Who = "",
    again: Annotated[
        bool, typer.Option("--again", help="Even though its content was rolled back or aborted before.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Then follow it.")] = False,
) -> int:
    """Begin the rollout of a version, or find it.

    By default of the alias candidate; one of the same version that is under way is found, not begun again.

    Without --project it goes by the settings of the model's last rollout, or those that it was pushed with.

    Example: evergreen rollout start coupons --project project.yaml --why "trained on March" --watch
    """
    from evergreen.rollout.commands import start as begin
    from evergreen.rollout.opening import settings_like

    place = Place(project, store, state, home)
    records, name, version = place.state, *_named(model, "candidate")
    if place.project:
        settings, serving = place.project.rollout, place.project.serving
    else:
        found = records.list(name)
        resolved = place.registry.resolve(f"{name}@{version}")
        settings, serving = settings_like(found[-1].record if found else None, resolved)
    before = {kept.record.id for kept in records.list(name)}
    record = begin(
        place.registry,
        records,
        name,
        version,
        settings=settings,
        serving=serving,
        by=who,
        why=why,
        again=again,
    )
    word = "is under way already" if record.id in before else "has begun"
    typer.echo(f"{record.id} {word}: version {record.candidate} against version {record.baseline}")
    if watch:
        return rollout_looks.followed(records, record, None, False)
    typer.echo(f"follow it with: evergreen rollout watch {name}")
    return 0


@rollout.command()
def deploy(
    model: Annotated[str, typer.Argument(metavar="MODEL[@VERSION]", help="Such as coupons@3.")],
    project: ProjectFile = None,
    store: StoreUri = None,
    state: StateUri = None,
    home: Home = HOME,
    why: Why = "",
    who: Who = "",
) -> None:
    """Serve a version as the baseline, without stages.

    The first version of a model, or one that is known to be good; its servers come up first.

    Example: evergreen rollout deploy coupons@1 --project project.yaml
    """
    from evergreen.rollout.commands import deploy as begin

    place = Place(project, store, state, home)
    name, version = _named(model, "baseline")
    sections = (place.project.rollout, place.project.serving) if place.project else (None, None)
    record = begin(
        place.registry, place.state, name, version, settings=sections[0], serving=sections[1], by=who, why=why
    )
    typer.echo(f"{record.id}: version {record.candidate} is to be the baseline; {record.phase}")


@rollout.command()
def pause(
    which: Which, project: ProjectFile = None, store: StoreUri = None, state: StateUri = None,
    home: Home = HOME, why: Why = "", who: Who = "",
) -> None:  # fmt: skip
    """Let a rollout stay where it is.

    The guardrails go on: harm still takes it back.

    Example: evergreen rollout pause coupons --why "release freeze"
    """
    _ordered(Place(project, store, state, home), which, "pause", why, who)


@rollout.command()
def resume(
    which: Which, project: ProjectFile = None, store: StoreUri = None, state: StateUri = None,
    home: Home = HOME, why: Why = "", who: Who = "",
) -> None:  # fmt: skip
    """Let a paused or held rollout go on.

    The time of its stage begins anew.

    Example: evergreen rollout resume coupons
    """
    _ordered(Place(project, store, state, home), which, "resume", why, who)


@rollout.command()
def promote(
    which: Which, project: ProjectFile = None, store: StoreUri = None, state: StateUri = None,
    home: Home = HOME, why: Why = "", who: Who = "",
) -> None:  # fmt: skip
    """Go on to the next stage, whatever the evidence says.

    Example: evergreen rollout promote coupons --why "the drop is a known outage of the shop"
    """
    _ordered(Place(project, store, state, home), which, "promote", why, who)


@rollout.command()
def abort(
    which: Which, project: ProjectFile = None, store: StoreUri = None, state: StateUri = None,
    home: Home = HOME, why: Why = "", who: Who = "",
) -> None:  # fmt: skip
    """Give every user the baseline again, and end the rollout.

    Example: evergreen rollout abort coupons --why "wrong training data"
    """
    _ordered(Place(project, store, state, home), which, "abort", why, who)


@rollout.command()
def restore(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model's name.")],
    project: ProjectFile = None, store: StoreUri = None, state: StateUri = None, home: Home = HOME,
    why: Why = "", who: Who = "",
) -> None:  # fmt: skip
    """Go back to the version that users had before.

    A rollout under way is aborted; otherwise baseline and previous change places, and the routers follow.

    Example: evergreen rollout restore coupons --why "complaints"
    """
    from evergreen.rollout.commands import restore_previous

    place = Place(project, store, state, home)
    record = restore_previous(place.registry, place.state, model, by=who, why=why)
    if record.direct:
        typer.echo(f"{record.id}: users get version {record.candidate} again; it is {record.phase}")
    else:
        typer.echo(f"{record.id} is being aborted: users get version {record.baseline} again")


def _named(model: str, alias: str) -> tuple[str, int | str]:
    name, _, version = model.partition("@")
    return name, int(version) if version.isdigit() else version or alias


def _ordered(place: Place, which: str, what: "Order", why: str, who: str) -> None:
    from evergreen.rollout.commands import order

    record = order(place.state, which, what, by=who, why=why)
    typer.echo(f"{record.id}: {what} is asked for; follow it with: evergreen rollout watch {record.model}")


for _look in (rollout_looks.status, rollout_looks.watch, rollout_looks.wait, rollout_looks.history,
              rollout_looks.report):  # fmt: skip
    rollout.command()(_look)
