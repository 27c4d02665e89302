"""What a column that was made from the label looks like: rules on one column and the label.

A feature may foretell the label well and be honest. These rules look for what honest features do not show.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from evergreen.modeling.selection import intervals

COPY_SURE, COPY_LIKELY = 0.93, 0.75
NOISE_SURE, NOISE_LIKELY = 8.0, 6.0
_MOST_IMPURE, _MOST_WRONG = 0.1, 0.16
_SAME_VALUE = 0.2
_ENDS = 20


@dataclass(frozen=True)
class Shape:
    """What one rule saw in one column.

    Attributes:
        rule: The rule's name.
        words: What was seen, to follow the column's name in a sentence.
        observed: What was measured.
        threshold: From where it counts.
        sure: Whether it is overwhelming by itself.
        likely: Whether it is worth a warning by itself; if not, only with other evidence.
        count: How many rows show it; None where rows are not counted.
    """

    rule: str
    words: str
    observed: float
    threshold: float
    sure: bool
    likely: bool = True
    count: int | None = None


def copy_of_label(column: np.ndarray, label: np.ndarray, classes: int) -> Shape | None:
    """Few values, each of which means one class: Cohen's kappa (1960) of the best reading with the label."""
    values = np.unique(np.where(np.isnan(column), -np.inf, column), return_inverse=True)[1]
    if not classes <= int(values.max()) + 1 <= classes + 2:
        return None
    table = np.bincount(values * classes + label, minlength=(int(values.max()) + 1) * classes)
    table = table.reshape(-1, classes)
    reading = table.argmax(axis=1)
    if len(np.unique(reading)) < classes:
        return None
    agreed, low, _ = intervals.share(float(table.max(axis=1).sum()), len(label))
    read = np.bincount(reading, weights=table.sum(axis=1), minlength=classes) / len(label)
    chance = float((read * table.sum(axis=0) / len(label)).sum())
    kappa, kappa_low = (agreed - chance) / (1 - chance), (low - chance) / (1 - chance)
    words = f"has one value for each class and agrees with the label in {agreed:.1%} of the rows"
    likely = kappa_low >= COPY_LIKELY
    if kappa_low < 0.6:
        return None
    return Shape("leak copy", words, kappa, COPY_LIKELY, kappa_low >= COPY_SURE, likely, len(label))


def label_with_noise(column: np.ndarray, label: np.ndarray, classes: int) -> Shape | None:
    """Classes stand apart by many times one common spread, at even steps: a class number plus noise."""
    groups = [column[(label == k) & ~np.isnan(column)] for k in range(classes)]
    if min(len(g) for g in groups) < 8 or len(np.unique(column[~np.isnan(column)])) < 5 * classes:
        return None
    means = np.sort([g.mean() for g in groups])
    spreads = np.array([g.std(ddof=1) for g in groups])
    steps = np.diff(means)
    if not spreads.min() > 0 or not steps.min() > 0:
        return None
    least = min(len(g) for g in groups)
    allowed = 1.3 if least >= 100 else 1.6 if least >= 30 else 2.2
    apart = float(steps.min() / np.sqrt((spreads**2).mean()))
    if spreads.max() / spreads.min() > allowed or steps.max() / steps.min() > 1.3 or apart < NOISE_LIKELY:
        return None
    words = f"lies {apart:.1f} standard deviations apart from class to class, as the label plus noise would"
    return Shape("leak noise", words, apart, NOISE_LIKELY, apart >= NOISE_SURE)


def told_by_missing(column: np.ndarray, label: np.ndarray, classes: int) -> Shape | None:
    """Where the value is missing (or is not), the label is always the same, and elsewhere it is not."""
    missing = np.isnan(column)
    if not missing.any() or missing.all():
        return None
    if classes == 2:
        copied = copy_of_label(missing.astype(float), label, 2)
        if copied is not None and copied.likely:
            words = f"is missing as the label says in {copied.observed:.1%} of what chance leaves open"
            return Shape("leak missing", words, copied.observed, COPY_LIKELY, copied.observed >= 0.9)
    shares = np.bincount(label, minlength=classes) / len(label)
    for side, state in ((missing, "missing"), (~missing, "there")):
        counts = np.bincount(label[side], minlength=classes)
        common = int(counts.argmax())
        others, expected = int(side.sum() - counts[common]), side.sum() * (1 - shares[common])
        most = float(stats.chi2.ppf(0.975, 2 * (others + 1)) / 2)  # Garwood 1936
        if expected and most / expected <= _MOST_IMPURE:
            words = (
                f"is {state} in {int(side.sum())} rows of which {others} are of another class, "
                f"where {expected:.0f} were to be expected"
            )
            share = others / expected
            return Shape("leak missing", words, share, _MOST_IMPURE, False, True, int(side.sum()))
    return None


def encoded_from_label(column: np.ndarray, label: np.ndarray) -> Shape | None:
    """A rate from 0 to 1 whose 0 always means no and whose 1 always means yes: it counted the row itself.

    Of two classes. A rate of earlier rows is not that sure: its extremes come from few rows and regress.
    """
    present = ~np.isnan(column)
    v, y = column[present], label[present]
    if len(v) < 50 or v.min() != 0 or v.max() != 1 or len(np.unique(v)) < 8:
        return None
    ends = (v == 0) | (v == 1)
    wrong = int((y[ends] != v[ends]).sum())
    rate = y.mean()
    expected = float((v == 0).sum() * rate + (v == 1).sum() * (1 - rate))
    most = float(stats.chi2.ppf(0.975, 2 * (wrong + 1)) / 2)
    if ends.sum() < _ENDS or expected <= 0 or most / expected > _MOST_WRONG:
        return None
    spread = float(np.sqrt((v * (1 - v)).sum())) or 1.0
    calibrated = abs(float((y - v).sum())) / spread < 4
    if not calibrated:
        return None
    words = (
        f"is a rate whose 0 and 1 foretell {int(ends.sum())} rows with {wrong} faults, where "
        f"{expected:.0f} were to be expected: each row's own label seems to be counted in it"
    )
    return Shape("leak encoded", words, wrong / expected, _MOST_WRONG, False, True, int(ends.sum()))


def equal_to_label(column: np.ndarray, label: np.ndarray) -> Shape | None:
    """A number that is the label itself in many rows, far more than by chance."""
    distinct, counts = np.unique(label, return_counts=True)
    if len(distinct) < 20:
        return None
    same = int((column == label).sum())
    own, own_counts = np.unique(column[~np.isnan(column)], return_counts=True)
    shared = np.intersect1d(distinct, own)
    by_chance = float(
        (counts[np.searchsorted(distinct, shared)] * own_counts[np.searchsorted(own, shared)]).sum()
    ) / len(label)
    share = same / len(label)
    fine = len(distinct) >= 0.5 * len(label)
    least = 0.02 if fine else _SAME_VALUE
    if same < 8 or share < least or same < 5 * by_chance:
        return None
    words = f"is the label itself in {share:.1%} of the rows"
    return Shape("leak copy", words, share, least, share >= 0.9, True, same)


def row_number(column: np.ndarray, total: int) -> bool:
    """Whether a column looks like a row number or a running identifier: whole, all different, dense."""
    present = column[~np.isnan(column)]
    if len(present) < max(100, 0.999 * len(column)) or (present != np.round(present)).any():
        return False
    return len(np.unique(present)) == len(present) and float(np.ptp(present)) <= 20 * total


def in_the_future(name: str, column: np.ndarray) -> Shape | None:
    """A time later than the row's own: its age in days is negative."""
    if not name.endswith("__age_days"):
        return None
    present = column[~np.isnan(column)]
    later = int((present < -1 / 1440).sum())
    share = later / len(present) if len(present) else 0.0
    if later < 10 or share < 0.01:
        return None
    words = f"is a time later than the row's own in {later} rows ({share:.1%} of those that have one)"
    return Shape("leak future", words, share, 0.01, False, True, later)
