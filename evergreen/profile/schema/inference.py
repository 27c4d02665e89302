"""The first schema of a table, from its profile: what held there, with room for what chance would change."""

import math

from evergreen.profile.model import Column, Profile, Scalar
from evergreen.profile.schema.model import ColumnSchema, Schema

# A text or a label with so few values, each seen so often on average, is taken to have no others.
_DOMAIN = 50
_ROWS_A_VALUE = 20
# How many widths of the observed range a value may lie outside of it.
_WIDTHS = 3
_WITH_INVALID = ("number", "timestamp", "date")


def infer_schema(profile: Profile) -> Schema:
    """Infer a schema that the profiled table passes, and that another sample of the same world passes too.

    - Type: as it is stored; texts with few values are a `category`.
    - Presence: every column is required; the label in training only.
    - Missing, invalid: the share that was, plus 4 standard errors, plus half as much again and at least 10
      points (2 where there was none, and for invalid); the label and keys may not be missing where they were
      not.
    - Domain: the values of a category, a boolean has its own; of a number only if it is the label.
    - Range: of numbers that are features, three widths of the observed range on either side, and 0 where
      nothing was negative: that finds a change of unit, not a new record.
    - Key: the columns that were unique together.

    Args:
        profile: Of the reference table; roles tell label, keys and time.
    """
    return Schema(tuple(_column(c) for c in profile.columns), key=profile.key)


def _column(column: Column) -> ColumnSchema:
    domain = _domain(column)
    low, high = _range(column)
    strict = column.rows > 0 and column.role in ("label", "key")
    return ColumnSchema(
        name=column.name,
        type="category" if column.family == "text" and domain else column.type,
        max_missing=0.0 if strict and not column.missing else _bound(column.missing, column.rows, 0.1),
        max_invalid=_bound(column.invalid, column.rows, 0.02) if column.type in _WITH_INVALID else 1.0,
        domain=domain,
        minimum=low,
        maximum=high,
        tolerance=0.0 if column.role == "label" and domain else None,
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


def _range(column: Column) -> tuple[int | float | None, int | float | None]:
    numbers = column.numbers
    if column.family != "number" or column.role != "feature" or not numbers:
        return None, None
    low, high = numbers.minimum, numbers.maximum
    if low is None or high is None or low == high or column.rows < 100:
        return None, None
    if column.type == "integer":
        width = _WIDTHS * (int(high) - int(low))
        return (0 if low >= 0 else int(low) - width), int(high) + width
    width_ = _WIDTHS * (float(high) - float(low))
    bottom, top = (
        (0.0 if low >= 0 else _rounded(low - width_, down=True)),
        _rounded(high + width_, down=False),
    )
    return (bottom if math.isfinite(bottom) else None), (top if math.isfinite(top) else None)


def _rounded(value: float, *, down: bool) -> float:
    """Three digits, away from the data: people read these."""
    if not math.isfinite(value) or not value:
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    rounded = (math.floor if down else math.ceil)(value / step) * step if step > 0 else value
    return float(f"{rounded:.3g}") if math.isfinite(rounded) else value
