"""Small things that the parts of the page share: moments in UTC, spans, names of rates."""

from collections.abc import Mapping
from datetime import UTC, datetime

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


def banner(record: RolloutRecord) -> tuple[Status, str]:
    """The colour and the sentence on top of the page."""
    reason, phase = reason_of(record), record.phase
    candidate, baseline = f"version {record.candidate}", f"version {record.baseline}"
    if phase == "launched":
        return "pass", f"Launched: {candidate} is the baseline. {reason}"
    if phase in ("rolled_back", "aborted"):
        word = "Rolled back" if phase == "rolled_back" else "Aborted"
        return "fail", f"{word}: every user has {baseline} again. {reason}"
    if phase == "superseded":
        return "warn", f"Superseded: every user has {baseline} again. {reason}"
    if phase in ("failed", "rolling_back"):
        return "fail", f"{phase_words(record).capitalize()}. {reason}"
    if phase in ("held", "paused"):
        return "warn", f"{phase_words(record).capitalize()}. {reason}"
    return "none", f"{phase_words(record).capitalize()}. {reason}"
