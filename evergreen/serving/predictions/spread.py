"""From requests to rows: a request's own values stand in each of its rows, its counts in sum only once."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Spread:
    """How many rows each request of a batch has.

    Args:
        counts: Rows by request, each at least 1.
    """

    def __init__(self, counts: Sequence[int]) -> None:
        self.counts = counts
        self.total = sum(counts)
        self.single = self.total == len(counts)

    def numbers(self) -> np.ndarray:
        """The number of each row within its request, from 0."""
        if self.single:
            return np.zeros(self.total, dtype=np.int32)
        return (np.arange(self.total) - np.repeat(self.starts, self.counts)).astype(np.int32)

    @property
    def starts(self) -> np.ndarray:
        """The first row of each request."""
        return np.cumsum(self.counts) - self.counts

    def repeat(self, values: np.ndarray) -> np.ndarray:
        """One value a request as one a row."""
        return values if self.single else np.repeat(values, self.counts)

    def repeat_list(self, values: list[T]) -> list[T]:
        """The same of a list."""
        if self.single:
            return values
        return [value for value, count in zip(values, self.counts, strict=True) for _ in range(count)]

    def once(self, values: Sequence[int]) -> np.ndarray:
        """A count of a request in its first row, 0 in the others, so that sums over rows are right."""
        if self.single:
            return np.array(values, dtype=np.int32)
        spread = np.zeros(self.total, dtype=np.int32)
        spread[self.starts] = values
        return spread

    def agreed(self, values: Sequence[int], by_row: np.ndarray) -> np.ndarray:
        """A count of each row where the rows of a request sum up to the request's count, else as `once`."""
        spread = self.once(values)
        same = np.repeat(np.add.reduceat(by_row, self.starts) == np.array(values), self.counts)
        spread[same] = by_row[same]
        return spread
