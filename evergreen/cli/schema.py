"""`evergreen schema`: infer a table's schema, compare two, and relax or tighten one by what a table shows."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from evergreen.profile.schema.changes import SchemaChange

schema = typer.Typer(name="schema", help="Infer, compare, relax and tighten schemas.", no_args_is_help=True)

SchemaFile = Annotated[Path, typer.Argument(metavar="SCHEMA", help="A schema's YAML.")]
With = Annotated[
    Path, typer.Option("--with", metavar="FILE", help="A table (CSV, JSON lines, Parquet) or a profile.")
]
Columns = Annotated[list[str] | None, typer.Option("--column", help="Only this column. May repeat.")]
Out = Annotated[Path | None, typer.Option(help="Write the new version here; without it nothing is written.")]
At = Annotated[str, typer.Option(help="When, for the history.")]
By = Annotated[str, typer.Option(help="Who, for the history.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the changes as JSON.")]


@schema.command()
def infer(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A table (CSV, JSON lines, Parquet) or a profile.")
    ],
    out: Annotated[Path | None, typer.Option(help="Write the schema here; default: print it.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="A column that names a row. May repeat.")] = None,
    label: Annotated[
        str | None, typer.Option(help="The column with the label: only training has it.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="The column with a row's time.")] = None,
) -> None:
    """Infer a schema that the table passes, to be read and edited.

    Example: evergreen schema infer sales.parquet --out schema.yaml
    """
    from evergreen.cli.validate import roles
    from evergreen.files import write_text
    from evergreen.profile.schema.inference import infer_schema
    from evergreen.profile.validation.files import profile_at

    made = infer_schema(profile_at(file, roles(key, label, time)))
    if out is None:
        typer.echo(made.to_yaml(), nl=False)
        return
    write_text(out, made.to_yaml())
    typer.echo(f"wrote {out}: version {made.version}, {len(made.columns)} columns")


@schema.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="A schema's YAML.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="A schema's YAML.")],
    as_json: AsJson = False,
) -> None:
    """Say what changed from one schema to another, field by field.

    Example: evergreen schema diff schema.yaml new.yaml
    """
    from evergreen.profile.schema import changes
    from evergreen.profile.schema.model import Schema

    _tell(changes.diff(Schema.read(before), Schema.read(after)), as_json)


@schema.command()
def relax(
    file: SchemaFile, table: With, column: Columns = None, out: Out = None, at: At = "", by: By = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Give a schema the room that a table needs to pass it; prints what changes and why.

    Example: evergreen schema relax schema.yaml --with today.csv --column price --out schema.yaml
    """
    _revise("relax", file, table, column or (), out, at, by, as_json)


@schema.command()
def tighten(
    file: SchemaFile, table: With, column: Columns = None, out: Out = None, at: At = "", by: By = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take from a schema the room that a table does not need; prints what changes and why.

    Example: evergreen schema tighten schema.yaml --with clean.parquet --out schema.yaml
    """
    _revise("tighten", file, table, column or (), out, at, by, as_json)


def _revise(
    command: str,
    file: Path,
    table: Path,
    columns: Sequence[str],
    out: Path | None,
    at: str,
    by: str,
    as_json: bool,
) -> None:
    from dataclasses import replace

    from evergreen.cli.validate import roles
    from evergreen.files import write_text
    from evergreen.profile.schema import changes
    from evergreen.profile.schema.comments import with_comments
    from evergreen.profile.schema.model import HEADER, Schema
    from evergreen.profile.validation.files import profile_at

    old = Schema.read(file)
    label = next((c.name for c in old.columns if c.environments == ("training",)), None)
    profile = profile_at(table, roles(old.key, label, None))
    made, found = (changes.relax if command == "relax" else changes.tighten)(old, profile, columns)
    _tell(found, as_json)
    if out is None:
        return
    if found:
        last = replace(made.history[-1], at=at, by=by)
        made = replace(made, history=(*made.history[:-1], last))
    previous = file if file.is_file() else file / "schema.yaml"
    write_text(out, with_comments(made.to_yaml(), previous.read_text(encoding="utf-8-sig"), HEADER))
    typer.echo(f"wrote {out}: version {made.version}", err=True)


def _tell(found: "Sequence[SchemaChange]", as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        typer.echo(json.dumps({"changes": [asdict(c) for c in found]}, ensure_ascii=False, default=str))
        return
    for change in found:
        typer.echo(str(change))
    if not found:
        typer.echo("no changes")
