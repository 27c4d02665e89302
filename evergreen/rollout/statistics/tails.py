"""Logarithms of tails that underflow as probabilities: of the beta and of the gamma distribution.

A product of evidence over steps may pass far below the smallest float and come back, so no factor of it may
become zero.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincc, betaln, gammaincc, gammaln

_SMALL = 1e-280
_TERMS = 20_000
Floats = NDArray[np.float64]


def log_beta_above(a: ArrayLike, b: ArrayLike, q: ArrayLike) -> Floats:
    """ln Pr[Beta(a, b) > q], finite however far out q lies.

    Below 1e-280 the continued fraction of the incomplete beta function, DLMF 8.17.22, with its factor
    x^a(1−x)^b/(a·B(a, b)) in logarithms; it converges fast exactly there.

    Args:
        a: Above 0; up to 1e9 and more.
        b: Above 0.
        q: Between 0 and 1, both excluded.
    """
    a, b, q = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (a, b, q)))
    tail = np.asarray(betaincc(a, b, q))
    small = tail < _SMALL
    result = np.array(np.log(np.where(small, 1.0, tail)))
    if small.any():
        # Pr[Beta(a, b) > q] is the regularised function at 1 − q with a and b exchanged.
        s, t, x = b[small], a[small], 1 - q[small]
        front = s * np.log(x) + t * np.log(q[small]) - np.log(s) - betaln(s, t)
        result[small] = front - np.log(_beta_fraction(s, t, x))
    return result


def log_gamma_above(shape: ArrayLike, x: ArrayLike) -> Floats:
    """ln Pr[Gamma(shape, 1) > x], finite however far out x lies.

    Below 1e-280 Legendre's continued fraction of the incomplete gamma function, DLMF 8.9.2.
    """
    shape, x = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (shape, x)))
    tail = np.asarray(gammaincc(shape, x))
    small = tail < _SMALL
    result = np.array(np.log(np.where(small, 1.0, tail)))
    if small.any():
        s, at = shape[small], x[small]
        result[small] = s * np.log(at) - at - gammaln(s) - np.log(_gamma_fraction(s, at))
    return result


def _beta_fraction(a: Floats, b: Floats, x: Floats) -> Floats:
    """1 + d1/(1 + d2/(1 + ...)) of DLMF 8.17.22 by the modified method of Lentz."""

    def term(j: int) -> tuple[Floats, Floats]:
        m = j // 2
        if j % 2 == 0:
            d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        return d, np.ones_like(x)

    return _lentz(np.ones_like(x), term)


def _gamma_fraction(shape: Floats, x: Floats) -> Floats:
    """x + 1 − s − 1·(1 − s)/(x + 3 − s − ...), the even part of DLMF 8.9.2."""

    def term(j: int) -> tuple[Floats, Floats]:
        return -j * (j - shape), x + 2 * j + 1 - shape

    return _lentz(x + 1 - shape, term)


def _lentz(first: Floats, term: Callable[[int], tuple[Floats, Floats]]) -> Floats:
    """first + a1/(b1 + a2/(b2 + ...)): Lentz, "Generating Bessel functions in Mie scattering calculations
    using continued fractions", Applied Optics 15, 1976, as modified by Thompson and Barnett, 1986."""
    tiny = 1e-300
    value = np.where(first == 0, tiny, first)
    c, d = value.copy(), np.zeros_like(value)
    for j in range(1, _TERMS):
        top, bottom = term(j)
        d = bottom + top * d
        d = 1 / np.where(d == 0, tiny, d)
        c = bottom + top / c
        c = np.where(c == 0, tiny, c)
        step = c * d
        value = value * step
        if np.all(np.abs(step - 1) < 1e-14):
            break
    return value
