"""What few rows can tell: intervals, and the least difference that is more than noise."""

import math
from collections.abc import Sequence
from statistics import NormalDist

from evergreen.intervals import auc_error, quantile

AUC_ASSUMED, CORRELATION, POWER = 0.75, 0.5, 0.8


def metric_error(task: str | None, rows: float, rate: float | None) -> float | None:
    """The standard error of the task's leading metric on some test rows; None when it cannot be measured.

    Binary: ROC AUC at 0.75. Several classes, or no label: accuracy at one half, the worst case. A number:
    RMSE as a share of itself, 1/√(2n) for normal errors.

    Args:
        task: `binary`, `multiclass`, `regression` or None.
        rows: Test rows.
        rate: Of the positive class.
    """
    if rows < 2:
        return None
    if task == "binary":
        return None if rate is None else auc_error(rows * rate, rows * (1 - rate), AUC_ASSUMED)
    return 1 / math.sqrt(2 * rows) if task == "regression" else 0.5 / math.sqrt(rows)


def detectable(error: float | None, looks: int = 1, alpha: float = 0.05) -> float | None:
    """The least difference of two models on the same rows that a test at `alpha` finds 4 times of 5.

    (z of 1 − α/2 + z of 0.8) · SE · √(2(1 − ρ)), with ρ = 0.5 between the two models' errors (Hanley and
    McNeil, Radiology 1983), and α divided by the number of looks (Bonferroni).
    """
    if error is None:
        return None
    each = alpha / max(1, looks)
    return (quantile(1 - each / 2) + quantile(POWER)) * error * math.sqrt(2 * (1 - CORRELATION))


def two_rates(a: float, rows_a: float, b: float, rows_b: float) -> float:
    """The two-sided p-value of two shares being one, by the pooled z test; 1 where nothing varies."""
    pooled = (a + b) / (rows_a + rows_b)
    variance = pooled * (1 - pooled) * (1 / rows_a + 1 / rows_b)
    if variance <= 0:
        return 1.0
    z = abs(a / rows_a - b / rows_b) / math.sqrt(variance)
    return 2 * (1 - NormalDist().cdf(z))


def discoveries(p_values: Sequence[float], rate: float = 0.05) -> list[bool]:
    """Which of several tests say something, at a false discovery rate (Benjamini and Hochberg 1995)."""
    ranked = sorted(range(len(p_values)), key=lambda i: p_values[i])
    last = max((k for k, i in enumerate(ranked, 1) if p_values[i] <= rate * k / len(p_values)), default=0)
    kept = set(ranked[:last])
    return [i in kept for i in range(len(p_values))]
