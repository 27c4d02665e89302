"""Quantiles of latency, from counts between fixed edges."""

from collections.abc import Sequence
from math import inf

from evergreen.rollout.evidence import LATENCY_EDGES


def quantile(counts: Sequence[int], share: float) -> float | None:
    """The latency that so many requests stay below, seconds; None for no requests.

    Straight between two edges, so that it is off by less than the width of its bin; infinite where it lies
    beyond the last edge.

    Args:
        counts: By latency, one more than `LATENCY_EDGES`.
        share: Above 0, at most 1.
    """
    total = sum(counts)
    if not total:
        return None
    wanted, seen, low = share * total, 0.0, 0.0
    for edge, count in zip(LATENCY_EDGES, counts, strict=False):
        if count and seen + count >= wanted:
            return low + (edge - low) * (wanted - seen) / count
        seen, low = seen + count, edge
    return inf
