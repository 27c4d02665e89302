"""What a profile holds about one column: bins, sums, quantiles, listed values, lengths, shapes."""

import math
import re
from dataclasses import dataclass
from itertools import accumulate

Scalar = bool | int | float | str


@dataclass(frozen=True)
class Bins:
    """Exact counts between ascending edges: `counts[i]` rows lie in (edges[i-1], edges[i]].

    The first and the last bin are open; `numpy.searchsorted(edges, x)` gives the bin of x.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Sums:
    """Σy·2^60 (`first`) and Σy²·2^60 (`second`) of y = x·`factor` − `centre`, as whole numbers.

    Profiles with the same `factor` and `centre` merge without rounding (`profile.counting.moments`).
    """

    factor: float
    centre: float
    first: str
    second: str


@dataclass(frozen=True)
class Quantile:
    """A quantile as the counts know it: `value` is an estimate, the true one lies in (`low`, `high`]."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Numbers:
    """The finite values of a column; of a timestamp or date, its seconds since 1970 (UTC).

    `m2` is the sum of squared deviations from the mean; None past the range of a double. `bins` have at most
    20 edges, at the reference's quantiles, and serve the distances; `histogram` has edges of equal
    width and serves the eye. `sums` are what `mean` and `m2` were made of, for merging.
    """

    count: int
    zeros: int
    negative: int
    nan: int
    positive_infinite: int
    negative_infinite: int
    minimum: int | float | None
    maximum: int | float | None
    mean: float | None
    m2: float | None
    bins: Bins
    histogram: Bins
    sums: Sums | None = None

    @property
    def span(self) -> float | None:
        """The largest less the smallest value; of times, in seconds."""
        return None if self.minimum is None or self.maximum is None else float(self.maximum - self.minimum)

    def quantile(self, share: float) -> Quantile | None:
        """The smallest value that `share` of the values do not exceed; None where there are no values.

        Counts between edges are exact, so the bounds are certain; between them values count as evenly spread.
        """
        if not self.count or self.minimum is None or self.maximum is None:
            return None
        lowest, highest = float(self.minimum), float(self.maximum)
        below = {lowest: 0, highest: self.count}
        for bins in (self.bins, self.histogram):
            for edge, count in zip(bins.edges, accumulate(bins.counts), strict=False):
                if lowest <= edge < highest:
                    below[edge] = count
        wanted = min(max(share, 0.0), 1.0) * self.count
        low, high, before, upto = lowest, lowest, 0, 0
        for edge in sorted(below):
            low, before, high, upto = high, upto, edge, below[edge]
            if upto >= wanted and upto:
                break
        part = (wanted - before) / (upto - before) if upto > before else 1.0
        return Quantile(low + (high - low) * part, low, high)

    @property
    def std(self) -> float | None:
        """The population standard deviation; None for no rows or where it cannot be told."""
        if not self.count or self.m2 is None:
            return None
        return math.sqrt(max(self.m2, 0.0) / self.count)


@dataclass(frozen=True)
class Values:
    """Exact counts of the listed values, most frequent first, and of all others together.

    `complete`: the list held every value of the reference, so `other` counts values the reference never had.
    """

    items: tuple[tuple[Scalar, int], ...]
    other: int
    complete: bool


@dataclass(frozen=True)
class Lengths:
    """Lengths of texts in characters, of lists in elements.

    Attributes:
        minimum: The shortest; None without a value.
        maximum: The longest.
        total: The sum over all rows.
        empty: Rows with a text or list of length zero.
        spaced: Texts that begin or end with a blank (or begin with a control character).
        wide: Texts that hold other than ASCII characters.
    """

    minimum: int | None
    maximum: int | None
    total: int
    empty: int
    spaced: int = 0
    wide: int = 0


@dataclass(frozen=True)
class Shapes:
    """How texts are written: upper case letters as A, others as a, digits as 9, five or more as `9+`.

    Counted over `rows` rows: all of them, or those of the fixed sample (by row number, so that the counts of
    shards add up). `other` are rows of shapes that are not listed.
    """

    rows: int
    items: tuple[tuple[str, int], ...]
    other: int


_RUN = re.compile(r"A{5,}|a{5,}|9{5,}")
SHAPE_LENGTH = 40


def shape(text: str) -> str:
    """How a text is written: `AA-999` for `XY-123`, `aaaa 9+` for `item 12345`; its first 40 characters."""
    classes = (
        "A" if c.isupper() else "a" if c.isalpha() else "9" if c.isdecimal() else c
        for c in text[:SHAPE_LENGTH]
    )
    return _RUN.sub(lambda run: f"{run[0][0]}+", "".join(classes))
