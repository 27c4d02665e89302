"""Intervals: of a mean over rows that hang together, of a mean over folds, of an AUC, of a share."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from evergreen.intervals import auc_error, wilson

_CONFIDENCE, _Z = 0.95, 1.96


def clustered_mean(values: np.ndarray, clusters: np.ndarray) -> tuple[float, float, float]:
    """The mean of [rows] and its 95 % interval; rows of one cluster count as one observation.

    The sandwich variance of a mean with clusters (Liang and Zeger 1986), with Student's t.
    """
    count = len(values)
    mean = float(values.mean())
    groups = np.unique(clusters, return_inverse=True)[1]
    sums = np.bincount(groups, weights=values - mean)
    many = len(sums)
    if many < 2:
        return mean, float("-inf"), float("inf")
    spread = float(np.sqrt((sums**2).sum() * many / (many - 1)) / count)
    reach = float(stats.t.ppf(0.5 + _CONFIDENCE / 2, many - 1)) * spread
    return mean, mean - reach, mean + reach


def over_folds(values: Sequence[float], test_share: float) -> tuple[float, float, float]:
    """The mean over repeated folds and its 95 % interval.

    The corrected resampled t interval (Nadeau and Bengio 2003): folds share rows, so the variance of a mean
    over n of them is (1/n + rows scored / rows fitted) times that between them.
    """
    found = np.asarray(values, dtype=float)
    mean = float(found.mean())
    if len(found) < 2:
        return mean, float("-inf"), float("inf")
    odds = test_share / (1 - test_share)
    spread = float(np.sqrt(found.var(ddof=1) * (1 / len(found) + odds)))
    reach = float(stats.t.ppf(0.5 + _CONFIDENCE / 2, len(found) - 1)) * spread
    return mean, mean - reach, mean + reach


def auc(scores: np.ndarray, positive: np.ndarray) -> tuple[float, float, float]:
    """The area under the ROC curve and its 95 % interval (Hanley and McNeil 1982), ties counted half.

    Where the area is 1, the lower bound is the rule of three over the smaller class.
    """
    ranks = stats.rankdata(scores)
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return 0.5, 0.0, 1.0
    area = float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))
    reach = _Z * (auc_error(ones, zeros, area) or 0.0)
    least = 3.0 / (2 * min(ones, zeros))
    return area, max(0.0, min(area - reach, 1 - least)), min(1.0, area + reach)


def share(hits: float, count: float) -> tuple[float, float, float]:
    """A share and its 95 % interval (Wilson 1927)."""
    return (hits / count if count else 0.0, *wilson(hits, count, _Z))
