"""`evergreen validate` and `evergreen diff`: a file against a baseline, without a project."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from evergreen.findings import Finding
    from evergreen.profile.model import Role
    from evergreen.profile.validation.files import Checked

Slices = Annotated[
    list[str] | None,
    typer.Option("--slice", metavar="COLUMN", help="Compare its values part by part, too. May repeat."),
]
Page = Annotated[Path | None, typer.Option(help="Write the side-by-side report here.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print findings as JSON.")]
Key = Annotated[list[str] | None, typer.Option(help="A column that names a row. May repeat.")]
Label = Annotated[str | None, typer.Option(help="The column with the label.")]
Time = Annotated[str | None, typer.Option(help="The column with a row's time; it may move on.")]


def validate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSON lines or Parquet.")],
    baseline: Annotated[
        Path | None,
        typer.Option(help="What it should look like: such a file, a profile, or a model's folder."),
    ] = None,
    schema: Annotated[
        Path | None, typer.Option(help="A schema's YAML; default: inferred from the baseline.")
    ] = None,
    mode: Annotated[str, typer.Option(help="What a no does: fail, warn or off.")] = "fail",
    slices: Slices = None,
    key: Key = None,
    label: Label = None,
    time: Time = None,
    html: Page = None,
    as_json: AsJson = False,
) -> int:
    """Check a table against a baseline and a schema; exit 1 when something fails.

    Example: evergreen validate today.csv --baseline yesterday.csv --json
    """
    from evergreen.errors import InputError

    if mode not in ("fail", "warn", "off"):
        raise InputError("--mode", repr(mode), "fail, warn or off")
    checked = _checked(file, baseline, schema, mode, slices, roles(key, label, time))
    _tell(checked, html, as_json, f"{file} is as it should be")
    return 1 if any(f.severity == "fail" for f in checked.validation.findings) else 0


def diff(
    before: Annotated[
        Path, typer.Argument(metavar="BEFORE", help="CSV, JSON lines or Parquet, or a profile.")
    ],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="CSV, JSON lines or Parquet.")],
    slices: Slices = None,
    key: Key = None,
    html: Page = None,
    as_json: AsJson = False,
) -> None:
    """Say what is different between two tables, beyond chance.

    Example: evergreen diff january.parquet february.parquet --html diff.html
    """
    checked = _checked(after, before, None, "warn", slices, roles(key, None, None))
    _tell(checked, html, as_json, f"{after} is as {before}: no difference beyond chance")


def roles(key: Sequence[str] | None, label: str | None, time: str | None) -> "dict[str, Role]":
    """The roles that the options give to columns."""
    found: dict[str, Role] = dict.fromkeys(key or (), "key")
    if label:
        found[label] = "label"
    if time:
        found[time] = "time"
    return found


def _checked(
    file: Path, baseline: Path | None, schema: Path | None, mode: str, slices: list[str] | None,
    named: "dict[str, Role]",
) -> "Checked":  # fmt: skip
    from evergreen.profile.validation.files import check_file
    from evergreen.project.model import DataGate

    gate = DataGate.model_validate({"mode": mode, "drift": mode, "min_rows": 1})
    return check_file(file, baseline, schema, gate, roles=named, slices=slices or ())


def _tell(checked: "Checked", html: Path | None, as_json: bool, fine: str) -> None:
    from evergreen.files import write_text
    from evergreen.profile.validation.page import validation_page

    findings = checked.validation.findings
    if html is not None:
        write_text(html, validation_page(checked.validation, checked.baseline))
    if as_json:
        baseline = checked.baseline
        record = {
            "findings": [f.record() for f in findings],
            "rows": checked.validation.current.rows,
            "baseline_rows": baseline.rows if baseline else None,
        }
        typer.echo(json.dumps(record, ensure_ascii=False, default=str))
        return
    for finding in findings:
        typer.echo(_line(finding))
    if not findings:
        typer.echo(fine)
    if html is not None:
        typer.echo(f"wrote {html}", err=True)


def _line(finding: "Finding") -> str:
    part = "" if finding.slice == "overall" else f" [{finding.slice}]"
    rows = f"  rows: {'; '.join(finding.keys)}" if finding.keys else ""
    return f"{finding.severity:<5} {finding.rule:<16} {finding.column}{part}: {finding.reason}{rows}"
