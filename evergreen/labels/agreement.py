"""How far several labellers of the same items agree: Krippendorff's alpha, Fleiss' kappa, each one's part."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.intervals import Z_99, wilson

Scale = Literal["nominal", "interval"]
_RESAMPLES = 400
_ADJUDICATE = 200
_LEAST = 20
_GAP = 0.1


@dataclass(frozen=True)
class Labeller:
    """One labeller: items shared with others, and the share on which most of the others say the same."""

    name: str
    items: int
    agreement: float
    low: float
    high: float


@dataclass(frozen=True)
class Item:
    """An item whose labellers disagree: what they said, and what most say (empty for a tie)."""

    key: str
    labels: tuple[str, ...]
    consensus: str
    share: float


@dataclass(frozen=True)
class Agreement:
    """How far labellers agree.

    Attributes:
        items: Items with at least two labels.
        labels: Labels of those.
        alpha: Krippendorff's alpha: 1 is agreement, 0 what chance gives.
        interval: Its 95 % bootstrap interval over items.
        kappa: Fleiss' kappa; None for numbers.
        labellers: Each of them, the least agreeing first.
        classes: The labels, in order; empty for numbers.
        confusion: How often a pair of labels stands on one item, [classes][classes], as a share of its row.
        adjudicate: Items to decide, the most disputed first.
        outliers: Labellers who agree less than the others by more than chance.
    """

    items: int
    labels: int
    alpha: float
    interval: tuple[float, float]
    kappa: float | None
    labellers: tuple[Labeller, ...] = ()
    classes: tuple[str, ...] = ()
    confusion: tuple[tuple[float, ...], ...] = ()
    adjudicate: tuple[Item, ...] = field(default=())
    outliers: tuple[str, ...] = ()


def agreement(table: pd.DataFrame, scale: Scale = "nominal", seed: int = 17) -> Agreement | None:
    """Measure agreement; None when no item has two labels.

    Alpha: Krippendorff, "Content analysis", 3rd edition, 2013, chapter 12; any number of labellers an item,
    with distance 0 or 1 (nominal) or the squared difference (interval). Kappa: Fleiss, "Measuring nominal
    scale agreement among many raters", Psychological Bulletin 76, 1971, its items weighted by their pairs
    where they have different numbers of labels. Intervals: percentile bootstrap over items (Efron, 1979).

    Args:
        table: Columns `item`, `labeller` and `label`, one row a label, none missing; several labels by one
            labeller on one item count as one, the last.
        scale: What a difference of two labels means.
        seed: Of the bootstrap.
    """
    table = table.drop_duplicates(["item", "labeller"], keep="last")
    table = table[table.groupby("item")["item"].transform("size") > 1]
    if table.empty:
        return None
    items, places = np.unique(table["item"].to_numpy(dtype=object).astype(str), return_inverse=True)
    if scale == "interval":
        counts = _sums(places, table["label"].to_numpy(dtype=np.float64), len(items))
        values, codes = np.empty(0, dtype=np.str_), places
    else:
        names = table["label"].astype(str).to_numpy(dtype=object).astype(str)
        values, codes = np.unique(names, return_inverse=True)
        counts = np.zeros((len(items), len(values)))
        np.add.at(counts, (places, codes), 1)
    alpha = _alpha(counts, scale)
    rng = np.random.default_rng(seed)
    drawn = [_alpha(counts[rng.integers(0, len(items), len(items))], scale) for _ in range(_RESAMPLES)]
    interval = tuple(float(v) for v in np.nanpercentile(drawn, [2.5, 97.5]))
    result = Agreement(len(items), len(table), alpha, (interval[0], interval[1]), None)
    if scale == "interval":
        return result
    each = _labellers(table, places, codes, counts)
    return Agreement(
        result.items, result.labels, alpha, result.interval, _kappa(counts), each,
        tuple(str(v) for v in values), _confusion(counts), _disputed(items, counts, values), _outliers(each),
    )  # fmt: skip


def _sums(places: NDArray[np.intp], values: NDArray[np.float64], items: int) -> NDArray[np.float64]:
    """Count, sum and squares of each item's numbers, [items, 3]; centred first, which alpha ignores."""
    values = values - values.mean()
    powers = (np.ones_like(values), values, values**2)
    return np.stack([np.bincount(places, weights=p, minlength=items) for p in powers], axis=1)


def _alpha(counts: NDArray[np.float64], scale: Scale) -> float:
    """1 − observed / expected disagreement; 1 where all labels are one."""
    if scale == "interval":
        n, total, squares = counts.T
        observed = (2 * (n * squares - total**2) / (n - 1)).sum()
        expected = 2 * (n.sum() * squares.sum() - total.sum() ** 2) / (n.sum() - 1)
    else:
        n = counts.sum(axis=1)
        observed = ((n**2 - (counts**2).sum(axis=1)) / (n - 1)).sum()
        by_class = counts.sum(axis=0)
        expected = (n.sum() ** 2 - (by_class**2).sum()) / (n.sum() - 1)
    return float(1 - observed / expected) if expected > 0 else 1.0


def _kappa(counts: NDArray[np.float64]) -> float:
    n = counts.sum(axis=1)
    pairs = n * (n - 1)
    observed = ((counts**2).sum() - n.sum()) / pairs.sum()
    chance = float(((counts.sum(axis=0) / n.sum()) ** 2).sum())
    return float((observed - chance) / (1 - chance)) if chance < 1 else 1.0


def _labellers(
    table: pd.DataFrame, places: NDArray[np.intp], codes: NDArray[np.intp], counts: NDArray[np.float64]
) -> tuple[Labeller, ...]:
    others = counts[places].copy()
    own = others[np.arange(len(codes)), codes]
    others[np.arange(len(codes)), codes] -= 1
    most = others.max(axis=1)
    # A tie that holds the labeller's own label counts as the part of it that is his.
    same = np.where(own - 1 == most, 1 / np.maximum((others == most[:, None]).sum(axis=1), 1), 0.0)
    scored = pd.DataFrame({"who": table["labeller"].astype(str).to_numpy(), "same": same})
    found = []
    for name, group in scored.groupby("who", sort=True):
        low, high = wilson(float(group["same"].sum()), len(group), Z_99)
        found.append(Labeller(str(name), len(group), float(group["same"].mean()), low, high))
    return tuple(sorted(found, key=lambda w: (w.agreement, w.name)))


def _outliers(labellers: Sequence[Labeller]) -> tuple[str, ...]:
    """Those whose upper bound stays more than a tenth below the median of the others."""
    return tuple(
        w.name
        for w in labellers
        if len(labellers) > 2
        and w.items >= _LEAST
        and w.high < float(np.median([o.agreement for o in labellers if o is not w])) - _GAP
    )


def _confusion(counts: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    weights = 1 / np.maximum(counts.sum(axis=1) - 1, 1)
    pairs = (counts * weights[:, None]).T @ counts - np.diag((counts * weights[:, None]).sum(axis=0))
    rows = pairs.sum(axis=1, keepdims=True)
    shares = np.divide(pairs, rows, out=np.zeros_like(pairs), where=rows > 0)
    return tuple(tuple(float(v) for v in row) for row in shares)


def _disputed(
    items: NDArray[np.str_], counts: NDArray[np.float64], values: NDArray[np.str_]
) -> tuple[Item, ...]:
    n = counts.sum(axis=1)
    share = counts.max(axis=1) / n
    order = np.lexsort((items, share))
    found = []
    for i in order[:_ADJUDICATE]:
        if share[i] == 1:
            break
        said = np.flatnonzero(counts[i])
        tie = int((counts[i] == counts[i].max()).sum()) > 1
        labels = tuple(f"{values[k]} ×{int(counts[i, k])}" for k in said)
        found.append(
            Item(str(items[i]), labels, "" if tie else str(values[counts[i].argmax()]), float(share[i]))
        )
    return tuple(found)
