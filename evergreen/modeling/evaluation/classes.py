"""Metrics of classes as functions of the rows' weights; the definitions are scikit-learn's.

Two classes: precision, recall and F1 are of the positive class. More: the unweighted mean over classes.
Where scikit-learn would warn and put 0, the value is undefined here: a rate over no rows is no rate.
"""

from collections.abc import Callable

import numpy as np

from evergreen.modeling.evaluation.sample import Formula, Sample, Undefined, Weights, mean_of, ratio

_SMALLEST = 1e-15
BINS = 10


def accuracy(sample: Sample) -> Formula:
    """The share of rows whose predicted class is the label."""
    return mean_of((sample.y == sample.predicted).astype(np.float64))


def log_loss(sample: Sample) -> Formula:
    """The mean of −ln p(label); probabilities are kept 1e-15 away from 0."""
    given = sample.known_probabilities[np.arange(sample.rows), sample.y].astype(np.float64)
    return mean_of(-np.log(np.clip(given, _SMALLEST, 1.0)))


def brier(sample: Sample) -> Formula:
    """Two classes: the mean of (p − y)²; more: the mean of the sum of these squares over classes."""
    if sample.classes == 2:
        return mean_of((sample.score - sample.positive) ** 2)
    probabilities = sample.known_probabilities
    given = probabilities[np.arange(sample.rows), sample.y].astype(np.float64)
    squares = np.einsum("ij,ij->i", probabilities, probabilities, dtype=np.float64)
    return mean_of(squares - 2 * given + 1)


def confusion(sample: Sample) -> Callable[[Weights], np.ndarray]:
    """Weights [batch, rows] → counts [batch, classes, classes]: label by line, prediction by column."""
    count = sample.classes
    cell = sample.y * count + sample.predicted
    used, place = np.unique(cell, return_inverse=True)
    members = np.eye(len(used))[place] if len(used) <= 16 else None

    def counts(weights: Weights) -> np.ndarray:
        flat = np.zeros((len(weights), count * count))
        if members is not None:
            flat[:, used] = weights @ members
        else:
            for line, row in zip(flat, weights, strict=True):
                line[:] = np.bincount(cell, weights=row, minlength=count * count)
        return flat.reshape(-1, count, count)

    return counts


def _rates(sample: Sample) -> Callable[[Weights], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Rows that are right, labelled and predicted, by class: [batch, classes] each."""
    counts = confusion(sample)

    def rates(weights: Weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        table = counts(weights)
        return np.diagonal(table, axis1=1, axis2=2), table.sum(axis=2), table.sum(axis=1)

    return rates


def balanced_accuracy(sample: Sample) -> Formula:
    """The mean recall over the classes that have rows."""
    rates = _rates(sample)

    def values(weights: Weights) -> np.ndarray:
        right, labelled, _ = rates(weights)
        return _mean_over_classes(ratio(right, labelled))

    return values


def recall(sample: Sample) -> Formula:
    """The share of the class's rows that were predicted so."""
    if sample.classes > 2:
        return balanced_accuracy(sample)
    if not sample.positive.any():
        raise Undefined("no row has the positive class")
    rates = _rates(sample)

    def values(weights: Weights) -> np.ndarray:
        right, labelled, _ = rates(weights)
        return ratio(right[:, 1], labelled[:, 1])

    return values


def precision(sample: Sample) -> Formula:
    """The share of rows predicted as the class that are of it; over the classes that were predicted."""
    if sample.classes == 2 and not (sample.predicted == 1).any():
        raise Undefined("no row was predicted as the positive class")
    rates = _rates(sample)

    def values(weights: Weights) -> np.ndarray:
        right, _, predicted = rates(weights)
        share = ratio(right, predicted)
        return share[:, 1] if sample.classes == 2 else _mean_over_classes(share)

    return values


def f1(sample: Sample) -> Formula:
    """2·right / (labelled + predicted); over the classes that have rows or were predicted."""
    if sample.classes == 2 and not (sample.positive.any() or (sample.predicted == 1).any()):
        raise Undefined("no row has the positive class or was predicted so")
    rates = _rates(sample)

    def values(weights: Weights) -> np.ndarray:
        right, labelled, predicted = rates(weights)
        share = ratio(2 * right, labelled + predicted)
        return share[:, 1] if sample.classes == 2 else _mean_over_classes(share)

    return values


def _mean_over_classes(rates: np.ndarray) -> np.ndarray:
    known = ~np.isnan(rates)
    return ratio(np.where(known, rates, 0.0).sum(axis=1), known.sum(axis=1))


def calibration_error(sample: Sample) -> Formula:
    """The expected calibration error: Σ bins share·|mean predicted − observed rate|.

    Up to 10 bins of equally many rows by the probability of the positive class; with more classes by that of
    the predicted class (then the observed rate is the accuracy). The bins stay as the sample has them.
    """
    if sample.classes == 2:
        given, hit = sample.score, sample.positive
    else:
        given = sample.known_probabilities.max(axis=1).astype(np.float64)
        hit = (sample.known_probabilities.argmax(axis=1) == sample.y).astype(np.float64)
    return binned_gap(given, hit, quantile_bins(given))


def binned_gap(given: np.ndarray, hit: np.ndarray, bins: np.ndarray) -> Formula:
    """Σ bins |Σ weights·(given − hit)| / Σ weights, for bins numbered from 0, [rows]."""
    members = np.eye(int(bins.max()) + 1)[bins] * (given - hit)[:, None]

    def values(weights: Weights) -> np.ndarray:
        gaps = np.abs(weights @ members).sum(axis=1)
        return ratio(gaps, weights.sum(axis=1))

    return values


def quantile_bins(given: np.ndarray, count: int = BINS) -> np.ndarray:
    """[rows]: the bin of each row, from 0; equal values share a bin, so there may be fewer than `count`."""
    inner = np.unique(np.quantile(given, np.linspace(0, 1, count + 1)[1:-1]))
    places = np.searchsorted(inner, given, side="left")
    return np.asarray(np.unique(places, return_inverse=True)[1])


def roc_auc(sample: Sample) -> Formula:
    """The area under the ROC curve, ties counted half; with more classes the mean of one against the rest.

    With more than two classes it needs a row of every class.
    """
    present = np.unique(sample.y)
    if sample.classes == 2 and len(present) < 2:
        raise Undefined("all rows have the same label")
    if len(present) < sample.classes:
        raise Undefined(f"only {len(present)} of {sample.classes} classes have rows")
    if sample.classes == 2:
        return auc_of(_ranking(sample, 1), sample.positive)
    return _mean_of_classes(sample, present, auc_of)


def average_precision(sample: Sample) -> Formula:
    """Σ (Rₖ − Rₖ₋₁)·Pₖ over the distinct scores; with more classes the mean over those that have rows."""
    if sample.classes == 2:
        if not sample.positive.any():
            raise Undefined("no row has the positive class")
        return precision_of(_ranking(sample, 1), sample.positive)
    return _mean_of_classes(sample, np.unique(sample.y), precision_of)


def _mean_of_classes(
    sample: Sample, places: np.ndarray, part: Callable[["Ranking", np.ndarray], Formula]
) -> Formula:
    parts = [part(_ranking(sample, int(k)), (sample.y == k).astype(np.float64)) for k in places]
    return lambda weights: np.mean([formula(weights) for formula in parts], axis=0)


def _ranking(sample: Sample, place: int) -> "Ranking":
    """The ranking by the probability of the class at a place, made once for a sample."""
    known: dict[int, Ranking] = sample.rankings
    if place not in known:
        known[place] = Ranking(sample.probability_of(place))
    return known[place]


class Ranking:
    """Rows from the highest score to the lowest, in runs of equal scores; metrics of ranks share one."""

    def __init__(self, score: np.ndarray) -> None:
        order = np.argsort(-score, kind="stable")
        ranked = score[order]
        self.starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        self.order = None if bool((order[1:] > order[:-1]).all()) else order
        self._given: np.ndarray | None = None
        self._sorted: np.ndarray | None = None

    def sort(self, values: np.ndarray) -> np.ndarray:
        """The values [rows] or weights [batch, rows] in this order; the last weights are remembered."""
        if self.order is None:
            return values
        if values.ndim == 1:
            return values[self.order]
        if self._sorted is None or self._given is not values:
            self._given, self._sorted = values, values[:, self.order]
        return self._sorted


def auc_of(ranking: Ranking, positive: np.ndarray) -> Formula:
    """The probability that a positive row scores above a negative one (ties half), by weights."""
    hit, starts = ranking.sort(positive), ranking.starts

    def values(weights: Weights) -> np.ndarray:
        ranked = ranking.sort(weights)
        up = np.add.reduceat(ranked * hit, starts, axis=1)
        down = np.add.reduceat(ranked, starts, axis=1) - up
        above = np.cumsum(up, axis=1)
        pairs = ((above - up / 2) * down).sum(axis=1)
        return ratio(pairs, up.sum(axis=1) * down.sum(axis=1))

    return values


def precision_of(ranking: Ranking, positive: np.ndarray) -> Formula:
    """Average precision by weights."""
    hit, starts = ranking.sort(positive), ranking.starts

    def values(weights: Weights) -> np.ndarray:
        ranked = ranking.sort(weights)
        gained = np.add.reduceat(ranked * hit, starts, axis=1)
        right = np.cumsum(gained, axis=1)
        taken = np.cumsum(np.add.reduceat(ranked, starts, axis=1), axis=1)
        precision_at = np.divide(right, taken, out=np.zeros_like(right), where=taken > 0)
        return ratio((gained * precision_at).sum(axis=1), right[:, -1])

    return values
