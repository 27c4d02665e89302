"""Range questions over events that are sorted by entity and time, answered for all label rows at once.

Events are arrays in order of (entity, time); a label row asks about the slice [low, high) of them. Every
answer takes O((events + labels) · log events) time, so that a long history and many labels of one entity do
not multiply. Sums fold neighbours pairwise up a binary tree: no cumulative sum, hence no cancellation. Each
entity has a tree of its own (`Blocks`), so that no later event, and no other entity's, changes a bit of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Parts = tuple[Floats, ...]


def bounds(times: Ints, start: Ints, end: Ints, limits: Ints) -> Ints:
    """For each label row, the first index in [start, end) whose time is later than its limit, else `end`.

    Args:
        times: Of the events, ascending within each [start, end).
        start: First event of the row's entity; one per label row.
        end: One past its last event.
        limits: The latest time that counts.
    """
    low, high = start.copy(), end.copy()
    while True:
        open_rows = np.flatnonzero(low < high)
        if not len(open_rows):
            return low
        middle = (low[open_rows] + high[open_rows]) // 2
        passed = times[middle] <= limits[open_rows]
        low[open_rows[passed]] = middle[passed] + 1
        high[open_rows[~passed]] = middle[~passed]


@dataclass(frozen=True)
class Blocks:
    """Where each event stands when every entity's events begin at a multiple of a power of two.

    Attributes:
        place: The place of each event.
        length: The number of places, at most twice the number of events.
        begin: For each entity, in order, the place of its first event less its index.
    """

    place: Ints
    length: int
    begin: Ints

    @classmethod
    def of(cls, lengths: Ints) -> "Blocks":
        """Lay out entities with so many events each, in order; the longest stand first, which aligns all."""
        sizes = np.left_shift(1, np.ceil(np.log2(np.maximum(lengths, 1))).astype(np.int64))
        order = np.argsort(-sizes, kind="stable")
        offsets = np.empty(len(sizes), dtype=np.int64)
        offsets[order] = np.concatenate(([0], np.cumsum(sizes[order])[:-1])) if len(sizes) else offsets
        begin = offsets - np.concatenate(([0], np.cumsum(lengths)[:-1])) if len(sizes) else offsets
        place = np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(begin, lengths)
        return cls(place, int(sizes.sum()), begin)

    def spread(self, values: Floats, identity: float) -> Floats:
        """The events' values at their places, `identity` between them."""
        out = np.full(self.length, identity)
        out[self.place] = values
        return out


def fold(
    parts: Parts, identity: Sequence[float], combine: Callable[[Parts, Parts], Parts], low: Ints, high: Ints
) -> Parts:
    """Combine what stands in each slice [low, high) of places by an associative operation.

    Args:
        parts: The state at each place, as one or more arrays.
        identity: The state of no event.
        combine: Two states to one, elementwise.
        low: First place of each slice.
        high: One past its last place; slices with `high <= low` are empty.

    Returns:
        The state of each slice.
    """
    result = tuple(np.full(len(low), value) for value in identity)
    low, high = low.copy(), np.maximum(low, high)
    while np.any(low < high):
        left = np.flatnonzero((low < high) & (low & 1 == 1))
        _add(result, left, _take(parts, low[left]), combine)
        low[left] += 1
        right = np.flatnonzero((low < high) & (high & 1 == 1))
        high[right] -= 1
        _add(result, right, _take(parts, high[right]), combine)
        low, high = low >> 1, high >> 1
        parts = _halved(parts, identity, combine)
    return result


def _take(parts: Parts, index: NDArray[np.intp] | Ints) -> Parts:
    return tuple(part[index] for part in parts)


def _add(
    result: Parts, rows: NDArray[np.intp], more: Parts, combine: Callable[[Parts, Parts], Parts]
) -> None:
    if len(rows):
        for target, value in zip(result, combine(_take(result, rows), more), strict=True):
            target[rows] = value


def _halved(parts: Parts, identity: Sequence[float], combine: Callable[[Parts, Parts], Parts]) -> Parts:
    if len(parts[0]) % 2:
        parts = tuple(np.append(part, value) for part, value in zip(parts, identity, strict=True))
    return combine(tuple(part[0::2] for part in parts), tuple(part[1::2] for part in parts))


def counts(mask: Bools, low: Ints, high: Ints) -> Ints:
    """How many events of each slice the mask marks."""
    before = np.concatenate(([0], np.cumsum(mask, dtype=np.int64)))
    return np.maximum(before[np.maximum(low, high)] - before[low], 0)


def sums(values: Floats, low: Ints, high: Ints) -> Floats:
    """The sum of each slice; 0.0 for none."""
    return fold((values,), (0.0,), lambda a, b: (a[0] + b[0],), low, high)[0]


def extremes(values: Floats, low: Ints, high: Ints, largest: bool) -> Floats:
    """The largest or smallest value of each slice; an infinity for none."""
    pick = np.maximum if largest else np.minimum
    identity = -np.inf if largest else np.inf
    return fold((values,), (identity,), lambda a, b: (pick(a[0], b[0]),), low, high)[0]


def deviations(values: Floats, mask: Bools, low: Ints, high: Ints) -> Floats:
    """The sample standard deviation (n − 1) of the marked values of each slice; NaN for fewer than two.

    Counts, means and sums of squared differences are merged pairwise: Chan, Golub and LeVeque, "Updating
    formulae and a pairwise algorithm for computing sample variances", 1979, equation 2.1.
    """
    first: Parts = (mask.astype(np.float64), np.where(mask, values, 0.0), np.zeros(len(values)))
    n, _, squares = fold(first, (0.0, 0.0, 0.0), _merged_moments, low, high)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 1, np.sqrt(squares / (n - 1)), np.nan)


def _merged_moments(a: Parts, b: Parts) -> Parts:
    n = a[0] + b[0]
    share = np.divide(b[0], n, out=np.zeros_like(n), where=n > 0)
    apart = b[1] - a[1]
    return n, a[1] + apart * share, a[2] + b[2] + apart * apart * a[0] * share


def last_marked(mask: Bools, start: Ints, high: Ints) -> Ints:
    """The last marked event of each [start, high); -1 for none."""
    if not len(mask):
        return np.full(len(start), -1, dtype=np.int64)
    latest = np.maximum.accumulate(np.where(mask, np.arange(len(mask), dtype=np.int64), -1))
    found = np.where(high > start, latest[np.maximum(high - 1, 0)], -1)
    return np.where(found >= start, found, -1)


def distinct_counts(groups: Ints, codes: Ints, mask: Bools, low: Ints, high: Ints) -> Ints:
    """How many different codes the marked events of each slice have.

    An event counts when the event before it with the same code (of the same entity) lies before the slice.
    Those of one block that do are found by a binary search in the block, sorted level by level: a merge sort
    tree of which only one level is held at a time.

    Args:
        groups: The entity of each event.
        codes: What is counted, as numbers.
        mask: Events that count at all.
        low: First event of each slice.
        high: One past its last event.
    """
    never = np.iinfo(np.int64).max
    before = np.full(len(codes), never, dtype=np.int64)
    marked = np.flatnonzero(mask)
    order = marked[np.lexsort((codes[marked], groups[marked]))]
    same = (codes[order][1:] == codes[order][:-1]) & (groups[order][1:] == groups[order][:-1])
    before[order] = np.concatenate(([-1], np.where(same, order[:-1], -1))) if len(order) else order
    result = np.zeros(len(low), dtype=np.int64)
    at_low, at_high, size = low.copy(), np.maximum(low, high), 1
    level = before
    while np.any(at_low < at_high):
        left = np.flatnonzero((at_low < at_high) & (at_low & 1 == 1))
        result[left] += _below(level, at_low[left], size, low[left])
        at_low[left] += 1
        right = np.flatnonzero((at_low < at_high) & (at_high & 1 == 1))
        at_high[right] -= 1
        result[right] += _below(level, at_high[right], size, low[right])
        at_low, at_high, size = at_low >> 1, at_high >> 1, size * 2
        if len(level) % size:
            level = np.concatenate((level, np.full(size - len(level) % size, never)))
        level = np.sort(level.reshape(-1, size), axis=1).reshape(-1)
    return result


def _below(level: Ints, block: Ints, size: int, limit: Ints) -> Ints:
    """How many values of each sorted block are less than the limit."""
    start = block * size
    end = np.minimum(start + size, len(level))
    return bounds(level, start, end, limit - 1) - start
