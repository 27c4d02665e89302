"""Metrics of predicted numbers as functions of the rows' weights."""

import numpy as np

from evergreen.modeling.evaluation.sample import Formula, Sample, Undefined, Weights, mean_of, ratio


def _errors(sample: Sample) -> np.ndarray:
    return np.asarray(sample.predicted, dtype=np.float64) - np.asarray(sample.y, dtype=np.float64)


def rmse(sample: Sample) -> Formula:
    """The root of the mean squared error, in the label's unit."""
    mean = mean_of(_errors(sample) ** 2)
    return lambda weights: np.sqrt(mean(weights))


def mae(sample: Sample) -> Formula:
    """The mean absolute error, in the label's unit."""
    return mean_of(np.abs(_errors(sample)))


def median_absolute_error(sample: Sample) -> Formula:
    """The median absolute error, in the label's unit; the mean of the two middle ones of an even count."""
    size = np.abs(_errors(sample))
    order = np.argsort(size, kind="stable")
    ranked = size[order]

    def values(weights: Weights) -> np.ndarray:
        reached = np.cumsum(weights[:, order], axis=1)
        half = reached[:, -1] / 2
        lower = (reached >= half[:, None]).argmax(axis=1)
        upper = (reached > half[:, None]).argmax(axis=1)
        return np.where(half > 0, (ranked[lower] + ranked[upper]) / 2, np.nan)

    return values


def r2(sample: Sample) -> Formula:
    """1 − Σ(error²) / Σ((y − mean y)²); undefined when all labels are equal."""
    y = np.asarray(sample.y, dtype=np.float64)
    if not np.ptp(y) > 0:
        raise Undefined("all rows have the same label")
    centred = y - y.mean()
    squares, squared_errors = centred**2, _errors(sample) ** 2

    def values(weights: Weights) -> np.ndarray:
        total = weights.sum(axis=1)
        spread = weights @ squares - (weights @ centred) ** 2 / np.maximum(total, 1e-300)
        return 1 - ratio(weights @ squared_errors, np.where(spread > 1e-12 * squares.max(), spread, 0.0))

    return values


def mape(sample: Sample) -> Formula:
    """The mean of |error| / |y| as a share of 1, over the rows whose label is not zero."""
    y = np.abs(np.asarray(sample.y, dtype=np.float64))
    used = y > 0
    if not used.any():
        raise Undefined("all labels are zero")
    share = np.divide(np.abs(_errors(sample)), y, out=np.zeros_like(y), where=used)
    counted = used.astype(np.float64)
    return lambda weights: ratio(weights @ share, weights @ counted)
