"""Features that carry the same information: how alike each two are, and groups of those that are the same."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from evergreen.modeling.selection.information import entropy

_ROWS = 5_000
_RECODING = 0.995


@dataclass(frozen=True)
class Redundancy:
    """How features hang together.

    Attributes:
        likeness: [features, features] from 0 to 1: Spearman's |rho| of two numbers, Cramér's V of two
            categories, the correlation ratio of a number over a category.
        groups: Places of features that say the same, at least two each; the first stands for the group.
    """

    likeness: np.ndarray
    groups: tuple[tuple[int, ...], ...]

    def group_of(self, place: int) -> tuple[int, ...]:
        """The group that a feature is in, or the feature alone."""
        return next((g for g in self.groups if place in g), (place,))


def redundancy(
    values: np.ndarray, categories: np.ndarray, threshold: float, order: np.ndarray, seed: int
) -> Redundancy:
    """Measure every two columns of [rows, features] on at most 5,000 rows, and group those that are the same.

    Two numbers are the same from a rank correlation of `threshold`; any two when each is a recoding of the
    other (their mutual information is 99.5 % of the larger entropy). A group holds what is like its first
    member, not what is like another member: there are no chains.

    Args:
        values: Missing is NaN, categories are codes.
        categories: [features]; which columns are categories.
        threshold: From what rank correlation two numbers are the same.
        order: Places, the one that should stand for its group first.
        seed: Of the rows that are looked at.
    """
    if len(values) > _ROWS:
        rows = np.random.default_rng(seed).choice(len(values), _ROWS, replace=False)
        values = values[np.sort(rows)]
    ranks = np.column_stack([_ranks(values[:, k]) for k in range(values.shape[1])])
    coded = [_exact(values[:, k]) for k in range(values.shape[1])]
    likeness = _likeness(ranks, coded, categories)
    same = _recodings(coded)
    numbers = ~categories
    same |= (likeness >= threshold) & numbers[:, None] & numbers[None, :] & _same_holes(values)
    groups: list[tuple[int, ...]] = []
    left = list(order)
    while left:
        first = left.pop(0)
        members = [k for k in left if same[first, k]]
        if members:
            groups.append((int(first), *(int(k) for k in members)))
            left = [k for k in left if not same[first, k]]
    return Redundancy(likeness, tuple(groups))


def _ranks(column: np.ndarray) -> np.ndarray:
    """Ranks around 0, missing at 0: it neither adds to a correlation nor takes from it."""
    found = np.zeros(len(column))
    present = ~np.isnan(column)
    if present.any():
        ranks = stats.rankdata(column[present])
        found[present] = ranks - ranks.mean()
    return found


def _exact(column: np.ndarray) -> np.ndarray:
    filled = np.where(np.isnan(column), -np.inf, column)
    return np.unique(filled, return_inverse=True)[1]


def _same_holes(values: np.ndarray) -> np.ndarray:
    """Whether two columns miss about the same rows: what is missing may be what the other one tells."""
    missing = np.isnan(values).astype(float)
    either = missing.sum(0)[:, None] + missing.sum(0)[None, :] - 2 * (missing.T @ missing)
    return np.asarray(either <= 0.005 * len(values))


def _likeness(ranks: np.ndarray, coded: list[np.ndarray], categories: np.ndarray) -> np.ndarray:
    norm = np.sqrt((ranks**2).sum(0))
    norm[norm == 0] = 1.0
    found = np.abs((ranks / norm).T @ (ranks / norm))
    text = np.flatnonzero(categories)
    for k in text:
        ratio = _correlation_ratio(ranks, coded[k])
        found[k, :], found[:, k] = ratio, ratio
    for i, k in enumerate(text):
        for j in text[i + 1 :]:
            found[k, j] = found[j, k] = _cramers_v(coded[k], coded[j])
    np.fill_diagonal(found, 1.0)
    return np.clip(found, 0.0, 1.0)


def _correlation_ratio(ranks: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Eta of each column of ranks over groups, less the bias of many groups (epsilon², Kelley 1935)."""
    rows, many = len(groups), int(groups.max()) + 1
    counts = np.bincount(groups, minlength=many)
    sums = np.zeros((many, ranks.shape[1]))
    np.add.at(sums, groups, ranks)
    between = (sums**2 / counts[:, None]).sum(0)
    total = (ranks**2).sum(0)
    if rows <= many:
        return np.zeros(ranks.shape[1])
    within = (total - between) / (rows - many) * (rows - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(total > 0, 1 - within / total, 0.0)
    return np.sqrt(np.clip(share, 0.0, 1.0))


def _cramers_v(a: np.ndarray, b: np.ndarray) -> float:
    """Cramér's V with the correction of Bergsma (2013)."""
    rows, wide = len(a), int(b.max()) + 1
    table = np.bincount(a * wide + b, minlength=(int(a.max()) + 1) * wide).reshape(-1, wide).astype(float)
    r, c = table.shape
    if r < 2 or c < 2:
        return 0.0
    expected = table.sum(1)[:, None] * table.sum(0)[None, :] / rows
    phi2 = float(((table - expected) ** 2 / expected).sum()) / rows
    corrected = max(0.0, phi2 - (r - 1) * (c - 1) / (rows - 1))
    least = min(r - (r - 1) ** 2 / (rows - 1), c - (c - 1) ** 2 / (rows - 1)) - 1
    return float(np.sqrt(corrected / least)) if least > 0 else 0.0


def _recodings(coded: list[np.ndarray]) -> np.ndarray:
    """Which two are one-to-one recodings: few values, and each tells the other."""
    many = len(coded)
    found = np.zeros((many, many), dtype=bool)
    own = [entropy(np.bincount(c)) for c in coded]
    sizes = [int(c.max()) + 1 for c in coded]
    for i in range(many):
        for j in range(i + 1, many):
            alike = min(sizes[i], sizes[j]) >= 0.9 * max(sizes[i], sizes[j])
            if not alike or abs(own[i] - own[j]) > (1 - _RECODING) * max(own[i], own[j]):
                continue
            pair = np.unique(coded[i].astype(np.int64) * sizes[j] + coded[j], return_counts=True)[1]
            shared = own[i] + own[j] - entropy(pair)
            repeats = max(sizes[i], sizes[j]) <= 0.5 * len(coded[i])
            found[i, j] = found[j, i] = repeats and shared >= _RECODING * max(own[i], own[j])
    return found
