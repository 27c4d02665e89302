"""Numbers that are probably wrong labels: farther from what models expect than their errors reach."""

import numpy as np
from cleanlab.regression.rank import get_label_quality_scores  # type: ignore[import-untyped]
from scipy.stats import t as student

from evergreen.intervals import Z_99, wilson
from evergreen.labels.issues import Suspects
from evergreen.labels.noise import Noise
from evergreen.reports.text import number

_SHAPES = np.array([1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 30, 100])
_FALSE = 0.01


def lopsided(labels: np.ndarray) -> float:
    """The unit in which logarithms of these numbers make sense; 0 where the numbers serve as they are.

    Amounts and counts have a long right tail, and errors that grow with them; on a logarithmic scale that
    takes zero their errors are alike: log(1 + y / unit), the unit being the median of what is above zero.
    """
    if labels.min(initial=0.0) < 0:
        return 0.0
    low, middle, high = np.quantile(labels, [0.05, 0.5, 0.95])
    above = labels[labels > 0]
    if not len(above) or high - middle <= 2 * (middle - low):
        return 0.0
    return float(np.median(above))


def find_outliers(predicted: np.ndarray, labels: np.ndarray, unit: float = 0.0) -> Suspects:
    """Rank numbers by their distance from out-of-fold predictions; flag those that no error explains.

    Errors of a model are taken as Student's t, its scale and shape from the middle of the errors (their
    median and 90th percentile, which a few wrong labels do not move; Lange, Little, Taylor, "Robust
    statistical modeling using the t distribution", JASA 84, 1989). A label is flagged where that tail is too
    thin, at a false discovery rate of 1 % (Benjamini, Hochberg, JRSS B 57, 1995).

    Args:
        predicted: [rows], out of fold.
        labels: [rows].
        unit: Both are log(1 + y / unit) of the numbers y; 0 for the numbers themselves.
    """
    error = labels - predicted
    error = error - np.median(error)
    shape, scale = _tail(np.abs(error))
    size = np.abs(error) / scale
    score = np.asarray(get_label_quality_scores(labels / scale, predicted / scale, method="residual"))
    chance = 2 * student.sf(size, shape)
    order = np.argsort(chance, kind="stable")
    allowed = _FALSE * np.arange(1, len(order) + 1) / len(order)
    below = np.flatnonzero(chance[order] <= allowed)
    flagged = order[: int(below[-1]) + 1] if len(below) else order[:0]
    low, high = wilson(len(flagged), len(labels), Z_99)
    expected = unit * np.expm1(predicted) if unit else predicted
    reasons = tuple(
        f"models that did not see this row expect {number(float(expected[i]))}; "
        f"off by {size[i]:.1f} times the usual error"
        for i in flagged
    )
    noise = Noise(len(flagged) / max(1, len(labels)), low, high, len(labels), 0.0)
    return Suspects(flagged, score, expected, reasons, noise)


def _tail(size: np.ndarray) -> tuple[float, float]:
    """Shape and scale of Student's t with these absolute errors' median and 90th percentile."""
    half, most = np.quantile(size, [0.5, 0.9])
    half = max(float(half), float(most) / 50, np.finfo(float).tiny)
    ratios = student.ppf(0.95, _SHAPES) / student.ppf(0.75, _SHAPES)
    shape = float(_SHAPES[np.argmin(np.abs(ratios - most / half))])
    return shape, half / float(student.ppf(0.75, shape))
