"""Which columns a model reads, found from the train part in a few streamed queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from evergreen.bundle.encode import LARGEST
from evergreen.bundle.signature import Input, InputType
from evergreen.errors import DataError
from evergreen.tables import identifier

MOST_LISTED = 200
_UNIQUE_SHARE = 0.9
_UNIQUE_FROM = 50
_BATCH = 100


@dataclass(frozen=True)
class ColumnPlan:
    """The columns of a model.

    Attributes:
        inputs: What the model reads, in the training set's order.
        with_missing: Names of inputs that have missing values in train.
        distinct: Distinct values of each category (an estimate), without the missing one.
        dropped: Features that are not read, and why.
        rows: Rows of the train part.
    """

    inputs: tuple[Input, ...]
    with_missing: frozenset[str]
    distinct: dict[str, int]
    dropped: dict[str, str]
    rows: int

    def places(self, *types: InputType) -> list[int]:
        """Where the inputs of some types stand."""
        return [k for k, i in enumerate(self.inputs) if i.type in types]


@dataclass(frozen=True)
class _Facts:
    present: int
    distinct: int
    constant: bool


def plan_columns(
    con: duckdb.DuckDBPyConnection,
    source: str,
    features: Sequence[Mapping[str, Any]],
    *,
    keep: Sequence[str] = (),
) -> ColumnPlan:
    """Look at every feature of the train part and decide which the model reads.

    Left out, with a note: features without a value, with one value only, and text that hardly repeats (an
    identifier or free text: more than 50 values, over 90 % of them different).

    Args:
        con: An open connection.
        source: The train part, as SQL after FROM.
        features: `meta.json`'s features: name and type.
        keep: Features that a step of the project names; they stay whatever they hold.

    Raises:
        DataError: when no feature is left, or a number is infinite.
    """
    (rows,) = con.execute(f"SELECT count(*) FROM {source}").fetchall()[0]
    facts = _facts(con, source, features)
    inputs: list[Input] = []
    dropped: dict[str, str] = {}
    for feature in features:
        name, kind, fact = feature["name"], feature["type"], facts[feature["name"]]
        reason = "" if name in keep else _reason(fact, kind)
        if reason:
            dropped[name] = reason
        else:
            values = (
                _categories(con, source, name)
                if kind == "category" and fact.distinct <= MOST_LISTED
                else None
            )
            inputs.append(Input(name, kind, fact.present == rows, values))
    if not inputs:
        listed = "; ".join(f"{n}: {r}" for n, r in list(dropped.items())[:5]) or "the project names none"
        raise DataError("features", f"none can be used ({listed})", remedy="Give features that vary.")
    names = {i.name for i in inputs}
    return ColumnPlan(
        tuple(inputs),
        frozenset(i.name for i in inputs if not i.required),
        {
            f["name"]: facts[f["name"]].distinct
            for f in features
            if f["name"] in names and f["type"] == "category"
        },
        dropped,
        int(rows),
    )


def _reason(fact: _Facts, kind: str) -> str:
    if fact.present == 0:
        return "no value in the train part"
    if fact.constant:
        return "the same value in every row of the train part"
    if kind == "category" and fact.distinct > _UNIQUE_FROM and fact.distinct > _UNIQUE_SHARE * fact.present:
        return f"text that hardly repeats (about {fact.distinct} of {fact.present} values are different)"
    return ""


def _facts(
    con: duckdb.DuckDBPyConnection, source: str, features: Sequence[Mapping[str, Any]]
) -> dict[str, _Facts]:
    """Counts of every feature, a hundred columns a query."""
    (rows,) = con.execute(f"SELECT count(*) FROM {source}").fetchall()[0]
    facts: dict[str, _Facts] = {}
    for start in range(0, len(features), _BATCH):
        batch = features[start : start + _BATCH]
        row = con.execute(f"SELECT {', '.join(_aggregates(f) for f in batch)} FROM {source}").fetchall()[0]
        for k, feature in enumerate(batch):
            present, distinct, same, infinite = row[4 * k : 4 * k + 4]
            if infinite:
                raise DataError(
                    f"column {feature['name']!r}",
                    f"{infinite} infinite or too large values in the train part",
                    f"numbers from -{LARGEST:.3g} to {LARGEST:.3g}",
                    "Repair the source: write them as missing.",
                )
            constant = bool(same) and present == rows
            facts[feature["name"]] = _Facts(int(present), min(int(distinct), int(present)), constant)
    return facts


def _aggregates(feature: Mapping[str, Any]) -> str:
    """Present values, distinct ones (categories only), whether all are the same, infinite ones."""
    column = identifier(feature["name"])
    if feature["type"] == "category":
        value = f"nullif({column}::VARCHAR, '')"
        return f"count({value}), approx_count_distinct({value}), min({value}) = max({value}), 0"
    number = f"{column}::DOUBLE"
    value = f"CASE WHEN isnan({number}) THEN NULL ELSE {number} END"
    return (
        f"count({value}), 0, min({value}) = max({value}), count(*) FILTER (WHERE abs({value}) > {LARGEST!r})"
    )


def _categories(con: duckdb.DuckDBPyConnection, source: str, name: str) -> tuple[str, ...] | None:
    value = f"{identifier(name)}::VARCHAR"
    rows = con.execute(
        f"SELECT DISTINCT {value} FROM {source} WHERE {value} <> '' ORDER BY 1 LIMIT {MOST_LISTED + 1}"
    ).fetchall()
    return tuple(r[0] for r in rows) if len(rows) <= MOST_LISTED else None
