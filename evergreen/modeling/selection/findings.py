"""Leaks and lacks as findings of the selection gate."""

from collections.abc import Sequence

from evergreen.decisions import Mode
from evergreen.findings import Finding, no
from evergreen.modeling.selection.availability import Lack
from evergreen.modeling.selection.importance import Importances
from evergreen.modeling.selection.leaks import Leak
from evergreen.project.model import Project
from evergreen.reports.text import number

GATE = "selection"


def leak_findings(project: Project, leaks: Sequence[Leak], lacks: Sequence[Lack]) -> list[Finding]:
    """A finding for each leak and each lack; for a feature that the project keeps, it stops nothing."""
    settings = project.selection
    found = []
    for leak in leaks:
        mode = _mode(settings.leakage, leak.sure, leak.feature in settings.keep)
        reason = _kept(leak.reason) if mode == "off" else leak.reason
        found.append(
            no(
                leak.rule, leak.feature, mode, reason, observed=_plain(leak.observed),
                threshold=leak.threshold, count=leak.count, gate=GATE,
            )
        )  # fmt: skip
    for lack in lacks:
        mode = _mode(
            settings.leakage if lack.leak else settings.availability, lack.sure, lack.feature in settings.keep
        )
        reason = _kept(lack.reason) if mode == "off" else lack.reason
        rule = f"leak {lack.rule}" if lack.leak else f"unavailable {lack.rule}"
        found.append(
            no(
                rule, lack.feature, mode, reason, observed=_plain(lack.observed), threshold=lack.threshold,
                gate=GATE,
            )
        )  # fmt: skip
    return found


def nothing_helps(found: Importances) -> Finding:
    """No feature beats its shuffled copies: all stay, and a person should know."""
    best = max(i.mean for i in found.units)
    words = (
        f"no feature is of more use than shuffled copies of the features (best {number(best)}, "
        f"copies {number(found.control[0])}): all are kept, but the model has nothing to learn from"
    )
    return no("nothing helps", "", "warn", words, observed=best, threshold=found.control[0], gate=GATE)


def _mode(setting: str, sure: bool, kept: bool) -> Mode:
    if kept or setting == "off":
        return "off"
    return "fail" if setting == "fail" and sure else "warn"


def _kept(reason: str) -> str:
    return f"{reason} (`selection.keep` keeps it)"


def _plain(value: float | None) -> float | None:
    return None if value is None or abs(value) == float("inf") else float(value)
