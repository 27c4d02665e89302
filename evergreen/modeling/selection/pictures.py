"""Pictures of suspected features: their values by label."""

from collections.abc import Sequence

import numpy as np

from evergreen.modeling.selection.sample import Sample
from evergreen.reports.charts import histogram, points
from evergreen.reports.text import number

_BINS, _POINTS, _MOST = 14, 400, 8


def evidence(sample: Sample, suspects: Sequence[str]) -> dict[str, str]:
    """A chart for each of the first eight suspects: shares by class, or a scatter with a numeric label."""
    place = {n: k for k, n in enumerate(sample.names)}
    found = {}
    for name in suspects[:_MOST]:
        column = sample.values[:, place[name]]
        found[name] = _by_class(sample, name, column) if sample.classes else _scatter(sample, name, column)
    return found


def _by_class(sample: Sample, name: str, column: np.ndarray) -> str:
    labels, bins = _bins(column, sample.words.get(sample.names.index(name)))
    series = {}
    for k in range(min(sample.classes, 5)):
        chosen = bins[sample.label == k]
        counts = np.bincount(chosen, minlength=len(labels))
        series[_class_name(sample, k)] = (counts / max(1, len(chosen))).tolist()
    return histogram(labels, series, f"{name}: share of each class")


def _class_name(sample: Sample, k: int) -> str:
    classes = sample.target.classes or ()
    return str(classes[k]) if len(classes) == sample.classes else f"class {k}"


def _bins(column: np.ndarray, words: np.ndarray | None) -> tuple[list[str], np.ndarray]:
    missing = np.isnan(column)
    present = column[~missing]
    distinct = np.unique(present)
    codes = np.zeros(len(column), dtype=int)
    if len(distinct) <= _BINS:
        labels = [number(float(v)) if words is None else str(words[int(v)]) for v in distinct]
        codes[~missing] = np.searchsorted(distinct, present)
    else:
        low, high = np.quantile(present, [0.01, 0.99])
        edges = np.linspace(float(low), float(high), _BINS + 1)
        labels = [number(float(v)) for v in edges[:-1]]
        codes[~missing] = np.clip(np.searchsorted(edges, present, side="right") - 1, 0, _BINS - 1)
    if missing.any():
        codes[missing] = len(labels)
        labels = [*labels, "missing"]
    return labels, codes


def _scatter(sample: Sample, name: str, column: np.ndarray) -> str:
    rows = np.flatnonzero(~np.isnan(column))
    rows = rows[:: max(1, len(rows) // _POINTS)][:_POINTS]
    pairs = [(float(column[r]), float(sample.raw_label[r])) for r in rows]
    return points({name: pairs}, name, str(sample.meta["label"]), f"{name} and the label")
