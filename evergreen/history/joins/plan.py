"""Which features a project asks for: their final names, their types, and how each is computed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from evergreen.errors import DataError
from evergreen.history.joins.expressions import check_condition, mentions
from evergreen.history.joins.roles import Catalog, Roles
from evergreen.ingest.needed import join_columns
from evergreen.project.model import Aggregate, AggregateFunction, FeatureGroup, Project, format_duration
from evergreen.tables.kinds import kind
from evergreen.tables.names import missing_column

FeatureType = Literal["number", "category", "boolean"]
_COUNTING = ("count", "distinct", "recency")


@dataclass(frozen=True)
class ColumnFeature:
    """A feature that is a column's value; a time becomes its age in days."""

    name: str
    group: str
    source: str
    column: str
    type: FeatureType
    is_time: bool = False


@dataclass(frozen=True)
class AggregateFeature:
    """A feature computed over rows known by the label's time.

    Attributes:
        name: Its final name.
        group: Its feature group.
        source: Where the rows come from.
        function: What is computed.
        column: The column it is computed of; None counts rows.
        window: How far back rows count; None for all (recency).
        where: The condition that rows must meet; empty for none.
        delay: How long after its time a row is known.
    """

    name: str
    group: str
    source: str
    function: AggregateFunction
    column: str | None
    window: timedelta | None
    where: str
    delay: timedelta
    type: FeatureType = "number"


@dataclass(frozen=True)
class GroupPlan:
    """One feature group.

    Attributes:
        group: Its section of the project file.
        on: The columns that join it with the label's rows.
        time: The time column of its source, or None for constants.
        delay: How long after its time a row is known.
        own: Whether its columns come from the label's own row.
        columns: The features that are columns.
        aggregates: The features that are computed.
    """

    group: FeatureGroup
    on: tuple[str, ...]
    time: str | None
    delay: timedelta
    own: bool
    columns: tuple[ColumnFeature, ...] = ()
    aggregates: tuple[AggregateFeature, ...] = ()

    @property
    def features(self) -> tuple[ColumnFeature | AggregateFeature, ...]:
        """All features of the group, in order."""
        return (*self.columns, *self.aggregates)


def plan_groups(project: Project, catalog: Catalog, roles: Roles) -> list[GroupPlan]:
    """Plan every feature of a project.

    Names: a column keeps its own name when no other feature and no key, time or label has it, else it is
    `<group>__<column>`; a feature of the label's row that is also a slice stands there once. Aggregates are
    `<group>__<column|rows>__<function>_<window>`.

    Args:
        project: The project.
        catalog: The columns and types of every source.
        roles: What the columns of the label's source stand for.

    Raises:
        DataError: for columns that are missing or of a type that a function cannot take, for joins that are
            impossible, and for two features of one name.
    """
    plain = {g.name: _plain_columns(project, catalog, roles, g) for g in project.features}
    names = Counter(
        _column_name(c, catalog[_home(project, roles, g)][c]).casefold()
        for g in project.features
        for c in plain[g.name]
    )
    shared = {c for g in project.features if _home(project, roles, g) == roles.source for c in plain[g.name]}
    names.update(c.casefold() for c in roles.all if c not in roles.extra or c not in shared)
    plans = [_group(project, catalog, roles, g, plain[g.name], names) for g in project.features]
    twice = [n for n, k in Counter(f.name.casefold() for p in plans for f in p.features).items() if k > 1]
    for plan in plans:
        for feature in plan.features:
            if feature.name.casefold() in twice:
                remedy = "Put one of them into a group of its own: the group's name is part of the feature's."
                raise DataError(
                    f"features.{plan.group.name}", f"two features are called {feature.name!r}", remedy=remedy
                )
    return plans


def _home(project: Project, roles: Roles, group: FeatureGroup) -> str:
    """The source that a group's columns are read from: rows to score may stand elsewhere than the labels."""
    return roles.source if group.source == project.label.source else group.source


def _plain_columns(project: Project, catalog: Catalog, roles: Roles, group: FeatureGroup) -> list[str]:
    home = _home(project, roles, group)
    types = catalog[home]
    if group.columns == "*":
        source = project.sources[home]
        out = {
            *group.exclude,
            project.label.column,
            source.time,
            *(source.key or ()),
            *join_columns(project, group),
        }
        if home == roles.source:
            out |= {*roles.key, roles.time, project.evaluation.group}
        return [c for c in types if c not in out]
    for column in group.columns or ():
        if column not in types:
            raise missing_column(f"source {home}", column, types, f"features.{group.name}.columns")
    return list(group.columns or ())


def _column_name(column: str, duckdb_type: str) -> str:
    return f"{column}__age_days" if kind(duckdb_type) in ("timestamp", "date") else column


def _feature_type(duckdb_type: str) -> FeatureType:
    now = kind(duckdb_type)
    if now == "boolean":
        return "boolean"
    return "category" if now in ("text", "nested") else "number"


def _group(
    project: Project,
    catalog: Catalog,
    roles: Roles,
    group: FeatureGroup,
    plain: Sequence[str],
    names: Mapping[str, int],
) -> GroupPlan:
    home = _home(project, roles, group)
    types = catalog[home]
    columns = []
    for column in plain:
        own = _column_name(column, types[column])
        name = own if names[own.casefold()] == 1 else f"{group.name}__{own}"
        is_time = own != column
        columns.append(ColumnFeature(name, group.name, home, column, _feature_type(types[column]), is_time))
    source = project.sources[group.source]
    plan = GroupPlan(
        group=group,
        on=tuple(join_columns(project, group)),
        time=source.time,
        delay=source.delay,
        own=group.source == project.label.source,
        columns=tuple(columns),
        aggregates=tuple(_aggregates(project, catalog, group)),
    )
    _check_join(project, catalog, roles, plan)
    return plan


def _check_join(project: Project, catalog: Catalog, roles: Roles, plan: GroupPlan) -> None:
    where = f"features.{plan.group.name}"
    joined = bool(plan.aggregates) or not plan.own
    if joined and not plan.on:
        raise DataError(where, "nothing joins it with the label's rows", "`on`, or `entity` in the project")
    if plan.aggregates and plan.time is None:
        raise DataError(where, f"source {plan.group.source} has no `time`", "one: windows count back from it")
    if joined and plan.time is not None and roles.time is None and roles.label is not None:
        raise DataError(where, "its source has a time but the label has none", "`time` in the project")
    for column in plan.on if joined else ():
        for source in (roles.source, plan.group.source):
            if column not in catalog[source]:
                raise missing_column(f"source {source}", column, catalog[source], f"{where}.on")


def _aggregates(project: Project, catalog: Catalog, group: FeatureGroup) -> Iterable[AggregateFeature]:
    types = catalog[group.source]
    for aggregate in group.aggregates:
        _check_aggregate(group, aggregate, types)
        delay = _known_after(project, group, aggregate)
        for function in aggregate.functions:
            windows = [None] if function == "recency" else list(aggregate.windows or ())
            for window in windows:
                name = _aggregate_name(group.name, aggregate.column, function, window)
                yield AggregateFeature(
                    name,
                    group.name,
                    group.source,
                    function,
                    aggregate.column,
                    window,
                    aggregate.where or "",
                    delay,
                )


def _aggregate_name(group: str, column: str | None, function: str, window: timedelta | None) -> str:
    if window is None:
        return f"{group}__{column}__recency_days" if column else f"{group}__recency_days"
    return f"{group}__{column or 'rows'}__{function}_{format_duration(window)}"


def _known_after(project: Project, group: FeatureGroup, aggregate: Aggregate) -> timedelta:
    """The delay of an aggregate's rows; earlier labels are known only once they are mature."""
    delay = project.sources[group.source].delay
    if group.source != project.label.source:
        return delay
    label = project.label.column
    asks = aggregate.column == label or mentions(aggregate.where or "", label)
    return max(delay, project.label.maturity) if asks else delay


def _check_aggregate(group: FeatureGroup, aggregate: Aggregate, types: Mapping[str, str]) -> None:
    where = f"features.{group.name}.aggregates"
    if aggregate.where:
        check_condition(f"{where}.where", aggregate.where)
    if aggregate.column is None:
        return
    if aggregate.column not in types:
        raise missing_column(f"source {group.source}", aggregate.column, types, where)
    now = kind(types[aggregate.column])
    wrong = [f for f in aggregate.functions if f not in _COUNTING]
    if wrong and now not in ("integer", "number", "boolean"):
        found = f"{', '.join(wrong)} of {aggregate.column!r}, which holds {now} values"
        raise DataError(
            where, found, "a column of numbers", "Use count, distinct or recency, or another column."
        )
