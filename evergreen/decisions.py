"""The decision record that every gate writes, and what a list of them means for the run."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from evergreen.errors import GateStopped
from evergreen.files import write_text

Verdict = Literal["pass", "warn", "fail", "skip"]
Mode = Literal["fail", "warn", "off"]


@dataclass(frozen=True)
class Decision:
    """One check of one gate.

    Attributes:
        gate: The gate, such as `model` or `data`.
        check: What was checked, such as `roc_auc min` or `drift psi(age)`.
        verdict: `pass`, `warn`, `fail`, or `skip` when there was nothing to compare with.
        threshold: The bound, in the unit of `observed`; None where there is none.
        observed: What was measured; None when nothing could be.
        interval: Lower and upper confidence bound of `observed`, or None.
        slice: `overall` or the slice's name.
        mode: What a no does: `fail` stops the run, `warn` reports, `off` records only.
        reason: One sentence for people.
        evidence: Where to look: an artifact's name or a URI.
    """

    gate: str
    check: str
    verdict: Verdict
    reason: str
    threshold: float | str | None = None
    observed: float | str | None = None
    interval: tuple[float, float] | None = None
    slice: str = "overall"
    mode: Mode = "fail"
    evidence: str = ""


def verdict(ok: bool, mode: Mode) -> Verdict:
    """The verdict of a check that held or not, under a mode."""
    if ok:
        return "pass"
    return {"fail": "fail", "warn": "warn", "off": "skip"}[mode]  # type: ignore[return-value]


def write(path: Path, decisions: Sequence[Decision]) -> None:
    """Write the records as a JSON list, whole or not at all."""
    write_text(
        Path(path), json.dumps([asdict(d) for d in decisions], indent=1, allow_nan=False, default=str) + "\n"
    )


def read(path: Path) -> list[Decision]:
    """Read what `write` wrote."""
    rows = json.loads(Path(path).read_text())
    return [Decision(**{**r, "interval": tuple(r["interval"]) if r["interval"] else None}) for r in rows]


def stop_if_failed(decisions: Iterable[Decision]) -> None:
    """End the task when a check failed; the reasons become the run's last line.

    Raises:
        GateStopped: if any verdict is `fail`.
    """
    failed = [d for d in decisions if d.verdict == "fail"]
    if failed:
        reasons = "; ".join(d.reason for d in failed[:5])
        more = f"; and {len(failed) - 5} more" if len(failed) > 5 else ""
        raise GateStopped(f"gate {failed[0].gate} stopped the run: {reasons}{more}")
