"""What a share and an area under the ROC curve can be off by, in closed form."""

from math import sqrt
from statistics import NormalDist

# The normal quantiles of two-sided intervals.
Z_95, Z_99 = 1.959963984540054, 2.576


def quantile(probability: float) -> float:
    """The standard normal quantile."""
    return NormalDist().inv_cdf(probability)


def wilson(count: float, rows: float, z: float) -> tuple[float, float]:
    """The score interval of a share, bounded by 0 and 1, sound for few rows and for rare events.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927. A share of
    0 or 1 has that as its bound to the last bit.

    Args:
        count: Rows that have it; may be a fraction, of effective rows.
        rows: All rows; of none the interval is 0 to 1.
        z: The normal quantile: `Z_95`, or `quantile((1 + confidence) / 2)`.
    """
    if not rows:
        return 0.0, 1.0
    share, square = count / rows, z * z
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    half = z / (1 + square / rows) * sqrt(share * (1 - share) / rows + square / (4 * rows * rows))
    low = 0.0 if count == 0 else max(0.0, middle - half)
    return low, 1.0 if count == rows else min(1.0, middle + half)


def auc_error(positives: float, negatives: float, auc: float) -> float | None:
    """The standard error of an area under the ROC curve; None with less than one row of either class.

    Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic curve",
    Radiology 143, 1982.
    """
    if positives < 1 or negatives < 1:
        return None
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return sqrt(max(variance, 0.0) / (positives * negatives))
