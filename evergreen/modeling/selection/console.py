"""A selection on a terminal: a table of features, then the findings; and as plain data for `--json`."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from evergreen.modeling.selection.record import Selection, finite
from evergreen.modeling.selection.select import Selected
from evergreen.reports.text import metric_name, number, shortened

_WIDTH = 34


def as_record(found: Selected) -> dict[str, Any]:
    """Findings, and the selection as its file has it."""
    selection: Mapping[str, Any] = finite(asdict(found.selection))
    return {"findings": [f.record() for f in found.findings], **selection}


def as_text(found: Selected) -> str:
    """Features from the most to the least important, what becomes of each, and what is wrong."""
    selection = found.selection
    gone = {d.feature: d for d in selection.dropped}
    metric = metric_name(str(selection.quality.get("metric", "")))
    lines = [
        f"{'feature':<{_WIDTH}}{'importance':>12}{'beat copies':>13}{'bits':>9}{metric + ' alone':>15}  fate"
    ]
    ranked = sorted(selection.features.items(), key=lambda item: _place(item[1]["importance"]))
    for name, entry in ranked:
        fate = f"- {gone[name].reason}" if name in gone else "kept"
        hits = "" if entry["hits"] is None else f"{entry['hits']} of {entry['rounds']}"
        lines.append(
            f"{_short(name):<{_WIDTH}}{_number(entry['importance']):>12}{hits:>13}{_number(entry['mi_bits']):>9}"
            f"{_number(entry['alone']):>15}  {fate}"
        )
    lines += [
        f"{_short(d.feature):<{_WIDTH}}{'- unusable: ' + d.why}"
        for d in selection.dropped
        if d.reason == "unusable"
    ]
    lines += ["", *(f"{f.severity}: {f.rule}: {f.reason}" for f in found.findings), *_quality(selection)]
    return "\n".join(lines)


def _quality(selection: Selection) -> list[str]:
    quality, sample = selection.quality, selection.sample
    if not quality:
        return []
    metric = metric_name(str(quality["metric"]))
    every = len(selection.kept) + len(selection.dropped)
    return [
        f"{len(selection.kept)} of {every} features kept; a quick model out of fold, on {sample['rows']} of "
        f"{sample['of']} training rows: {metric} {number(quality['all'])} with all, "
        f"{number(quality['kept'])} with those kept"
    ]


def _place(importance: float | None) -> float:
    """What was not judged, since it leaks or will be missing, comes first."""
    return float("-inf") if importance is None else -importance


def _short(name: str) -> str:
    return shortened(" ".join(name.split()), _WIDTH - 1)


def _number(value: float | None) -> str:
    return "" if value is None else number(float(value))
