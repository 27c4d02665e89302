"""The report of a selection: what stays and goes, importance against the control, redundancy, leaks."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from evergreen.modeling.selection.record import Selection
from evergreen.modeling.selection.select import Selected
from evergreen.reports.charts import bars, forest, heatmap
from evergreen.reports.page import (
    Section,
    chip,
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
from evergreen.reports.text import metric_name, number

_MOST_BARS, _MOST_CELLS = 30, 24
_WORDS = {
    "useless": "no use",
    "adds nothing": "adds nothing",
    "redundant": "repeats another",
    "leak": "leak",
    "unavailable": "missing at serving",
    "unusable": "cannot be used",
    "asked": "asked for",
}


def selection_page(name: str, result: Selected) -> str:
    """The page; `name` is the project's."""
    selection = result.selection
    sections = [
        Section("Result", [*_overview(selection), *_remarks(selection)]),
        Section("Leaks and availability", _gate(result)),
        Section("Evidence", [figure(chart) for chart in result.evidence.values()]),
        Section("Left out, and why", _why(selection)),
        Section("Usefulness", _usefulness(result)),
        Section("Redundancy", _redundancy(result)),
        Section("Every feature", _everything(selection)),
    ]
    status = worst(result.decisions)
    return page("Feature selection", sections, subtitle=_subtitle(name, selection), status=status)


def _subtitle(name: str, selection: Selection) -> str:
    every = len(selection.kept) + len(selection.dropped)
    return f"{name}: {len(selection.kept)} of {every} features kept, mode {selection.mode}"


def _overview(selection: Selection) -> list[str]:
    figures: dict[str, object] = {"Kept": len(selection.kept), "Left out": len(selection.dropped)}
    if selection.advised:
        figures["Would go"] = len(selection.advised)
    quality, sample = selection.quality, selection.sample
    if sample:
        looked = f"of {number(sample['of'])} in the train part"
        figures["Rows looked at"] = (number(sample["rows"]), looked)
    if quality:
        metric = metric_name(str(quality["metric"]))
        figures[f"{metric} with all"] = (number(quality["all"]), "quick model, out of fold")
        figures[f"{metric} with those kept"] = number(quality["kept"])
    return [tiles(figures)]


def _remarks(selection: Selection) -> list[str]:
    if selection.mode == "off":
        return [note("`selection.mode` is off: only what the project names is left out.")]
    remarks: list[str] = []
    sample, quality = selection.sample, selection.quality
    if sample.get("small_data"):
        words = (
            f"Small data: all {number(sample['rows'])} rows, {sample['repeats']} repeats of "
            f"{sample['folds']} folds by {sample['by']}; intervals are wide, and what is unclear stays."
        )
        remarks.append(note(words, "warn"))
    elif sample:
        words = (
            f"{number(sample['rows'])} rows drawn by the hash of their key, {sample['repeats']} repeats of "
            f"{sample['folds']} folds by {sample['by']}. The test part was not read."
        )
        remarks.append(note(words))
    if quality:
        worse = quality["worse"]
        words = (
            f"Without what does not help, the loss ({quality['loss']}) goes from "
            f"{number(quality['loss_all'])} to {number(quality['loss_kept'])}: by {number(worse)} "
            f"({number(quality['worse_low'])} to {number(quality['worse_high'])}); "
            f"with no feature at all it is {number(quality['loss_prior'])}."
        )
        remarks.append(note(words, "pass"))
        if quality["unproven"]:
            stayed, more = ", ".join(quality["unproven"][:12]), len(quality["unproven"]) - 12
            words = (
                "Seem to add nothing, but stay, for these rows cannot show that leaving them out is free: "
            )
            remarks.append(note(words + stayed + (f" and {more} more." if more > 0 else ".")))
    return remarks


def _gate(result: Selected) -> list[str]:
    return [decisions_table(result.decisions)] if result.decisions else []


def _why(selection: Selection) -> list[str]:
    blocks: list[str] = []
    for title, drops in (("Left out", selection.dropped), ("Would be left out", selection.advised)):
        if drops:
            rows = [(d.feature, _WORDS.get(d.reason, d.reason), d.why) for d in drops]
            blocks += [text(title), table(("Feature", "Reason", "Why"), rows, caption=title)]
    return blocks or [text("Nothing is left out.")]


def _usefulness(result: Selected) -> list[str]:
    measured = {n: e for n, e in result.selection.features.items() if e.get("importance") is not None}
    if not measured:
        return []
    control = result.control
    ranked = sorted(measured, key=lambda n: -measured[n]["importance"])
    best = ranked[:_MOST_BARS]
    loss = result.selection.quality.get("loss", "loss")
    labels = ["best shuffled copy", *best]
    values = [control[0], *(measured[n]["importance"] for n in best)]
    bounds = [(control[1], control[2]), *((measured[n]["low"], measured[n]["high"]) for n in best)]
    title = f"Loss without it ({loss})"
    known = sorted(result.selection.features, key=lambda n: -result.selection.features[n]["mi_bits"])
    told = result.selection.features
    charts: list[str] = [
        figure(
            forest(labels, values, bounds, title, reference=control[0]),
            "By how much the loss of rows held back grows when the feature is shuffled, with its 95 % "
            "interval over repeated folds. The dashed line is the best shuffled copy of all features.",
        ),
        figure(
            bars(
                known[:_MOST_BARS], [told[n]["mi_bits"] for n in known[:_MOST_BARS]], "Bits about the label"
            ),
            "Mutual information with the label of each feature alone, less what a shuffled label gives.",
        ),
    ]
    if len(ranked) > _MOST_BARS:
        charts.append(text(f"The first {_MOST_BARS} of {len(ranked)} features."))
    return charts


def _redundancy(result: Selected) -> list[str]:
    likeness = result.likeness
    blocks: list[str] = []
    groups = result.selection.groups
    if groups:
        rows = [(g[0], ", ".join(g[1:])) for g in groups]
        blocks.append(table(("Stands for", "Which carry the same information"), rows))
    if likeness is None or len(result.names) < 2:
        return blocks
    shown = _most_alike(likeness)
    names = [result.names[k] for k in shown]
    values = [[float(likeness[i, j]) for j in shown] for i in shown]
    caption = "Rank correlation of numbers, Cramér's V of categories, correlation ratio between the two."
    chart = heatmap(
        [str(k + 1) for k in range(len(names))], _numbered(names), values, "How alike features are"
    )
    return [*blocks, figure(chart, f"{caption} {_shown(len(names), len(result.names))}")]


def _numbered(names: list[str]) -> list[str]:
    return [f"{k} {n}" for k, n in enumerate(names, 1)]


def _shown(shown: int, every: int) -> str:
    return f"The {shown} of {every} features that are most like another." if shown < every else ""


def _most_alike(likeness: np.ndarray) -> list[int]:
    """The features most like another one, those alike beside each other."""
    others = likeness - np.eye(len(likeness))
    chosen = np.argsort(-others.max(axis=1), kind="stable")[:_MOST_CELLS].tolist()
    ordered = [chosen.pop(0)]
    while chosen:
        nearest = max(chosen, key=lambda k: float(likeness[ordered[-1], k]))
        chosen.remove(nearest)
        ordered.append(nearest)
    return ordered


def _everything(selection: Selection) -> list[str]:
    if not selection.features:
        return []
    gone = {d.feature: d.reason for d in selection.dropped}
    metric = metric_name(str(selection.quality.get("metric", "score")))
    rows = [_row(name, entry, gone.get(name)) for name, entry in selection.features.items()]
    headers = (
        "Feature", "Fate", "Importance", "Low", "High", "Beat the copies", "Bits", "Bits by chance",
        f"{metric} alone",
    )  # fmt: skip
    whole = table(headers, rows, numeric={2, 3, 4, 6, 7, 8}, caption="What was measured of each feature")
    return [details(f"{len(rows)} features", whole)] if len(rows) > 40 else [whole]


def _row(name: str, entry: Mapping[str, Any], reason: str | None) -> tuple[object, ...]:
    fate = chip("skip", _WORDS.get(reason, reason)) if reason else chip("pass", "kept")
    hits = "" if entry["hits"] is None else f"{entry['hits']} of {entry['rounds']}"
    measured = ("" if entry[k] is None else entry[k] for k in ("importance", "low", "high"))
    return (code(name), fate, *measured, hits, entry["mi_bits"], entry["mi_control"], entry["alone"])
