"""What is to be predicted: the task, the classes, and which columns give the answer away."""

import re
from dataclasses import dataclass

import duckdb

from evergreen.errors import InputError
from evergreen.project.init.survey import Column, Table
from evergreen.project.wording import listed
from evergreen.tables import identifier

FEW_VALUES = 20
MAX_CLASSES = 1000
_ID = re.compile(r"(?i:(?:^|[_\s.-])(?:id|key|index|uuid|guid|rownum)$)|(?<=[a-z])I[dD]$")


@dataclass(frozen=True)
class Target:
    """The label as the data have it.

    Attributes:
        column: Its name.
        task: binary, multiclass or regression.
        why: One line for the project file.
        classes: (value as text, rows), the most frequent first; empty for a regression.
        positive: The positive class of a binary task.
        labelled: Rows with a label.
    """

    column: str
    task: str
    why: str
    labelled: int
    classes: tuple[tuple[str, int], ...] = ()
    positive: str | int | float | bool | None = None


def look_at_label(con: duckdb.DuckDBPyConnection, table: Table, name: str) -> Target:
    """Tell the task from the label's type and values.

    Raises:
        InputError: for a label with no value, one class, too many classes, or of a type that is no label.
    """
    column = table.columns[name]
    where = f"{table.path}, label column {name!r}"
    if column.given == 0:
        raise InputError(where, "every value is missing", "labels")
    if column.kind in ("timestamp", "date", "nested"):
        raise InputError(where, f"values of type {column.type}", "numbers, text or booleans")
    if name in table.mixed and table.mixed[name].likely not in ("text", "empty"):
        finding = table.mixed[name]
        found = (
            f"mixed types: {finding.fitting} of {finding.values} values are {finding.likely}s, others text"
        )
        raise InputError(where, found, "one type", "Correct the column first: a label is never repaired.")
    if column.distinct == 1:
        found = f"the same value in every row: {column.low}"
        raise InputError(where, found, "at least two different values")
    if column.kind in ("integer", "number") and not _few_whole(con, table, column):
        kinds = "whole numbers" if column.kind == "integer" else "numbers"
        return Target(name, "regression", f"{kinds} with about {column.distinct:,} values", column.given)
    return _classes(con, table, column, where)


def _few_whole(con: duckdb.DuckDBPyConnection, table: Table, column: Column) -> bool:
    if column.distinct > FEW_VALUES:
        return False
    c = identifier(column.name)
    row = con.execute(f"SELECT count_if({c} <> trunc({c})) FROM {identifier(table.name)}").fetchone()
    return row == (0,)


def _classes(con: duckdb.DuckDBPyConnection, table: Table, column: Column, where: str) -> Target:
    if column.distinct > MAX_CLASSES or column.distinct > 0.5 * column.given > 10:
        found = f"{column.distinct:,} different texts in {column.given:,} rows"
        remedy = "Name another --label, or turn the texts into numbers."
        raise InputError(where, found, "some classes, each in several rows", remedy)
    c, view = identifier(column.name), identifier(table.name)
    counts = f"SELECT CAST({c} AS VARCHAR) AS v, count(*) AS n FROM {view} WHERE {c} IS NOT NULL GROUP BY {c}"
    query = f"{counts} ORDER BY n DESC, v"
    classes = tuple((str(v), int(n)) for v, n in con.execute(query).fetchall())
    if len(classes) > 2:
        shown = listed([v for v, _ in classes], 6)
        return Target(column.name, "multiclass", f"{len(classes)} classes: {shown}", column.given, classes)
    positive = _value(column, column.high or "")
    why = f"two classes, {classes[0][0]} in {classes[0][1]:,} rows and {classes[1][0]} in {classes[1][1]:,}"
    return Target(column.name, "binary", why, column.given, classes, positive)


def _value(column: Column, text: str) -> str | int | float | bool:
    if column.kind == "boolean":
        return text == "true"
    if column.kind == "integer":
        return int(text)
    return float(text) if column.kind == "number" else text


def useless_columns(
    con: duckdb.DuckDBPyConnection, table: Table, target: Target | None, taken: frozenset[str]
) -> dict[str, str]:
    """The columns that cannot be features, each with the reason.

    Args:
        con: The open connection.
        table: The table.
        target: The label, when it is in this table.
        taken: Columns that are no features anyway: entity, time, label.
    """
    reasons: dict[str, str] = {}
    for column in table.columns.values():
        reason = None if column.name in taken else _useless(table, column)
        if reason:
            reasons[column.name] = reason
    if target is not None:
        rest = [c for c in table.columns.values() if c.name not in taken and c.name not in reasons]
        reasons |= _answers(con, table, target, rest)
    return reasons


def _useless(table: Table, column: Column) -> str | None:
    if column.kind == "nested":
        return f"nested values ({column.type.partition('(')[0].lower()}), which no feature can hold"
    if column.given == 0:
        return "no value in any row"
    if column.distinct <= 1:
        return "the same value in every row" if column.given == table.rows else "one value or none"
    if column.given < 0.01 * table.rows:
        return "missing in more than 99 % of the rows"
    if column.kind == "text" and column.given >= 20 and column.distinct >= 0.9 * column.given:
        return "nearly every row has a text of its own: an identifier or free text"
    if column.kind == "text" and column.length > 40 and column.distinct >= 0.5 * column.given:
        return "free text"
    if is_row_id(table, column):
        return "numbers the rows: what it learns from it cannot hold for new rows"
    return None


def is_row_id(table: Table, column: Column) -> bool:
    """Whether whole numbers only name the rows: all different, and without gaps or called an id."""
    if column.kind != "integer" or column.distinct != table.rows or table.rows < 20:
        return False
    gapless = int(column.high or 0) - int(column.low or 0) + 1 == table.rows
    return gapless or bool(_ID.search(column.name))


def _answers(
    con: duckdb.DuckDBPyConnection, table: Table, target: Target, columns: list[Column]
) -> dict[str, str]:
    """Columns that are the label by another name: one to one with its classes, or equal to its numbers."""
    label = identifier(target.column)
    if target.task == "regression":
        names = [c.name for c in columns if c.kind in ("integer", "number")]
        tests = [f"abs(corr({identifier(c)}, {label})) > 0.999999" for c in names]
        reason = "the label by another name: the two rise and fall together exactly"
    else:
        classes = len(target.classes)
        names = [c.name for c in columns if c.distinct == classes and table.rows >= 20]
        pairs = "count(DISTINCT ({0}, {1})) FILTER (WHERE {0} IS NOT NULL AND {1} IS NOT NULL) = {2}"
        tests = [pairs.format(identifier(c), label, classes) for c in names]
        reason = "the label by another name: each of its values goes with one class"
    if not names:
        return {}
    row = con.execute(f"SELECT {', '.join(tests)} FROM {identifier(table.name)}").fetchone() or ()
    return {name: reason for name, same in zip(names, row, strict=True) if same}
