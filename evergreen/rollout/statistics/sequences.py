"""Intervals of means that stay valid however often they are looked at."""

from math import inf, log, sqrt

TYPICAL = 4000
"""The number of users, both arms together, at which intervals are at their narrowest. A constant: it must not
depend on what was seen."""


def multiplier(n: float, alpha: float, typical: float = TYPICAL) -> float:
    """How many standard errors an interval reaches to either side, so that it holds at all times together.

    The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform
    central limit theory and asymptotic confidence sequences", arXiv 2103.06476, eq. 9: half-width
    √(s²·2(nρ²+1)/(n²ρ²)·ln(√(nρ²+1)/α)) with s² = n·SE², so √(2(nρ²+1)/(nρ²)·ln(√(nρ²+1)/α)) standard
    errors; ρ² = (−2lnα + ln(1 − 2lnα))/n* is close to the best at n*.

    Args:
        n: Users that the standard error is from; infinity for none.
        alpha: The chance that it ever leaves out the truth, in the limit.
        typical: n*.
    """
    if not n > 0:
        return inf
    rho = (-2 * log(alpha) + log(1 - 2 * log(alpha))) / typical
    grown = n * rho + 1
    return sqrt(2 * grown / (n * rho) * (0.5 * log(grown) - log(alpha)))


def paired_mean(total: float, squares: float, n: int, alpha: float) -> tuple[float, float, float] | None:
    """Mean of a difference and its anytime-valid interval, from sums; None with fewer than two pairs.

    Args:
        total: Sum of the differences.
        squares: Sum of their squares.
        n: Pairs.
        alpha: As above.
    """
    if n < 2:
        return None
    mean = total / n
    error = sqrt(max(0.0, squares / n - mean * mean) / (n - 1))
    half = multiplier(n, alpha) * error
    return mean, mean - half, mean + half
