"""One column's repair: reader, synonyms, empty values; settled from policy and the whole column."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

import duckdb

from evergreen.errors import DataError
from evergreen.ingest.infer import spelled
from evergreen.project.model import (
    BooleanRepair,
    ColumnType,
    NumberRepair,
    RepairPolicy,
    TextRepair,
    TimeRepair,
)  # fmt: skip
from evergreen.repair.characters import is_empty, spaced
from evergreen.repair.numbers import DOTTED, PLAIN, NumberEvidence, settle_numbers
from evergreen.repair.outcome import MISSING, Doubt, Outcome, Reader, Value
from evergreen.repair.times import ISO, TimeEvidence, settle_times
from evergreen.repair.words import TextReader, boolean_reader
from evergreen.tables.kinds import Kind, kind
from evergreen.tables.sql import identifier

_BATCH = 20_000
# Outcomes kept for values that come again; each takes some 300 bytes.
_KEPT = 100_000


@dataclass
class ColumnRepair:
    """How the values of one column are repaired.

    Attributes:
        name: The column.
        kind: What its values are before: text, or typed already.
        policy: As given.
        reader: Settled.
        doubts: What the column left open.
        where: Where the policy stands.
    """

    name: str
    kind: Kind
    policy: RepairPolicy
    reader: Reader
    doubts: tuple[Doubt, ...] = ()
    where: str = ""
    _missing: frozenset[str] = frozenset()
    _synonyms: dict[str, str] = field(default_factory=dict)
    _empty: Outcome = MISSING
    _seen: dict[str, Outcome] = field(default_factory=dict)

    @property
    def type(self) -> ColumnType:
        """What its values become."""
        return self.reader.type

    @property
    def empty(self) -> Outcome:
        """What becomes of an empty value."""
        return self._empty

    def text(self) -> str:
        """SQL for a value as it is written."""
        name = identifier(self.name)
        if self.kind == "text":
            return name
        return f"CAST(to_json({name}) AS VARCHAR)" if self.kind == "nested" else f"CAST({name} AS VARCHAR)"

    def fast(self) -> str:
        """SQL for the values that stand as they should; empty where each is looked at."""
        if self._synonyms:
            return ""
        same = {"integer": ("integer", "number"), "number": ("number",), "boolean": ("boolean",)}
        same |= {"timestamp": ("timestamp", "date"), "date": ("date",)}
        if self.type in same.get(self.kind, ()):
            name = identifier(self.name)
            good = f"isfinite(CAST({name} AS DOUBLE))" if self.kind == "number" else f"{name} IS NOT NULL"
            if self.policy.missing:
                good += f" AND NOT {spelled(self.text(), self.policy.missing)}"
            return f"CASE WHEN {good} THEN {name} END"
        return self.reader.fast(self.text())

    def read(self, text: str) -> Outcome:
        """What becomes of a value as it is written; the same text gives the same outcome."""
        found = self._seen.get(text)
        if found is None:
            if len(self._seen) >= _KEPT:
                self._seen.clear()
            found = self._seen[text] = self._read(text)
        return found

    def _read(self, text: str) -> Outcome:
        meaning = self._synonyms.get(spaced(text).casefold())
        if meaning is None:
            if is_empty(text, self._missing, words=self.reader.words):
                return self._empty
            return self.reader.read(text)
        if is_empty(meaning, self._missing, words=self.reader.words):
            return self._empty
        found = self.reader.read(meaning)
        if found.reason or text == meaning:
            return found
        same = spaced(text).casefold() == spaced(meaning).casefold()
        return Outcome(found.value, "case" if same else "synonym", "", found.face if same else None)


def settle(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    name: str,
    duckdb_type: str,
    policy: RepairPolicy,
    declared: ColumnType | None = None,
    where: str = "",
) -> ColumnRepair:
    """Settle a column's repair: one pass counts the evidence, over all different values that are not plain.

    Args:
        con: An open connection.
        relation: SQL that can stand after FROM.
        name: The column.
        duckdb_type: Its type there.
        policy: What to do.
        declared: The type that the source's `types` give.
        where: Where the policy stands, for errors and remedies, such as `repair.sales.amount`.

    Raises:
        DataError: for a unit, currency, zone or `empty_is` of the policy that cannot be.
    """
    now = kind(duckdb_type)
    type_ = policy.type or (declared if _fits(policy, declared) else None)
    missing = frozenset(spaced(m).casefold() for m in policy.missing)
    try:
        reader, doubts = _reader(con, relation, name, now, policy, type_, missing, where)
    except ValueError as error:
        raise DataError(where, str(error), "one that is known", "Correct the policy.") from None
    synonyms = {spaced(k).casefold(): v for k, v in policy.synonyms.items()}
    for meaning in list(synonyms.values()):
        if isinstance(reader, TextReader):
            # A meaning in another case is the meaning.
            synonyms.setdefault(spaced(meaning).casefold(), meaning)
    empty = MISSING
    if policy.empty_is is not None:
        found = reader.read(_written(policy.empty_is))
        if found.reason or found.value is None:
            raise DataError(
                f"{where}.empty_is", f"{policy.empty_is!r}: {found.reason or 'empty'}", reader.type
            )
        empty = Outcome(found.value, "empty is", "", None)
    return ColumnRepair(name, now, policy, reader, tuple(doubts), where, missing, synonyms, empty)


def _fits(policy: RepairPolicy, declared: ColumnType | None) -> bool:
    sections = {"number": policy.number, "boolean": policy.boolean, "time": policy.time, "text": policy.text}
    types = {"integer": "number", "timestamp": "time", "date": "time", "category": "text"}
    given = [n for n, s in sections.items() if s is not None]
    return declared is not None and (not given or types.get(declared, declared) == given[0])


def _written(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _reader(
    con: duckdb.DuckDBPyConnection, relation: str, name: str, now: Kind, policy: RepairPolicy,
    type_: ColumnType | None, missing: frozenset[str], where: str,
) -> tuple[Reader, list[Doubt]]:  # fmt: skip
    natural: ColumnType = "text" if now == "nested" else now
    wanted = type_ or _implied(policy) or natural
    words = tuple(policy.missing)
    if wanted in ("number", "integer"):
        number_type: ColumnType = type_ or ("integer" if now == "integer" else "number")
        numbers = number_evidence(con, relation, name, now, missing)
        return settle_numbers(policy.number or NumberRepair(), number_type, numbers, words, where)
    if wanted in ("timestamp", "date"):
        times = time_evidence(con, relation, name, now, missing)
        settled: ColumnType | None = type_ or (natural if natural in ("timestamp", "date") else None)
        return settle_times(policy.time or TimeRepair(), settled, times, words, where)
    if wanted == "boolean":
        return boolean_reader(policy.boolean or BooleanRepair()), []
    given = policy.text
    if given is None and not policy.synonyms and policy.empty_is is None:
        given = TextRepair()
    return TextReader(wanted, given), []


def _implied(policy: RepairPolicy) -> ColumnType | None:
    if policy.number is not None:
        return "number"
    if policy.time is not None:
        return "timestamp"
    if policy.boolean is not None:
        return "boolean"
    return "text" if policy.text is not None else None


def number_evidence(
    con: duckdb.DuckDBPyConnection, relation: str, name: str, now: Kind, missing: frozenset[str]
) -> NumberEvidence:
    """Count how a column's numbers are written; nothing to count where they are typed."""
    evidence = NumberEvidence()
    if now != "text":
        return evidence
    v = identifier(name)
    counts = (
        "count(*) FILTER (WHERE p), count(*) FILTER (WHERE p AND contains(v, '.') AND NOT d), "
        "count(*) FILTER (WHERE p AND d), count(*) FILTER (WHERE p AND abs(TRY_CAST(v AS DOUBLE)) > 1)"
    )
    inner = (
        f"SELECT {v} AS v, regexp_full_match({v}, '{PLAIN}') AS p, regexp_full_match({v}, '{DOTTED}') AS d "
        f"FROM {relation}"
    )
    row = con.execute(f"SELECT {counts} FROM ({inner})").fetchall()[0]
    evidence.plain, evidence.decimals, evidence.dotted, evidence.beyond = (int(n) for n in row)
    for text, rows in distinct(con, relation, v, f"NOT regexp_full_match({v}, '{PLAIN}')"):
        if not is_empty(text, missing):
            evidence.add(text, rows)
    return evidence


def time_evidence(
    con: duckdb.DuckDBPyConnection, relation: str, name: str, now: Kind, missing: frozenset[str]
) -> TimeEvidence:
    """Count how a column's dates and times are written; nothing to count where they are typed."""
    evidence = TimeEvidence()
    if now in ("timestamp", "date"):
        evidence.clocks = int(now == "timestamp")
        return evidence
    v = identifier(name) if now == "text" else f"CAST({identifier(name)} AS VARCHAR)"
    row = con.execute(
        "SELECT count(*) FILTER (WHERE iso), count(*) FILTER (WHERE iso AND contains(v, ':')), "
        "count(*) FILTER (WHERE iso AND contains(v, 'Z')) FROM "
        f"(SELECT {v} AS v, regexp_full_match({v}, '{ISO}') AS iso FROM {relation})"
    ).fetchall()[0]
    evidence.iso, evidence.clocks = int(row[0]), int(row[1])
    evidence.zoned = int(row[2])
    evidence.bare, evidence.read = evidence.clocks - evidence.zoned, evidence.iso
    for text, rows in distinct(con, relation, v, f"NOT regexp_full_match({v}, '{ISO}')"):
        if not is_empty(text, missing):
            evidence.add(text, rows)
    return evidence


def distinct(
    con: duckdb.DuckDBPyConnection, relation: str, value: str, where: str
) -> Iterator[tuple[str, int]]:
    """The different texts of a column with their rows, in any order, streamed; DuckDB spills."""
    query = (
        f"SELECT {value} AS v, count(*) AS n FROM {relation} WHERE {value} IS NOT NULL AND {where} GROUP BY 1"
    )
    for batch in con.sql(query).to_arrow_reader(_BATCH):
        yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)


def shown(value: Value) -> str | None:
    """A value as it stands in the audit log."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    return repr(value)
