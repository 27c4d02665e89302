"""`evergreen media`: a folder of images or texts as a table."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from evergreen.errors import InputError


def media(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Images or texts, in folders or not.")],
    out: Annotated[Path, typer.Option(help="The Parquet file to write.")],
    kind: Annotated[str, typer.Option(help="images, texts, or auto: what most names end in.")] = "auto",
    labels: Annotated[
        bool, typer.Option("--labels", help="The name of a file's folder is its label.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="The HTML page to write.")] = None,
    text_column: Annotated[
        str | None, typer.Option(help="FOLDER is a table, and this column of it holds the texts.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Findings as JSON on standard output.")] = False,
) -> None:
    """Describe each image or text in a row: size, brightness, blur, language, faults, duplicates.

    Example: evergreen media photos --out photos.parquet --report photos.html --labels
    """
    from evergreen.media.command import describe_folder
    from evergreen.project.model import Media

    if kind not in ("auto", "images", "texts"):
        raise InputError("--kind", repr(kind), "images, texts or auto")
    settings = Media(label_from="folder" if labels else None)

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done:,} of {total:,} files", end="" if done < total else "\n", file=sys.stderr)

    made = describe_folder(
        folder, out, kind, settings, report=report, progress=progress, text_column=text_column
    )
    if json_:
        found = {"rows": made.rows, "failed": made.failed, "findings": [f.record() for f in made.findings]}
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    typer.echo(f"{made.rows:,} {made.kind} described in {out}")
    for finding in made.findings:
        typer.echo(f"  {finding.severity}: {finding.reason}")
