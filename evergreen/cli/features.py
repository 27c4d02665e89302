"""The command that looks at a table's features."""

import json
from pathlib import Path
from typing import Annotated

import typer


def features(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table: CSV, JSON lines or Parquet.")],
    label: Annotated[str, typer.Option(help="The column to predict.")],
    time: Annotated[str | None, typer.Option(help="When a row was known.")] = None,
    entity: Annotated[str | None, typer.Option(help="Whom or what a row is about.")] = None,
    keep: Annotated[list[str] | None, typer.Option(help="A feature that stays. May repeat.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the report there, as one HTML page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print findings and features as JSON.")] = False,
) -> int:
    """Show which features of a table help, repeat another, or give the label away; exits 1 on a sure leak.

    Example: evergreen features customers.csv --label churned --time signed_up --out features.html
    """
    from evergreen.files import write_text
    from evergreen.modeling.selection.console import as_record, as_text
    from evergreen.modeling.selection.page import selection_page
    from evergreen.modeling.selection.standalone import select_in_file

    found = select_in_file(file, label, time=time, entity=entity, keep=keep or ())
    if out:
        write_text(out, selection_page(file.name, found))
    typer.echo(json.dumps(as_record(found), allow_nan=False) if as_json else as_text(found))
    if out and not as_json:
        typer.echo(f"wrote {out}")
    return 1 if any(f.severity == "fail" for f in found.findings) else 0
