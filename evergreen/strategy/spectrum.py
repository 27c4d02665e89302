"""How rows are spread over the values of a key: from the number of values that have 1, 2, 3 … rows.

That spectrum is short whatever the number of values (n rows have fewer than √(2n) different sizes), so it is
counted exactly and everything here is computed from it.
"""

from dataclasses import dataclass

import numpy as np

_POINTS = 100


@dataclass(frozen=True)
class Spectrum:
    """`values[i]` values have `sizes[i]` rows each; sizes rise."""

    sizes: np.ndarray
    values: np.ndarray

    @property
    def count(self) -> int:
        """Different values."""
        return int(self.values.sum())

    @property
    def rows(self) -> int:
        """Rows with a value."""
        return int((self.sizes * self.values).sum())

    @property
    def squares(self) -> float:
        """The sum of squared sizes."""
        return float((self.sizes.astype(np.float64) ** 2 * self.values).sum())

    @property
    def median(self) -> int:
        """Rows of the value in the middle (the lower one of two)."""
        reached = np.cumsum(self.values)
        return int(self.sizes[np.searchsorted(reached, (self.count + 1) // 2)])

    @property
    def gini(self) -> float:
        """Gini's coefficient of the sizes: 1 − 2 · (area below the Lorenz curve), exactly."""
        shares = self.values / self.count
        held = np.cumsum(self.sizes * self.values) / self.rows
        before = np.concatenate([[0.0], held[:-1]])
        return float(1 - (shares * (held + before)).sum()) + 0.0

    def lorenz(self) -> tuple[tuple[float, float], ...]:
        """At most about 100 points of the Lorenz curve, from (0, 0) to (1, 1)."""
        x = np.concatenate([[0.0], np.cumsum(self.values) / self.count])
        y = np.concatenate([[0.0], np.cumsum(self.sizes * self.values) / self.rows])
        wanted = np.linspace(0, 1, _POINTS // 2)
        kept = np.unique(
            np.concatenate([np.searchsorted(x, wanted), np.searchsorted(y, wanted), [len(x) - 1]])
        )
        kept = np.unique(np.concatenate([[0], kept[kept < len(x)]]))
        return tuple((float(a), float(b)) for a, b in zip(x[kept], y[kept], strict=True))

    def ranks(self) -> tuple[tuple[int, int], ...]:
        """At most about 100 points (rank, rows), the value with the most rows first."""
        sizes, counts = self.sizes[::-1], self.values[::-1]
        last = np.cumsum(counts)
        points = dict.fromkeys([1, *np.unique(np.geomspace(1, self.count, _POINTS // 2).astype(int))])
        return tuple((int(r), int(sizes[np.searchsorted(last, r)])) for r in points)

    def up_to(self, most: int) -> tuple[int, int]:
        """Values with at most `most` rows, and the rows that they have."""
        few = self.sizes <= most
        return int(self.values[few].sum()), int((self.sizes * self.values)[few].sum())

    def tail(self, share: float, most: float) -> int:
        """The rows that a value of the tail has at most; 0 when there is no tail.

        The tail is made of the values with the fewest rows: as many sizes as hold at most `share` of the
        rows together, each of at most `most` rows.
        """
        held = np.cumsum(self.sizes * self.values)
        few = self.sizes[(held <= share * self.rows) & (self.sizes <= most)]
        return int(few[-1]) if len(few) else 0

    def head(self) -> int:
        """The least rows of a value of the head: the fewest values that hold half of the rows."""
        held = np.cumsum((self.sizes * self.values)[::-1])
        return int(self.sizes[::-1][np.searchsorted(held, self.rows / 2)])
