"""Two tallies of a column compared item by item: which values, forms or hours have become more or fewer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evergreen.profile.pictures import moment
from evergreen.profile.traits.model import Item, Tally, Traits
from evergreen.profile.validation.chance import EFFECT, effect, level, split_probability
from evergreen.reports.text import number

# What a tally's kind is called, and which budget its tests share.
BUDGETS = {
    "value": "values", "decimals": "writing", "form": "writing", "flag": "writing", "length": "writing",
    "hour": "clock", "weekday": "clock", "period": "gap",
}  # fmt: skip
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Shift:
    """An item whose share is not what it was.

    Attributes:
        column: Its column.
        kind: Of the tally.
        item: A value, a form, an hour …
        before: Its share of the baseline's rows with a value.
        now: Its share of the table's.
        count: Its rows in the table's sample.
        rows: Rows of the table's sample with a value.
        size: Cohen's h.
        unit: Of a period: its seconds.
    """

    column: str
    kind: str
    item: Item
    before: float
    now: float
    count: int
    rows: int
    size: float
    unit: int = 0


def shifts(baseline: Traits, current: Traits, columns: Sequence[str]) -> list[Shift]:
    """Every item of these columns that changed by more than chance and by a share worth the word.

    Args:
        baseline: Of the reference.
        current: Observed like it.
        columns: The columns to compare; those of a new family were left out.
    """
    pairs = [
        (name, old, new)
        for name in columns
        for old in baseline.tallies.get(name, ())
        for new in current.tallies.get(name, ())
        if old.kind == new.kind and old.unit == new.unit
    ]
    many: dict[str, int] = {}
    for _, old, _ in pairs:
        many[BUDGETS[old.kind]] = many.get(BUDGETS[old.kind], 0) + 1
    found = []
    for name, old, new in pairs:
        found += _compared(name, *_overlapping(old, new), many[BUDGETS[old.kind]])
    return found


def _overlapping(old: Tally, new: Tally) -> tuple[Tally, Tally]:
    """Periods are compared where both tables have any: a later table is later, that is no gap."""
    if old.kind != "period" or not old.items or not new.items:
        return old, new
    spans = [[int(i) for i, _ in t.items] for t in (old, new)]
    low, high = max(map(min, spans)), min(map(max, spans))
    cut = []
    for one in (old, new):
        items = tuple((i, n) for i, n in one.items if low < int(i) < high)
        cut.append(Tally(one.kind, items, one.least, sum(n for _, n in items), one.unit))
    return cut[0], cut[1]


def _compared(column: str, old: Tally, new: Tally, tallies: int) -> list[Shift]:
    if not old.rows or not new.rows:
        return []
    before, now = dict(old.items), dict(new.items)
    items = list(dict.fromkeys([*before, *now]))
    if not items:
        return []
    n, m = float(old.rows), float(new.rows)
    a = np.array([before.get(i, -1.0) for i in items], dtype=np.float64)
    b = np.array([now.get(i, -1.0) for i in items], dtype=np.float64)
    # An item that is not listed has fewer rows than `least`; how many is taken to be what would change least.
    a = np.where(a < 0, np.minimum(old.least - 1, b * n / m), a)
    b = np.where(b < 0, np.minimum(new.least - 1, a * m / n), b)
    sizes = effect(a / n, b / m)
    real = split_probability(b, a, m, n) < level(BUDGETS[old.kind], tallies * len(items))
    if old.kind == "period":
        real &= (b == 0) & (a * m / n >= 5)
    found = []
    for at in np.flatnonzero(real & (sizes >= EFFECT)):
        found.append(
            Shift(
                column,
                old.kind,
                items[at],
                a[at] / n,
                b[at] / m,
                int(b[at]),
                new.rows,
                float(sizes[at]),
                old.unit,
            )
        )
    return sorted(found, key=lambda s: -s.size)


def named(kind: str, item: Item, unit: int = 0) -> str:
    """An item of a tally as people call it."""
    if kind == "hour":
        return f"{int(item):02d} h"
    if kind == "weekday":
        return _WEEKDAYS[int(item) % 7]
    if kind == "period":
        return moment(float(item) * unit)
    if kind == "decimals":
        digits = int(item)
        return f"{digits} decimals" if digits >= 0 else ("tens", "hundreds", "thousands")[-digits - 1]
    if kind == "length":
        return f"{item} characters"
    return (item or "(empty)") if isinstance(item, str) else number(item)
