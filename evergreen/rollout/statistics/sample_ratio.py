"""Whether users fell on the arms as they were meant to."""

from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln, logsumexp, xlogy

ALARM = 1000.0
"""Evidence from which a mismatch is certain: one false alarm in a thousand rollouts at most."""
_CONCENTRATIONS = (10.0, 100.0, 1000.0, 10000.0)


def log_e_mismatch(counts: Sequence[float], shares: Sequence[float]) -> float:
    """ln of the evidence that users fall on the arms in other shares; to be asked after every user.

    Sequential Dirichlet-multinomial test: Lindon and Malek, "Anytime-valid inference for multinomial count
    data", arXiv 2011.03567: B(α + n)/(B(α)·Πp^n) with α = k·p. The mean over several k (a mean of such
    evidence is one too) sees gross mismatches soon and small ones in time.

    Args:
        counts: First exposures by arm.
        shares: Expected, above 0, adding up to 1.
    """
    n, p = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    each = []
    for k in _CONCENTRATIONS:
        alpha = k * p
        gain = np.sum(gammaln(alpha + n) - gammaln(alpha)) - (gammaln(k + n.sum()) - gammaln(k))
        each.append(float(gain - np.sum(xlogy(n, p))))
    return float(logsumexp(each) - np.log(len(each)))
