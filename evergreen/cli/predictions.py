"""The commands about the prediction log: which segments there are, and their rows as one file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from evergreen.project.model import Project
    from evergreen.storage import Store

predictions = typer.Typer(
    name="predictions",
    help="The prediction log: segments in the store, and their rows as a file.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Model = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name, such as coupons.")]
ProjectFile = Annotated[Path | None, typer.Option("--project", help="Take the store from this file.")]
StoreUri = Annotated[str | None, typer.Option("--store", help="Root of the log: a folder, s3:// or gs://.")]
Since = Annotated[str | None, typer.Option(help="From then on, such as 2026-11-23T10:00Z.")]
Until = Annotated[str | None, typer.Option(help="Before then.")]
Outcomes = Annotated[bool, typer.Option("--outcomes", help="The log of outcomes, not of predictions.")]


def _open(project: Path | None, store: str | None) -> tuple["Store", "Project | None"]:
    from evergreen.cli.context import resolve
    from evergreen.project import load_project
    from evergreen.storage import open_store

    parsed = load_project(project) if project else None
    uri, _ = resolve(parsed, store)
    return open_store(uri, endpoint=parsed.storage.endpoint if parsed else None), parsed


def _moment(text: str | None, option: str) -> "datetime | None":
    from evergreen.errors import DataError, InputError
    from evergreen.history.versions.timetravel import parse_moment

    try:
        return parse_moment(text) if text else None
    except DataError as error:
        raise InputError(option, error.found, error.expected) from None


@predictions.command(name="list")
def list_(
    model: Model,
    store: StoreUri = None,
    project: ProjectFile = None,
    since: Since = None,
    until: Until = None,
    outcomes: Outcomes = False,
    last: Annotated[int, typer.Option(min=1, help="At most so many segments, the latest ones.")] = 100,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the log's segments: version, rows, time span, and what was dropped on the way.

    Each segment is fetched for its footer, and not kept. Whole days are listed.

    Example: evergreen predictions list coupons --since 2026-11-23
    """
    import json
    from dataclasses import asdict
    from tempfile import TemporaryDirectory

    from evergreen.serving.predictions.reading import facts, fetch, segments

    opened, _ = _open(project, store)
    first, end = _moment(since, "--since"), _moment(until, "--until")
    days = first.date() if first else None, end.date() if end else None
    found = segments(opened, model, None, *days, kind="outcomes" if outcomes else "predictions")
    shown = found[-last:]
    rows: list[dict[str, Any]] = []
    for ref in shown:
        with TemporaryDirectory(prefix="evergreen-predictions-") as scratch:
            (path,) = fetch(opened, [ref], Path(scratch))
            rows.append({**asdict(ref), **asdict(facts(path))})
    if json_:
        listed = {"uri": opened.uri, "segments": rows, "not_listed": len(found) - len(rows)}
        typer.echo(json.dumps(listed, indent=1, ensure_ascii=False, default=str))
        return
    for row in rows:
        typer.echo(_line(row))
    total, dropped = sum(row["rows"] for row in rows), sum(sum(row["dropped"].values()) for row in rows)
    typer.echo(f"{len(rows)} segments, {total:,} rows, {dropped:,} dropped; in {opened.uri}")
    if len(found) > len(rows):
        typer.echo(f"{len(found) - len(rows)} earlier segments are not listed; see --last")


def _line(row: dict[str, Any]) -> str:
    span = f"{row['first']:%H:%M:%S} to {row['last']:%H:%M:%S}" if row["first"] else "-"
    dropped = "  dropped " + ", ".join(f"{n} ({why})" for why, n in row["dropped"].items())
    torn = f"  cut short by {row['torn']} bytes" if row["torn"] else ""
    return (
        f"{row['day']}  {row['writer']}-{row['seq']:<6} version {row['version']:<5} {row['rows']:>9,} rows  "
        f"{row['size'] / 1024:>9,.1f} KiB  {span}{dropped if row['dropped'] else ''}{torn}"
    )


@predictions.command()
def export(
    model: Model,
    out: Annotated[Path, typer.Option(help="The Parquet file to write.")],
    store: StoreUri = None,
    project: ProjectFile = None,
    since: Since = None,
    until: Until = None,
    version: Annotated[int | None, typer.Option(help="Only this version of the model.")] = None,
    features: Annotated[
        bool, typer.Option("--features", help="As serving rows of a skew check: one column a feature.")
    ] = False,
    outcomes: Outcomes = False,
) -> None:
    """Write the log's rows to one Parquet file; with --features as `evergreen skew` takes them.

    Example: evergreen predictions export coupons --since 2026-11-23 --features --out served.parquet
    """
    from tempfile import TemporaryDirectory

    from evergreen.errors import DataError
    from evergreen.serving.predictions.reading import fetch, segments
    from evergreen.serving.predictions.table import Wanted, serving_table
    from evergreen.serving.predictions.table import export as write
    from evergreen.tables import connect

    opened, parsed = _open(project, store)
    first, end = _moment(since, "--since"), _moment(until, "--until")
    days = first.date() if first else None, end.date() if end else None
    found = segments(opened, model, None, *days, kind="outcomes" if outcomes else "predictions")
    if not found:
        where = f"{opened.uri}: {'outcomes' if outcomes else 'predictions'}/{model}"
        raise DataError(where, "no segment of that time", remedy="`evergreen predictions list` shows all.")
    wanted = Wanted(first, end, None if outcomes else version)
    with TemporaryDirectory(prefix="evergreen-predictions-") as scratch:
        files = fetch(opened, found, Path(scratch))
        with connect(parsed.resources if parsed else None) as con:
            rows = (serving_table if features else write)(con, files, out, wanted)
    typer.echo(f"wrote {out}: {rows:,} rows of {len(found)} segments")
