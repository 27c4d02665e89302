"""Small things that the parts of the page share: moments in UTC, spans, names of rates."""

from collections.abc import Mapping
from datetime import UTC, datetime

from markupsafe import Markup

from evergreen.reports.page import Status
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.view.facts import phase_words, reason_of

RATE_NAMES: Mapping[str, str] = {
    "errors": "Errors",
    "latency": "Slow answers",
    "empty_outputs": "Empty outputs",
    "missing_inputs": "Missing inputs",
}


def moment(at: float) -> str:
    """`2026-11-23 10:03:12`, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def once(words: str) -> Markup:
    """Words of a cell that stay on one line."""
    return Markup('<span class="once">{}</span>').format(words)


def reason(words: str) -> Markup:
    """A sentence of a cell, wide enough to read."""
    return Markup('<span class="reason">{}</span>').format(words)


def banner(record: RolloutRecord) -> tuple[Status, str]:
    """The colour and the sentence on top of the page."""
    reason, phase = reason_of(record), record.phase
    why = reason[:1].upper() + reason[1:]
    candidate, baseline = f"version {record.candidate}", f"version {record.baseline}"
    if phase == "launched":
        return "pass", f"Launched: {candidate} is the baseline, on every router."
    if phase in ("rolled_back", "aborted"):
        word = "Rolled back" if phase == "rolled_back" else "Aborted"
        return "fail", f"{word}: every user has {baseline} again. {why}"
    if phase == "superseded":
        return "warn", f"Superseded: every user has {baseline} again. {why}"
    if phase in ("failed", "rolling_back"):
        return "fail", f"{phase_words(record).capitalize()}. {why}"
    if phase in ("held", "paused"):
        return "warn", f"{phase_words(record).capitalize()}. {why}"
    return "none", f"{phase_words(record).capitalize()}. {why}"
