"""The choices that `init` makes from what it saw, each with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import duckdb

from evergreen.errors import InputError
from evergreen.project.init.label import Target, is_row_id, look_at_label, useless_columns
from evergreen.project.init.survey import Column, Table
from evergreen.project.init.times import Clock, classes_in_every_part, look_at_time, windows
from evergreen.project.wording import did_you_mean, listed
from evergreen.tables import identifier, identifiers, kind

VALIDATION, TEST = 0.2, 0.2
CELLS = 40_000_000
"""Rows times features that training holds at once; more rows than that are sampled."""


@dataclass(frozen=True)
class Asked:
    """What the caller named."""

    label: str
    time: str | None
    entity: tuple[str, ...]


@dataclass(frozen=True)
class Joined:
    """A further table: constants of the entity, or rows over time to aggregate.

    Attributes:
        table: The table.
        clock: Its time; None when it has one row for each entity.
        exclude: Columns that are no features, each with the reason.
        windows: Of the aggregates.
        entity: The columns that join it.
    """

    table: Table
    clock: Clock | None = None
    exclude: Mapping[str, str] = field(default_factory=dict)
    windows: Sequence[timedelta] = ()
    entity: Sequence[str] = ()

    @property
    def columns(self) -> list[Column]:
        """The columns that are neither entity nor time."""
        taken = {*self.entity, self.clock.column if self.clock else None}
        return [c for c in self.table.columns.values() if c.name not in taken]


@dataclass(frozen=True)
class Plan:
    """Everything that the project file will say.

    Attributes:
        asked: What the caller named.
        table: The label's table.
        target: The label.
        clock: The label's time.
        exclude: Columns of the label's table that are no features, each with the reason.
        key: Columns that name a row; empty for none.
        key_why: One line about the key.
        numbered: Whether rows get a number in a `sql` source, because no columns name them.
        split: The split's method.
        split_why: One line about it.
        slices: Columns to slice by.
        joined: The further tables.
        texts: Entity columns that must be text to be comparable between tables.
        max_rows: Rows to train on at most; None for all.
    """

    asked: Asked
    table: Table
    target: Target
    clock: Clock | None = None
    exclude: Mapping[str, str] = field(default_factory=dict)
    key: Sequence[str] = ()
    key_why: str = ""
    numbered: bool = False
    split: str = "auto"
    split_why: str = ""
    slices: Sequence[str] = ()
    joined: Sequence[Joined] = ()
    texts: frozenset[str] = frozenset()
    max_rows: int | None = None

    @property
    def features(self) -> list[Column]:
        """The label table's columns that become features."""
        taken = {self.asked.label, self.asked.time, *self.asked.entity, *self.key, *self.exclude}
        return [c for c in self.table.columns.values() if c.name not in taken]


def make_plan(con: duckdb.DuckDBPyConnection, tables: Sequence[Table], asked: Asked) -> Plan:
    """Choose.

    Raises:
        InputError: for columns that are not there, or that cannot be what the caller says they are.
    """
    table = _label_table(tables, asked)
    for what, column in (("time", asked.time), *(("entity", e) for e in asked.entity)):
        if column is not None:
            require(table, column, what)
    _refuse_twice(asked)
    target = look_at_label(con, table, asked.label)
    clock = look_at_time(con, table, asked.time) if asked.time else None
    taken = frozenset({asked.label, *asked.entity} | ({asked.time} if asked.time else set()))
    exclude = useless_columns(con, table, target, taken)
    key, key_why, numbered = _key(con, table, asked, clock, exclude)
    split, split_why = _split(con, table, asked, target, clock)
    rest = [t for t in tables if t is not table]
    joined = [_join(con, t, asked) for t in rest]
    for further in rest:
        _refuse_strangers(con, table, further, asked)
    plan = Plan(asked, table, target, clock, exclude, key, key_why, numbered, split, split_why, joined=joined,
                texts=_as_text(asked, tables))  # fmt: skip
    if not plan.features and not joined:
        raise InputError(table.path, "no column is left that could be a feature", "columns beside the label")
    return _with_slices(con, plan)


def require(table: Table, column: str, what: str) -> None:
    """Check that a table has a column.

    Raises:
        InputError: when it has not; lists those that it has.
    """
    if column not in table.columns:
        near = did_you_mean(column, table.columns)
        known = listed(list(table.columns), 30)
        raise InputError(table.path, f"no column {column!r} for --{what}", f"one of {known}", near)


def _label_table(tables: Sequence[Table], asked: Asked) -> Table:
    for table in tables:
        if asked.label in table.columns:
            return table
    if len(tables) == 1:
        require(tables[0], asked.label, "label")
    known = [c for t in tables for c in t.columns]
    found = f"no column {asked.label!r} for --label in any of the {len(tables)} tables"
    raise InputError("--label", found, f"one of {listed(known, 30)}", did_you_mean(asked.label, known))


def _refuse_twice(asked: Asked) -> None:
    named = [asked.label, *([asked.time] if asked.time else []), *asked.entity]
    for column in named:
        if named.count(column) > 1:
            expected = "a column each for --label, --time and --entity"
            raise InputError(f"column {column!r}", "it is named more than once", expected)


def _key(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    asked: Asked,
    clock: Clock | None,
    exclude: Mapping[str, str],
) -> tuple[list[str], str, bool]:
    """The columns that name a row, why, and whether the rows must be numbered for it."""
    ids = [c.name for c in table.columns.values() if c.name in exclude and c.distinct == table.rows]
    names = [*asked.entity, *([clock.column] if clock else [])]
    if asked.entity and clock:
        if not _repeated(con, table, names):
            return names, "each stands once in this data; a row that repeats one is refused", False
        if ids:
            return ids[:1], f"({', '.join(names)}) repeats, {ids[0]} does not", False
        for extra in exclude:
            if table.columns[extra].kind != "nested" and not _repeated(con, table, [*names, extra]):
                return [*names, extra], f"({', '.join(names)}) alone repeats", False
        return ["row_number"], f"({', '.join(names)}) repeats, and no column tells the rows apart", True
    rows = [i for i in ids if is_row_id(table, table.columns[i])]
    return (rows[:1], "names each row; predictions carry it", False) if rows else ([], "", False)


def _repeated(con: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[str]) -> bool:
    names = identifiers(columns)
    query = f"SELECT 1 FROM {identifier(table.name)} GROUP BY {names} HAVING count(*) > 1 LIMIT 1"
    return con.execute(query).fetchone() is not None


def _split(
    con: duckdb.DuckDBPyConnection, table: Table, asked: Asked, target: Target, clock: Clock | None
) -> tuple[str, str]:
    regression = target.task == "regression"
    doubt = ""
    if clock is not None:
        shares = (1 - VALIDATION - TEST, 1 - TEST)
        if classes_in_every_part(con, table, clock, target.column, shares):
            why = (
                "the newest rows are the test set, as in production: the model is asked about what comes next"
            )
            return "time", why
        doubt = f"not by time: the oldest or the newest rows by {clock.column} have only one label value. So "
    if asked.entity:
        row = con.execute(
            f"SELECT count(DISTINCT ({identifiers(asked.entity)})) FROM {identifier(table.name)}"
        ).fetchone()
        if row and row[0] >= 10:
            return (
                "entity",
                doubt + "no entity stands in two parts: the model is asked about ones it has not seen",
            )
        doubt += f"not by entity: there are only {row[0] if row else 0} of them. So "
    if regression:
        return "auto", doubt + "rows are split at random; with a time column, --time splits by that"
    return "stratified", doubt + "at random, each part with the same share of every class"


def _join(con: duckdb.DuckDBPyConnection, table: Table, asked: Asked) -> Joined:
    if not asked.entity:
        raise InputError(
            table.path, "a further table, but no --entity", "the column that joins it with the label"
        )
    for column in asked.entity:
        require(table, column, "entity")
    times = [c.name for c in table.columns.values() if c.kind in ("timestamp", "date")]
    time = asked.time if asked.time in table.columns else next(iter(times), None)
    taken = frozenset({*asked.entity, *([time] if time else [])})
    if asked.time and time:
        clock = look_at_time(con, table, time)
        exclude = useless_columns(con, table, None, taken)
        return Joined(table, clock, exclude, windows(clock.first, clock.last), asked.entity)
    if _repeated(con, table, asked.entity):
        found = f"several rows for one {' and '.join(asked.entity)}, and no time to aggregate them by"
        expected = "one row for each, or a column with times in it and --time for the label"
        raise InputError(table.path, found, expected)
    exclude = useless_columns(con, table, None, frozenset(asked.entity))
    return Joined(table, None, exclude, entity=asked.entity)


def _refuse_strangers(con: duckdb.DuckDBPyConnection, table: Table, further: Table, asked: Asked) -> None:
    """Two tables that share no entity would join to nothing but missing values."""
    text = _as_text(asked, [table, further])
    sides = [("CAST({}.{} AS VARCHAR)" if c in text else "{}.{}", identifier(c)) for c in asked.entity]
    same = " AND ".join(f"{side.format('a', c)} = {side.format('b', c)}" for side, c in sides)
    ours, theirs = identifier(table.name), identifier(further.name)
    query = f"SELECT 1 FROM {ours} a SEMI JOIN {theirs} b ON {same} LIMIT 1"
    if con.execute(query).fetchone() is None:
        found = f"no value of {' and '.join(asked.entity)} is in {table.path} too"
        raise InputError(further.path, found, "the same entities, written the same way, in both tables")


def _as_text(asked: Asked, tables: Sequence[Table]) -> frozenset[str]:
    """Entity columns that are numbers in one table and text in another."""
    found: set[str] = set()
    for column in asked.entity:
        kinds = {"number" if kind(t.columns[column].type) in ("integer", "number") else t.columns[column].kind
                 for t in tables if column in t.columns}  # fmt: skip
        if len(kinds) > 1:
            found.add(column)
    return frozenset(found)


def _with_slices(con: duckdb.DuckDBPyConnection, plan: Plan) -> Plan:
    """Add up to two columns of few values, none of which nearly every row has."""
    elsewhere = {c for j in plan.joined for c in j.table.columns}
    order = {"text": 0, "boolean": 1, "integer": 2}
    fitting = [
        c for c in plan.features if 2 <= c.distinct <= 10 and c.kind in order and c.name not in elsewhere
    ]
    fitting.sort(key=lambda c: (order[c.kind], c.distinct))
    chosen: list[str] = []
    for column in fitting[:12]:
        name = identifier(column.name)
        query = (
            f"SELECT max(n) FROM (SELECT count(*) AS n FROM {identifier(plan.table.name)} GROUP BY {name})"
        )
        row = con.execute(query).fetchone()
        if row and row[0] <= 0.95 * plan.table.rows and len(chosen) < 2:
            chosen.append(column.name)
    cells = plan.table.rows * max(1, len(plan.features))
    limit = CELLS // max(1, len(plan.features)) // 10_000 * 10_000 if cells > CELLS else None
    return replace(plan, slices=chosen, max_rows=limit)
