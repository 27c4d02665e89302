"""Which column says when, how it becomes a timestamp, and whether rows can be split by it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from evergreen.errors import InputError
from evergreen.ingest.checks import CLOCK_SLACK
from evergreen.project.init.survey import Column, Table
from evergreen.tables import identifier, literal

WINDOWS = (timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=7), timedelta(days=30),
           timedelta(days=90), timedelta(days=365))  # fmt: skip


@dataclass(frozen=True)
class Clock:
    """A table's time column.

    Attributes:
        column: Its name.
        sql: SQL that makes a timestamp of it; empty when ingestion does.
        why: What `sql` does, for the project file.
        first: Earliest time.
        last: Latest time.
        future: Rows later than now.
        missing: Rows without a time.
    """

    column: str
    sql: str
    why: str
    first: datetime
    last: datetime
    future: int
    missing: int


def look_at_time(con: duckdb.DuckDBPyConnection, table: Table, name: str) -> Clock:
    """Find out how a column becomes a timestamp; the table's view is changed to hold it.

    Raises:
        InputError: for a column that holds no times, or only one.
    """
    column = table.columns[name]
    where = f"{table.path}, time column {name!r}"
    if column.given == 0:
        raise InputError(where, "every value is missing", "times")
    sql, why = _conversion(column, where)
    time = sql or f"CAST({identifier(name)} AS TIMESTAMP)"
    limit = literal(datetime.now(UTC).replace(tzinfo=None) + CLOCK_SLACK)
    query = (
        f"SELECT min(t), max(t), count_if(t > {limit}), count(*) - count(t)"
        f" FROM (SELECT {time} AS t FROM {identifier(table.name)})"
    )
    first, last, future, missing = con.execute(query).fetchall()[0]
    if future == table.rows - missing:
        raise InputError(
            where, f"every time lies in the future, the first at {first}", "times that have been"
        )
    if first == last:
        raise InputError(where, f"the same time in every row: {first}", "at least two times")
    return Clock(name, sql, why, first, last, future, missing)


def _conversion(column: Column, where: str) -> tuple[str, str]:
    """SQL that turns the column into a timestamp, and the reason; both empty when none is needed."""
    if column.kind in ("timestamp", "date"):
        return "", ""
    c = identifier(column.name)
    if column.kind not in ("integer", "number") or column.low is None or column.high is None:
        expected = "timestamps or dates such as 2026-01-31 12:00:00"
        remedy = "Write them so, or name another --time." if column.kind == "text" else "Name another --time."
        raise InputError(where, f"values of type {column.type} that are no times", expected, remedy)
    low, high = float(column.low), float(column.high)
    if column.kind == "integer":
        if low >= 1800 and high <= 2200:
            return f"make_timestamp({c}, 1, 1, 0, 0, 0)", "a year becomes its first day"
        if low >= 180001 and high <= 220012 and int(high) % 100 <= 12:
            return f"try_strptime(CAST({c} AS VARCHAR), '%Y%m')", "YYYYMM becomes the month's first day"
        if low >= 18000101 and high <= 22001231:
            return f"try_strptime(CAST({c} AS VARCHAR), '%Y%m%d')", "YYYYMMDD becomes a date"
        if high - low <= 20_000:
            return f"TIMESTAMP '1970-01-01' + to_days(CAST({c} AS INTEGER))", _COUNTED.format("day")
    micros, unit = next(((m, u) for least, m, u in _EPOCHS if low > least), (1e6, ""))
    why = f"{unit} since 1970 become a time" if unit else _COUNTED.format("second")
    return f"make_timestamp(CAST({c} * {micros!r} AS BIGINT))", why


# Above these a number counts from 1970 (after 1973); in microseconds, and the unit's name.
_EPOCHS = ((1e17, 1e-3, "nanoseconds"), (1e14, 1.0, "microseconds"), (1e11, 1e3, "milliseconds"),
           (1e8, 1e6, "seconds"))  # fmt: skip
_COUNTED = "the numbers count from an unknown start: one more is taken as one {} later, from 1970-01-01"


def windows(first: datetime, last: datetime) -> list[timedelta]:
    """Up to three windows for aggregates that fit into a time span, the longest 90 days or a tenth."""
    span = last - first
    longest = max(min(span, timedelta(days=90)), span / 10)
    fitting = [w for w in WINDOWS if w <= longest] or [WINDOWS[0]]
    return fitting[-3:]


def classes_in_every_part(
    con: duckdb.DuckDBPyConnection, table: Table, clock: Clock, label: str, shares: tuple[float, float]
) -> bool:
    """Whether training, validation and test rows by time all have rows, and more than one label value.

    Args:
        con: The open connection.
        table: The label's table.
        clock: Its time.
        label: The label's column.
        shares: Up to which share of the rows training and validation go.
    """
    time = clock.sql or f"CAST({identifier(clock.column)} AS TIMESTAMP)"
    y = identifier(label)
    query = f"""
        WITH labelled AS (SELECT {time} AS t, {y} AS y FROM {identifier(table.name)} WHERE {y} IS NOT NULL),
        cuts AS (SELECT quantile_disc(t, {list(shares)}) AS bounds FROM labelled)
        SELECT count(DISTINCT y) FROM labelled, cuts WHERE t IS NOT NULL
        GROUP BY CASE WHEN t < bounds[1] THEN 0 WHEN t < bounds[2] THEN 1 ELSE 2 END"""
    found = con.execute(query).fetchall()
    return len(found) == 3 and all(n > 1 for (n,) in found)
