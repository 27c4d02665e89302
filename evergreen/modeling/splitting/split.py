"""Split a training set into train, validation and test: by time, by entity, stratified or by hash; streamed.

Whatever the method, the part of a row is a function of the row and of a few cut values, so each part is
written in one pass over the table, in the table's own order.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from evergreen.bundle.signature import Label
from evergreen.errors import DataError
from evergreen.files import aside
from evergreen.modeling.splitting.assign import PARTS, assign
from evergreen.modeling.splitting.leaks import Leaks, find_leaks, refuse_leaks
from evergreen.modeling.task import MAX_CLASSES, Target, resolve_target
from evergreen.project.model import Project
from evergreen.tables import columns, connect, identifier, kind, read_meta, scan, write_meta, write_query


@dataclass(frozen=True)
class PartSummary:
    """One part: its rows, its rows by class (None for a regression), its first and last time (or None)."""

    rows: int
    classes: dict[str, int] | None
    span: tuple[str, str] | None


@dataclass(frozen=True)
class SplitResult:
    """What `split_training_set` wrote.

    Attributes:
        method: The method used: `time`, `entity`, `stratified` or `hash`.
        target: The task and its classes.
        parts: A summary of `train`, `validation` and `test`.
        boundaries: The first time of validation and test; empty for the other methods.
        leaks: Entities and rows that stand on both sides, counted whether refused or not.
        note: Why the method is not the one that `auto` looks for first; else empty.
    """

    method: str
    target: Target
    parts: dict[str, PartSummary]
    boundaries: dict[str, str]
    leaks: Leaks
    note: str


def split_training_set(project: Project, training_set: Path, splits: Path) -> SplitResult:
    """Write `train.parquet`, `validation.parquet`, `test.parquet` and `meta.json` into the folder `splits`.

    Raises:
        DataError: when a part would be empty, a class is missing in train, the label has one class, or a
            leak that `split.refuse` names was found.
        InputError: when the method asks for a time or an entity that the project does not have.
    """
    meta = read_meta(training_set)
    with connect(project.resources) as con, aside(splits) as folder:
        folder.mkdir()
        source = scan(training_set)
        types = columns(con, source)
        target = label_target(project, con, source, meta["label"], types)
        assignment = assign(con, source, types, project, meta, target)
        for part, condition in assignment.where.items():
            write_query(con, f"SELECT * FROM {source} WHERE {condition}", folder / f"{part}.parquet")
        summaries = {part: _summary(con, scan(folder / f"{part}.parquet"), meta, target) for part in PARTS}
        _check_parts(summaries, target, meta["label"], assignment.method)
        leaks = find_leaks(con, folder, project, meta)
        refuse_leaks(leaks, project.split.refuse)
        result = SplitResult(
            assignment.method, target, summaries, assignment.boundaries, leaks, assignment.note
        )
        write_meta(folder, {**meta, "split": describe(result, project, assignment.by)})
    return result


def describe(result: SplitResult, project: Project, by: Sequence[str]) -> dict[str, Any]:
    """The `split` section of `meta.json`."""
    return {
        "method": result.method,
        "by": list(by),
        "seed": project.split.seed,
        "boundaries": result.boundaries,
        "rows": {part: s.rows for part, s in result.parts.items()},
        "spans": {part: s.span for part, s in result.parts.items()},
        "label_counts": {part: s.classes for part, s in result.parts.items()},
        "leaks": {"entities": result.leaks.entities, "future_rows": result.leaks.future_rows},
        "task": result.target.task,
        "classes": None if result.target.classes is None else list(result.target.classes),
        "positive": result.target.positive,
        "note": result.note,
    }


def read_target(meta: Mapping[str, Any]) -> Target:
    """The task and classes that `split_training_set` wrote into `meta.json`."""
    split = meta["split"]
    classes = None if split["classes"] is None else tuple(split["classes"])
    return Target(split["task"], classes, split["positive"])


def label_target(
    project: Project, con: duckdb.DuckDBPyConnection, source: str, label: str, types: Mapping[str, str]
) -> Target:
    """The task of a table's label column; see `resolve_target`.

    Raises:
        DataError: when rows have no label, besides what `resolve_target` raises.
    """
    if label not in types:
        raise DataError(f"column {label!r}", "the training set has no such column", remedy="Build it again.")
    column = identifier(label)
    absent = f"{column} IS NULL" + (f" OR isnan({column})" if kind(types[label]) == "number" else "")
    missing = con.execute(f"SELECT count(*) FROM {source} WHERE {absent}").fetchall()[0][0]
    if missing:
        raise DataError(
            f"label column {label!r}",
            f"no value in {missing} rows",
            "a value in every row",
            "Build it again.",
        )
    rows = con.execute(
        f"SELECT {column}, count(*) FROM {source} GROUP BY 1 ORDER BY 1 LIMIT {MAX_CLASSES + 1}"
    ).fetchall()
    counts = {_plain(value): int(n) for value, n in rows} if len(rows) <= MAX_CLASSES else None
    return resolve_target(project, types[label], counts)


def _plain(value: Any) -> Label:
    return value if isinstance(value, str | int | float | bool) else _number_or_text(value)


def _number_or_text(value: Any) -> Label:
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)


def _summary(
    con: duckdb.DuckDBPyConnection, part: str, meta: Mapping[str, Any], target: Target
) -> PartSummary:
    time, label = meta.get("time"), identifier(meta["label"])
    span = f"min({identifier(time)})::VARCHAR, max({identifier(time)})::VARCHAR" if time else "NULL, NULL"
    rows, first, last = con.execute(f"SELECT count(*), {span} FROM {part}").fetchall()[0]
    classes = None
    if target.classes is not None:
        counts = con.execute(f"SELECT {label}, count(*) FROM {part} GROUP BY 1 ORDER BY 1").fetchall()
        classes = {_class_name(_plain(value)): int(n) for value, n in counts}
    return PartSummary(int(rows), classes, None if first is None else (first, last))


def _class_name(value: Label) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _check_parts(parts: Mapping[str, PartSummary], target: Target, label: str, method: str) -> None:
    empty = [part for part, summary in parts.items() if not summary.rows]
    if empty:
        rows = sum(s.rows for s in parts.values())
        raise DataError(
            "split",
            f"by {method}, no row of {rows} would be in {' and '.join(empty)}",
            "rows in every part",
            "Choose another `split.method`, other fractions, or give more data.",
        )
    train = parts["train"].classes
    if train is None or target.classes is None:
        return
    absent = [c for c in map(_class_name, target.classes) if c not in train]
    if absent:
        raise DataError(
            f"label column {label!r}",
            f"split by {method}, the train part has no row of class {', '.join(map(repr, absent[:10]))}",
            "every class in train",
            "Use `split.method: stratified`, or leave out classes with so few rows.",
        )
