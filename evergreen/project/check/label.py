"""The label's column, its values, and the columns that name its rows, against the data."""

import duckdb

from evergreen.labels.ledger import project_decisions
from evergreen.project.check.look import Look
from evergreen.project.check.sources import check_key, check_time
from evergreen.project.paths import is_remote
from evergreen.project.wording import Path, did_you_mean, listed, shown
from evergreen.tables import identifier, kind


def check_label(look: Look) -> None:
    """Record what is wrong with the label, the entity, the time, the rows' key and people's decisions."""
    project, label = look.project, look.project.label
    if label.decisions and not is_remote(label.decisions):
        look.told(("label", "decisions"), lambda: project_decisions(project))
    if label.source not in look.schemas:
        return
    places: list[tuple[Path, str]] = [(("entity", i), c) for i, c in enumerate(project.entity)]
    places += [(("label", "key", i), c) for i, c in enumerate(label.key or [])]
    known = [look.require(where, column, label.source) for where, column in places]
    for index, column in enumerate(project.split.by or []):
        look.require(("split", "by", index), column, label.source)
    if project.time:
        known.append(look.require(("time",), project.time, label.source))
        if known[-1] and project.sources[label.source].time != project.time:
            check_time(look, label.source, project.time, ("time",))
    if look.require(("label", "column"), label.column, label.source):
        _check_values(look)
    if all(known):
        _check_unique(look)


def _check_values(look: Look) -> None:
    label, task = look.project.label, look.project.task
    name, column = repr(label.column), identifier(label.column)
    row = look.row(f"SELECT count({column}), count(DISTINCT {column}) FROM {identifier(label.source)}")
    if row is None:
        return
    given, distinct = row
    where: Path = ("label", "column")
    type_ = look.schemas[label.source][label.column]
    declared = look.project.sources[label.source].types.get(label.column)
    if given == 0:
        look.document.add(where, f"no row has a value in {name}", "labels")
    elif distinct == 1:
        look.document.add(where, f"{name} has the same value in every row", "at least two different values")
    elif task == "binary" and distinct > 2:
        other = "multiclass" if distinct <= 100 else "regression"
        found = f"{distinct:,} different values in {name} for a binary task"
        look.document.add(where, found, f"two values, or `task: {other}`")
    elif task == "regression" and not {kind(type_), declared} & {"integer", "number"}:
        look.document.add(where, f"{name} of type {type_} for a regression", "numbers")
    if label.positive is not None and 1 < distinct <= 100:
        _check_positive(look)


def _check_positive(look: Look) -> None:
    label = look.project.label
    column, table = identifier(label.column), identifier(label.source)
    query = f"SELECT DISTINCT {column}::VARCHAR AS v FROM {table} WHERE {column} IS NOT NULL ORDER BY v"
    try:
        values = [str(r[0]) for r in look.con.execute(query).fetchall()]
    except duckdb.Error:
        return
    if not any(_same(v, label.positive) for v in values):
        expected = f"one of the values of {label.column!r}: {listed(values)}"
        near = did_you_mean(label.positive, values)
        look.document.add(("label", "positive"), shown(label.positive), expected, near)


def _same(text: str, value: object) -> bool:
    """Whether a value of a table, as text, is the one that a project file names."""
    if text == (str(value).lower() if isinstance(value, bool) else str(value)):
        return True
    try:
        return not isinstance(value, str) and float(text) == float(str(value))
    except ValueError:
        return False


def _check_unique(look: Look) -> None:
    project, label = look.project, look.project.label
    key = label.key or ([*project.entity, project.time] if project.entity and project.time else [])
    if key and key != project.sources[label.source].key:
        check_key(look, label.source, key, ("label", "key") if label.key else ("entity",))
