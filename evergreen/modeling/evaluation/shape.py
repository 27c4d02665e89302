"""The shapes behind the numbers: calibration, confusion, curves and residuals, thinned for a page."""

from itertools import pairwise
from typing import Any

import numpy as np

from evergreen.modeling.evaluation.classes import confusion, quantile_bins
from evergreen.modeling.evaluation.sample import Sample
from evergreen.reports.text import number

CURVE_POINTS = 150
MOST_CLASSES = 50
_DOTS = 400


def calibration(sample: Sample) -> list[dict[str, float | int]] | None:
    """Up to 10 bins of equally many rows: their bounds, rows, mean probability and observed rate.

    Two classes: of the positive class; more: of the predicted class. None without probabilities.
    """
    if sample.probabilities is None:
        return None
    if sample.classes == 2:
        given, hit = sample.score, sample.positive
    else:
        given = sample.probabilities.max(axis=1).astype(np.float64)
        hit = (sample.probabilities.argmax(axis=1) == sample.y).astype(np.float64)
    bins = quantile_bins(given)
    table = []
    for b in range(int(bins.max()) + 1):
        inside = bins == b
        table.append(
            {
                "low": float(given[inside].min()),
                "high": float(given[inside].max()),
                "rows": int(inside.sum()),
                "predicted": float(given[inside].mean()),
                "observed": float(hit[inside].mean()),
            }
        )
    return table


def confusion_matrix(sample: Sample) -> dict[str, Any] | None:
    """Rows by label (line) and prediction (column); None for numbers or more than 50 classes."""
    classes = sample.target.classes
    if classes is None or sample.target.task == "ranking" or len(classes) > MOST_CLASSES:
        return None
    counts = confusion(sample)(np.ones((1, sample.rows)))[0]
    return {"labels": [class_name(c) for c in classes], "counts": counts.astype(int).tolist()}


def class_name(label: object) -> str:
    """A class as text: `true` for True, `3` for 3.0."""
    if isinstance(label, bool):
        return "true" if label else "false"
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


def curves(sample: Sample) -> dict[str, list[list[float]]] | None:
    """`roc`: [false positive rate, true positive rate, threshold]; `pr`: [recall, precision, threshold].

    At most 150 points each, from the highest threshold; None where there are not two classes, both with rows.
    """
    if sample.target.task != "binary" or sample.probabilities is None or len(np.unique(sample.y)) < 2:
        return None
    order = np.argsort(-sample.score, kind="stable")
    ranked = sample.score[order]
    ends = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    right = np.cumsum(sample.positive[order])[ends]
    taken = ends + 1.0
    positives, negatives = right[-1], sample.rows - right[-1]
    fpr, tpr = (taken - right) / negatives, right / positives
    roc = np.column_stack([np.r_[0.0, fpr], np.r_[0.0, tpr], np.r_[1.0, ranked[ends]]])
    pr = np.column_stack([tpr, right / taken, ranked[ends]])
    return {"roc": _thin(roc, roc[:, 0] + roc[:, 1]), "pr": _thin(pr, pr[:, 0])}


def _thin(points: np.ndarray, along: np.ndarray) -> list[list[float]]:
    """At most `CURVE_POINTS` of the points, evenly spaced along a rising coordinate; both ends stay."""
    if len(points) <= CURVE_POINTS:
        return [[float(v) for v in p] for p in points]
    steps = np.linspace(along[0], along[-1], CURVE_POINTS)
    kept = np.unique(np.r_[0, np.searchsorted(along, steps).clip(max=len(points) - 1), len(points) - 1])
    return [[float(v) for v in p] for p in points[kept]]


def residuals(sample: Sample, seed: int) -> dict[str, Any] | None:
    """For predicted numbers: a histogram of predicted minus actual, and some (predicted, actual) pairs."""
    if sample.target.task != "regression":
        return None
    y = np.asarray(sample.y, dtype=np.float64)
    error = np.asarray(sample.predicted, dtype=np.float64) - y
    low, high = (float(q) for q in np.quantile(error, [0.005, 0.995]))
    edges = np.linspace(low, high, 21) if high > low else np.array([low - 0.5, low + 0.5])
    counts, _ = np.histogram(error.clip(edges[0], edges[-1]), edges)
    picked = np.sort(np.random.default_rng(seed).permutation(sample.rows)[:_DOTS])
    return {
        "edges": [float(e) for e in edges],
        "labels": [f"{number(a)} to {number(b)}" for a, b in pairwise(edges)],
        "share": [float(c) / sample.rows for c in counts],
        "pairs": [[float(sample.predicted[i]), float(y[i])] for i in picked],
    }
