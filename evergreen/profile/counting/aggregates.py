"""What the pass over all rows aggregates for a column, and counts by value."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from evergreen.profile.counting.hashes import hash_outputs
from evergreen.profile.counting.layout import ColumnLayout
from evergreen.profile.counting.moments import Scale, framed, sum_outputs
from evergreen.profile.counting.reading import Reader, Request
from evergreen.profile.model import Bins, Scalar, Values
from evergreen.tables import literal


def request(
    reader: Reader, layout: ColumnLayout, scale: Scale | None, limit: int | None, *, hashes: bool = True
) -> Request:
    """Everything about a column that one pass gives: counts, extremes, sums, bins, lengths, hashes.

    Args:
        reader: The column.
        layout: Its edges.
        scale: The frame of its sums; None where no value is expected.
        limit: Gather the hashes up to this one; None: estimate the number of distinct values.
        hashes: Whether distinct values are of interest.
    """
    outputs = {"rows": "count(*)", "present": "count({r})"}
    inputs = {"r": reader.raw, "v": reader.value}
    if reader.is_list:
        inputs["l"] = f"length({reader.raw})"
        return Request(inputs, outputs | _lengths())
    if reader.family == "other":
        return Request({"r": reader.raw}, outputs)
    if reader.family in ("number", "time"):
        outputs |= {"valid": "count({v})", "minimum": "min({v})", "maximum": "max({v})"}
        outputs |= {"zeros": "coalesce(count_if({v} = 0), 0)", "negative": "coalesce(count_if({v} < 0), 0)"}
        outputs |= _infinities(reader)
        inputs["d"] = reader.double
        if scale:
            inputs["y"] = framed(reader.double, scale)
            outputs |= sum_outputs("{y}")
        if layout.all_edges:
            edges = ", ".join(f"{e!r}::DOUBLE" for e in layout.all_edges)
            outputs["bins"] = f"histogram({{d}}, [{edges}])"
    elif reader.family == "text":
        inputs["l"] = f"length({reader.value})"
        outputs |= _lengths()
        outputs["spaced"] = "coalesce(count_if(({v} < '!' AND {l} > 0) OR ends_with({v}, ' ')), 0)"
        outputs["wide"] = "coalesce(count_if(strlen({v}) <> {l}), 0)"
    else:
        outputs["true"] = "coalesce(count_if({v}), 0)"
    if hashes and reader.family != "boolean":
        outputs |= hash_outputs(limit, "{v}")
    return Request(inputs, outputs)


def _lengths() -> dict[str, str]:
    return {"shortest": "min({l})", "longest": "max({l})", "total": "sum({l})",
            "empty": "coalesce(count_if({l} = 0), 0)"}  # fmt: skip


def _infinities(reader: Reader) -> dict[str, str]:
    """Counts of +∞ and −∞; what else is present but not valid is NaN."""
    if reader.family == "number" and not reader.floats:
        return {}
    return {"above": f"coalesce(count_if({{r}} = 'infinity'::{reader.stored}), 0)",
            "below": f"coalesce(count_if({{r}} = '-infinity'::{reader.stored}), 0)"}  # fmt: skip


def sum_request(reader: Reader, scale: Scale) -> Request:
    """The sums alone, for a column whose values turned out to lie outside its frame."""
    return Request({"y": framed(reader.double, scale)}, sum_outputs("{y}"))


def bins(counts: Mapping[float, int] | None, edges: Sequence[float], valid: int) -> Bins:
    """Sum DuckDB's counts by upper edge (∞ for the last) into the bins of `edges`, some of those edges."""
    if not edges:
        return Bins((), (valid,))
    sums = [0] * (len(edges) + 1)
    bounds = [*edges, math.inf]
    at = 0
    for upper, count in sorted((counts or {}).items()):
        while upper > bounds[at]:
            at += 1
        sums[at] += count
    return Bins(tuple(edges), tuple(sums))


def value_counts(
    con: duckdb.DuckDBPyConnection, relation: str, reader: Reader, group: str = "", *,
    only: Sequence[Scalar] | None = None, least: int = 1,
) -> dict[Any, dict[Scalar, int]]:  # fmt: skip
    """Exact counts by value, for each group (None where `group` is empty).

    Args:
        con: An open connection.
        relation: What can stand after FROM.
        reader: The column.
        group: SQL for the name of a row's group; rows without one are left out.
        only: Count only these values.
        least: Leave out values that occur less often.
    """
    if only is not None and not only:
        return {}
    inner = f"(SELECT {group or 'NULL'} AS g, {reader.value} AS v FROM {relation})"
    if only is not None:
        # A join: of a long IN list DuckDB makes another kind, which also keeps what does not match.
        inner += f" JOIN (SELECT unnest({literal(list(only))}) AS w) ON v = w"
    where = "v IS NOT NULL" + (" AND g IS NOT NULL" if group else "")
    query = f"SELECT any_value(g), v, count(*) AS n FROM {inner} WHERE {where}"
    query += f" GROUP BY {'g, v' if group else 'v'} HAVING n >= {least}"
    found: dict[Any, dict[Scalar, int]] = {}
    for name, value, count in con.execute(query).fetchall():
        found.setdefault(name, {})[value] = count
    return found


def listed(counts: Mapping[Scalar, int], layout: ColumnLayout, valid: int) -> Values | None:
    """The counts of a layout's values (zero for those that do not occur) and of all others together."""
    if layout.values is None:
        return None
    own = {v: counts.get(v, 0) for v in layout.values}
    return Values(ranked(own), valid - sum(own.values()), layout.complete)


def ranked(counts: Mapping[Scalar, int]) -> tuple[tuple[Scalar, int], ...]:
    """Values with their counts, the most frequent first, ties by value."""
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
