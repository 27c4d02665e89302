"""From what was counted and estimated to findings: the bounds of the gate, and what chance explains."""

from typing import TYPE_CHECKING

from evergreen.decisions import Mode
from evergreen.findings import Finding, no, rows_text, softened
from evergreen.labels.copies import Copies
from evergreen.labels.issues import OVERLAP, Suspects
from evergreen.labels.near import NearCopies
from evergreen.labels.noise import Noise
from evergreen.project.model import LabelGate
from evergreen.reports.text import number, percent

if TYPE_CHECKING:
    from evergreen.labels.validate import Checked

GATE = "labels"
# Two equal rows can be chance in any table; from three on, and from one in a thousand, they are told.
_FEW = 3
_SHARE = 0.001
_KEYS = 8


def verdicts(checked: "Checked", gate: LabelGate) -> list[Finding]:
    """The findings about twins, wrong labels and labellers."""
    found = _copies(checked.copies, checked, gate) + _near(checked.near, checked, gate)
    if checked.suspects is not None:
        found += _wrong(checked.suspects, checked, gate)
    return found + _agreement(checked, gate)


def _told(count: float, rows: int) -> bool:
    return count >= _FEW and count > _SHARE * rows


def _copies(copies: Copies, checked: "Checked", gate: LabelGate) -> list[Finding]:
    found = []
    rows, label = checked.rows, checked.label
    conflicting = round(copies.conflicting * copies.conflict_copies)
    if _told(conflicting, rows):
        mode = gate.mode if conflicting > gate.max_conflicting * rows else softened(gate.mode)
        text = f"{rows_text(conflicting, rows)} have a twin, equal in every feature, with another label"
        found.append(_rows_no("conflicting labels", label, mode, text, conflicting, rows,
                              gate.max_conflicting, copies.conflict_keys))  # fmt: skip
    held = max(1, rows - checked.train)
    leaked = round(copies.leaked * copies.leaked_copies)
    if _told(leaked, held):
        mode = gate.mode if leaked > gate.max_duplicates * held else softened(gate.mode)
        text = (
            f"{rows_text(leaked, held)} of validation and test are copies of rows in train: "
            f"what is measured on them is memory"
        )
        found.append(_rows_no("copies across the split", "", mode, text, leaked, held,
                              gate.max_duplicates, copies.leaked_keys))  # fmt: skip
    surplus = round(copies.surplus * copies.copies)
    if _told(surplus, rows):
        text = f"{rows_text(surplus, rows)} are copies of another row, equal in every feature"
        found.append(
            _rows_no("duplicates", "", softened(gate.mode), text, surplus, rows, _SHARE, copies.keys)
        )
    return found


def _near(near: NearCopies, checked: "Checked", gate: LabelGate) -> list[Finding]:
    if not _told(near.rows, near.compared):
        return []
    sides = f"; {number(near.leaked)} in validation or test with the other in train" if near.leaked else ""
    bounded = "" if near.compared == checked.rows else f" of {number(near.compared)} that were compared"
    text = f"{rows_text(near.rows, near.compared)}{bounded} are all but equal to another row{sides}"
    return [_rows_no("near copies", "", softened(gate.mode), text, near.rows, near.compared, _SHARE,
                     near.leaked_keys or near.keys)]  # fmt: skip


def _rows_no(
    rule: str, column: str, mode: Mode, text: str, count: int, rows: int, bound: float, keys: tuple[str, ...]
) -> Finding:
    return no(rule, column, mode, text, observed=count / max(1, rows), threshold=bound, count=count,
              share=count / max(1, rows), keys=keys, gate=GATE)  # fmt: skip


def tolerated(checked: "Checked", gate: LabelGate) -> float:
    """The share of wrong labels that is let pass: twice as much in large data, half as much for numbers."""
    base = gate.tolerance if checked.small else 2 * gate.tolerance
    return base if checked.classes else base / 2


def _wrong(suspects: Suspects, checked: "Checked", gate: LabelGate) -> list[Finding]:
    noise, tolerance = suspects.noise, tolerated(checked, gate)
    # Where the classes overlap as a whole, a part of the rows that seems pure is pure by chance of the draw.
    if noise is None or noise.overlap > OVERLAP:
        return []
    found = []
    overall = noise.low > tolerance
    if overall:
        certain = noise.share if checked.small else noise.low
        mode = gate.mode if certain > gate.max_noise else softened(gate.mode)
        found.append(_noise_no("wrong labels", checked, mode, "", noise, tolerance))
    floor = noise.share if overall else 0.0
    for kind, parts in (("class", suspects.by_class or {}), ("slice", suspects.by_slice or {})):
        for name, part in parts.items():
            if part.overlap <= OVERLAP and part.low > max(2 * tolerance, floor):
                place = f"{checked.label}={name}" if kind == "class" else name
                mode = gate.mode if part.low > 2 * gate.max_noise else softened(gate.mode)
                found.append(
                    _noise_no(f"wrong labels of a {kind}", checked, mode, place, part, 2 * tolerance)
                )
    return found


def _noise_no(rule: str, checked: "Checked", mode: Mode, place: str, noise: Noise, bound: float) -> Finding:
    if rule.endswith("class"):
        words = f"rows that look like {place} carry another label"
    else:
        words = "labels are wrong" + (f" where {place}" if place else "")
    text = (
        f"an estimated {percent(noise.share)} of {words} ({percent(noise.low)} to {percent(noise.high)}): "
        f"more than overlapping classes explain"
    )
    if not checked.classes:
        text = (
            f"{percent(noise.share)} of the labels are farther from what models expect than their errors "
            f"reach ({percent(noise.low)} to {percent(noise.high)})"
        )
    return no(
        rule, checked.label, mode, text, observed=noise.share, threshold=bound,
        count=round(noise.share * noise.rows), share=noise.share, slice=place or "overall", gate=GATE,
    )  # fmt: skip


def _agreement(checked: "Checked", gate: LabelGate) -> list[Finding]:
    measured = checked.agreement
    if measured is None or gate.labellers is None:
        return []
    found = []
    low, high = measured.interval
    bound = gate.labellers.min_agreement
    if high < bound:
        text = (
            f"labellers agree too little: Krippendorff's alpha {number(measured.alpha)} ({number(low)} to "
            f"{number(high)}) over {number(measured.items)} items; at least {number(bound)} is asked for"
        )
        found.append(
            no("agreement", checked.label, gate.mode, text, observed=measured.alpha, threshold=bound,
               count=measured.items, keys=tuple(i.key for i in measured.adjudicate[:_KEYS]), gate=GATE)
        )  # fmt: skip
    by_name = {w.name: w for w in measured.labellers}
    for name in measured.outliers:
        w = by_name[name]
        text = (
            f"labeller {name!r} agrees with the others on {percent(w.agreement)} of {number(w.items)} items "
            f"({percent(w.low)} to {percent(w.high)}), less than they do among themselves"
        )
        found.append(no("labeller agreement", checked.label, softened(gate.mode), text, observed=w.agreement,
                        count=w.items, slice=f"labeller={name}", gate=GATE))  # fmt: skip
    return found
