"""What a project asks of its sources: which of them, and which of their columns, for what."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import duckdb

from evergreen.errors import DataError
from evergreen.near import did_you_mean
from evergreen.project.model import FeatureGroup, Project
from evergreen.tables.connection import first_sentence
from evergreen.tables.names import listed

Use = Literal["named", "identity", "time", "label", "feature"]


@dataclass(frozen=True)
class Wanted:
    """A column that the project names: `field` is where, `use` is what for."""

    column: str
    field: str
    use: Use


def needed_sources(project: Project, only: Sequence[str] = ()) -> list[str]:
    """The sources that the project's label, features and predictions need, those of their SQL before them.

    Args:
        project: The project.
        only: A subset by name; what its SQL reads comes with it. Empty means all that are needed.

    Raises:
        DataError: for a name that is no source, and for SQL sources that need each other in a circle.
    """
    wanted = list(only) or [project.label.source, *(g.source for g in project.features)]
    if not only and project.predict.source:
        wanted.append(project.predict.source)
    labellers = project.gates.labels.labellers
    if not only and labellers:
        wanted.append(labellers.source)
    order: list[str] = []
    for name in wanted:
        _visit(project, name, order, ())
    return order


def _visit(project: Project, name: str, order: list[str], path: tuple[str, ...]) -> None:
    if name not in project.sources:
        raise DataError(
            "sources",
            f"no source {name!r}",
            f"one of {listed(project.sources)}",
            did_you_mean(name, project.sources),
        )
    if name in path:
        circle = " → ".join((*path[path.index(name) :], name))
        raise DataError(f"sources.{name}.sql", f"it reads itself: {circle}", "SQL over other sources")
    if name in order:
        return
    sql = project.sources[name].sql
    if sql is not None:
        for reference in sql_references(name, sql, project.sources):
            _visit(project, reference, order, (*path, name))
    order.append(name)


def sql_references(name: str, sql: str, sources: Iterable[str]) -> list[str]:
    """The sources that a query reads, by their names, in order of their first use.

    Raises:
        DataError: when `sql` is not exactly one SELECT statement.
    """
    tree = _parsed(name, sql)
    known = {source.lower(): source for source in sources}
    found: dict[str, None] = {}
    for table in _tables(tree):
        if table.lower() in known:
            found[known[table.lower()]] = None
    return list(found)


def _parsed(name: str, sql: str) -> dict[str, Any]:
    con = duckdb.connect()
    try:
        row = con.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    finally:
        con.close()
    tree: dict[str, Any] = json.loads(row[0]) if row else {}
    where = f"sources.{name}.sql"
    if tree.get("error"):
        message = first_sentence(str(tree.get("error_message", "")))
        raise DataError(where, message, "one SELECT statement", "Correct the SQL in the project file.")
    if len(tree.get("statements", [])) != 1:
        raise DataError(where, f"{len(tree['statements'])} statements", "one SELECT statement")
    return tree


def _tables(node: object) -> Iterable[str]:
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE":
            yield str(node["table_name"])
        for value in node.values():
            yield from _tables(value)
    elif isinstance(node, list):
        for value in node:
            yield from _tables(value)


def join_columns(project: Project, group: FeatureGroup) -> list[str]:
    """The columns that join a feature group's source with the label's rows."""
    return list(group.on if group.on is not None else project.entity)


def label_key(project: Project) -> list[str]:
    """The columns that name a row of the label's source, as declared; may be empty."""
    return list(project.label.key or project.sources[project.label.source].key or ())


def wanted_columns(project: Project, source: str) -> list[Wanted]:
    """Every column of `source` that some field of the project names, in the order of the file."""
    wanted = [*_by_source(project, source), *_by_label(project, source), *_by_labellers(project, source)]
    for group in project.features:
        if group.source == source:
            wanted += _by_group(project, group)
        elif source == project.label.source:
            joined = join_columns(project, group)
            wanted += [Wanted(c, f"features.{group.name}.on", "identity") for c in joined]
    return wanted


def _by_source(project: Project, name: str) -> Iterable[Wanted]:
    source = project.sources[name]
    for column in source.columns or ():
        yield Wanted(column, f"sources.{name}.columns", "named")
    for column in source.types:
        yield Wanted(column, f"sources.{name}.types", "named")
    if source.time:
        yield Wanted(source.time, f"sources.{name}.time", "time")
    for column in source.key or ():
        yield Wanted(column, f"sources.{name}.key", "identity")
    for column in project.repair.get(name, {}):
        yield Wanted(column, f"repair.{name}", "named")


def _by_label(project: Project, name: str) -> Iterable[Wanted]:
    if name != project.label.source:
        return
    for column in project.entity:
        yield Wanted(column, "entity", "identity")
    if project.time:
        yield Wanted(project.time, "time", "time")
    yield Wanted(project.label.column, "label.column", "label")
    for column in project.label.key or ():
        yield Wanted(column, "label.key", "identity")


def _by_labellers(project: Project, name: str) -> Iterable[Wanted]:
    several = project.gates.labels.labellers
    if several is None or several.source != name:
        return
    where = "gates.labels.labellers"
    for column in several.item or label_key(project):
        yield Wanted(column, f"{where}.item", "identity")
    yield Wanted(several.labeller, f"{where}.labeller", "identity")
    yield Wanted(several.label or project.label.column, f"{where}.label", "identity")


def _by_group(project: Project, group: FeatureGroup) -> Iterable[Wanted]:
    where = f"features.{group.name}"
    if group.source != project.label.source or group.aggregates:
        for column in join_columns(project, group):
            yield Wanted(column, f"{where}.on", "identity")
    if group.columns is not None and group.columns != "*":
        for column in group.columns:
            yield Wanted(column, f"{where}.columns", "feature")
    for column in group.exclude:
        yield Wanted(column, f"{where}.exclude", "named")
    for aggregate in group.aggregates:
        if aggregate.column:
            counted = {"count", "distinct", "recency"}.issuperset(aggregate.functions)
            yield Wanted(aggregate.column, f"{where}.aggregates", "identity" if counted else "feature")
