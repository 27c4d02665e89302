"""Slices of a table: SQL that names the slice of each row."""

from collections.abc import Sequence
from itertools import pairwise

from evergreen.errors import DataError
from evergreen.profile.counting.reading import Reader
from evergreen.profile.model import Profile
from evergreen.project.model import SliceBy
from evergreen.project.wording import did_you_mean, listed
from evergreen.reports.text import number
from evergreen.tables import literal


def group_sql(by: SliceBy, columns: Sequence[Reader], reference: Profile) -> str:
    """SQL for `<column>=<value>` or `<column>=[low, high)`; NULL for rows that are in no slice.

    Args:
        by: The column; its `edges`, or up to `top` of its values that the reference lists, the most frequent
            first. A number without edges or listed values is cut at the reference's quartiles.
        columns: The columns of the table.
        reference: Where values and quartiles come from.

    Raises:
        DataError: when the table has no such column.
    """
    reader = next((r for r in columns if r.name == by.column), None)
    if reader is None:
        names = [r.name for r in columns]
        remedy = did_you_mean(by.column, names) or "Name a column of the table."
        raise DataError(f"slice by {by.column!r}", "no such column", f"one of {listed(names)}", remedy)
    column = reference.by_name.get(by.column)
    edges = by.edges
    if edges is None and column and column.values:
        name = f"{literal(by.column + '=')} || CAST({reader.value} AS VARCHAR)"
        # Not with IN: DuckDB makes a join of a long one.
        cases = " ".join(
            f"WHEN {reader.value} = {literal(v)} THEN {name}" for v, n in column.values.items[: by.top] if n
        )
        return f"CASE {cases} END" if cases else "NULL::VARCHAR"
    if edges is None and column and column.numbers:
        inner = column.numbers.bins.edges
        edges = [inner[len(inner) * i // 4] for i in (1, 2, 3)] if len(inner) > 3 else []
    if not edges or reader.family not in ("number", "time"):
        return "NULL::VARCHAR"
    return _ranges(by.column, reader, sorted(set(edges)))


def _ranges(column: str, reader: Reader, edges: Sequence[float]) -> str:
    bounds = ["−∞", *(number(e) for e in edges), "∞"]
    names = [f"{column}=[{low}, {high})" for low, high in pairwise(bounds)]
    whens = " ".join(
        f"WHEN {reader.double} < {edge!r}::DOUBLE THEN {literal(name)}"
        for edge, name in zip(edges, names, strict=False)
    )
    return f"CASE WHEN {reader.value} IS NULL THEN NULL {whens} ELSE {literal(names[-1])} END"
