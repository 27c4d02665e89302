"""What a repair did to each column, and what of it is a finding."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from evergreen.findings import Finding, no, rows_text, softened
from evergreen.project.model import RepairPolicy
from evergreen.repair.apply import Applied
from evergreen.repair.column import ColumnRepair
from evergreen.repair.outcome import Doubt
from evergreen.repair.shift import Shift, measure
from evergreen.reports.text import number, percent
from evergreen.tables.parquet import file_scan

GATE = "repair"
_EXAMPLES = 5
_ACTIONS = {
    "quarantine": "set aside",
    "missing": "counted as missing",
    "drop": "left out",
    "fail": "not repaired",
}


@dataclass(frozen=True)
class Change:
    """A way in which values of a column changed: rows, and the most frequent values as (from, to, rows)."""

    rule: str
    rows: int
    examples: tuple[tuple[str | None, str | None, int], ...]


@dataclass(frozen=True)
class Refused:
    """A reason why values of a column could not be repaired: rows, the most frequent values, some keys."""

    reason: str
    rows: int
    examples: tuple[tuple[str, int], ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class ColumnResult:
    """What a repair did to one column.

    Attributes:
        source: The table's name.
        column: The column's.
        type: What it became.
        rows: Rows of the table.
        changed: Rows whose value changed and that stay.
        changes: By rule, the most rows first.
        refused: By reason, the most rows first.
        shift: Before and after.
        doubts: What the column left open.
        repair: The settled repair.
    """

    source: str
    column: str
    type: str
    rows: int
    changed: int
    changes: tuple[Change, ...]
    refused: tuple[Refused, ...]
    shift: Shift
    doubts: tuple[Doubt, ...]
    repair: ColumnRepair

    @property
    def unrepaired(self) -> int:
        """Rows whose value could not be repaired."""
        return sum(r.rows for r in self.refused)

    @property
    def action(self) -> str:
        """What became of those, in words."""
        return _ACTIONS[self.repair.policy.unfit]


def column_result(
    con: duckdb.DuckDBPyConnection,
    source: str,
    applied: Applied,
    repair: ColumnRepair,
    index: int,
    position: int,
) -> ColumnResult:
    """Sum up one column of a pass; see `measure` for the arguments."""
    log, mine = file_scan([applied.log]), f'"column" = {index}'
    counted = con.execute(
        f"SELECT rule, count(*) AS n FROM {log} WHERE {mine} AND kept AND reason IS NULL GROUP BY 1 "
        "ORDER BY n DESC, rule"
    ).fetchall()
    changes = tuple(
        Change(rule, n, _examples(con, f"{log} WHERE {mine} AND kept AND reason IS NULL AND rule = $r", rule))
        for rule, n in counted
    )
    reasons = con.execute(
        f"SELECT reason, count(*) AS n FROM {log} WHERE {mine} AND reason IS NOT NULL GROUP BY 1 "
        "ORDER BY n DESC, 1"
    ).fetchall()
    refused = tuple(_refused(con, f"{log} WHERE {mine} AND reason = $r", reason, n) for reason, n in reasons)
    shift = measure(con, applied, repair, index, position)
    total = sum(c.rows for c in changes)
    return ColumnResult(
        source, repair.name, repair.type, applied.rows, total, changes, refused, shift, repair.doubts, repair
    )


def _examples(
    con: duckdb.DuckDBPyConnection, where: str, rule: str
) -> tuple[tuple[str | None, str | None, int], ...]:
    query = f'SELECT "from", "to", count(*) AS n FROM {where} GROUP BY 1, 2'
    query = f"{query} ORDER BY n DESC, 1, 2 LIMIT {_EXAMPLES}"
    return tuple((a, b, n) for a, b, n in con.execute(query, {"r": rule}).fetchall())


def _refused(con: duckdb.DuckDBPyConnection, where: str, reason: str, rows: int) -> Refused:
    top = f'SELECT "from", count(*) AS n FROM {where} GROUP BY 1 ORDER BY n DESC, 1 LIMIT {_EXAMPLES}'
    first = f"SELECT coalesce(nullif(key, ''), 'row ' || row) FROM {where} ORDER BY row LIMIT {_EXAMPLES}"
    keys = tuple(k for (k,) in con.execute(first, {"r": reason}).fetchall())
    examples = tuple((v, n) for v, n in con.execute(top, {"r": reason}).fetchall())
    return Refused(reason, rows, examples, keys)


def findings(result: ColumnResult) -> list[Finding]:
    """What of a column's repair a person must know, or stops the run."""
    policy, rows = result.repair.policy, max(1, result.rows)
    found = [
        no(
            f"repair {doubt.rule}", result.column, policy.mode if doubt.severe else softened(policy.mode),
            f"{result.source}.{result.column}: {doubt.reason}", count=doubt.count,
            share=doubt.count / rows, examples=doubt.examples, gate=GATE,
        )
        for doubt in result.doubts
    ]  # fmt: skip
    return [*found, *_unrepaired(result), *_moved(result)]


def _unrepaired(result: ColumnResult) -> list[Finding]:
    if not result.unrepaired:
        return []
    policy, rows = result.repair.policy, max(1, result.rows)
    share = result.unrepaired / rows
    reasons = ", ".join(f"{r.reason} ({number(r.rows)})" for r in result.refused[:3])
    said = f"{result.source}.{result.column}: {rows_text(result.unrepaired, rows)} {result.action}: {reasons}"
    stops = policy.unfit == "fail" or _surely(result.unrepaired, rows, policy) > policy.max_quarantined
    if stops and policy.unfit != "fail":
        said += f"; more than `max_quarantined` {percent(policy.max_quarantined)}"
    mode = "fail" if policy.unfit == "fail" else policy.mode if stops else softened(policy.mode)
    return [
        no(
            "repair unreadable", result.column, mode, said, observed=share, threshold=policy.max_quarantined,
            count=result.unrepaired, share=share, keys=result.refused[0].keys,
            examples=tuple(v for r in result.refused[:3] for v, _ in r.examples[:2]), gate=GATE,
        )
    ]  # fmt: skip


def _moved(result: ColumnResult) -> list[Finding]:
    policy, shift, where = result.repair.policy, result.shift, f"{result.source}.{result.column}"
    share = result.changed / max(1, result.rows)
    moved = abs(shift.missing_after - shift.missing_before)
    kind = "total variation" if shift.kind == "tv" else "distance of the distributions"
    checks: list[tuple[str, float | None, float, str]] = [
        ("repair shift", shift.value, policy.max_shift, f"the repair moves the values: {kind}"),
        ("repair missing", moved, policy.max_shift, "the repair changes the share of missing values by"),
        ("repair changed", share, policy.max_changed, "share of rows that the repair changes"),
    ]
    found = []
    for rule, observed, threshold, words in checks:
        field = "max_changed" if rule == "repair changed" else "max_shift"
        if observed is not None and observed > max(threshold, _noise(field, shift, policy)):
            said = f"{where}: {words} {number(observed)}, more than `{field}` {number(threshold)}"
            found.append(
                no(rule, result.column, policy.mode, said, observed=observed, threshold=threshold, gate=GATE)
            )
    return found


def _surely(count: int, rows: int, policy: RepairPolicy) -> float:
    """The share; under the default bound its lower 95 % limit (Wilson 1927): one of six is no tenth."""
    share = count / rows
    if "max_quarantined" in policy.model_fields_set:
        return share
    z = 1.96
    centre, half = (
        share + z * z / (2 * rows),
        z * math.sqrt((share * (1 - share) + z * z / (4 * rows)) / rows),
    )
    return (centre - half) / (1 + z * z / rows)


def _noise(field: str, shift: Shift, policy: RepairPolicy) -> float:
    """What chance moves in few rows, under the default bound: Kolmogorov and Smirnov's 5 % point."""
    if field in policy.model_fields_set or field != "max_shift" or not (shift.before and shift.after):
        return 0.0
    return 1.36 * math.sqrt((shift.before + shift.after) / (shift.before * shift.after))


def all_findings(results: Sequence[ColumnResult]) -> list[Finding]:
    """The findings of every column, in order."""
    return [finding for result in results for finding in findings(result)]
