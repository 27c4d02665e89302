"""Second pass: count a table, or groups of its rows, into fixed layouts, and put the columns together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from evergreen.profile.counting.aggregates import (
    Scale,
    bins,
    listed,
    measure_request,
    survey_request,
    value_counts,
)
from evergreen.profile.counting.layout import ColumnLayout
from evergreen.profile.counting.reading import Reader, collect
from evergreen.profile.model import Column, Lengths, Numbers, Role, Scalar

Survey = Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """How one column is counted.

    Attributes:
        reader: The column.
        role: What it is to the project.
        layout: Its edges and listed values.
        scale: Of its sums; None where there is no number to add up.
        counts: Of the listed values in the whole table, where planning counted them.
    """

    reader: Reader
    role: Role
    layout: ColumnLayout
    scale: Scale | None
    counts: Mapping[Scalar, int] | None = None

    @staticmethod
    def of(reader: Reader, role: Role, layout: ColumnLayout, survey: Survey) -> "Plan":
        """The plan for a column after the first pass over it."""
        if not survey.get("valid"):
            return Plan(reader, role, layout, None)
        low, high = float(survey["minimum"]), float(survey["maximum"])
        middle = layout.edges[len(layout.edges) // 2] if layout.edges else low / 2 + high / 2
        return Plan(reader, role, layout, Scale.of(low, high, middle))


def survey(
    con: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[Reader], group: str = ""
) -> dict[str | None, list[dict[str, Any]]]:
    """First pass, for each group (None when `group` is empty): see `counting.survey_request`."""
    return collect(con, relation, [survey_request(r) for r in columns], group)


def count_columns(
    con: duckdb.DuckDBPyConnection, relation: str, plans: Sequence[Plan],
    surveys: Mapping[str | None, Sequence[Survey]], group: str = "",
) -> dict[str | None, tuple[Column, ...]]:  # fmt: skip
    """Second pass: the columns of each group that the first pass found, all in the layouts of `plans`."""
    scaled = [(p, p.scale) for p in plans if p.scale]
    requests = [measure_request(p.reader, p.layout, scale) for p, scale in scaled]
    sums = collect(con, relation, requests, group)
    values = {
        p.reader.name: value_counts(con, relation, p.reader, group, only=p.layout.values)
        for p in plans
        if p.layout.values and (group or p.counts is None)
    }
    if not group:
        values |= {p.reader.name: {None: dict(p.counts)} for p in plans if p.counts is not None}
    counted: dict[str | None, tuple[Column, ...]] = {}
    for name, own in surveys.items():
        answers = iter(sums.get(name, []))
        counted[name] = tuple(
            _column(p, s, next(answers) if p.scale else {}, values.get(p.reader.name, {}).get(name, {}))
            for p, s in zip(plans, own, strict=True)
        )
    return counted


def _column(plan: Plan, seen: Survey, sums: Survey, counts: Mapping[Any, int]) -> Column:
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
        numbers=_numbers(plan, seen, sums) if numeric else None,
        lengths=_lengths(seen) if reader.family == "text" else None,
        values=listed(counts, plan.layout, valid),
    )


def _numbers(plan: Plan, seen: Survey, sums: Survey) -> Numbers:
    valid, above, below = seen["valid"], seen.get("above", 0), seen.get("below", 0)
    mean, m2 = (
        plan.scale.moments(valid, sums["sum"] or 0, sums["squares"] or 0) if plan.scale else (None, None)
    )
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
        bins=bins(sums.get("bins"), plan.layout.edges, valid),
        histogram=bins(sums.get("bins"), plan.layout.histogram, valid),
    )


def _plain(value: float | None) -> int | float | None:
    # -0.0 and 0.0 are equal to the aggregates, and either may come out.
    return value + 0 if value is not None else None


def _lengths(seen: Survey) -> Lengths:
    return Lengths(seen["shortest"], seen["longest"], int(seen["total"] or 0), seen["empty"])
