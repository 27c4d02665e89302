"""The spine of a training set: the label's rows that may be learned from, and why the others may not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from evergreen.errors import DataError
from evergreen.history.joins.roles import Roles
from evergreen.ingest.checks import check_key
from evergreen.ingest.needed import label_key
from evergreen.project.model import Project
from evergreen.tables.kinds import kind
from evergreen.tables.names import listed
from evergreen.tables.parquet import scan, write_query
from evergreen.tables.sql import identifier, literal

ROW = "evergreen_row"
INSTANT = "evergreen_instant"
_MOST_CLASSES = 100


@dataclass(frozen=True)
class Spine:
    """The rows of a training set before their features.

    Attributes:
        path: A Parquet file: the row's number, its instant (microseconds since 1970, UTC), and every column
            of the source.
        rows: Rows kept.
        excluded: Rows left out, by reason.
        label_counts: Rows by label value, when there are at most a hundred.
        observed_until: The time up to which labels are known.
    """

    path: Path
    rows: int
    excluded: Mapping[str, int]
    label_counts: Mapping[str, int] | None
    observed_until: datetime


def microseconds(duration: timedelta) -> int:
    """A duration in microseconds."""
    return duration // timedelta(microseconds=1)


def make_spine(
    con: duckdb.DuckDBPyConnection,
    project: Project,
    roles: Roles,
    tables: Path,
    target: Path,
    as_of: datetime | None = None,
) -> Spine:
    """Write the rows whose label is known and mature; every row when rows are to be scored.

    Args:
        con: An open connection.
        project: The project.
        roles: What the columns of the source stand for.
        tables: The folder of `ingest`.
        target: The Parquet file to write.
        as_of: The moment that stands for now; no label is known later, whatever the project says.

    Raises:
        DataError: for duplicate keys, a label with one class or of a type that the task cannot take, a
            positive value that no row has, and when no row is left.
    """
    relation = scan(tables / roles.source)
    given = project.label.observed_until if roles.label is not None else None
    # As of an earlier day the source holds nothing later: its labels of then would be too early a "no".
    known = [_utc(moment) for moment in (given, as_of) if moment is not None]
    until = min(known, default=datetime.now(UTC).replace(tzinfo=None, microsecond=0))
    if roles.label is None:
        excluded: dict[str, int] = {}
        condition = "TRUE"
    else:
        _check_label_type(con, project, roles, relation)
        reason = _reason(project, roles, until)
        counted = con.execute(
            f"SELECT {reason} AS r, count(*) FROM {relation} GROUP BY 1 ORDER BY 1"
        ).fetchall()
        excluded = {str(r): n for r, n in counted if r is not None}
        condition = f"({reason}) IS NULL"
    instant = (
        f"epoch_us(CAST({identifier(roles.time)} AS TIMESTAMP))" if roles.time else literal_instant(until)
    )
    rows = write_query(
        con,
        f"SELECT row_number() OVER () AS {ROW}, {instant} AS {INSTANT}, * FROM {relation} WHERE {condition}",
        target,
        where=f"source {roles.source}",
    )
    if rows == 0:
        raise _nothing_left(roles, excluded)
    counts = None
    if roles.label is not None:
        if roles.source == project.label.source and label_key(project):
            check_key(con, roles.source, scan(target), label_key(project))
        counts = label_counts(con, project, roles, target)
    return Spine(target, rows, excluded, counts, until)


def _utc(moment: datetime) -> datetime:
    """A moment in UTC, without its time zone."""
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def literal_instant(moment: datetime) -> str:
    """SQL for a moment (UTC) in microseconds since 1970."""
    return f"epoch_us({literal(moment)})"


def _reason(project: Project, roles: Roles, until: datetime) -> str:
    """SQL for why a row is left out, NULL for one that stays."""
    cases = []
    if roles.time:
        cases.append(f"WHEN {identifier(roles.time)} IS NULL THEN 'no time'")
    if roles.entity:
        missing = " OR ".join(f"{identifier(c)} IS NULL" for c in roles.entity)
        cases.append(f"WHEN {missing} THEN 'no entity'")
    cases.append(f"WHEN {identifier(roles.label or '')} IS NULL THEN 'no label'")
    if roles.time:
        final = (
            f"epoch_us(CAST({identifier(roles.time)} AS TIMESTAMP)) + {microseconds(project.label.maturity)}"
        )
        cases.append(f"WHEN {final} > {literal_instant(until)} THEN 'immature label'")
    return f"CASE {' '.join(cases)} END"


def _check_label_type(con: duckdb.DuckDBPyConnection, project: Project, roles: Roles, relation: str) -> None:
    column = identifier(roles.label or "")
    described = con.execute(f"DESCRIBE SELECT {column} FROM {relation}").fetchall()
    now = kind(described[0][1])
    where = f"source {roles.source}, label {roles.label!r}"
    if now in ("timestamp", "date", "nested"):
        raise DataError(where, f"it holds {now} values", "numbers, text or booleans")
    if project.task == "regression" and now not in ("integer", "number"):
        remedy = "Say `task: binary` or `multiclass`, or name a column of numbers."
        raise DataError(where, f"it holds {now} values", "numbers: the task is regression", remedy)


def label_counts(
    con: duckdb.DuckDBPyConnection, project: Project, roles: Roles, spine: Path
) -> dict[str, int] | None:
    """Rows by label value; None for more than a hundred values.

    Raises:
        DataError: for a label with one class, or without the positive one that the project names.
    """
    column = identifier(roles.label or "")
    rows = con.execute(
        f"SELECT {column}, count(*) FROM {scan(spine)} GROUP BY 1 ORDER BY 1 LIMIT {_MOST_CLASSES + 1}"
    ).fetchall()
    where = f"source {roles.source}, label {roles.label!r}"
    if len(rows) < 2:
        found = f"one class: all {rows[0][1]} rows have {rows[0][0]!r}"
        remedy = "Check how the label is made, and its maturity: immature rows are left out."
        raise DataError(where, found, "at least two different values", remedy)
    positive = project.label.positive
    if positive is not None and len(rows) <= _MOST_CLASSES:
        values = [value for value, _ in rows]
        if not any(value == positive or str(value) == str(positive) for value in values):
            expected = f"one of {listed(map(repr, values))}"
            raise DataError("label.positive", f"no row has {positive!r}", expected)
    return {str(v): n for v, n in rows} if len(rows) <= _MOST_CLASSES else None


def _nothing_left(roles: Roles, excluded: Mapping[str, int]) -> DataError:
    reasons = ", ".join(
        f"{n} with {reason}" if reason[:2] == "no" else f"{n} {reason}s" for reason, n in excluded.items()
    )
    remedy = "Check `label.maturity` and `label.observed_until`." if "immature label" in excluded else ""
    return DataError(
        f"source {roles.source}", f"no row is left to learn from ({reasons or 'it is empty'})", remedy=remedy
    )
