"""Where a function of one number crosses zero."""

from collections.abc import Callable


def crossing(f: Callable[[float], float], begin: float, end: float) -> float | None:
    """Where `f` changes its sign between two points, by bisection to 1e-12; None where it does not.

    Args:
        f: Continuous, with one change of sign between them.
        begin: One end.
        end: The other; either may be the greater.
    """
    first, last = f(begin), f(end)
    if first == 0:
        return begin
    if (first > 0) == (last > 0):
        return None
    for _ in range(200):
        middle = (begin + end) / 2
        if abs(end - begin) <= 1e-12 * max(1.0, abs(middle)):
            break
        if (f(middle) > 0) == (first > 0):
            begin = middle
        else:
            end = middle
    return (begin + end) / 2
