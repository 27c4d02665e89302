"""Metrics of rankings: each is computed within a group and averaged over the groups that have it.

A group's weight is the weight of its rows (the bootstrap draws whole groups). With two classes a row is
relevant (1) or not (0); with numbers the label is the gain, and a negative one counts as 0.
"""

import numpy as np

from evergreen.modeling.evaluation.sample import Formula, Sample, Undefined, Weights, ratio


def ndcg(sample: Sample) -> Formula:
    """DCG / ideal DCG with gain y and discount 1 / log₂(rank + 1); tied scores share their ranks' discounts.

    Groups without a positive gain have none. (Järvelin and Kekäläinen 2002; ties as McSherry, Najork 2008.)
    """
    gain = _gain(sample)
    view = _View(sample)
    found = view.discounted(sample.score, gain)
    ideal = view.discounted(gain, gain)
    return view.mean(np.where(ideal > 0, found / np.where(ideal > 0, ideal, 1.0), np.nan), "no positive gain")


def roc_auc(sample: Sample) -> Formula:
    """The share of (relevant, other) pairs of a group that are in order, ties half."""
    view, hit = _View(sample), _relevant(sample)
    _, group, up, taken = view.runs(sample.score, hit)
    down = taken - up
    above = np.cumsum(up) - up
    above = above - above[view.first_run(group)][group]
    ordered = np.bincount(group, weights=(above + up / 2) * down, minlength=view.groups)
    ups = np.bincount(group, weights=up, minlength=view.groups)
    pairs = ups * (view.sizes - ups)
    return view.mean(ratio(ordered, pairs), "relevant and other rows")


def average_precision(sample: Sample) -> Formula:
    """The mean over a group's relevant rows of the precision at their rank; ties rank together."""
    view, hit = _View(sample), _relevant(sample)
    _, group, up, taken = view.runs(sample.score, hit)
    first = view.first_run(group)
    right, seen = np.cumsum(up), np.cumsum(taken)
    right = right - (right - up)[first][group]
    seen = seen - (seen - taken)[first][group]
    gained = np.bincount(group, weights=up * right / seen, minlength=view.groups)
    return view.mean(ratio(gained, np.bincount(group, weights=up, minlength=view.groups)), "a relevant row")


def _gain(sample: Sample) -> np.ndarray:
    if sample.target.classes is not None:
        return sample.positive
    return np.maximum(np.asarray(sample.y, dtype=np.float64), 0.0)


def _relevant(sample: Sample) -> np.ndarray:
    if sample.target.classes is None:
        raise Undefined("the label is a number, not relevant or not")
    return sample.positive


class _View:
    """The rows of a sample by group."""

    def __init__(self, sample: Sample) -> None:
        given = np.zeros(sample.rows, dtype=np.int64) if sample.groups is None else sample.groups
        _, self.group = np.unique(given, return_inverse=True)
        self.groups = int(self.group.max()) + 1
        self.sizes = np.bincount(self.group, minlength=self.groups).astype(np.float64)

    def runs(
        self, score: np.ndarray, hit: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Runs of equal score within a group, from the highest: start, group, sum of `hit`, rows."""
        order = np.lexsort((-score, self.group))
        group, ranked = self.group[order], score[order]
        starts = np.flatnonzero(np.r_[True, (group[1:] != group[:-1]) | (ranked[1:] != ranked[:-1])])
        lengths = np.diff(np.r_[starts, len(group)]).astype(np.float64)
        return starts, group[starts], np.add.reduceat(hit[order], starts), lengths

    def first_run(self, group: np.ndarray) -> np.ndarray:
        """[groups]: the place of each group's first run, for the runs' groups in order."""
        return np.searchsorted(group, np.arange(self.groups))

    def discounted(self, score: np.ndarray, gain: np.ndarray) -> np.ndarray:
        """[groups]: DCG of the order that `score` gives."""
        starts, group, gained, lengths = self.runs(score, gain)
        first_row = np.r_[0, np.cumsum(self.sizes)[:-1]].astype(np.int64)
        begin = starts - first_row[group]
        reached = np.r_[0.0, np.cumsum(1 / np.log2(np.arange(int(self.sizes.max())) + 2))]
        shared = (reached[begin + lengths.astype(np.int64)] - reached[begin]) / lengths
        return np.bincount(group, weights=gained * shared, minlength=self.groups)

    def mean(self, values: np.ndarray, needed: str) -> Formula:
        """The mean over groups that have a value, each weighted by the mean weight of its rows."""
        known = ~np.isnan(values)
        if not known.any():
            raise Undefined(f"no group has {needed}")
        share = known[self.group] / self.sizes[self.group]
        contribution = np.where(known, values, 0.0)[self.group] / self.sizes[self.group]

        def formula(weights: Weights) -> np.ndarray:
            return ratio(weights @ contribution, weights @ share)

        return formula
