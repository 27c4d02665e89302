"""Decide what each column of a source becomes: from its files' types, its content, and the project's word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from evergreen.errors import DataError
from evergreen.ingest.convert import SQL_TYPES, converted, fitted, natural, present, tidied
from evergreen.ingest.infer import MARKERS, TextFinding, inspect_text, pieces
from evergreen.ingest.needed import Use
from evergreen.project.model import ColumnType, RepairPolicy, Source
from evergreen.project.model.repair import Invalid
from evergreen.tables.kinds import Kind, kind
from evergreen.tables.parquet import file_scan
from evergreen.tables.sql import identifier


@dataclass(frozen=True)
class ColumnPlan:
    """What becomes of one column.

    Attributes:
        name: The column.
        target: Its type in the table.
        raw: SQL for its value before conversion, NULL where it is missing.
        value: SQL for its value in the table.
        invalid: What to do with a value that does not fit: fail, missing or drop.
        total: True when `value` fits every `raw` value, so that nothing needs to be counted.
        landed: Whether it stays as it is written, for `repair_data` to repair.
        notes: What a person should know.
    """

    name: str
    target: ColumnType
    raw: str
    value: str
    invalid: Invalid = "fail"
    total: bool = True
    notes: tuple[str, ...] = ()
    landed: bool = False

    @property
    def misfit(self) -> str:
        """SQL that is true for a row whose value does not fit."""
        return f"({self.raw} IS NOT NULL AND ({self.value}) IS NULL)"

    @property
    def item(self) -> str:
        """The column as an item of SELECT."""
        return f"CAST({self.value} AS {SQL_TYPES[self.target]}) AS {identifier(self.name)}"


@dataclass(frozen=True)
class Asked:
    """What the project says about a source's columns.

    Attributes:
        source: Its section.
        policies: Repair policies by column.
        uses: What for each column is used; a column that is not in it is not used by name.
        every: Whether all columns are features (`columns: "*"`).
        queries: The text of the SQL sources that read this one.
    """

    source: Source
    policies: Mapping[str, RepairPolicy] = field(default_factory=dict)
    uses: Mapping[str, frozenset[Use]] = field(default_factory=dict)
    every: bool = False
    queries: str = ""

    def landed(self, column: str) -> bool:
        """Whether a column stays as it is written, for `repair_data` to repair."""
        return column in self.policies and self.policies[column].repairs

    def used(self, column: str) -> bool:
        """Whether a column's content matters to the model, beyond naming things."""
        uses = self.uses.get(column, frozenset())
        if uses & {"feature", "label", "time"}:
            return True
        return "identity" not in uses and (self.every or column.lower() in self.queries.lower())


@dataclass(frozen=True)
class Raw:
    """A source's rows as they came.

    Attributes:
        name: The source.
        relation: SQL that can stand after FROM.
        types: The columns to keep and their DuckDB types.
        untyped: The text columns about whose type the file says nothing (all of a CSV file's).
    """

    name: str
    relation: str
    types: Mapping[str, str]
    untyped: frozenset[str] = frozenset()

    @property
    def where(self) -> str:
        """The source, for errors."""
        return f"source {self.name}"


def staged_rows(name: str, paths: Sequence[Path], types: Mapping[str, str], *, all_text: bool) -> Raw:
    """Staged Parquet files as one table; a JSON value of changing type is taken as its text.

    Args:
        name: The source's.
        paths: The files.
        types: The columns that are wanted, with the DuckDB types of all files together.
        all_text: Whether the files say nothing about types (CSV).
    """
    relation = file_scan(paths, by_name=len(paths) > 1)
    json = [c for c, t in types.items() if t.upper() == "JSON"]
    if json:
        texts = ", ".join(f"({identifier(c)} ->> '$') AS {identifier(c)}" for c in json)
        relation = f"(SELECT * REPLACE ({texts}) FROM {relation})"
    plain = {c: "VARCHAR" if c in json else t for c, t in types.items()}
    return Raw(name, relation, plain, frozenset(types if all_text else json))


def plan_columns(con: duckdb.DuckDBPyConnection, table: Raw, asked: Asked) -> list[ColumnPlan]:
    """Plan every column of a source.

    Raises:
        DataError: for a column of mixed types that the project uses without a policy for it.
    """
    findings = _inspected(con, table, asked)
    largest = _largest(con, table, asked)
    plans = []
    for name in table.types:
        plans.append(_planned(name, table, asked, findings.get(name), largest.get(name)))
    mixed = [p for p in plans if findings.get(p.name, _TEXT).finding == "mixed" and p.target == "text"]
    for plan in mixed:
        if asked.used(plan.name):
            raise _mixed_error(con, table, plan, findings[plan.name], asked)
    return [_noted(p, findings[p.name]) if p in mixed else p for p in plans]


_TEXT = TextFinding("text", 0)
_FOUND: dict[str, ColumnType] = {
    "boolean": "boolean",
    "integer": "integer",
    "number": "number",
    "timestamp": "timestamp",
    "date": "date",
}
# Below this, whole numbers in a time column count somebody's days or weeks, not seconds since 1970.
_EPOCH_FLOOR = 1e8


def _spellings(asked: Asked, column: str) -> Sequence[str]:
    policy = asked.policies.get(column)
    return policy.missing if policy else ()


def _inspected(con: duckdb.DuckDBPyConnection, table: Raw, asked: Asked) -> dict[str, TextFinding]:
    """Look into the text columns; those whose type the project gives need no look."""
    given = {c for c, p in asked.policies.items() if p.type or p.repairs} | set(asked.source.types)
    texts = [c for c, t in table.types.items() if kind(t) == "text" and c not in given]
    untyped = [c for c in texts if c in table.untyped or c == asked.source.time]
    found: dict[str, TextFinding] = {}
    typed = [c for c in texts if c not in untyped]
    for columns, flag in [*((p, True) for p in pieces(untyped)), *((p, False) for p in pieces(typed))]:
        picked = ", ".join(
            f"CAST({present(c, _spellings(asked, c), True)} AS VARCHAR) AS {identifier(c)}" for c in columns
        )
        relation = f"(SELECT {picked} FROM {table.relation})"
        wish, decimal = _date_format(asked), _decimal(asked)
        found |= inspect_text(con, relation, columns, untyped=flag, date_format=wish, decimal=decimal)
    return found


def _date_format(asked: Asked) -> str:
    return str(asked.source.options.get("timestampformat") or asked.source.options.get("dateformat") or "")


def _decimal(asked: Asked) -> str:
    return str(asked.source.options.get("decimal", "."))


def _largest(con: duckdb.DuckDBPyConnection, table: Raw, asked: Asked) -> dict[str, float]:
    """The largest absolute value of the integer columns that must become times."""
    wanted = [c for c, t in table.types.items() if kind(t) == "integer" and _wants_time(c, asked)]
    if not wanted:
        return {}
    query = ", ".join(f"max(abs(CAST({identifier(c)} AS DOUBLE)))" for c in wanted)
    row = con.execute(f"SELECT {query} FROM {table.relation}").fetchone() or ()
    return {c: float(v) for c, v in zip(wanted, row, strict=True) if v is not None}


def _wants_time(column: str, asked: Asked) -> bool:
    policy = asked.policies.get(column)
    if asked.landed(column):
        return False
    given = (policy.type if policy else None) or asked.source.types.get(column)
    return given in ("timestamp", "date") or (given is None and column == asked.source.time)


def _planned(
    name: str, table: Raw, asked: Asked, finding: TextFinding | None, largest: float | None
) -> ColumnPlan:
    policy = asked.policies.get(name)
    given = (policy.type if policy else None) or asked.source.types.get(name)
    now = kind(table.types[name])
    if asked.landed(name):
        return _landed(name, now)
    spellings: Sequence[str] = policy.missing if policy else ()
    date_format, notes = (
        _date_format(asked),
        ["nested values were kept as JSON text"] if now == "nested" else [],
    )
    target = given
    if given is None and finding and finding.finding in _FOUND:
        target, date_format = _FOUND[finding.finding], finding.date_format
        if finding.markers:
            notes.append(f"{finding.markers} blanks or marks such as NA were read as missing")
    elif given is None and now == "integer" and name == asked.source.time and (largest or 0) > _EPOCH_FLOOR:
        target = "timestamp"
        notes.append("whole numbers were read as a time since 1970")
    final = target or natural(now)
    if given is None and target and now == "text" and not spellings and _decimal(asked) == ".":
        return ColumnPlan(
            name, target, identifier(name), fitted(name, target, date_format), notes=tuple(notes)
        )
    if now == "text" and final not in ("text", "category"):
        spellings = [*spellings, *MARKERS]
    raw = present(name, spellings, now == "text")
    if name in table.untyped and final in ("text", "category"):
        raw = tidied(raw)
    value = converted(raw, now, final, date_format=date_format, decimal=_decimal(asked), largest=largest)
    wide = now == "integer" and table.types[name].upper() in ("UBIGINT", "HUGEINT", "UHUGEINT")
    total = final in ("text", "category") or (given is None and not wide)
    return ColumnPlan(name, final, raw, value, policy.unfit if policy else "fail", total, tuple(notes))


def _landed(name: str, now: Kind) -> ColumnPlan:
    """A column as it is written: text stays text to the last blank, typed values keep their type."""
    target, value = natural(now), identifier(name)
    if now != "text":
        value = converted(value, now, target)
    note = "landed as it is written; repair_data repairs it"
    return ColumnPlan(name, target, identifier(name), value, notes=(note,), landed=True)


def _noted(plan: ColumnPlan, finding: TextFinding) -> ColumnPlan:
    words = (
        f"{finding.fitting} of {finding.values} values are {finding.likely}s, the rest is text; kept as text"
    )
    return replace(plan, notes=(*plan.notes, words))


def _mixed_error(
    con: duckdb.DuckDBPyConnection, table: Raw, plan: ColumnPlan, finding: TextFinding, asked: Asked
) -> DataError:
    target: ColumnType = "number" if finding.likely == "number" else "timestamp"
    raw = present(plan.name, [*_spellings(asked, plan.name), *MARKERS], True)
    value = converted(raw, "text", target, date_format=finding.date_format, decimal=_decimal(asked))
    samples = misfits(con, table.relation, replace(plan, raw=raw, value=value, target=target))
    share = f"{finding.fitting / finding.values:.1%} of its values are {target}s, the others are not"
    policy = f"repair: {{{table.name}: {{{plan.name}: {{type: {target}, invalid: missing}}}}}}"
    return DataError(
        f"{table.where}, column {plan.name!r}",
        f"mixed types: {share} ({samples})",
        "one type in a column",
        f"If it is text say `types: {{{plan.name}: text}}`; else repair it: `{policy}` (or `invalid: drop`).",
    )


def misfits(con: duckdb.DuckDBPyConnection, relation: str, plan: ColumnPlan, most: int = 3) -> str:
    """The first rows whose value does not fit, and the shape of the first: letters as a, digits as 9."""
    shape = "regexp_replace(regexp_replace(v, '\\p{L}', 'a', 'g'), '[0-9]', '9', 'g')"
    rows = con.execute(
        f"SELECT n, left({shape}, 20) FROM (SELECT row_number() OVER () AS n, {plan.misfit} AS bad, "
        f"CAST({plan.raw} AS VARCHAR) AS v FROM {relation}) WHERE bad ORDER BY n LIMIT {most}"
    ).fetchall()
    numbers = ", ".join(str(n) for n, _ in rows)
    return f"rows {numbers}; the first is written like {rows[0][1]!r}" if rows else "no row"
