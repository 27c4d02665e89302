"""From tables to a project file: survey, plan, render, check, write."""

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from evergreen.errors import InputError
from evergreen.files import explained, write_text
from evergreen.project.init.names import project_name, source_name
from evergreen.project.init.plan import Asked, make_plan
from evergreen.project.init.render import render
from evergreen.project.init.survey import Table, survey
from evergreen.project.init.template import TEMPLATE
from evergreen.project.load import parse_project
from evergreen.project.paths import is_remote
from evergreen.project.wording import did_you_mean, listed
from evergreen.tables import connect

FILE = "project.yaml"


def write_project(
    folder: Path,
    data: Sequence[Path],
    label: str | None,
    time: str | None,
    entity: str | None,
    name: str | None = None,
    force: bool = False,
) -> Path:
    """Look at the data and write `<folder>/project.yaml`; without data, a commented example to fill in.

    Args:
        folder: Where to write; made if need be.
        data: CSV, JSON lines or Parquet files (or folders of them); the first one with the label's column is
            the label's table, the others become feature groups joined by the entity.
        label: The column to predict.
        time: The column that says as of when a row asks.
        entity: The column that says whom or what a row is about; several separated by commas.
        name: The project's name; default: from the folder's.
        force: Replace a file that is there.

    Returns:
        The file.

    Raises:
        InputError: for anything that would keep the file from running: no such file or column, a label that
            cannot be predicted, a project file that is there already. Nothing is written then.
    """
    folder = Path(folder)
    target = folder / FILE
    chosen = _checked_name(name) if name else project_name(folder)
    with explained(target):
        if folder.exists() and not folder.is_dir():
            raise InputError(str(folder), "a file", "a folder to write project.yaml in")
        if target.exists() and not force:
            raise InputError(str(target), "it is there already", remedy="Use --force to replace it.")
    if not data:
        _refuse_columns(label, time, entity)
        text = TEMPLATE.replace("name: my-project", f"name: {chosen}")
    else:
        text = _from_data(folder, data, label, time, entity, chosen)
    parse_project(text, str(target))
    write_text(target, text)
    return target


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name):
        expected = "at most 63 lower-case letters, digits, - and _, first a letter"
        raise InputError("--name", repr(name), expected)
    return name


def _refuse_columns(label: str | None, time: str | None, entity: str | None) -> None:
    for option, column in (("--label", label), ("--time", time), ("--entity", entity)):
        if column is not None:
            raise InputError(option, f"{column!r}, but no --data", "the table that has the column")


def _from_data(
    folder: Path, data: Sequence[Path], label: str | None, time: str | None, entity: str | None, name: str
) -> str:
    paths = [_local(p) for p in data]
    with tempfile.TemporaryDirectory(prefix="evergreen-init-") as scratch, connect() as con:
        tables: list[Table] = []
        for path in paths:
            source = source_name(path, [t.name for t in tables])
            tables.append(survey(con, source, path, Path(scratch), time, _split(entity), label))
        if label is None:
            raise InputError("--label", "not given", f"the column to predict: {_columns(tables)}")
        plan = make_plan(con, tables, Asked(label, time, _entity(entity, tables)))
    return render(plan, name, {t.name: _written(t.path, folder) for t in tables})


def _local(path: Path) -> str:
    text = str(path)
    if is_remote(text) or re.match(r"(s3|gs):/", text):
        remedy = "Copy some of it here for `init`, then put the remote path into project.yaml."
        raise InputError(text, "a remote path", "a local file to look at", remedy)
    absolute = os.path.abspath(path)  # noqa: PTH100 - symbolic links stay as they are
    if "*" not in text and not Path(absolute).exists():
        parent = Path(absolute).parent
        near = did_you_mean(path.name, [p.name for p in parent.iterdir()]) if parent.is_dir() else ""
        raise InputError(text, "no such file", "a table in CSV, JSON lines or Parquet", near)
    return absolute


def _columns(tables: Sequence[Table]) -> str:
    if len(tables) == 1:
        return listed(list(tables[0].columns), 60)
    return "; ".join(f"in {t.name}: {listed(list(t.columns), 60)}" for t in tables)


def _entity(entity: str | None, tables: Sequence[Table]) -> tuple[str, ...]:
    """One column, or several separated by commas (unless a column is called so)."""
    if entity is None:
        return ()
    if any(entity in t.columns for t in tables):
        return (entity,)
    return tuple(_split(entity)[1:])


def _split(entity: str | None) -> list[str]:
    """The columns that an --entity may mean: the text as it is, and its parts between commas."""
    return [] if entity is None else [entity, *(part.strip() for part in entity.split(",") if part.strip())]


def _written(path: str, folder: Path) -> str:
    """The path as it stands in the file: relative while it is near, so that both can move together."""
    relative = os.path.relpath(path, os.path.abspath(folder))  # noqa: PTH100 - as in `_local`
    return path if relative.startswith("../../..") else relative
