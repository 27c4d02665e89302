"""Two numbers that together give the label: a total and a part, a start and an end, a price and an amount."""

from dataclasses import dataclass

import numpy as np

_ROWS = 5_000
_MOST = 80
EXACT = 0.995


@dataclass(frozen=True)
class Pair:
    """Two columns and the share of the label's variance that a sum (or product) of them explains."""

    first: int
    second: int
    explained: float
    product: bool


def exact_pair(values: np.ndarray, numbers: np.ndarray, label: np.ndarray) -> Pair | None:
    """The two columns of [rows, features] whose weighted sum comes nearest to the label, if nearly exact.

    R² of two regressors from correlations (Cohen et al. 2003, 3.3.1), of the values and of their logarithms
    where all are positive; on the first 5,000 rows in which both are there, for at most 80 columns. None
    where one column alone would do.
    """
    found = [_best(values[:_ROWS], numbers, label[:_ROWS], product=False)]
    positive = [k for k in numbers if np.nanmin(values[:_ROWS, k]) > 0]
    if label[:_ROWS].min() > 0 and len(positive) > 1:
        logs = np.full(values[:_ROWS].shape, np.nan)
        logs[:, positive] = np.log(values[:_ROWS, positive])
        found.append(_best(logs, np.array(positive), np.log(label[:_ROWS]), product=True))
    exact = [p for p in found if p is not None and p.explained >= EXACT]
    return max(exact, key=lambda p: p.explained, default=None)


def _best(values: np.ndarray, numbers: np.ndarray, label: np.ndarray, product: bool) -> Pair | None:
    numbers = np.asarray(numbers, dtype=int)[:_MOST]
    if len(numbers) < 2 or len(label) < 100:
        return None
    x = values[:, numbers]
    mean, spread = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    x = np.nan_to_num((x - mean) / np.where(spread > 0, spread, 1.0))
    y = (label - label.mean()) / (label.std() or 1.0)
    between = np.clip(x.T @ x / len(x), -1, 1)
    with_label = x.T @ y / len(y)
    a, b = with_label[:, None], with_label[None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        explained = (a**2 + b**2 - 2 * a * b * between) / (1 - between**2)
    explained[(np.abs(between) > 0.9999) | ~np.isfinite(explained)] = 0.0
    alone = np.maximum(a**2, b**2)
    explained[np.broadcast_to(alone, explained.shape) >= 0.97] = 0.0
    i, j = np.unravel_index(int(explained.argmax()), explained.shape)
    pair = sorted((int(numbers[i]), int(numbers[j])))
    return Pair(pair[0], pair[1], _checked(values, pair, label), product)


def _checked(values: np.ndarray, pair: list[int], label: np.ndarray) -> float:
    """R² of least squares on the rows in which both are there; near-equal columns make correlations lie."""
    rows = ~np.isnan(values[:, pair]).any(axis=1)
    if rows.sum() < 100 or not label[rows].var():
        return 0.0
    x = np.column_stack([np.ones(int(rows.sum())), values[rows][:, pair]])
    residual = label[rows] - x @ np.linalg.lstsq(x, label[rows], rcond=None)[0]
    return float(1 - residual.var() / label[rows].var())
