"""What the pass over all columns does not give: hours of the week, shapes of texts, elements of lists."""

from collections.abc import Sequence
from dataclasses import replace

import duckdb

from evergreen.profile.counting.assembly import count_columns
from evergreen.profile.counting.planning import Plan, plans_for
from evergreen.profile.counting.reading import Reader, readers
from evergreen.profile.counting.rows import Rows
from evergreen.profile.counting.shapes import SHAPED_ROWS, count_shapes
from evergreen.profile.model import Column, Profile

HOURS = 168
# 1970-01-01 was a Thursday: so many hours had passed of its week.
_FIRST = 72
_DAY = 86400


def with_extras(
    con: duckdb.DuckDBPyConnection, rows: Rows, plans: Sequence[Plan], columns: Sequence[Column],
    reference: Profile | None,
) -> tuple[Column, ...]:  # fmt: skip
    """The columns with `week`, `shapes` and `elements` where they have any."""
    made = []
    for plan, column in zip(plans, columns, strict=True):
        if plan.reader.family == "time":
            column = replace(column, week=week(con, rows.own, plan.reader))
        elif plan.layout.shapes is not None:
            shapes = count_shapes(con, rows.sample(rows.own, SHAPED_ROWS), plan.reader, plan.layout.shapes)
            column = replace(column, shapes=shapes)
        elif plan.reader.is_list:
            old = reference.by_name.get(column.name) if reference else None
            column = replace(column, elements=_elements(con, rows, plan.reader, old))
        made.append(column)
    return tuple(made)


def week(con: duckdb.DuckDBPyConnection, relation: str, reader: Reader) -> tuple[int, ...]:
    """Rows by hour of the week, from Monday 0:00 (UTC)."""
    hour = f"CAST(floor({reader.value} / 3600) AS BIGINT) + {_FIRST}"
    query = (
        f"SELECT (h % {HOURS} + {HOURS}) % {HOURS} AS k, count(*) FROM (SELECT {hour} AS h FROM {relation}) "
        f"WHERE h IS NOT NULL GROUP BY k"
    )
    counts = [0] * HOURS
    for hour_of_week, n in con.execute(query).fetchall():
        counts[hour_of_week] = n
    return tuple(counts)


def _elements(con: duckdb.DuckDBPyConnection, rows: Rows, reader: Reader, old: Column | None) -> Column:
    """All elements of a list column, as a column called `element`."""
    inner = rows.elements(reader.raw)
    (element,) = [r for r in readers(con, inner.whole) if r.name == "element"]
    alike = Profile(old.rows, (old.elements,)) if old and old.elements else None
    plans = plans_for(con, inner, [element], {}, alike)
    return count_columns(con, inner.own, plans, rows.total, every_row=rows.own == rows.whole)[0]
