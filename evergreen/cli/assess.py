"""`evergreen assess`: small or large data, its long tail, and what follows."""

import json
from pathlib import Path
from typing import Annotated

import typer


def assess(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSON lines, Parquet or a training set.")],
    label: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    entity: Annotated[list[str] | None, typer.Option(help="Whom a row is about. May repeat.")] = None,
    report: Annotated[Path | None, typer.Option(help="The HTML page to write.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where strategy.json is written.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="The strategy as JSON on standard output.")] = False,
) -> None:
    """Say whether data is small or large, find its long tail, and say what follows from the numbers.

    Example: evergreen assess transactions.parquet --entity household_id --report strategy.html
    """
    from evergreen.strategy.command import assess_file
    from evergreen.strategy.words import lines

    strategy = assess_file(file, label=label, entity=entity or (), report=report, out=out)
    if json_:
        typer.echo(json.dumps({"findings": [], **strategy.content()}, ensure_ascii=False))
        return
    for line in lines(strategy):
        typer.echo(line)
