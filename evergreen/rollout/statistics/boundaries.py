"""Looks at an experiment: how far a z must be out at each, so that all looks together keep to alpha."""

from functools import lru_cache
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from evergreen.rollout.statistics.roots import crossing

_NODES, _MOST_NODES = 400, 1200
_FARTHEST = 8.5
"""Standard errors; a bound farther out spends less than rounding does."""


def spent(t: float, alpha: float) -> float:
    """What of alpha may be spent up to the information fraction t: 4[1 − Φ(z₁₋α/₄/√t)], two-sided.

    The spending function that gives bounds like O'Brien and Fleming's: Lan and DeMets, "Discrete sequential
    boundaries for clinical trials", Biometrika 70, 1983 (α₁*, for each side half of alpha).
    """
    if t <= 0:
        return 0.0
    return float(4 * ndtr(ndtri(alpha / 4) / sqrt(min(t, 1.0)))) if t < 1 else alpha


@lru_cache(maxsize=256)
def bounds(times: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    """The two-sided bound for |z| at each look, for looks at any times.

    Exact up to the integration: with the score S = z√t a sum of independent normal steps, its density inside
    the bounds goes from look to look by one integral (Armitage, McPherson and Rowe, "Repeated significance
    tests on accumulating data", JRSS A 132, 1969), here over Gauss-Legendre nodes; each bound is where the
    probability of first crossing it is what may be spent since the last look.

    Args:
        times: Information fractions, rising; 1 or more at the end, which spends all that is left.
        alpha: Two-sided, for all looks together.

    Returns:
        As many bounds; 8.5 where next to nothing may be spent.
    """
    found: list[float] = []
    nodes = mass = None
    used = 0.0
    for k, t in enumerate(times):
        step = t - (times[k - 1] if k else 0.0)
        budget = spent(t, alpha) - used
        bound = _bound(nodes, mass, t, step, budget)
        found.append(bound)
        used += _crossed(nodes, mass, t, step, bound)
        if k + 1 < len(times):
            nodes, mass = _moved(nodes, mass, t, step, bound, times[k + 1] - t)
    return tuple(found)


Array = NDArray[np.float64]


def _crossed(nodes: Array | None, mass: Array | None, t: float, step: float, bound: float) -> float:
    """Probability of being inside all earlier bounds and outside this one."""
    if nodes is None or mass is None:
        return float(2 * ndtr(-bound))
    edge = bound * sqrt(t)
    outside = ndtr((-edge - nodes) / sqrt(step)) + ndtr((nodes - edge) / sqrt(step))
    return float(np.dot(mass, outside))


def _bound(nodes: Array | None, mass: Array | None, t: float, step: float, budget: float) -> float:
    if budget <= 0 or _crossed(nodes, mass, t, step, _FARTHEST) >= budget:
        return _FARTHEST
    root = crossing(lambda bound: _crossed(nodes, mass, t, step, bound) - budget, _FARTHEST, 0.0)
    return root if root is not None else 0.0


def _moved(
    nodes: Array | None, mass: Array | None, t: float, step: float, bound: float, ahead: float
) -> tuple[Array, Array]:
    """Nodes inside the bound and the density there, times their weights; finer when the next look is near."""
    edge = bound * sqrt(t)
    finest = min(sqrt(ahead), sqrt(step))
    x, weights = _legendre(min(_MOST_NODES, max(_NODES, 50 * ceil(8 * edge / finest / 50))))
    at = edge * x
    if nodes is None or mass is None:
        density = np.exp(-at * at / (2 * t)) / sqrt(2 * np.pi * t)
    else:
        gap = at[:, None] - nodes[None, :]
        density = np.exp(-gap * gap / (2 * step)) @ mass / sqrt(2 * np.pi * step)
    return at, density * edge * weights


@lru_cache(maxsize=16)
def _legendre(n: int) -> tuple[Array, Array]:
    x, weights = np.polynomial.legendre.leggauss(n)
    return x, weights
