"""Which columns a feature group takes, and what the features are called in the training set."""

from collections.abc import Mapping

from evergreen.project.model import Aggregate, FeatureGroup, Project, format_duration
from evergreen.tables import kind


def group_columns(project: Project, group: FeatureGroup, schema: Mapping[str, str]) -> list[str]:
    """The plain columns of a feature group; `*` is every one that is not a key, the time or the label.

    Args:
        project: Names keys, time and label.
        group: One of its feature groups.
        schema: Column name to DuckDB type of the group's source.
    """
    if group.columns != "*":
        return list(group.columns or [])
    taken = {*group.exclude, *(group.on or []), *project.entity, project.sources[group.source].time}
    if group.source == project.label.source:
        taken |= {project.label.column, project.time, *(project.label.key or [])}
    return [c for c in schema if c not in taken]


def feature_names(project: Project, schemas: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The features' names: `column`, `group__column` where that is taken, `group__column__function_window`.

    Args:
        project: Its feature groups.
        schemas: For each source, column name to DuckDB type.
    """
    plain: list[tuple[str, str, str]] = []
    names: list[str] = []
    for group in project.features:
        schema = schemas.get(group.source, {})
        plain += [(group.name, c, schema.get(c, "")) for c in group_columns(project, group, schema)]
        for aggregate in group.aggregates:
            names += _aggregate_names(group.name, aggregate)
    columns = [column for _, column, _ in plain]
    for group_name, column, type_ in plain:
        name = column if columns.count(column) == 1 else f"{group_name}__{column}"
        names.append(f"{name}__age_days" if kind(type_) in ("timestamp", "date") else name)
    return names


def _aggregate_names(group: str, aggregate: Aggregate) -> list[str]:
    windows = [format_duration(w) for w in aggregate.windows or []]
    names: list[str] = []
    for function in aggregate.functions:
        if function == "recency":
            names.append(f"{group}__recency_days")
        else:
            names += [f"{group}__{aggregate.column or 'rows'}__{function}_{w}" for w in windows]
    return names
