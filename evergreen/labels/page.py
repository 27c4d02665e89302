"""The report of `validate_labels`: the decisions, the labels, the rows to review, twins and labellers."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from evergreen.labels.issues import OVERLAP, Suspects
from evergreen.labels.review_list import REVIEW
from evergreen.labels.validate import Checked
from evergreen.project.model import LabelGate
from evergreen.reports.charts import bars, forest, heatmap, histogram
from evergreen.reports.page import (
    Section,
    code,
    decisions_table,
    details,
    figure,
    note,
    page,
    table,
    text,
    tiles,
    worst,
)
from evergreen.reports.text import interval, number, percent

_TOP = 50
_CLASSES = 15
_LANES = 20


def labels_page(checked: Checked, gate: LabelGate, review: Path, name: str) -> str:
    """The whole page.

    Args:
        checked: What `validate_labels` returned.
        gate: The bounds.
        review: The folder with the list to review.
        name: The project's name.
    """
    sections = [
        Section("Overview", [_tiles(checked), _size(checked, gate)]),
        Section("Decisions", [decisions_table(checked.decisions)]),
        Section("Labels", _distribution(checked)),
        Section("Labels that look wrong", _suspects(checked)),
        Section("To review", _review(checked, review)),
        Section("The same row twice", _twins(checked)),
        Section("Labellers", _labellers(checked)),
    ]
    status = worst(checked.decisions)
    return page("Labels", sections, subtitle=f"{name}: {checked.label}", status=status)


def _tiles(checked: Checked) -> str:
    noise = checked.suspects.noise if checked.suspects else None
    wrong: object = "unknown"
    if noise and noise.overlap > OVERLAP:
        wrong = ("cannot be told", "the classes overlap")
    elif noise:
        wrong = (percent(noise.share), f"{percent(noise.low)} to {percent(noise.high)}")
    shown = {
        "Rows": checked.rows,
        "Looked at by models": checked.looked_at,
        "Classes": len(checked.classes) or "a number",
        "Wrong labels, estimated": wrong,
        "To review": checked.review_rows,
        "Copies": round(checked.copies.surplus * checked.copies.copies),
    }
    return tiles(shown)


def _size(checked: Checked, gate: LabelGate) -> str:
    if checked.small:
        return note(
            f"Small data: {number(checked.rows)} rows, fewer than {number(gate.small)}. Every label counts "
            f"here, so every row is looked at, several times over, and wrong labels are reported from "
            f"{percent(gate.tolerance)} on. Correct labels before you tune a model."
        )
    return note(
        f"Large data: {number(checked.rows)} rows. Twins and counts are over every row; models and near "
        f"copies look at a seeded sample of {number(checked.looked_at)}, and wrong labels are reported from "
        f"{percent(2 * gate.tolerance)} on: with so many rows a few wrong labels average out, except in the "
        f"long tail, which the slices show."
    )


def _distribution(checked: Checked) -> list[str]:
    drift = checked.distribution.drift
    blocks: list[str] = []
    if drift is not None:
        before, now = sum(drift.reference) or 1, sum(drift.current) or 1
        shares = {
            "baseline": [n / before for n in drift.reference],
            "now": [n / now for n in drift.current],
        }
        caption = (
            f"Population stability index {number(drift.psi)}; chance alone stays below {number(drift.floor)}."
            + (" Small data: differences mean little." if drift.small else "")
        )
        title = f"{checked.label}: share of the rows"
        blocks.append(figure(histogram(drift.labels, shares, title), caption))
    elif checked.distribution.classes:
        counts = checked.distribution.classes
        shown = sorted(counts, key=lambda c: -counts[c])[:_LANES]
        blocks.append(
            figure(bars(shown, [float(counts[c]) for c in shown], f"{checked.label}: rows by class"))
        )
        blocks.append(text("There is no baseline yet to compare with."))
    return blocks


def _suspects(checked: Checked) -> list[str]:
    suspects = checked.suspects
    if suspects is None:
        return [note(f"No model could be asked: {checked.why_not}", "warn")]
    blocks: list[str] = []
    noise = suspects.noise
    if noise and noise.overlap > OVERLAP:
        blocks.append(
            note(
                f"These features tell the classes apart so little (about {percent(noise.overlap, 0)} would "
                f"be taken for one another if every label were right) that wrong labels cannot be told from "
                f"hard rows. The list below is worth a look; its length does not say how many are wrong."
            )
        )
    if suspects.matrix:
        blocks.append(_matrix(checked, suspects))
    for kind, parts in (("class", suspects.by_class or {}), ("slice", suspects.by_slice or {})):
        told = [n for n in parts if parts[n].overlap <= OVERLAP and noise and noise.overlap <= OVERLAP]
        shown = sorted(told, key=lambda n: -parts[n].low)[:_LANES]
        if shown:
            title = f"Wrong labels by {kind}, estimated"
            values = [parts[n].share for n in shown]
            bounds = [(parts[n].low, parts[n].high) for n in shown]
            blocks.append(figure(forest(shown, values, bounds, title), "Share, with its confidence bounds."))
    if noise and suspects.matrix:
        blocks.append(
            text(
                "Where models are sure, overlapping classes explain no disagreement; what is left "
                "there is taken for wrong labels (Copas 1988; Hausman, Abrevaya, Scott-Morton 1998). The "
                "list is by confident learning (Northcutt, Jiang and Chuang 2021)."
            )
        )
    return blocks


def _matrix(checked: Checked, suspects: Suspects) -> str:
    sizes = [sum(row) for row in suspects.matrix]
    kept = sorted(sorted(range(len(sizes)), key=lambda k: -sizes[k])[:_CLASSES])
    shares: list[list[float | None]] = [
        [suspects.matrix[i][j] / max(1, sizes[i]) if i != j else None for j in kept] for i in kept
    ]
    names = [checked.classes[k] for k in kept]
    title = "Given labels that look like another class"
    caption = "Share of the given label's rows, by the confident joint; the diagonal is left out."
    return figure(heatmap(names, names, shares, title, x="suggested", y="given"), caption)


def _review(checked: Checked, review: Path) -> list[str]:
    if not checked.review_rows:
        return [text("No row stands out.")]
    found = pq.read_table(review / REVIEW).slice(0, _TOP).to_pylist()
    lines = [
        (r["rank"], _key(r["key"]), r["part"], r["given"], r["suggested"], r["score"], r["reason"],
         _features(r["features"]))
        for r in found
    ]  # fmt: skip
    headers = ["Rank", "Row", "Part", "Given", "Suggested", "Score", "Why", "Features"]
    blocks: list[str] = [table(headers, lines, numeric={0, 5}, caption="Labels to review, the worst first")]
    if checked.review_rows > len(found):
        blocks.append(text(f"The first {len(found)} of {number(checked.review_rows)}."))
    blocks.append(text("Decide one by one, and keep the decisions as data:"))
    blocks.append(code("evergreen labels review RUN --project project.yaml"))
    return blocks


def _key(packed: str) -> str:
    return ", ".join(f"{k}={v}" for k, v in json.loads(packed).items())


def _features(packed: str) -> str:
    values = [f"{k}: {'–' if v is None else v}" for k, v in json.loads(packed).items()]
    return "; ".join(values[:4]) + ("; …" if len(values) > 4 else "")


def _twins(checked: Checked) -> list[str]:
    copies, near = checked.copies, checked.near
    if not copies.groups and not near.rows:
        return [text("No two rows are equal in every feature, and none of those compared are almost equal.")]
    counts = {
        "rows equal to another": copies.rows,
        "… with another label": copies.conflicting,
        "… across the split": copies.leaked,
        "rows almost equal to another": near.rows,
        "… across the split ": near.leaked,
    }
    blocks: list[str] = [
        figure(bars(list(counts), [float(v) for v in counts.values()], "Rows and their twins"))
    ]
    if copies.groups:
        blocks.append(
            text(
                f"Of {number(copies.groups)} groups of equal rows {number(copies.examined)} were examined: "
                f"{percent(copies.copies)} look like copies; the others are coincidence, since rows that "
                f"differ a little stand beside them."
            )
        )
    blocks += _keys("Equal rows with different labels", copies.conflict_keys)
    blocks += _keys("Copies on both sides of the split", copies.leaked_keys)
    blocks += _keys("Copies", copies.keys)
    blocks += _keys(
        f"Almost equal ({number(near.compared)} rows were compared)", near.leaked_keys or near.keys
    )
    return blocks


def _keys(title: str, keys: Sequence[str]) -> list[str]:
    return [details(title, table(["Row"], [(k,) for k in keys]))] if keys else []


def _labellers(checked: Checked) -> list[str]:
    measured = checked.agreement
    if measured is None:
        return []
    values: dict[str, object] = {
        "Items with several labels": measured.items,
        "Labels": measured.labels,
        "Krippendorff's alpha": (number(measured.alpha), interval(*measured.interval)),
    }
    if measured.kappa is not None:
        values["Fleiss' kappa"] = number(measured.kappa)
    blocks: list[str] = [tiles(values)]
    if measured.labellers:
        shown = measured.labellers[:_LANES]
        blocks.append(
            figure(
                forest([w.name for w in shown], [w.agreement for w in shown],
                       [(w.low, w.high) for w in shown], "Agreement of each labeller with the others"),
                "Share of items, with 99 % bounds (Wilson); the least agreeing first.",
            )
        )  # fmt: skip
    if measured.classes and len(measured.classes) <= _CLASSES:
        names = list(measured.classes)
        title = "What others say where one says …"
        blocks.append(figure(heatmap(names, names, measured.confusion, title, x="another", y="one")))
    if measured.adjudicate:
        lines = [(i.key, ", ".join(i.labels), i.consensus or "a tie", i.share) for i in measured.adjudicate]
        headers = ["Item", "Labels", "Most say", "Share"]
        blocks.append(details(f"{len(lines)} items to decide", table(headers, lines, numeric={3})))
    return blocks
