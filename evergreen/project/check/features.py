"""Feature groups, and everything that names a feature, against the data."""

import duckdb

from evergreen.project.check.look import Look
from evergreen.project.feature_names import feature_names
from evergreen.project.model import FeatureGroup
from evergreen.project.wording import Path
from evergreen.tables import identifier, kind
from evergreen.tables.connection import first_sentence


def check_features(look: Look) -> None:
    """Record columns that are not there, joins that cannot match, and functions that do not fit a column."""
    for index, group in enumerate(look.project.features):
        where: Path = ("features", index)
        if group.source not in look.schemas:
            continue
        if isinstance(group.columns, list):
            for number, column in enumerate(group.columns):
                look.require((*where, "columns", number), column, group.source)
        for number, column in enumerate(group.exclude):
            look.require((*where, "exclude", number), column, group.source)
        if group.source != look.project.label.source or group.aggregates:
            _check_join(look, group, where)
        _check_aggregates(look, group, where)


def _check_join(look: Look, group: FeatureGroup, where: Path) -> None:
    """The columns that join must be in both tables, and be of kinds that can be equal."""
    own = look.project.label.source
    place = (*where, "on") if group.on else where
    for column in group.on or look.project.entity:
        if not group.on and column not in look.schemas.get(own, [column]):
            continue  # told at `entity`
        there = look.require(place, column, group.source)
        if own not in look.schemas or not there:
            continue
        if group.on and not look.require(place, column, own):
            continue
        ours, theirs = look.schemas[own].get(column, ""), look.schemas[group.source][column]
        if ours and _family(ours) != _family(theirs):
            found = f"{column!r} is {ours} in {own!r} and {theirs} in {group.source!r}"
            remedy = "Give both the same type under `types`."
            look.document.add(place, found, "the same type on both sides", remedy)


def _family(duckdb_type: str) -> str:
    found = kind(duckdb_type)
    return "number" if found in ("integer", "number") else "time" if found in ("timestamp", "date") else found


def _check_aggregates(look: Look, group: FeatureGroup, where: Path) -> None:
    for number, aggregate in enumerate(group.aggregates):
        here, column = (*where, "aggregates", number), aggregate.column
        if column and look.require((*here, "column"), column, group.source):
            type_ = look.schemas[group.source][column]
            numeric = [f for f in aggregate.functions if f in ("sum", "mean", "std")]
            if numeric and kind(type_) not in ("integer", "number", "boolean"):
                found = f"{', '.join(numeric)} of {column!r}, which is {type_}"
                look.document.add((*here, "functions"), found, "a column of numbers, or count or distinct")
        if aggregate.where:
            try:
                query = f"EXPLAIN SELECT 1 FROM {identifier(group.source)} WHERE {aggregate.where}"
                look.con.execute(query).fetchall()
            except duckdb.Error as error:
                found = f"DuckDB says: {first_sentence(str(error))}"
                look.document.add((*here, "where"), found, "a condition on the source's columns")


def check_uses(look: Look) -> None:
    """Record slices, groups, repair policies and kept columns that name what is not there."""
    project, schemas = look.project, look.schemas
    for name, policies in project.repair.items():
        for column in policies if name in schemas else ():
            look.require(("repair", name, column), column, name)
    source = project.predict.source or project.label.source
    for index, column in enumerate(project.predict.keep if source in schemas else ()):
        look.require(("predict", "keep", index), column, source)
    if project.label.source not in schemas or not all(g.source in schemas for g in project.features):
        return
    known = dict.fromkeys([*feature_names(project, schemas), *schemas[project.label.source]])
    for index, part in enumerate(project.slices):
        where: Path = ("slices", index, "column")
        look.require_one_of(where, part.column, known, "a feature or a column of the label's source")
    if project.evaluation.group:
        where = ("evaluation", "group")
        look.require_one_of(
            where, project.evaluation.group, known, "a feature or a column of the label's source"
        )
