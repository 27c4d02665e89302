"""`evergreen profile FILE`: statistics of a table, without a project."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from evergreen.profile import Profile
    from evergreen.project.model import Resources


def profile(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSON lines, Parquet, or a folder.")],
    baseline: Annotated[
        Path | None, typer.Option(help="A table, or a profile.json, to show this one beside.")
    ] = None,
    slice_: Annotated[
        list[str] | None, typer.Option("--slice", metavar="COLUMN", help="Also by value of it. May repeat.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="The column that is to be predicted.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with charts here.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the profile here, as JSON.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")] = False,
    memory: Annotated[str, typer.Option(help="How much memory it may take.")] = "1GiB",
) -> None:
    """Statistics of a table by column: missing, distinct, quantiles, frequent values; charts with --html.

    Example: evergreen profile sales.csv --slice region --html sales.html
    """
    import json

    from evergreen.files import write_text
    from evergreen.profile.report import profile_page
    from evergreen.profile.summary import summary, text_table

    resources = _resources(memory)
    reference = _baseline(baseline, slice_ or [], label, resources) if baseline else None
    made = _profiled(file, reference, slice_ or [], label, resources)
    if out:
        write_text(out, made.to_json())
    if html:
        write_text(html, profile_page(made, file.name, reference))
    if json_:
        typer.echo(json.dumps({"file": str(file), **summary(made)}, ensure_ascii=False, indent=1))
        return
    typer.echo(text_table(made))
    for path in (html, out):
        if path:
            typer.echo(f"wrote {path}")


def _resources(memory: str) -> "Resources":
    from pydantic import ValidationError

    from evergreen.errors import InputError
    from evergreen.project.model import Resources

    try:
        return Resources(memory=memory)
    except ValidationError:
        raise InputError("--memory", repr(memory), "such as 1GiB or 512MiB") from None


def _profiled(
    file: Path, reference: "Profile | None", slices: list[str], label: str | None, resources: "Resources"
) -> "Profile":
    from evergreen.errors import InputError
    from evergreen.near import did_you_mean
    from evergreen.profile import profile_table
    from evergreen.profile.open import opened
    from evergreen.profile.traits.observe import with_traits
    from evergreen.project.model import SliceBy
    from evergreen.tables.names import listed

    with opened(file, resources) as table:
        roles: dict[str, Any] = {label: "label"} if label else {}
        by = [SliceBy(column=column) for column in slices]
        made = profile_table(table, roles or None, edges_from=reference, slices=by, resources=resources)
        if label and label not in made.by_name:
            known = f"one of {listed(made.by_name)}"
            raise InputError("--label", f"no column {label!r}", known, did_you_mean(label, made.by_name))
        return with_traits(made, table, resources=resources)


def _baseline(path: Path, slices: list[str], label: str | None, resources: "Resources") -> "Profile":
    """A profile that is there already, or that of a table, by the same slices."""
    from evergreen.profile.validation.files import read_profile

    return read_profile(path) or _profiled(path, None, slices, label, resources)
