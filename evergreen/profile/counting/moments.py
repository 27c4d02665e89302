"""Exact sums by any number of threads and shards: fixed point, in a frame that the layout freezes."""

import math
from dataclasses import dataclass
from fractions import Fraction

from evergreen.profile.model import Numbers, Sums

# Fixed-point bits of the sums: |y| ≤ 2 and y² ≤ 4 below, and a BIGINT has 63 bits.
BITS = 60
# The frame is chosen from a sample; so many bits of room are left for values that are larger than all of it.
_ROOM_BITS = 8
_LARGEST = 1.9


@dataclass(frozen=True)
class Scale:
    """The fixed-point frame of a column's sums: y = x·`factor` − `centre`, with `factor` a power of two.

    Sums of integers do not depend on the order in which threads add them up, sums of doubles do: this is what
    makes a profile the same bytes every time, and a mean right to its last bits. Profiles in one frame merge
    without any rounding.
    """

    factor: float
    centre: float

    @staticmethod
    def of(minimum: float, maximum: float, middle: float, room: int = _ROOM_BITS) -> "Scale":
        """The frame for values up to 2^`room` times as far from `middle` as `minimum` and `maximum` are."""
        middle = min(max(middle, minimum), maximum)
        far = max(middle / 2 - minimum / 2, maximum / 2 - middle / 2) * 2
        size = far if math.isfinite(far) else max(abs(minimum), abs(maximum))
        exponent = math.frexp(size or abs(middle))[1] + room
        factor = math.ldexp(1.0, -min(1040, max(-1000, exponent)))
        return Scale(factor, middle * factor)

    @staticmethod
    def like(numbers: Numbers) -> "Scale | None":
        """The frame of a reference; None where it had no values."""
        if numbers.sums:
            return Scale(numbers.sums.factor, numbers.sums.centre)
        if numbers.minimum is None or numbers.maximum is None:
            return None
        low, high = float(numbers.minimum), float(numbers.maximum)
        return Scale.of(low, high, low / 2 + high / 2)

    def holds(self, minimum: float, maximum: float) -> bool:
        """Whether values from `minimum` to `maximum` can be summed in this frame."""
        return all(abs(float(x) * self.factor - self.centre) <= _LARGEST for x in (minimum, maximum))

    def sums(self, total: int, squares: int) -> Sums:
        """The sums as a profile keeps them: JSON has no integers past 64 bits."""
        return Sums(self.factor, self.centre, str(total), str(squares))


def sum_outputs(y: str) -> dict[str, str]:
    """The aggregates of `y`; a value outside the frame is left out, which its extremes tell afterwards."""
    one = f"{float(2**BITS)!r}::DOUBLE"
    return {
        "sum": f"sum(TRY_CAST({y} * {one} AS BIGINT))",
        "squares": f"sum(TRY_CAST({y} * {y} * {one} AS BIGINT))",
    }


def framed(double: str, scale: Scale) -> str:
    """SQL for y of a value."""
    return f"{double} * {scale.factor!r}::DOUBLE - {scale.centre!r}::DOUBLE"


def moments(count: int, sums: Sums) -> tuple[float | None, float | None]:
    """The mean and the sum of squared deviations of `count` values: M2 = Σy² − (Σy)²/n, in exact arithmetic.

    None for no values, or past the range of a double.
    """
    if not count:
        return None, None
    first, second = Fraction(int(sums.first), 2**BITS), Fraction(int(sums.second), 2**BITS)
    factor = Fraction(sums.factor)
    mean = (first / count + Fraction(sums.centre)) / factor
    m2 = max(second - first * first / count, Fraction(0)) / factor**2
    return _double(mean), _double(m2)


def merged_sums(a: Numbers, b: Numbers) -> Sums | None:
    """The sums of both; those of different frames come into the coarser one. None where any is not known."""
    if not a.sums or not b.sums:
        if a.count and b.count:
            return None
        return a.sums if a.count else b.sums
    frame = min(a.sums, b.sums, key=lambda s: (s.factor, s.centre))
    (first, second), (more, and_more) = _into(frame, a.sums, a.count), _into(frame, b.sums, b.count)
    return Sums(frame.factor, frame.centre, str(first + more), str(second + and_more))


def _into(frame: Sums, own: Sums, count: int) -> tuple[int, int]:
    """Σy and Σy² of the same values in another frame, rounded once: y' = (y + c)·f'/f − c'."""
    if (own.factor, own.centre) == (frame.factor, frame.centre):
        return int(own.first), int(own.second)
    ratio = Fraction(frame.factor) / Fraction(own.factor)
    shift = Fraction(own.centre) * ratio - Fraction(frame.centre)
    first, second = Fraction(int(own.first)) * ratio, Fraction(int(own.second)) * ratio**2
    moved = count * 2**BITS
    return round(first + moved * shift), round(second + 2 * shift * first + moved * shift**2)


def _double(value: Fraction) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None
