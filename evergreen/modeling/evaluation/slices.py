"""Slices of a split: which there are, and SQL that numbers the slice of each row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import duckdb

from evergreen.errors import DataError, InputError
from evergreen.project.model import SliceBy
from evergreen.project.wording import did_you_mean, listed
from evergreen.reports.text import number
from evergreen.tables import identifier, kind, literal

MISSING, REST = "(missing)", "(rest)"


@dataclass(frozen=True)
class Slicing:
    """Slices by one column.

    Attributes:
        column: The column.
        names: The slices' names, such as `age=65+` or `amount=[10, 20)`, in order.
        sql: SQL for the place of a row's slice in `names`.
    """

    column: str
    names: tuple[str, ...]
    sql: str


def plan_slices(
    con: duckdb.DuckDBPyConnection, source: str, types: Mapping[str, str], slices: Sequence[SliceBy]
) -> list[Slicing]:
    """The slices of a project over the rows of all parts.

    A column with `edges` is cut at them. A number with more different values than `top` is cut at its
    quartiles. Any other column gives a slice for each of its `top` most frequent values and one for the rest.
    Rows without a value are a slice of their own.

    Args:
        con: An open connection.
        source: SQL after FROM, over all parts.
        types: The DuckDB type of each column.
        slices: The project's `slices`.

    Raises:
        DataError: when there is no such column.
        InputError: when `edges` are given for a column that holds no numbers.
    """
    return [_plan(con, source, types, by) for by in slices]


def _plan(con: duckdb.DuckDBPyConnection, source: str, types: Mapping[str, str], by: SliceBy) -> Slicing:
    if by.column not in types:
        remedy = did_you_mean(by.column, types) or "Change `slices` in the project file."
        raise DataError(f"slice by {by.column!r}", "no such column", f"one of {listed(list(types))}", remedy)
    column = identifier(by.column)
    numeric = kind(types[by.column]) in ("integer", "number")
    if by.edges and not numeric:
        found = f"`edges` for a column of type {types[by.column]}"
        raise InputError(f"slice by {by.column!r}", found, "numbers", "Leave out `edges`.")
    if by.edges:
        return _ranges(by.column, sorted(set(by.edges)))
    ((different,),) = con.execute(f"SELECT count(DISTINCT {column}) FROM {source}").fetchall()
    if numeric and different > by.top:
        wanted = "[0.25, 0.5, 0.75]"
        query = f"SELECT quantile_disc({column}::DOUBLE, {wanted}) FROM {source}"
        ((cuts,),) = con.execute(query).fetchall()
        return _ranges(by.column, sorted(set(cuts)))
    rows = con.execute(
        f"SELECT {column}::VARCHAR AS v, count(*) AS n FROM {source} WHERE v IS NOT NULL "
        f"GROUP BY 1 ORDER BY n DESC, v LIMIT {by.top}"
    ).fetchall()
    values = [value for value, _ in rows]
    names = [f"{by.column}={name}" for name in [*values, REST, MISSING]]
    place = f"list_position({literal(values)}::VARCHAR[], {column}::VARCHAR) - 1"
    rest = f"CASE WHEN {column} IS NULL THEN {len(values) + 1} ELSE {len(values)} END"
    return Slicing(by.column, tuple(names), f"coalesce({place}, {rest})")


def _ranges(column: str, edges: Sequence[float]) -> Slicing:
    bounds = ["−∞", *(number(e) for e in edges), "∞"]
    names = [f"{column}=[{low}, {high})" for low, high in pairwise(bounds)]
    value = f"{identifier(column)}::DOUBLE"
    whens = " ".join(f"WHEN {value} < {literal(float(e))} THEN {i}" for i, e in enumerate(edges))
    sql = f"CASE WHEN {value} IS NULL OR isnan({value}) THEN {len(names)} {whens} ELSE {len(edges)} END"
    return Slicing(column, (*names, f"{column}={MISSING}"), sql)
