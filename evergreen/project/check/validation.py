"""What the data must hold, against the data: rules that are SQL, references that lead to columns."""

import duckdb

from evergreen.project.check.look import Look
from evergreen.project.feature_names import feature_names
from evergreen.project.model import Source
from evergreen.project.wording import Path, did_you_mean, listed
from evergreen.tables import identifier
from evergreen.tables.connection import first_sentence


def check_validation(look: Look) -> None:
    """Record rules that are no SQL on their columns, and references that name what is not there."""
    for index, rule in enumerate(look.project.gates.data.rules):
        where: Path = ("gates", "data", "rules", index)
        if rule.source is None:
            _check_condition(
                look, (*where, "check"), rule.check, _training_set(look), "the training set's columns"
            )
        elif _known(look, (*where, "source"), rule.source):
            what = f"the columns of {rule.source!r}"
            _check_condition(look, (*where, "check"), rule.check, identifier(rule.source), what)
    for name, source in look.project.sources.items():
        if source.freshness is not None and source.time is None:
            expected = "`time` beside it: the column that says when a row was"
            look.document.add(("sources", name, "freshness"), "a source without `time`", expected)
        _check_references(look, name, source)


def _known(look: Look, where: Path, source: str) -> bool:
    """Whether a source was opened; one that is not of this project is recorded."""
    names = list(look.project.sources)
    if source not in names:
        expected = f"a source of this file: {listed(names)}"
        look.document.add(where, f"unknown source {source!r}", expected, did_you_mean(source, names))
    return source in look.schemas


def _check_references(look: Look, name: str, source: Source) -> None:
    for index, wanted in enumerate(source.references):
        where: Path = ("sources", name, "references", index)
        there = wanted.to or wanted.columns
        if len(there) != len(wanted.columns):
            found = f"{len(wanted.columns)} columns refer to {len(there)}"
            look.document.add((*where, "to"), found, "as many columns on both sides")
        if name in look.schemas:
            for number, column in enumerate(wanted.columns):
                look.require((*where, "columns", number), column, name)
        if _known(look, (*where, "source"), wanted.source):
            for number, column in enumerate(there):
                field = "to" if wanted.to else "columns"
                look.require((*where, field, number), column, wanted.source)


def _check_condition(look: Look, where: Path, check: str, relation: str, what: str) -> None:
    if not relation:
        return
    try:
        look.con.execute(f"EXPLAIN SELECT 1 FROM {relation} WHERE ({check}) IS NOT TRUE").fetchall()
    except duckdb.Error as error:
        look.document.add(where, f"DuckDB says: {first_sentence(str(error))}", f"a condition on {what}")


def _training_set(look: Look) -> str:
    """A relation with the training set's columns and no rows; empty where a source could not be opened."""
    project, schemas = look.project, look.schemas
    if project.label.source not in schemas or not all(g.source in schemas for g in project.features):
        return ""
    types = dict(schemas[project.label.source])
    for group in project.features:
        types |= {c: t for c, t in schemas[group.source].items() if c not in types}
    own = dict(schemas[project.label.source])
    # Aggregates and ages are numbers; a column whose group's name is put before it keeps its type.
    for name in feature_names(project, schemas):
        own.setdefault(name, types.get(name) or types.get(name.rpartition("__")[2], "DOUBLE"))
    shown = ", ".join(f"CAST(NULL AS {type_}) AS {identifier(name)}" for name, type_ in own.items())
    return f"(SELECT {shown})"
