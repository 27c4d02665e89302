"""What a check of data found, and how it reads as a decision record and as a line of `--json`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from evergreen.decisions import Decision, Mode, Verdict, verdict
from evergreen.reports.text import number, percent

GATE = "data"


@dataclass(frozen=True)
class Finding:
    """One rule that one column, or the table, does not hold.

    Attributes:
        rule: Such as `missing`, `domain`, `drift psi`.
        column: Its name; empty for the table.
        severity: The verdict under the gate's mode.
        mode: What a no does.
        reason: One sentence for people; no values of rows in it.
        observed: What was measured.
        threshold: The bound.
        count: How many rows; None where rows are not counted.
        share: Of all rows.
        keys: Some of the rows, by key.
        examples: Some of the values with their counts; for the report, never for a log.
        slice: `overall`, or the slice's name.
        gate: The gate that decides on it, such as `data`, `labels`, `repair` or `skew`.
    """

    rule: str
    column: str
    severity: Verdict
    mode: Mode
    reason: str
    observed: float | str | None = None
    threshold: float | str | None = None
    count: int | None = None
    share: float | None = None
    keys: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    slice: str = "overall"
    gate: str = GATE

    def decision(self) -> Decision:
        """The finding as a decision record."""
        return Decision(
            gate=self.gate,
            check=f"{self.rule}({self.column})" if self.column else self.rule,
            verdict=self.severity,
            reason=self.reason,
            threshold=self.threshold,
            observed=self.observed,
            slice=self.slice,
            mode=self.mode,
            evidence=f"rows {'; '.join(self.keys)}" if self.keys else "",
        )

    def record(self) -> dict[str, Any]:
        """The finding as `--json` prints it."""
        return {
            "rule": self.rule,
            "column": self.column,
            "slice": self.slice,
            "severity": self.severity,
            "observed": self.observed,
            "threshold": self.threshold,
            "count": self.count,
            "share": self.share,
            "keys": list(self.keys),
            "reason": self.reason,
        }


def softened(mode: Mode) -> Mode:
    """The mode of a check that warns at most."""
    return "warn" if mode == "fail" else mode


def no(
    rule: str, column: str, mode: Mode, reason: str, *, observed: float | str | None = None,
    threshold: float | str | None = None, count: int | None = None, share: float | None = None,
    keys: tuple[str, ...] = (), examples: tuple[str, ...] = (), slice: str = "overall", gate: str = GATE,
) -> Finding:  # fmt: skip
    """A finding whose severity follows from the mode."""
    severity = verdict(False, mode)
    return Finding(
        rule, column, severity, mode, reason, observed, threshold, count, share, keys, examples, slice, gate
    )


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Findings by severity, otherwise in their order."""
    return sorted(findings, key=lambda f: ("fail", "warn", "skip", "pass").index(f.severity))


def rows_text(count: int, rows: int) -> str:
    """`12 rows (0.4 %)`."""
    share = count / rows if rows else 0.0
    small = 0 < share < 0.0005
    return f"{number(count)} row{'' if count == 1 else 's'} ({'< 0.1 %' if small else percent(share)})"
