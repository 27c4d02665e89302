"""The sources behind a table: how fresh they are, how many rows they have, and what they refer to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from evergreen.decisions import Decision, Mode
from evergreen.errors import DataError
from evergreen.findings import GATE, Finding, no, rows_text
from evergreen.profile.validation.samples import Sampler
from evergreen.project.model import DataRule, Project, Reference, Source, format_duration
from evergreen.reports.text import number, percent
from evergreen.tables import columns, connect, explained, identifier, kind, scan
from evergreen.tables.names import missing_column


@dataclass(frozen=True)
class SourceChecks:
    """What the checks of the sources found; one decision for each that was made."""

    decisions: tuple[Decision, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Table:
    """One source on disk; `relation` is None for a source that is empty, as it may be."""

    name: str
    source: Source
    relation: str | None
    types: Mapping[str, str]

    def require(self, names: Sequence[str], field: str) -> None:
        for name in names:
            if self.types and name not in self.types:
                raise missing_column(f"source {self.name}", name, self.types, field)


def check_sources(project: Project, folder: Path, now: datetime | None = None) -> SourceChecks:
    """Check `freshness`, `rows` and `references` of every source, and the user's rules on sources.

    Counts are streamed; the values that a reference leads to are held by DuckDB, which spills to the disk.

    Args:
        project: Its sources and `gates.data`.
        folder: What ingestion wrote, or its overlay with repaired tables.
        now: The run's time (UTC); default: the clock.

    Raises:
        DataError: for a column that is not there, or a rule that is no SQL.
    """
    gate = project.gates.data
    now = now or datetime.now(UTC)
    when = now.astimezone(UTC).replace(tzinfo=None) if now.tzinfo else now
    decisions: list[Decision] = []
    findings: list[Finding] = []
    with connect(project.resources) as con:
        tables = {name: _table(con, name, source, folder) for name, source in project.sources.items()}
        for name, table in tables.items():
            checks = [
                _freshness(con, table, when, gate.mode),
                *_volume(con, table, gate.mode),
                *(_reference(con, table, r, tables, gate.mode) for r in table.source.references),
                *(_rule(con, table, r, r.mode or gate.mode) for r in gate.rules if r.source == name),
            ]
            for found in checks:
                if isinstance(found, Finding):
                    findings.append(found)
                    decisions.append(found.decision())
                elif found is not None:
                    decisions.append(found)
    return SourceChecks(tuple(decisions), tuple(findings))


def _table(con: duckdb.DuckDBPyConnection, name: str, source: Source, folder: Path) -> _Table:
    own = Path(folder) / name
    if source.allow_empty and not list(own.glob("*.parquet")):
        return _Table(name, source, None, {})
    relation = scan(own)
    return _Table(name, source, relation, columns(con, relation))


def _rows(con: duckdb.DuckDBPyConnection, relation: str | None) -> int:
    return int(con.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0]) if relation else 0


def _passed(
    check: str, reason: str, mode: Mode, threshold: float | str | None, observed: float | str
) -> Decision:
    return Decision(GATE, check, "pass", reason, threshold, observed, mode=mode)


def _freshness(
    con: duckdb.DuckDBPyConnection, table: _Table, now: datetime, mode: Mode
) -> Finding | Decision | None:
    limit, time = table.source.freshness, table.source.time
    if limit is None or table.relation is None:
        return None
    if time is None:
        raise DataError(f"sources.{table.name}.freshness", "no `time`", "the column that says when a row was")
    table.require([time], f"sources.{table.name}.time")
    query = f"SELECT max(CAST({identifier(time)} AS TIMESTAMP)) FROM {table.relation}"
    newest = con.execute(query).fetchall()[0][0]
    place, bound = f"{table.name}.{time}", format_duration(limit)
    if newest is None:
        return no("freshness", place, mode, f"source {table.name!r} has no time at all", threshold=bound)
    age = now - newest
    old = _age(age.total_seconds())
    words = f"the newest row of source {table.name!r} is of {newest:%Y-%m-%d %H:%M}, {old} old"
    if age <= limit:
        return _passed(f"freshness({place})", words, mode, bound, old)
    reason = f"{words}; at most {bound} was asked for"
    return no("freshness", place, mode, reason, observed=old, threshold=bound)


def _age(seconds: float) -> str:
    if abs(seconds) >= 2 * 86400:
        return f"{seconds / 86400:.1f} days"
    return f"{seconds / 3600:.1f} hours"


def _volume(con: duckdb.DuckDBPyConnection, table: _Table, mode: Mode) -> list[Finding | Decision]:
    wanted = table.source.rows
    if wanted is None:
        return []
    rows = _rows(con, table.relation)
    found: list[Finding | Decision] = []
    for bound, few, words in ((wanted.min, True, "at least"), (wanted.max, False, "at most")):
        if bound is None:
            continue
        reason = f"source {table.name!r} has {number(rows)} rows; {words} {number(bound)} were asked for"
        if rows < bound if few else rows > bound:
            found.append(no("rows", table.name, mode, reason, observed=rows, threshold=bound, count=rows))
        else:
            found.append(_passed(f"rows({table.name})", reason, mode, bound, rows))
    return found


def _reference(
    con: duckdb.DuckDBPyConnection, table: _Table, wanted: Reference, tables: Mapping[str, _Table], mode: Mode
) -> Finding | Decision | None:
    if table.relation is None:
        return None
    other = tables.get(wanted.source)
    where = f"sources.{table.name}.references"
    if other is None:
        raise DataError(where, f"no source {wanted.source!r}", "a source of this project")
    there = list(wanted.to or wanted.columns)
    if len(there) != len(wanted.columns):
        raise DataError(
            where, f"{len(wanted.columns)} columns refer to {len(there)}", "as many columns on both sides"
        )
    table.require(wanted.columns, where)
    other.require(there, where)
    orphan = _orphan(table, other, wanted.columns, there)
    with explained(where):
        rows = _rows(con, table.relation)
        count = int(
            con.execute(f"SELECT count(*) FROM {table.relation} AS child WHERE {orphan}").fetchall()[0][0]
        )
    share = count / rows if rows else 0.0
    place = f"{table.name}.{'+'.join(wanted.columns)}"
    by = ", ".join(there)
    words = f"{rows_text(count, rows)} of source {table.name!r} have no row in {wanted.source!r} by {by}"
    if share <= wanted.max_share:
        return _passed(f"reference({place})", words, mode, wanted.max_share, share)
    key = tuple(dict.fromkeys([*(table.source.key or ()), *wanted.columns]))
    sampler = Sampler(con, f"{table.relation} AS child", key)
    shown = ", ".join(f"child.{identifier(c)}" for c in wanted.columns)
    frequent = con.execute(
        f"SELECT {shown}, count(*) AS n FROM {table.relation} AS child WHERE {orphan} "
        f"GROUP BY {shown} ORDER BY n DESC, {shown} LIMIT 5"
    ).fetchall()
    return no(
        "reference", place, mode, f"{words}; the bound is {percent(wanted.max_share)}", observed=share,
        threshold=wanted.max_share, count=count, share=share, keys=sampler.keys(orphan),
        examples=tuple(f"{', '.join(map(str, r[:-1]))} ({number(r[-1])})" for r in frequent),
    )  # fmt: skip


def _orphan(table: _Table, other: _Table, here: Sequence[str], there: Sequence[str]) -> str:
    """SQL that is true for a child row whose values no parent has; a row without a value is no orphan."""
    present = " AND ".join(f"child.{identifier(c)} IS NOT NULL" for c in here)
    if other.relation is None:
        return present
    equal = " AND ".join(
        _equal(table.types[a], other.types[b], a, b) for a, b in zip(here, there, strict=True)
    )
    return f"{present} AND NOT EXISTS (SELECT 1 FROM {other.relation} AS parent WHERE {equal})"


def _equal(ours: str, theirs: str, a: str, b: str) -> str:
    left, right = f"child.{identifier(a)}", f"parent.{identifier(b)}"
    numbers = ("integer", "number")
    if kind(ours) != kind(theirs) and not (kind(ours) in numbers and kind(theirs) in numbers):
        left, right = f"CAST({left} AS VARCHAR)", f"CAST({right} AS VARCHAR)"
    return f"{left} = {right}"


def _rule(
    con: duckdb.DuckDBPyConnection, table: _Table, rule: DataRule, mode: Mode
) -> Finding | Decision | None:
    if table.relation is None:
        return None
    broken = f"({rule.check}) IS NOT TRUE"
    with explained(f"gates.data.rules, {rule.name}"):
        query = f"SELECT count(*), coalesce(count_if({broken}), 0) FROM {table.relation}"
        rows, count = map(int, con.execute(query).fetchall()[0])
    share = count / rows if rows else 0.0
    words = f"{rows_text(count, rows)} of source {table.name!r} break {rule.name!r}"
    if share <= rule.max_share:
        return _passed(f"rule {rule.name}({table.name})", words, mode, rule.max_share, share)
    sampler = Sampler(con, table.relation, tuple(table.source.key or ()))
    return no(
        f"rule {rule.name}", table.name, mode, f"{words}; the bound is {percent(rule.max_share)}",
        observed=share, threshold=rule.max_share, count=count, share=share, keys=sampler.keys(broken),
    )  # fmt: skip
