"""The two tables of a skew check: which columns name a row, which are features, how both are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

from evergreen.errors import DataError
from evergreen.profile.model import FAMILIES, Family
from evergreen.tables.kinds import kind
from evergreen.tables.meta import read_meta
from evergreen.tables.names import missing_column
from evergreen.tables.parquet import columns, scan
from evergreen.tables.sql import identifier

_FAMILIES: Mapping[str, Family] = {**FAMILIES, "nested": "text"}


@dataclass(frozen=True)
class Feature:
    """A feature of both tables, with SQL over the pairs: `a<i>` is the training value, `b<i>` serving's.

    Attributes:
        index: Its number among the features.
        name: As in the training set.
        training: Its DuckDB type there.
        serving: Its DuckDB type in the serving table.
    """

    index: int
    name: str
    training: str
    serving: str

    @property
    def family(self) -> Family:
        """How its values are compared: as the training set's type says."""
        return _FAMILIES[kind(self.training)]

    @property
    def other_type(self) -> bool:
        """Whether the serving table has values of another family."""
        return self.family != _FAMILIES[kind(self.serving)]

    @property
    def whole(self) -> bool:
        """Whether both are whole numbers, which are compared exactly."""
        return kind(self.training) == kind(self.serving) == "integer"

    def value(self, side: Literal["a", "b"]) -> str:
        """SQL for the value: a double, a boolean as 0 and 1, a time in microseconds, or a text."""
        column, duckdb_type = f"{side}{self.index}", self.training if side == "a" else self.serving
        own = kind(duckdb_type)
        if self.family == "text":
            return column if own == "text" and duckdb_type == "VARCHAR" else f"CAST({column} AS VARCHAR)"
        if self.family == "time":
            return f"epoch_us(TRY_CAST({column} AS TIMESTAMP))"
        if self.whole:
            return column
        if own == "boolean":
            return f"CAST(CAST({column} AS INTEGER) AS DOUBLE)"
        if own == "text" and self.family == "boolean":
            return f"CAST(CAST(TRY_CAST({column} AS BOOLEAN) AS INTEGER) AS DOUBLE)"
        return f"TRY_CAST({column} AS DOUBLE)"

    def missing(self, side: Literal["a", "b"]) -> str:
        """SQL for whether there is no value: NULL, and NaN, which many tools write for it."""
        column, duckdb_type = f"{side}{self.index}", self.training if side == "a" else self.serving
        none = f"{column} IS NULL"
        return f"({none} OR isnan({column}))" if duckdb_type in ("FLOAT", "DOUBLE") else f"({none})"

    def differs(self, precision: float) -> str:
        """SQL for whether the two sides say different things; never NULL.

        Numbers may differ by `precision` times the greater of the two (1e-6 lets float32, whose unit roundoff
        is 2^-24, pass: IEEE 754-2019, table 3.5), whole numbers and everything else not at all.
        """
        a, b, no_a, no_b = self.value("a"), self.value("b"), self.missing("a"), self.missing("b")
        equal = f"({a} = {b})"
        if self.family == "number" and not self.whole:
            near = f"abs({a} - {b}) <= {precision!r} * greatest(abs({a}), abs({b})) + 1e-12"
            equal = f"({equal} OR (isfinite({a}) AND isfinite({b}) AND {near}))"
        both = f"NOT coalesce({equal}, FALSE)"
        return f"(CASE WHEN {no_a} THEN NOT {no_b} WHEN {no_b} THEN TRUE ELSE {both} END)"


@dataclass(frozen=True)
class SkewTables:
    """Training set and serving table, and how their columns go together.

    Attributes:
        training: Parquet file or folder of the training set.
        serving: Parquet file or folder of the serving rows.
        training_types: Columns and DuckDB types.
        serving_types: Columns and DuckDB types.
        key: Columns that name a row, further to the time; empty: rows cannot be matched.
        entity: Those that name the entity, whose rows follow each other in time.
        time: The column with the time in both; None: rows are matched by key alone.
        features: What both have, in the training set's order.
        absent: Features that the serving table lacks.
        label: The label's column; never compared.
        remarks: What a person should know about how rows are matched.
    """

    training: Path
    serving: Path
    training_types: Mapping[str, str]
    serving_types: Mapping[str, str]
    key: tuple[str, ...]
    entity: tuple[str, ...]
    time: str | None
    features: tuple[Feature, ...]
    absent: tuple[str, ...]
    label: str | None
    remarks: tuple[str, ...] = ()

    @property
    def scans(self) -> tuple[str, str]:
        """What can stand after FROM: the training set and the serving table."""
        return scan(self.training), scan(self.serving)


def skew_tables(
    con: duckdb.DuckDBPyConnection,
    training: Path,
    serving: Path,
    *,
    key: Sequence[str] = (),
    time: str | None = None,
    label: str | None = None,
) -> SkewTables:
    """Find out how two tables go together.

    Args:
        con: An open connection.
        training: The training set; what its `meta.json` says of key, time, label and features is taken.
        serving: The serving rows: features as the model saw them.
        key: Columns that name a row in both; default: the training set's.
        time: The column with the time; default: the training set's, where serving has it too.
        label: The label's column, in a table without `meta.json`.

    Raises:
        DataError: when a table cannot be read, lacks a column that was asked for, or they share no feature.
    """
    training, serving = Path(training), Path(serving)
    own, other = columns(con, training), columns(con, serving)
    meta = _meta(training)
    remarks: list[str] = []
    for where, types in ((training, own), (serving, other)):
        for name in [*key, *([time] if time else [])]:
            if name not in types:
                raise missing_column(str(where), name, types)
    label = label or meta.get("label")
    time = time or _shared_time(meta, own, other, remarks)
    told = dict.fromkeys([*meta.get("entity", []), *meta.get("key", [])])
    known = list(key) or [c for c in told if c != time]
    lost = [c for c in known if c not in own or c not in other]
    if lost:
        known = [c for c in known if c not in lost] if set(meta.get("entity", [])).isdisjoint(lost) else []
        how = f"rows are matched by {', '.join(known)}" if known else "rows cannot be matched"
        remarks.append(f"{how}: the serving table has no column {', '.join(map(repr, lost))}")
    elif not known:
        remarks.append("rows cannot be matched: no key is known; only distributions are compared")
    roles = {*known, *lost, *meta.get("key", []), *meta.get("entity", []), time, meta.get("time"), label}
    named = [f["name"] for f in meta.get("features", [])] or [c for c in own if c not in roles]
    wanted = [c for c in named if c in own and c != label and c not in known]
    shared = [c for c in wanted if c in other]
    if not shared:
        raise DataError(str(serving), "it has none of the training set's features", f"such as {wanted[:5]}")
    features = tuple(Feature(i, c, own[c], other[c]) for i, c in enumerate(shared))
    entity = tuple(c for c in meta.get("entity", []) if c in known) or tuple(known)
    absent = tuple(c for c in wanted if c not in other)
    return SkewTables(
        training, serving, own, other, tuple(known), entity, time, features, absent, label, tuple(remarks)
    )


def _meta(table: Path) -> dict[str, Any]:
    return read_meta(table) if (table / "meta.json").is_file() else {}


def _shared_time(
    meta: Mapping[str, Any], own: Mapping[str, str], other: Mapping[str, str], remarks: list[str]
) -> str | None:
    time = meta.get("time")
    if not time or time not in own:
        return None
    if time in other:
        return str(time)
    remarks.append(f"the serving table has no column {time!r}: rows are matched by their key alone")
    return None


def key_sql(column: str, own: str, other: str) -> str:
    """SQL for a key column as a value that both tables have: whole numbers, times, or texts."""
    name, mine, kinds = identifier(column), kind(own), {kind(own), kind(other)}
    if kinds == {"integer", "number"}:
        whole = f"CASE WHEN {name} = trunc({name}) THEN TRY_CAST({name} AS BIGINT) END"
        return whole if mine == "number" else f"CAST({name} AS BIGINT)"
    if kinds == {"date", "timestamp"}:
        return f"CAST({name} AS TIMESTAMP)"
    return f"CAST({name} AS VARCHAR)" if len(kinds) > 1 else name


def moment_sql(column: str) -> str:
    """SQL for a time column in microseconds since 1970 (UTC); NULL for a text that is no time."""
    return f"epoch_us(TRY_CAST({identifier(column)} AS TIMESTAMP))"
