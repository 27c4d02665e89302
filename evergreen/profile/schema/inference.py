"""The first schema of a table, from its profile: what held there, with room for what chance would change."""

import math

from evergreen.profile.model import Column, Profile, Scalar
from evergreen.profile.schema.model import ColumnSchema, Schema
from evergreen.profile.schema.ranges import number_range, time_range

# A text or a label with so few values, each seen so often on average, is taken to have no others.
_DOMAIN = 50
_ROWS_A_VALUE = 20
# A label whose classes all have so many rows has no others; a unique column must be so long to be one.
_ROWS_A_CLASS = 30
_UNIQUE_ROWS = 100
_RANGE_ROWS = 30
_WITH_INVALID = ("number", "timestamp", "date")


def infer_schema(profile: Profile) -> Schema:
    """Infer a schema that the profiled table passes, and that another sample of the same world passes too.

    - Type: as it is stored; texts with few values are a `category`, a column without a value is `any`.
    - Presence: every column is required; the label in training only.
    - Missing, invalid: the share that was, plus 4 standard errors, plus half as much again and at least 10
      points (2 where there was none, and for invalid); the label and keys may not be missing where they were
      not.
    - Domain: the values of a category, a boolean has its own; of a number only if it is the label.
    - Range: of numbers and times that are features, what no other sample of the same tail reaches (see
      `evergreen.profile.schema.ranges`): that finds a change of unit, not a new record.
    - Unique: whole numbers and texts of which no value stood twice.
    - Key: the columns that were unique together; where that is left open (a merged profile), key and time.

    Args:
        profile: Of the reference table; roles tell label, keys and time.
    """
    return Schema(
        tuple(_column(c) for c in profile.columns), key=profile.key or _open_key(profile), rows=profile.rows
    )


def _open_key(profile: Profile) -> tuple[str, ...]:
    keys = [c for c in profile.columns if c.role == "key"]
    if not any(c.unique is None and c.type in ("integer", "text") for c in keys):
        return ()
    return tuple(c.name for c in profile.columns if c.role in ("key", "time"))


def _column(column: Column) -> ColumnSchema:
    domain = _domain(column)
    low, high = _range(column)
    strict = column.rows > 0 and column.role in ("label", "key")
    type_ = "category" if column.family == "text" and domain else column.type
    if column.rows and not column.valid and column.family != "other":
        type_ = "any"
    classes = [n for _, n in column.values.items if n] if column.values else []
    return ColumnSchema(
        name=column.name,
        type=type_,
        max_missing=0.0 if strict and not column.missing else _bound(column.missing, column.rows, 0.1),
        max_invalid=_bound(column.invalid, column.rows, 0.02) if column.type in _WITH_INVALID else 1.0,
        domain=domain,
        minimum=low,
        maximum=high,
        tolerance=0.0 if column.role == "label" and domain and min(classes) >= _ROWS_A_CLASS else None,
        unique=bool(column.unique) and column.role == "feature" and column.valid >= _UNIQUE_ROWS,
        environments=("training",) if column.role == "label" else (),
    )


def _bound(count: int, rows: int, points: float) -> float:
    """The share of rows that may be as these `count` of `rows` are; at least `points` more if any is."""
    if not rows:
        return 1.0
    share = count / rows
    error = math.sqrt(max(share * (1 - share), 1 / rows) / rows)
    room = 4 * error + (max(points, share / 2) if count else 0.02)
    return min(1.0, math.ceil((share + room) * 1000) / 1000)


def _domain(column: Column) -> tuple[Scalar, ...] | None:
    values = column.values
    if column.family not in ("text", "number") or not values or not values.complete or values.other:
        return None
    seen = sorted(v for v, n in values.items if n)
    few = 0 < len(seen) <= _DOMAIN and column.valid >= _ROWS_A_VALUE * len(seen)
    wanted = column.role == "label" or (column.role == "feature" and column.family == "text")
    return tuple(seen) if few and wanted else None


def _range(column: Column) -> tuple[int | float | str | None, int | float | str | None]:
    numbers = column.numbers
    if not numbers or column.rows < _RANGE_ROWS or column.role not in ("feature", "time"):
        return None, None
    if column.family == "time":
        return time_range(numbers)
    return number_range(numbers, whole=column.type == "integer") if column.role == "feature" else (None, None)
