"""Traits of a table as plain frozen data: counts of a bounded sample, comparable with another table's.

A profile says how much and how often; traits say how values are written (forms, decimals, lengths), which
single values stand out, at what hour and weekday times fall, and which values of two columns go together.
"""

import base64
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Item = bool | int | float | str


@dataclass(frozen=True)
class Tally:
    """How many sampled rows have each item; an item is a value, or something told of it.

    Attributes:
        kind: `value`, `decimals`, `form`, `flag`, `length`, `hour`, `weekday` or `period`.
        items: Items with their counts, the most frequent first.
        least: Every item with at least so many rows is listed; rarer ones may not be.
        rows: Rows that have a value, over which the items are counted.
        unit: Of a `period`: its seconds.
    """

    kind: str
    items: tuple[tuple[Item, int], ...]
    least: int
    rows: int
    unit: int = 0


@dataclass(frozen=True)
class Coding:
    """A column, or something told of it, cut into few codes, so that it can be counted beside others.

    Attributes:
        column: Its name.
        part: Empty for the value itself; of a time also `hour` and `weekday`.
        edges: Of numbers and times: where one code ends and the next begins.
        values: Of texts and booleans: one code each; all others are one more code.
    """

    column: str
    part: str = ""
    edges: tuple[float, ...] = ()
    values: tuple[Item, ...] = ()

    @property
    def size(self) -> int:
        """How many codes there are; a missing value has none."""
        return len(self.edges) + 1 if self.edges else len(self.values) + 1


@dataclass(frozen=True)
class Traits:
    """Traits of a table.

    Attributes:
        rows: Rows of the sample.
        tallies: By column name.
        codings: The columns that are counted in pairs.
        pairs: How many rows have code i and code j, for all pairs of codes: a symmetric matrix of 32-bit
            integers, little endian, compressed, in base64.
        hashed: Rows whose repetition was looked at: all of them, or those whose content falls in a part of
            the hash space.
        repeated: How many of them repeat another row in every column.
    """

    rows: int
    tallies: dict[str, tuple[Tally, ...]]
    codings: tuple[Coding, ...] = ()
    pairs: str = ""
    hashed: int = 0
    repeated: int = 0

    def matrix(self) -> NDArray[np.float64]:
        """`pairs` as a matrix; its diagonal holds the count of each code."""
        size = sum(c.size for c in self.codings)
        if not size:
            return np.zeros((0, 0))
        raw = zlib.decompress(base64.b64decode(self.pairs))
        return np.frombuffer(raw, dtype="<i4").reshape(size, size).astype(np.float64)


def packed(matrix: NDArray[np.float64]) -> str:
    """A matrix of counts as `Traits.pairs` holds it."""
    return base64.b64encode(zlib.compress(matrix.astype("<i4").tobytes(), 6)).decode()


def larger(a: Traits | None, b: Traits | None) -> Traits | None:
    """Of two parts' traits those of the larger sample; shards of a table have one sample between them."""
    if a is None or b is None:
        return a or b
    return max(a, b, key=lambda t: (t.rows, repr(t)))
