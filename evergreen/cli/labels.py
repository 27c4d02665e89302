"""The commands about labels: a person decides one by one, and the decisions are data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from evergreen.labels.ledger import Ledger
    from evergreen.labels.session import Row, Session

labels = typer.Typer(
    name="labels",
    help="Review labels that look wrong; decisions are kept as data and applied to the next training set.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ProjectFile = Annotated[Path | None, typer.Option("--project", help="The project file.")]
Store = Annotated[str | None, typer.Option(help="Where decisions are kept: a folder, s3:// or gs://.")]
Out = Annotated[str | None, typer.Option(help="Keep decisions in this file, or object, instead.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")]
_FEATURES = 12


@labels.command()
def review(
    review: Annotated[Path, typer.Argument(metavar="REVIEW", help="review.parquet, or a run's folder.")],
    project: ProjectFile = None,
    store: Store = None,
    out: Out = None,
    decisions: Annotated[
        Path | None, typer.Option(help="Take decisions from this CSV or JSON lines file; ask nothing.")
    ] = None,
    who: Annotated[
        str | None, typer.Option(help="Who decides; default: EVERGREEN_ACTOR or the user.")
    ] = None,
    status: Annotated[bool, typer.Option("--status", help="Say how far it is; ask nothing.")] = False,
    json_: AsJson = False,
) -> None:
    """Go through labels that look wrong, one by one; go on later where you stopped.

    Example: evergreen labels review out --project examples/coupons/project.yaml
    """
    import json

    from evergreen.labels.batch import take_decisions
    from evergreen.labels.session import Session, read_review
    from evergreen.registry.records import actor

    ledger, _ = _ledger(project, store, out, "--out")
    session = Session(read_review(review), ledger, who or actor())
    if decisions is not None:
        taken = take_decisions(session, decisions)
        typer.echo(f"{taken} decisions kept in {session.ledger.uri}", err=True)
    elif not status and not json_:
        _ask(session)
    found = session.status()
    if json_:
        typer.echo(json.dumps(found))
    else:
        typer.echo(
            f"{found['decided']} of {found['rows']} decided ({found['keep']} kept, {found['change']} "
            f"changed, {found['exclude']} excluded), {found['left']} left; {found['decisions']}"
        )


@labels.command()
def export(
    project: ProjectFile = None,
    store: Store = None,
    out: Annotated[str | None, typer.Option("--from", help="The decisions' file, or object.")] = None,
    json_: AsJson = False,
) -> None:
    """Print the decisions that hold, as CSV or JSON.

    Example: evergreen labels export --project examples/coupons/project.yaml > decisions.csv
    """
    import csv
    import json
    import sys
    from dataclasses import asdict

    from evergreen.labels.ledger import effective

    ledger, named_by = _ledger(project, store, out, "--from")
    holding = [asdict(d) for _, d in sorted(effective(ledger.read(named_by)).items())]
    if json_:
        typer.echo(json.dumps({"decisions": holding}, ensure_ascii=False))
        return
    keys = list(dict.fromkeys(name for d in holding for name in d["key"]))
    rest = ["action", "given", "to", "who", "when", "why", "rank", "digest"]
    writer = csv.writer(sys.stdout)
    writer.writerow([*keys, *rest])
    writer.writerows([[d["key"].get(k) for k in keys] + [d[c] for c in rest] for d in holding])


def _ledger(project: Path | None, store: str | None, out: str | None, option: str) -> "tuple[Ledger, str]":
    """The decisions, and the option or field that names their place; nothing for the store's own place."""
    from evergreen.cli.context import resolve
    from evergreen.errors import InputError
    from evergreen.labels.ledger import open_ledger, project_ledger
    from evergreen.project import load_project

    settings = load_project(project) if project is not None else None
    if out is not None:
        return open_ledger(out, settings.storage.endpoint if settings else None), option
    if settings is None:
        remedy = f"Give --project, whose store keeps them, or a file with {option}."
        raise InputError("labels", "nothing says where decisions are kept", remedy=remedy)
    named_by = "label.decisions" if settings.label.decisions else ""
    return project_ledger(settings, resolve(settings, store)[0]), named_by


def _ask(session: "Session") -> None:
    from evergreen.errors import InputError
    from evergreen.labels.session import HELP

    total = len(session.review.rows)
    typer.echo(f"{total} labels to review; decisions are kept in {session.ledger.uri}\n{HELP}")
    while left := session.left():
        row = left[0]
        _show(row, total)
        try:
            typed = typer.prompt("decide", prompt_suffix="> ", default="", show_default=False)
        except typer.Abort:
            typer.echo("")
            return
        try:
            if not session.answer(row, typed):
                return
        except InputError as error:
            typer.echo(f"{error}\n{HELP}")


def _show(row: "Row", total: int) -> None:
    key = ", ".join(f"{name}={value}" for name, value in row.key.items())
    typer.echo(f"\n[{row.rank}/{total}] {key}  ({row.part})")
    for name, value in list(row.features.items())[:_FEATURES]:
        typer.echo(f"    {name}: {'–' if value is None else value}")
    if len(row.features) > _FEATURES:
        typer.echo(f"    … and {len(row.features) - _FEATURES} more")
    suggested = f"  suggested {row.suggested!r}" if row.suggested else ""
    typer.echo(f"  given {row.given!r}{suggested}  score {row.score:.2f}\n  {row.reason}")
