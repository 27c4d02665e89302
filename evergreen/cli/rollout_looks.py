"""The commands that look at rollouts: where one stands, live or in a line, the history, a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evergreen.cli.context import HOME
from evergreen.cli.rollout_place import (
    AsJson,
    Home,
    Place,
    ProjectFile,
    StateUri,
    StoreUri,
    Timeout,
    WhichOrLast,
)

if TYPE_CHECKING:
    from evergreen.rollout.record import RolloutRecord
    from evergreen.rollout.stores.interface import StateStore


def status(
    which: WhichOrLast = None,
    project: ProjectFile = None,
    store: StoreUri = None,
    state: StateUri = None,
    home: Home = HOME,
    json_: AsJson = False,
) -> int:
    """Say where a rollout stands, and why.

    Exit code 0: launched or going on; 1: rolled back, aborted or superseded; 3: its servers did not come up.

    Example: evergreen rollout status coupons --json
    """
    import json
    import time

    from evergreen.rollout.view import data
    from evergreen.rollout.view.facts import exit_code, facts_of
    from evergreen.rollout.view.lines import status_lines

    record = Place(project, store, state, home).find(which)
    if json_:
        typer.echo(json.dumps(data.status(record, time.time()), indent=1, ensure_ascii=False))
    else:
        typer.echo("\n".join(status_lines(facts_of(record, time.time()))))
    return exit_code(record)


def watch(
    which: WhichOrLast = None,
    project: ProjectFile = None,
    store: StoreUri = None,
    state: StateUri = None,
    home: Home = HOME,
    timeout: Timeout = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="A line on every change, also on a terminal.")
    ] = False,
) -> int:
    """Follow a rollout until it ends.

    Stages, weights, every check with both arms' figures, the verdict and what is missing, events, routers.
    Ctrl-C stops looking; the rollout goes on. Where the output is no terminal: a line on every change.
    Exit code as `status`; 3 too when --timeout is over.

    Example: evergreen rollout watch coupons
    """
    place = Place(project, store, state, home)
    return followed(place.state, place.find(which), timeout, plain)


def wait(
    which: WhichOrLast = None,
    project: ProjectFile = None,
    store: StoreUri = None,
    state: StateUri = None,
    home: Home = HOME,
    timeout: Timeout = None,
) -> int:
    """Wait until a rollout has ended.

    For scripts: a line on every change, exit code as `watch`.

    Example: evergreen rollout wait coupons --timeout 3600
    """
    place = Place(project, store, state, home)
    return followed(place.state, place.find(which), timeout, True)


def history(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Only of this model.")] = None,
    project: ProjectFile = None,
    store: StoreUri = None,
    state: StateUri = None,
    home: Home = HOME,
    last: Annotated[int, typer.Option(min=1, help="At most so many, the newest ones.")] = 20,
    json_: AsJson = False,
) -> None:
    """List rollouts, newest first.

    Example: evergreen rollout history coupons
    """
    import json
    import time

    from evergreen.rollout.commands import history as find
    from evergreen.rollout.view import data
    from evergreen.rollout.view.lines import history_line

    records = Place(project, store, state, home).state
    found = find(records, model)[:last]
    if json_:
        typer.echo(json.dumps([data.summary(r, time.time()) for r in found], indent=1, ensure_ascii=False))
    elif not found:
        typer.echo(f"no rollouts in {records.uri}; begin one with: evergreen rollout start MODEL")
    else:
        typer.echo("\n".join(history_line(r) for r in found))


def report(
    which: WhichOrLast = None,
    html: Annotated[Path, typer.Option(help="The page to write.")] = Path("rollout.html"),
    project: ProjectFile = None,
    store: StoreUri = None,
    state: StateUri = None,
    home: Home = HOME,
) -> None:
    """Write one self-contained page about a rollout.

    Verdict, stages and shares, evidence, experiment, decisions, events, and how to go back.

    Example: evergreen rollout report coupons --html rollout.html
    """
    import time

    from evergreen.files import write_text
    from evergreen.rollout.report.archive import decisions_of, record_of
    from evergreen.rollout.report.page import rollout_page

    place = Place(project, store, state, home)
    record = record_of(place.state, place.store, which) if which else place.find(which)
    write_text(html, rollout_page(record, decisions_of(place.store, record), time.time()))
    typer.echo(f"wrote {html}")


def followed(state: "StateStore", record: "RolloutRecord", timeout: float | None, plain: bool) -> int:
    """Follow a rollout on the terminal; returns the exit code."""
    from evergreen.rollout.view.facts import exit_code
    from evergreen.rollout.view.watch import follow, shown_on

    try:
        with shown_on(plain=plain) as show:
            record = follow(state, record, show, timeout=timeout)
    except KeyboardInterrupt:
        typer.echo(f"no longer looking; {record.id} goes on", err=True)
        return 130
    if not record.ended:
        typer.echo(f"{record.id} has not ended within {timeout:g} s; it goes on", err=True)
        return 3
    return exit_code(record)
