"""What `repair_data` does around the repair: decisions and a report, also when it stops the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evergreen.decisions import Decision, stop_if_failed, write
from evergreen.errors import DataError
from evergreen.files import write_text
from evergreen.findings import Finding, worst_first
from evergreen.project.model import Project
from evergreen.repair.page import failure_page, repair_page
from evergreen.repair.policyfile import policy_lines
from evergreen.repair.results import GATE, ColumnResult
from evergreen.repair.sources import Repaired, repair_sources
from evergreen.reports.text import number


@dataclass(frozen=True)
class Folders:
    """What a repair writes: overlay, audit log and quarantine are folders, the others files."""

    overlay: Path
    audit: Path
    quarantine: Path
    decisions: Path
    report: Path


@dataclass(frozen=True)
class Summary:
    """Values that changed, and rows that were set aside."""

    changed: int
    quarantined: int


def repair_with_report(project: Project, tables: Path, folders: Folders) -> Summary:
    """Repair a project's sources, write everything, then stop the run if a finding fails.

    Args:
        project: The project.
        tables: The folder that `ingest_data` wrote.
        folders: Where to write.

    Raises:
        DataError: for policies that cannot be, and repaired sources that cannot be used.
        GateStopped: when a repair passes a threshold, or leaves in doubt what it must know.
    """
    try:
        done = repair_sources(project, tables, folders.overlay, folders.audit, folders.quarantine)
    except DataError as error:
        write_text(folders.report, failure_page(project.name, error))
        raise
    decisions = _decisions(done)
    write(folders.decisions, decisions)
    policy = _policy(project)
    write_text(folders.report, repair_page(done.tables, decisions, subtitle=project.name, policy=policy))
    if done.problems:
        raise _together(done.problems)
    stop_if_failed(decisions)
    aside = sum(t.applied.set_aside for t in done.tables)
    return Summary(sum(t.changed for t in done.tables), aside)


def _decisions(done: Repaired) -> list[Decision]:
    """What was wrong, the worst first, then what was well."""
    findings = worst_first(f for t in done.tables for f in t.findings)
    wrong = [Decision(GATE, "source", "fail", str(p)) for p in done.problems] + [
        f.decision() for f in findings
    ]
    fine = [_passed(r) for t in done.tables for r in t.results if not _found(r, t.findings)]
    if not wrong and not fine:
        return [
            Decision(
                GATE, "repair", "pass", "No policy repairs values: the sources are as they were ingested."
            )
        ]
    return wrong + fine


def _found(result: ColumnResult, findings: Sequence[Finding]) -> bool:
    return any(f.column == result.column for f in findings)


def _passed(result: ColumnResult) -> Decision:
    said = f"{result.source}.{result.column}: {number(result.changed)} values changed, none past a threshold"
    policy = result.repair.policy
    return Decision(
        GATE, f"repair({result.column})", "pass", said, policy.max_shift, result.shift.value, mode=policy.mode
    )


def _policy(project: Project) -> str:
    lines = []
    for name, policies in project.repair.items():
        if policies:
            lines += [f"  {name}:", *policy_lines(policies)]
    return "\n".join(["repair:", *lines]) + "\n" if lines else ""


def _together(problems: list[DataError]) -> DataError:
    if len(problems) == 1:
        return problems[0]
    listing = "".join(f"\n  {p}" for p in problems)
    return DataError("sources", f"{len(problems)} of them cannot be used after the repair{listing}")
