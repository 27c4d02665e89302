"""One pass over a table's rows, or over groups of them, and the columns that come of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from evergreen.profile.counting.aggregates import bins, listed, request, sum_request, value_counts
from evergreen.profile.counting.hashes import gathered, sketch, sketch_of, value_sketch
from evergreen.profile.counting.moments import Scale, moments
from evergreen.profile.counting.planning import Plan, replanned
from evergreen.profile.counting.reading import collect
from evergreen.profile.counting.sketch import TOP, Sketch
from evergreen.profile.model import Column, Lengths, Numbers, Scalar

Answers = Mapping[str, Any]


def count_columns(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    plans: Sequence[Plan],
    rows: int,
    *,
    every_row: bool = False,
) -> tuple[Column, ...]:
    """The columns of a relation, in the layouts of `plans`, with their distinct values.

    Args:
        con: An open connection.
        relation: What can stand after FROM.
        plans: One for each column.
        rows: About how many rows it has.
        every_row: Whether the relation is the whole table, so that counts of the planning hold for it.
    """
    limits = [gathered(rows, p.distinct) for p in plans]
    requests = [
        request(p.reader, p.layout, p.scale, limit, hashes=not _all_listed(p) or not every_row)
        for p, limit in zip(plans, limits, strict=True)
    ]
    answers = collect(con, relation, requests).get(None, [])
    counted = []
    for plan, limit, seen in zip(plans, limits, answers, strict=True):
        counts = plan.counts if every_row and plan.counts is not None else None
        if counts is None:
            counts = _values(con, relation, plan, seen)
        scale, sums = _summed(con, relation, plan, seen)
        known = _distinct(con, relation, plan, seen, counts, limit)
        counted.append(_column(plan, seen, scale, sums, counts, known))
    return tuple(counted)


def count_groups(
    con: duckdb.DuckDBPyConnection, relation: str, plans: Sequence[Plan], group: str
) -> dict[str, tuple[Column, ...]]:
    """The same for groups of rows, without distinct values; rows for which `group` is NULL are in none."""
    requests = [request(p.reader, p.layout, p.scale, None, hashes=False) for p in plans]
    found = collect(con, relation, requests, group)
    values = {
        p.reader.name: value_counts(con, relation, p.reader, group, only=p.layout.values)
        for p in plans
        if p.layout.values and p.reader.family != "boolean"
    }
    counted: dict[str, tuple[Column, ...]] = {}
    for name, answers in found.items():
        counted[str(name)] = tuple(
            _column(p, seen, p.scale, seen, _flags(seen) or values.get(p.reader.name, {}).get(name, {}), None)
            for p, seen in zip(plans, answers, strict=True)
        )
    return counted


def _all_listed(plan: Plan) -> bool:
    return plan.counts is not None


def _flags(seen: Answers) -> dict[Scalar, int]:
    """Counts of a boolean column; empty for others."""
    if "true" not in seen:
        return {}
    return {True: seen["true"], False: seen["present"] - seen["true"]}


def _values(con: duckdb.DuckDBPyConnection, relation: str, plan: Plan, seen: Answers) -> Mapping[Scalar, int]:
    if plan.reader.family == "boolean":
        return _flags(seen)
    if not plan.layout.values:
        return {}
    return value_counts(con, relation, plan.reader, only=plan.layout.values).get(None, {})


def _summed(
    con: duckdb.DuckDBPyConnection, relation: str, plan: Plan, seen: Answers
) -> tuple[Scale | None, Answers]:
    """The sums and their frame; summed again in a larger one where a value lies outside."""
    low, high = seen.get("minimum"), seen.get("maximum")
    if plan.reader.family not in ("number", "time") or low is None or high is None:
        return plan.scale, seen
    if plan.scale and plan.scale.holds(low, high):
        return plan.scale, seen
    scale = replanned(plan, float(low), float(high)).scale
    assert scale
    return scale, collect(con, relation, [sum_request(plan.reader, scale)])[None][0]


def _distinct(
    con: duckdb.DuckDBPyConnection, relation: str, plan: Plan, seen: Answers, counts: Mapping[Scalar, int],
    limit: int | None,
) -> Sketch | None:  # fmt: skip
    reader = plan.reader
    if reader.family == "other":
        return None
    valid = seen.get("valid", seen["present"])
    if not valid:
        return Sketch.of([], TOP)
    if plan.layout.complete and sum(counts.values()) == valid:
        return value_sketch(con, reader, [v for v, n in counts.items() if n])
    if limit is None:
        return sketch(con, relation, reader, seen["estimate"])
    hashes = seen["hashes"] or []
    return sketch_of(hashes, limit) or sketch(con, relation, reader, len(hashes) * (2**64 / limit))


def _column(
    plan: Plan, seen: Answers, scale: Scale | None, sums: Answers, counts: Mapping[Any, int],
    known: Sketch | None,
) -> Column:  # fmt: skip
    reader = plan.reader
    numeric = reader.family in ("number", "time")
    present = seen["present"]
    valid = seen["valid"] if numeric else present
    return Column(
        name=reader.name,
        type=reader.type,
        role=plan.role,
        rows=seen["rows"],
        missing=seen["rows"] - present,
        invalid=present - valid,
        numbers=_numbers(plan, seen, scale, sums) if numeric else None,
        lengths=_lengths(seen) if "shortest" in seen else None,
        values=listed(counts, plan.layout, valid),
        sketch=known,
    )


def _numbers(plan: Plan, seen: Answers, scale: Scale | None, sums: Answers) -> Numbers:
    valid, above, below = seen["valid"], seen.get("above", 0), seen.get("below", 0)
    total, squares = int(sums.get("sum") or 0), int(sums.get("squares") or 0)
    exact = scale.sums(total, squares) if scale else None
    mean, m2 = moments(valid, exact) if exact else (None, None)
    return Numbers(
        count=valid,
        zeros=seen["zeros"],
        negative=seen["negative"],
        nan=seen["present"] - valid - above - below,
        positive_infinite=above,
        negative_infinite=below,
        minimum=_plain(seen["minimum"]),
        maximum=_plain(seen["maximum"]),
        mean=mean,
        m2=m2,
        bins=bins(seen.get("bins"), plan.layout.edges, valid),
        histogram=bins(seen.get("bins"), plan.layout.histogram, valid),
        sums=exact,
    )


def _plain(value: float | None) -> int | float | None:
    # -0.0 and 0.0 are equal to the aggregates, and either may come out.
    return value + 0 if value is not None else None


def _lengths(seen: Answers) -> Lengths:
    return Lengths(
        seen["shortest"], seen["longest"], int(seen["total"] or 0), seen["empty"],
        seen.get("spaced", 0), seen.get("wide", 0),
    )  # fmt: skip
