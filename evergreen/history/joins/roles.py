"""What the columns of the label's source, or of the rows to score, stand for in a training set."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from evergreen.ingest.needed import label_key
from evergreen.project.model import Project
from evergreen.tables.names import missing_column


@dataclass(frozen=True)
class Roles:
    """What the columns of the label's source stand for in the training set.

    Attributes:
        source: The source of the rows.
        key: The columns that name a row, the entity's first.
        entity: The columns that name the entity.
        time: The column that says as of when; None without one.
        label: The label's column; None when rows are to be scored.
        extra: Further columns that slices, the split or the evaluation need.
    """

    source: str
    key: tuple[str, ...]
    entity: tuple[str, ...]
    time: str | None
    label: str | None
    extra: tuple[str, ...] = field(default=())

    @property
    def all(self) -> tuple[str, ...]:
        """Every column that is carried over, in the order of the training set."""
        ends = [c for c in (self.time, self.label) if c is not None]
        return tuple(dict.fromkeys([*self.key, *self.extra, *ends]))


Catalog = Mapping[str, Mapping[str, str]]


def plan_roles(project: Project, catalog: Catalog, purpose: str) -> Roles:
    """Say what the columns of the label's source (or of the source to score) stand for.

    Raises:
        DataError: for a column that is not there.
    """
    scoring = purpose == "predict"
    source = (project.predict.source or project.label.source) if scoring else project.label.source
    types = catalog[source]
    own_time = project.sources[source].time
    time = project.time if project.time in types else own_time
    if source == project.label.source:
        time = project.time or own_time
    declared = (
        label_key(project) if source == project.label.source else list(project.sources[source].key or ())
    )
    key = tuple(dict.fromkeys([*project.entity, *declared]))
    wanted = [*(s.column for s in project.slices), *(project.split.by or ()), project.evaluation.group]
    wanted += project.predict.keep
    label = None if scoring else project.label.column
    taken = {*key, time, project.label.column}
    extra = tuple(dict.fromkeys(c for c in wanted if c is not None and c in types and c not in taken))
    roles = Roles(source, key, tuple(project.entity), time, label, extra)
    for column in roles.all:
        if column not in types:
            raise missing_column(f"source {source}", column, types)
    return roles


def without_features(roles: Roles, features: Collection[str]) -> Roles:
    """The roles without the extra columns that stand in the training set as features already."""
    return replace(roles, extra=tuple(column for column in roles.extra if column not in features))
