"""What the columns of a table stand for, as far as an assessment needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import duckdb

from evergreen.tables import identifier, kind, literal
from evergreen.tables.names import missing_column

_MOST_CLASSES, _FEW_NUMBERS = 1_000, 20


@dataclass(frozen=True)
class Roles:
    """The columns of a table.

    Attributes:
        label: What is predicted; None when nothing is.
        positive: The positive class as the project names it; None for the greater of two.
        entity: What names an entity.
        features: Where slices are looked for.
    """

    label: str | None = None
    positive: str | None = None
    entity: tuple[str, ...] = ()
    features: tuple[str, ...] = ()

    @staticmethod
    def of(
        meta: Mapping[str, Any], types: Mapping[str, str], positive: object = None,
        only: Sequence[str] | None = None,
    ) -> "Roles":  # fmt: skip
        """The roles that a training set's `meta.json` gives; empty `meta`: every column is a feature.

        Args:
            meta: Of the table.
            types: The table's columns.
            positive: `label.positive` of the project.
            only: `long_tail.columns` of the project.

        Raises:
            DataError: when a role is given to a column that is not there.
        """
        label, entity = meta.get("label"), tuple(meta.get("entity") or ())
        for column, field in [(label, "label"), *((e, "entity") for e in entity)]:
            if column is not None and column not in types:
                raise missing_column("table", column, types, field)
        for column in only or ():
            if column not in types:
                raise missing_column("table", column, types, "long_tail.columns")
        told = {label, meta.get("time"), *entity, *(meta.get("key") or ())}
        named = [f["name"] for f in meta.get("features") or ()] or [c for c in types if c not in told]
        wanted = only if only is not None else [c for c in named if c in types]
        spelled = None if positive is None else _spelled(positive)
        return Roles(label, spelled, entity, tuple(wanted))


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Label:
    """The label's values.

    Attributes:
        column: The column.
        task: What they ask for.
        classes: Rows by class, the most frequent first; empty for a number.
        positive: The positive class of two.
        missing: Rows without one.
        sql: The value that is averaged, as DOUBLE: 1 for the positive class, or the number; NULL elsewhere.
    """

    column: str
    task: Literal["binary", "multiclass", "regression"]
    classes: tuple[tuple[str, int], ...]
    positive: str | None
    missing: int
    sql: str


def read_label(
    con: duckdb.DuckDBPyConnection, source: str, types: Mapping[str, str], roles: Roles
) -> Label | None:
    """Look at the label's values, by the rules of `task: auto`; None without a label.

    Args:
        con: An open connection.
        source: SQL after FROM.
        types: The table's columns.
        roles: Which of them is the label.
    """
    if roles.label is None:
        return None
    column = identifier(roles.label)
    ((rows, given),) = con.execute(f"SELECT count(*), count({column}) FROM {source}").fetchall()
    numeric = kind(types[roles.label]) in ("integer", "number")
    counts = con.execute(
        f"SELECT {column}::VARCHAR, count(*), min(TRY_CAST({column} AS DOUBLE)) FROM {source} "
        f"WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_MOST_CLASSES + 1}"
    ).fetchall()
    whole = all(n is not None and float(n).is_integer() for _, _, n in counts)
    if numeric and (len(counts) > _FEW_NUMBERS or not whole):
        number = f"CASE WHEN isfinite({column}::DOUBLE) THEN {column}::DOUBLE END"
        return Label(roles.label, "regression", (), None, rows - given, number)
    classes = tuple((value, count) for value, count, _ in counts)
    if len(classes) > 2 or not classes:
        return Label(roles.label, "multiclass", classes, None, rows - given, "NULL::DOUBLE")
    values = sorted(counts, key=lambda c: (c[2] if numeric else 0.0, c[0]))
    named = [v for v, _, n in counts if roles.positive is not None and _is(roles.positive, v, n)]
    positive = named[0] if named else values[-1][0]
    sql = (
        f"CASE WHEN {column} IS NOT NULL THEN ({column}::VARCHAR = {literal(positive)})::INTEGER END::DOUBLE"
    )
    return Label(roles.label, "binary", classes, positive, rows - given, sql)


def _is(named: str, value: str, as_number: float | None) -> bool:
    """Whether the project's word for a class is a value's text, or the same number (1 and 1.0)."""
    if named == value:
        return True
    try:
        return as_number is not None and float(named) == as_number
    except ValueError:
        return False
