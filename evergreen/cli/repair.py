"""`evergreen repair`: what is written wrongly in a file, what would become of it, and the repaired file."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from evergreen.project.model import RepairPolicy
    from evergreen.repair.standalone import FileRepair


def repair(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSON lines or Parquet.")],
    out: Annotated[
        Path | None, typer.Option(help="Write the repaired rows here; log and quarantine beside it.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="YAML with `repair`: read when it is there, else written.")
    ] = None,
    key: Annotated[list[str] | None, typer.Option(help="A column that names a row. May repeat.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="K=V", help="Of the reader, such as delimiter=; or encoding=latin-1."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print findings as JSON.")] = False,
) -> None:
    """Show what a repair would change in a table, and with --out write the repaired one.

    Without --policy it is proposed from the data. Exits 1, and writes nothing, when a finding fails.

    Example: evergreen repair sales.csv --out clean.csv
    """
    from evergreen.cli.runs import parse_parameters
    from evergreen.decisions import stop_if_failed
    from evergreen.files import write_text
    from evergreen.project.init.names import source_name
    from evergreen.repair.policyfile import read_policy
    from evergreen.repair.preview import record
    from evergreen.repair.standalone import out_format, repaired_file, write_evidence, write_repaired

    if out is not None:
        out_format(out)
    given: dict[str, RepairPolicy] | None = None
    if policy is not None and policy.exists():
        given = read_policy(policy, source_name(str(file), ()))
    options = parse_parameters(option)
    with repaired_file(str(file), policies=given, options=options, key=key or ()) as (con, done):
        if as_json:
            typer.echo(json.dumps(record(done), ensure_ascii=False, default=str))
        else:
            _show(done, applied=given is not None)
        if policy is not None and given is None:
            write_text(policy, done.policy or "repair: {}\n")
            print(f"policy: {policy}", file=sys.stderr)
        stop_if_failed(done.decisions)
        if out is not None:
            rows = write_repaired(con, done, out)
            folder = out.with_name(f"{out.name}.repair")
            write_evidence(con, done, folder)
            print(
                f"wrote {out} ({rows:,} rows); audit log, quarantine and report in {folder}", file=sys.stderr
            )


def _show(done: "FileRepair", *, applied: bool) -> None:
    """The preview: a table on a terminal, aligned text elsewhere."""
    from evergreen.repair.preview import HEADERS, plain_table, preview_notes, preview_rows, summary

    rows = preview_rows(done)
    typer.echo(summary(done))
    if rows and sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        shown = Table(*HEADERS, header_style="bold")
        for row in rows:
            shown.add_row(*(Text(cell) for cell in row))
        Console().print(shown)
    elif rows:
        typer.echo(plain_table(rows))
    else:
        typer.echo("nothing to repair was found")
    for line in preview_notes(done):
        typer.echo(f"  {line}")
    if done.policy and not applied:
        typer.echo("\nThe policy, to put into a project file, or into --policy FILE:\n")
        typer.echo(done.policy.rstrip())
