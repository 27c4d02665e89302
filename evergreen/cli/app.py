"""The commands about projects, and the place where all commands come together."""

from pathlib import Path
from typing import Annotated

import typer

from evergreen.cli import (
    assess,
    data,
    features,
    labels,
    media,
    platform,
    predictions,
    profile,
    repair,
    rollout,
    runs,
    schema,
    validate,
)

app = typer.Typer(
    name="evergreen",
    help="Keep models in production evergreen: data, training, gates, registry, serving, on KFP or a laptop.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from evergreen import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Keep models in production evergreen: data, training, gates, registry, serving, on KFP or a laptop.

    Exit codes: 0 success, 1 a gate said no, 2 bad input, 3 a fault.
    """


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where project.yaml is written.")],
    data: Annotated[
        list[Path] | None, typer.Option(help="A table: CSV, JSON lines or Parquet. May repeat.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    time: Annotated[str | None, typer.Option(help="When a row was known.")] = None,
    entity: Annotated[str | None, typer.Option(help="Whom or what a row is about.")] = None,
    name: Annotated[str | None, typer.Option(help="The project's and model's name.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a project.yaml that is there.")] = False,
) -> None:
    """Look at the data and write a project file that runs as it is.

    Example: evergreen init churn --data customers.csv --label churned --time signed_up --entity customer_id
    """
    from evergreen.project.init import write_project

    path = write_project(folder, list(data or []), label, time, entity, name=name, force=force)
    typer.echo(f"wrote {path}")
    typer.echo(f"next: evergreen check {path} && evergreen run train --project {path}")


@app.command()
def check(project: Annotated[Path, typer.Argument(metavar="PROJECT", help="The project file.")]) -> None:
    """Check a project file against itself, its data and its estimator; every fault at once.

    Example: evergreen check examples/coupons/project.yaml
    """
    from evergreen.project.check import check_project

    findings = check_project(project)
    for finding in findings:
        typer.echo(f"{project}: {finding}", err=True)
    if findings:
        raise typer.Exit(2)
    typer.echo(f"{project}: no problems found")


app.command()(runs.run)
app.command(name="compile")(runs.compile_)
app.command()(runs.submit)
app.command()(runs.report)
app.command()(platform.up)
app.command()(platform.down)
app.command()(platform.status)
app.command()(platform.serve)
app.command()(platform.models)
app.add_typer(labels.labels)
app.command()(media.media)
app.command()(assess.assess)
app.command()(repair.repair)
app.add_typer(data.data)
app.command()(data.skew)
app.command()(features.features)
app.command()(validate.validate)
app.command()(validate.diff)
app.add_typer(schema.schema)
app.command()(profile.profile)
app.add_typer(predictions.predictions)
app.add_typer(rollout.rollout)
