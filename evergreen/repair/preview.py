"""What a repair of a file would do, as a table for a terminal and as data for `--json`."""

from collections.abc import Sequence
from typing import Any

from evergreen.repair.page import quoted
from evergreen.repair.results import ColumnResult
from evergreen.repair.standalone import FileRepair
from evergreen.reports.text import number, percent

HEADERS = ("column", "type", "rule", "rows", "from → to", "set aside", "shift")


def preview_rows(repair: FileRepair) -> list[tuple[str, ...]]:
    """One line for each rule of each column; the column's own figures stand on its first."""
    lines: list[tuple[str, ...]] = []
    for result in repair.repaired.results:
        shift = "" if result.shift.value is None else number(result.shift.value)
        aside = number(result.unrepaired) if result.unrepaired else ""
        head = (result.column, result.type)
        for change in result.changes:
            examples = ", ".join(f"{quoted(a)} → {quoted(b)}" for a, b, _ in change.examples[:2])
            lines.append((*head, change.rule, number(change.rows), examples, aside, shift))
            head, aside, shift = ("", ""), "", ""
        if not result.changes:
            lines.append((*head, "nothing changes", "0", "", aside, shift))
    return lines


def preview_notes(repair: FileRepair) -> list[str]:
    """What stands below the table: what cannot be repaired, what is in doubt, what to decide."""
    lines = []
    for result in repair.repaired.results:
        for one in result.refused:
            examples = ", ".join(quoted(v) for v, _ in one.examples[:3])
            lines.append(f"{result.column}: {number(one.rows)} {result.action}, {one.reason}: {examples}")
    lines += [f"{f.severity}: {f.reason}" for f in repair.findings if f.severity != "pass"]
    for column, hints in repair.proposed.hints.items():
        lines += [f"{column}: {hint}" for hint in hints if "in doubt" not in hint]
    said = " ".join(lines)
    for column, proposal in repair.proposed.proposals.items():
        lines += [f"{column}: {hint}" for hint in proposal.hints if hint not in said]
    return lines


def record(repair: FileRepair) -> dict[str, Any]:
    """The repair as `--json` prints it."""
    done = repair.repaired
    return {
        "findings": [f.record() for f in repair.findings],
        "rows": done.applied.rows,
        "kept": done.rows,
        "changed": done.changed,
        "quarantined": done.applied.set_aside,
        "columns": [_column(r) for r in done.results],
        "policy": {c: p.model_dump(mode="json", exclude_unset=True) for c, p in repair.policies.items()},
        "hints": {c: list(h) for c, h in repair.proposed.hints.items()},
    }


def _column(result: ColumnResult) -> dict[str, Any]:
    shift = result.shift
    return {
        "column": result.column,
        "type": result.type,
        "changed": result.changed,
        "unrepaired": result.unrepaired,
        "action": result.action if result.unrepaired else None,
        "shift": shift.value,
        "wasserstein": shift.wasserstein,
        "missing_before": shift.missing_before,
        "missing_after": shift.missing_after,
        "changes": [
            {
                "rule": c.rule,
                "rows": c.rows,
                "examples": [{"from": a, "to": b, "rows": n} for a, b, n in c.examples],
            }
            for c in result.changes
        ],
        "refused": [{"reason": r.reason, "rows": r.rows, "keys": list(r.keys)} for r in result.refused],
    }


def plain_table(rows: Sequence[Sequence[str]]) -> str:
    """The table in plain text, columns aligned."""
    lines = [HEADERS, *rows]
    widths = [max(len(str(line[i])) for line in lines) for i in range(len(HEADERS))]
    right = {3, 5, 6}
    return "\n".join(
        "  ".join(
            str(cell).rjust(w) if i in right else str(cell).ljust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _rows(count: int) -> str:
    return f"{number(count)} row{'' if count == 1 else 's'}"


def summary(repair: FileRepair) -> str:
    """One line: rows, changes, what was set aside."""
    done = repair.repaired
    aside = done.applied.set_aside
    share = f" ({percent(aside / done.applied.rows)})" if aside and done.applied.rows else ""
    return (
        f"{repair.name}: {number(done.applied.rows)} rows, {number(done.changed)} values change, "
        f"{_rows(aside)} set aside{share}, {_rows(done.applied.dropped)} left out"
    )
