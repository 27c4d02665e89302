"""Messy columns of a table: the repair that is proposed for them, and the table as it is after it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from evergreen.ingest.infer import TextFinding
from evergreen.ingest.shape import Raw
from evergreen.project.model import RepairPolicy
from evergreen.repair.proposal import Proposal
from evergreen.repair.propose import propose
from evergreen.repair.table import TableRepair, repair_table, rows_query
from evergreen.tables import columns, scan, write_query


@dataclass(frozen=True)
class Messy:
    """What is proposed for a table.

    Attributes:
        policies: By column.
        why: By column, with what it changes.
    """

    policies: Mapping[str, RepairPolicy] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)


def tidy(
    con: duckdb.DuckDBPyConnection,
    raw: Raw,
    findings: Mapping[str, TextFinding],
    keep: Collection[str],
    scratch: Path,
) -> tuple[Raw, Messy]:
    """Repair the columns that ingestion alone would leave as text; the rows after that, and the policies.

    Args:
        con: An open connection.
        raw: The rows as they came.
        findings: What ingestion finds in its text columns.
        keep: Columns that are left as they are: the label, and those that name things.
        scratch: A folder for the repaired copy.
    """
    texts = [c for c, f in findings.items() if f.finding in ("text", "mixed") and c not in keep]
    proposed = propose(con, raw.relation, {c: raw.types[c] for c in texts}, raw.name)
    proposals = {c: p for c, p in proposed.proposals.items() if p.merges and not p.only_empty}
    if not proposals:
        return raw, Messy()
    policies = {c: p.policy for c, p in proposals.items()}
    done = repair_table(con, raw.name, raw.relation, raw.types, policies, scratch / "messy" / raw.name)
    failing = {f.column for f in done.findings if f.severity == "fail"}
    if failing:
        return tidy(con, raw, findings, {*keep, *failing}, scratch / "again")
    folder = scratch / "tidy" / raw.name
    write_query(con, rows_query(done), folder / "part-00000.parquet")
    types = columns(con, folder)
    tidied = replace(raw, relation=scan(folder), types=types, untyped=raw.untyped - set(policies))
    return tidied, Messy(policies, {r: _why(done, r, proposals[r]) for r in policies})


def _why(done: TableRepair, column: str, proposal: Proposal) -> str:
    """What is proposed for a column, in words for the project file."""
    result = next(r for r in done.results if r.column == column)
    said = f"`{column}`: {proposal.why}; {result.changed:,} of {result.rows:,} values change"
    examples = [f"{a!r} to {b!r}" for c in result.changes for a, b, _ in c.examples[:1] if a is not None]
    shown = f", such as {', '.join(examples[:3])}" if examples else ""
    aside = f"; {result.unrepaired:,} cannot be read and are set aside" if result.unrepaired else ""
    return f"{said}{shown}{aside}."
