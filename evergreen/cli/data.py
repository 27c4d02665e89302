"""The commands about kept data: versions of a table, one of them as it was, differences, retention, skew."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from evergreen.history.versions.deltalog import Version
    from evergreen.project.model import Project, Retention

data = typer.Typer(
    name="data",
    help="Versions of kept tables: list, read, compare, restore, retain.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Table = Annotated[
    str,
    typer.Argument(metavar="TABLE", help="A kept table's name, or the URI or folder of any Delta table."),
]
ProjectFile = Annotated[Path | None, typer.Option("--project", help="Take name and store from this file.")]
Store = Annotated[str | None, typer.Option(help="Root of the snapshots: a folder, s3:// or gs://.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Number = Annotated[int | None, typer.Option("--version", help="A version's number; -1 is the latest.")]
AsOf = Annotated[str | None, typer.Option(help="The version that was there then, such as 2026-11-23T10:00Z.")]


def _place(table: str, project: Path | None, store: str | None) -> tuple[str, "Project | None", str]:
    """The Delta table's URI, the project where one is named, and the root of the store."""
    from evergreen.cli.context import resolve
    from evergreen.errors import InputError
    from evergreen.history import snapshot_uri
    from evergreen.project import load_project

    parsed = load_project(project) if project else None
    if "/" in table:
        return table, parsed, store or table.split("/snapshots/")[0]
    root, _ = resolve(parsed, store)
    if parsed is None:
        remedy = "Name the project file, or the table's URI such as s3://bucket/snapshots/shop/training_set."
        raise InputError("--project", "not given", "the project whose table it is", remedy)
    return snapshot_uri(root, parsed.name, table), parsed, root


def _endpoint(project: "Project | None") -> str | None:
    return project.storage.endpoint if project else None


def _line(version: "Version") -> str:
    rows = f"{version.rows:,}" if version.rows is not None else "?"
    size = f"{version.size / 2**20:,.1f} MiB"
    gone = "  (dropped)" if version.missing else ""
    return (
        f"{version.version:>7}  {version.time:%Y-%m-%d %H:%M:%S}Z  {rows:>14} rows  {size:>12}  "
        f"{version.digest[:12] or '-':<12}  {version.made_by}{gone}"
    )


def _print(record: Any) -> None:
    import json

    typer.echo(json.dumps(record, indent=1, ensure_ascii=False, default=str))


@data.command()
def versions(
    table: Table = "training_set", project: ProjectFile = None, store: Store = None, json_: Json = False
) -> None:
    """List the versions of a kept table: when, how many rows, which content, what made it.

    Example: evergreen data versions --project project.yaml
    """
    from evergreen.history.versions.timetravel import list_versions

    uri, parsed, _ = _place(table, project, store)
    found = list_versions(uri, _endpoint(parsed))
    if json_:
        _print({"uri": uri, "versions": [v.record() for v in found]})
        return
    typer.echo(uri)
    for version in found:
        typer.echo(_line(version))


@data.command()
def show(
    table: Table = "training_set",
    number: Number = None,
    as_of: AsOf = None,
    out: Annotated[Path | None, typer.Option(help="Write the version there: Parquet and meta.json.")] = None,
    project: ProjectFile = None,
    store: Store = None,
    json_: Json = False,
) -> None:
    """Describe one version of a kept table; with --out, write it as it was, every byte checked.

    Example: evergreen data show --project project.yaml --as-of 2026-11-23 --out then
    """
    from evergreen.history.versions.timetravel import fetch_version, list_versions, parse_moment, pick

    uri, parsed, _ = _place(table, project, store)
    moment = parse_moment(as_of) if as_of else None
    version = pick(uri, list_versions(uri, _endpoint(parsed)), number, moment)
    if out:
        fetch_version(uri, version, out, _endpoint(parsed))
    if json_:
        _print({"uri": uri, **version.record(), "out": str(out) if out else None})
        return
    typer.echo(f"{uri}\n{_line(version)}\ndigest {version.digest or '-'}")
    for name, kind in version.columns:
        typer.echo(f"  {name}: {kind}")
    if out:
        typer.echo(f"wrote {out}")


@data.command(context_settings={"ignore_unknown_options": True})
def diff(
    before: Annotated[str, typer.Argument(metavar="FROM", help="A version, a moment, or a file.")] = "-2",
    after: Annotated[str, typer.Argument(metavar="TO", help="A version, a moment, or a file.")] = "-1",
    table: Annotated[
        str, typer.Option(help="A kept table's name, or the URI of any Delta table.")
    ] = "training_set",
    key: Annotated[list[str] | None, typer.Option(help="A column that names a row. May repeat.")] = None,
    project: ProjectFile = None,
    store: Store = None,
    html: Annotated[Path | None, typer.Option(help="Also write a page.")] = None,
    json_: Json = False,
) -> None:
    """Compare two versions of a kept table, or two files: columns, rows by key, values by column.

    Example: evergreen data diff -2 -1 --project project.yaml --key customer_id
    """
    from evergreen.files import write_text
    from evergreen.history.versions.compare import compare_versions
    from evergreen.history.versions.compare_page import changes_page, lines

    files = Path(before).exists() and Path(after).exists()
    uri, parsed, _ = ("", None, "") if files else _place(table, project, store)
    resources = parsed.resources if parsed else None
    found = compare_versions(uri, before, after, key or [], _endpoint(parsed), resources)
    if html:
        write_text(html, changes_page(found))
    if json_:
        _print(found.record())
        return
    for line in lines(found):
        typer.echo(line)


@data.command()
def restore(
    table: Table = "training_set",
    number: Number = None,
    as_of: AsOf = None,
    project: ProjectFile = None,
    store: Store = None,
) -> None:
    """Make an old version the newest; those in between stay.

    Example: evergreen data restore --version 3 --project project.yaml
    """
    from evergreen.errors import InputError
    from evergreen.history.versions.timetravel import list_versions, parse_moment, pick
    from evergreen.history.versions.timetravel import restore as bring_back

    if number is None and as_of is None:
        raise InputError("--version", "not given", "--version N or --as-of TIME")
    uri, parsed, _ = _place(table, project, store)
    moment = parse_moment(as_of) if as_of else None
    version = pick(uri, list_versions(uri, _endpoint(parsed)), number, moment)
    made = bring_back(uri, version, _endpoint(parsed))
    words = "is now" if made.created else "is already the content of"
    typer.echo(f"version {version.version} {words} version {made.version} of {uri}")


@data.command()
def retain(
    table: Table = "training_set",
    project: ProjectFile = None,
    store: Store = None,
    keep: Annotated[int | None, typer.Option(help="Keep so many of the newest versions.")] = None,
    age: Annotated[str | None, typer.Option(help="Keep versions younger than this, such as 90d.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Remove the files; without it nothing is.")] = False,
    json_: Json = False,
) -> None:
    """Say which versions may go, and why; with --apply, remove their files. The log stays.

    The rules are the project's `storage.retention`, or --keep and --age. The latest version, those less than
    a day old and those that a registered model was trained on always stay.

    Example: evergreen data retain --project project.yaml --keep 10 --apply
    """
    from evergreen.history.versions.retention import apply_retention, plan_retention
    from evergreen.project.model import Retention
    from evergreen.registry import Registry
    from evergreen.reports.text import size
    from evergreen.storage import open_store

    uri, parsed, root = _place(table, project, store)
    rules = parsed.storage.retention if parsed else Retention()
    if keep is not None or age is not None:
        rules = _rules(keep, age)
    endpoint = _endpoint(parsed)
    plan = plan_retention(uri, rules, Registry(open_store(root, endpoint=endpoint)), endpoint=endpoint)
    removed = apply_retention(plan, endpoint) if apply else 0
    if json_:
        kept = [{"version": k.version.version, "stays": k.stays, "reason": k.reason} for k in plan.versions]
        _print(
            {"uri": uri, "versions": kept, "files": len(plan.files), "bytes": plan.frees, "removed": removed}
        )
        return
    typer.echo(uri)
    for one in plan.versions:
        typer.echo(f"{one.version.version:>7}  {'stays' if one.stays else 'goes ':<6} {one.reason}")
    orphans = f", {len(plan.orphans)} of them of writers that died" if plan.orphans else ""
    what = f"{len(plan.files)} files, {size(plan.frees)}{orphans}"
    typer.echo(
        f"removed {what}" if apply else f"would remove {what}; nothing was changed: --apply removes them"
    )


def _rules(keep: int | None, age: str | None) -> "Retention":
    from pydantic import ValidationError

    from evergreen.errors import InputError
    from evergreen.project.model import Retention

    try:
        return Retention.model_validate({"versions": keep, "age": age})
    except ValidationError as error:
        found = "--age" if any("age" in e["loc"] for e in error.errors()) else "--keep"
        expected = "a duration such as 90d" if found == "--age" else "at least 1"
        raise InputError(found, repr(age if found == "--age" else keep), expected) from error


def skew(
    training: Annotated[
        str, typer.Argument(metavar="TRAINING", help="A table, a training set, or URI@VERSION.")
    ],
    serving: Annotated[str, typer.Argument(metavar="SERVING", help="The same of the serving rows.")],
    key: Annotated[list[str] | None, typer.Option(help="A column that names a row. May repeat.")] = None,
    time: Annotated[str | None, typer.Option(help="The column with the time.")] = None,
    label: Annotated[str | None, typer.Option(help="The label's column: never compared.")] = None,
    tolerance: Annotated[str | None, typer.Option(help="How much later serving may be, such as 5m.")] = None,
    project: ProjectFile = None,
    html: Annotated[Path | None, typer.Option(help="Also write a page.")] = None,
    json_: Json = False,
) -> int:
    """Compare a training set with the features that were served; exit code 1 when they differ too much.

    Example: evergreen skew training.parquet served.parquet --key customer_id --time asked_at --html skew.html
    """
    from evergreen.files import write_text
    from evergreen.skew.alone import compare_alone, gate_of
    from evergreen.skew.page import skew_page

    gate = gate_of(project, tolerance)
    found = compare_alone(training, serving, gate, key or [], time, label, project)
    if html:
        write_text(html, skew_page(found))
    if json_:
        _print(found.record())
    else:
        typer.echo(f"training {found.training.uri}: {found.rows.training:,} rows")
        typer.echo(
            f"serving  {found.serving.uri}: {found.rows.serving:,} rows, {found.rows.matched:,} matched"
        )
        for line in [*found.remarks, *(f"{f.severity:<5} {f.rule}: {f.reason}" for f in found.findings)]:
            typer.echo(line)
        if not found.findings:
            typer.echo("no skew found")
    return 1 if any(f.severity == "fail" for f in found.findings) else 0
