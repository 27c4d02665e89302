"""How events cluster by user over all routers, though none of them knows whom the others have counted.

A router that counts a user once does not see that the user was counted elsewhere, or by itself before it lost
its disk. So each keeps a sketch of its counts beside them: every event adds its user's sign to its user's
place. Sketches add up exactly, and the sum of squares of the total is an unbiased estimate of the sum of
squares of the counts by user (Alon, Matias and Szegedy, "The space complexity of approximating the frequency
moments", 1996; with one place an event, Charikar, Chen and Farach-Colton, "Finding frequent items in data
streams", 2002). Its relative standard error is at most sqrt(2/WIDTH): 9 %.
"""

from collections.abc import Sequence

WIDTH = 256
Clusters = tuple[int, ...]
"""How many events, then WIDTH sums of signs."""


def begun() -> list[int]:
    """The sketch of no event."""
    return [0] * (1 + WIDTH)


def add(sketch: list[int], key: str) -> None:
    """Count an event of a user.

    Args:
        sketch: Changed.
        key: The user's key, at least 16 hexadecimal digits that are a hash.
    """
    drawn = int(key[:16], 16)
    sketch[0] += 1
    sketch[1 + drawn % WIDTH] += 1 if drawn // WIDTH % 2 else -1


def merged(a: Sequence[int], b: Sequence[int]) -> Clusters:
    """The sketch of the events of both."""
    return tuple(x + y for x, y in zip(a or begun(), b or begun(), strict=True))


def repeats(sketch: Sequence[int]) -> int:
    """About how much the sum of squares of the events by user is more than their number; may be below 0."""
    return sum(x * x for x in sketch[1:]) - sketch[0] if sketch else 0
