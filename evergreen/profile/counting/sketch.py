"""Distinct values of a column in bounded memory, mergeable: a theta sketch of their hashes.

The sketch keeps every hash up to a limit, at most `SIZE` of them; when more would stay, the limit goes down.
With the limit at its top the count is exact; otherwise distinct = kept ÷ (share of the hash space below the
limit), with a relative standard error of 1/√(SIZE−2). Union is associative and commutative. Source: Dasgupta,
Lang, Rhodes, Thaler, "A framework for estimating stream expression cardinalities", ICDT 2016; the bound from
Bar-Yossef et al., "Counting distinct elements in a data stream", RANDOM 2002.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIZE = 512
TOP = 2**64 - 1
RELATIVE_ERROR = 1 / (SIZE - 2) ** 0.5


@dataclass(frozen=True)
class Sketch:
    """All 64-bit hashes ≤ `limit` of the distinct values, ascending, as base64 of little-endian integers."""

    limit: int
    hashes: str

    @staticmethod
    def of(hashes: Iterable[int], limit: int = TOP) -> "Sketch":
        """The sketch of the distinct hashes among `hashes`; those above `limit` are left out."""
        return _kept(np.unique(np.fromiter(hashes, dtype=np.uint64)), limit)

    def decoded(self) -> NDArray[np.uint64]:
        """The hashes, ascending."""
        return np.frombuffer(base64.b64decode(self.hashes), dtype="<u8").astype(np.uint64)

    @property
    def exact(self) -> int | None:
        """The number of distinct values where it is known exactly, else None."""
        return self._kept if self.limit == TOP else None

    @property
    def distinct(self) -> int:
        """The number of distinct values; an estimate unless `exact`."""
        return self._kept if self.limit == TOP else round(self._kept * (TOP / self.limit))

    @property
    def _kept(self) -> int:
        return len(base64.b64decode(self.hashes)) // 8

    def merged(self, other: "Sketch") -> "Sketch":
        """The sketch of both sets of values together."""
        union = np.union1d(self.decoded(), other.decoded())
        return _kept(union, min(self.limit, other.limit))


def _kept(ascending: NDArray[np.uint64], limit: int) -> Sketch:
    below = ascending[ascending <= np.uint64(limit)]
    if len(below) > SIZE:
        limit = int(below[SIZE]) - 1
        below = below[:SIZE]
    return Sketch(limit, base64.b64encode(below.astype("<u8").tobytes()).decode())
