"""Distances between two distributions given by their counts in the same bins.

All are symmetric, zero for equal shares, and need nothing but counts, so they work on frozen profiles.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

Counts = Sequence[int] | NDArray[np.int64]


def psi(reference: Counts, current: Counts) -> float:
    """Population stability index: Σ (q − p)·ln(q / p), from 0 to ∞; below 0.1 is stable.

    Half a count is added to every bin, so that empty bins stay finite (Krichevsky and Trofimov, "The
    performance of universal encoding", 1981). The index: Siddiqi, "Credit Risk Scorecards", 2006, ch. 9; it
    is the Jeffreys divergence of Kullback and Leibler, 1951.

    Args:
        reference: Counts by bin.
        current: Counts by bin, as many.
    """
    p, q = _smoothed(reference), _smoothed(current)
    return float(np.sum((q - p) * np.log(q / p)))


def psi_floor(n: int, m: int, bins: int, level: float = 0.99) -> float:
    """What `psi` stays below with probability `level` when both samples come from one distribution.

    (1/n + 1/m) · χ²(bins − 1) at `level`: Yurdakul and Naranjo, "Statistical properties of the population
    stability index", Journal of Risk Model Validation 14(3), 2020.

    Args:
        n: Rows of the reference; at least 1.
        m: Rows of the current sample; at least 1.
        bins: Number of bins; 0 for fewer than 2.
        level: A probability.
    """
    if bins < 2:
        return 0.0
    return float((1 / n + 1 / m) * 2 * gammaincinv((bins - 1) / 2, level))


def jensen_shannon(reference: Counts, current: Counts) -> float:
    """Jensen-Shannon distance, the root of the divergence to base 2: 0 to 1.

    Lin, "Divergence measures based on the Shannon entropy", 1991; a metric by Endres and Schindelin, "A new
    metric for probability distributions", 2003.
    """
    p, q = _shares(reference), _shares(current)
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return float(np.sqrt(min(max(divergence, 0.0), 1.0)))


def _relative_entropy(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    some = p > 0
    return float(np.sum(p[some] * np.log2(p[some] / q[some])))


def wasserstein(
    edges: Sequence[float], reference: Counts, current: Counts, bounds: tuple[float, float], scale: float
) -> float:
    """First Wasserstein distance ∫|F − G| over `scale`, within each bin as if values were spread evenly.

    The area between the distribution functions: Vallender, "Calculation of the Wasserstein distance between
    probability distributions on the line", 1974. Divided by the reference's standard deviation it counts in
    those: 0.1 is a shift of the mean by a tenth of one.

    Args:
        edges: Ascending, one less than bins.
        reference: Counts by bin.
        current: Counts by bin.
        bounds: Smallest and largest value of either; they close the outer bins.
        scale: The unit, greater than 0.
    """
    low, high = min(bounds[0], *edges, bounds[1]), max(bounds[1], *edges, bounds[0])
    at = np.array([low, *edges, high], dtype=np.float64) / scale
    gap = np.concatenate([[0.0], np.cumsum(_shares(reference) - _shares(current))])
    left, right = np.abs(gap[:-1]), np.abs(gap[1:])
    crossing = gap[:-1] * gap[1:] < 0
    total = np.where(left + right > 0, left + right, 1.0)
    # Where the functions cross inside a bin the area is two triangles instead of a trapezium.
    height = np.where(crossing, (left**2 + right**2) / (2 * total), (left + right) / 2)
    return float(np.sum(height * np.diff(at)))


def largest_change(reference: Counts, current: Counts) -> float:
    """Largest absolute difference of a bin's share (L∞): 0 to 1; the measure of categorical drift in TFX.

    Breck, Polyzotis, Roy, Whang, Zinkevich, "Data validation for machine learning", MLSys 2019, section 4.
    """
    return float(np.max(np.abs(_shares(reference) - _shares(current)), initial=0.0))


def _shares(counts: Counts) -> NDArray[np.float64]:
    values = np.asarray(counts, dtype=np.float64)
    total = values.sum()
    return values / total if total else values


def _smoothed(counts: Counts) -> NDArray[np.float64]:
    values = np.asarray(counts, dtype=np.float64) + 0.5
    return values / values.sum()
