"""What chance alone explains when two tables are samples of one world: exact tests on counts.

All of them ask how a pooled number of rows fell on the two tables, given the rows of each. That needs no
model of the values, so it holds for heavy tails and for rare categories. Each kind of check has a budget, the
chance that a run without any change gets a finding of that kind; it is shared by the tests of that kind
(Bonferroni), and all budgets together stay below one run in a hundred.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom, chi2

# The chance of a false finding in a run, by kind of check.
BUDGET = {
    "domain": 1.5e-3,
    "drift": 1e-3,
    "extremes": 7e-4,
    "values": 7e-4,
    "writing": 7e-4,
    "association": 7e-4,
    "missing": 4e-4,
    "slices": 4e-4,
    "clock": 4e-4,
    "gap": 1e-4,
    "repeated": 2e-4,
    "constant": 1e-4,
    "twins": 1.5e-3,
}
# Smaller changes of a share are left alone however many rows show them; 0 % to 0.2 %, 50 % to 54 %.
EFFECT = 0.085


def level(kind: str, tests: int) -> float:
    """The level of each of so many tests of a kind."""
    return BUDGET[kind] / max(1, tests)


def split_probability(now: ArrayLike, before: ArrayLike, m: float, n: float) -> NDArray[np.float64]:
    """Two-sided probability that of `now` + `before` pooled rows so many, or so few, fell on this table.

    Each pooled row falls on the current table with probability m / (n + m): the binomial form of Fisher's
    exact test ("The logic of inductive inference", 1935), a little wider than the exact hypergeometric.

    Args:
        now: Rows of the current table that have a property.
        before: Rows of the baseline that have it.
        m: Rows of the current table.
        n: Rows of the baseline.
    """
    k = np.asarray(now, dtype=np.float64)
    pooled = k + np.asarray(before, dtype=np.float64)
    share = m / (n + m)
    below, above = binom.cdf(k, pooled, share), binom.sf(k - 1, pooled, share)
    return np.minimum(1.0, 2 * np.minimum(below, above))


def unseen_rows(m: float, n: float, chance: float) -> int:
    """The fewest rows that, all in the current table and none in the baseline, are no chance.

    The k most extreme of n + m exchangeable rows all lie in one table of m rows with a probability of at most
    (m / (n + m))^k: the distribution of exceedances, Gumbel and von Schelling, "The distribution of the
    number of exceedances", Annals of Mathematical Statistics 21, 1950.

    Args:
        m: Rows of the current table.
        n: Rows of the baseline; 0 gives 1.
        chance: What counts as no chance.
    """
    if n <= 0 or m <= 0:
        return 1
    return max(1, math.ceil(math.log(chance) / math.log(m / (n + m))))


def effect(p: ArrayLike, q: ArrayLike) -> NDArray[np.float64]:
    """Cohen's h, 2·|asin√p − asin√q|, the size of a change of a share: Cohen, "Statistical power analysis",
    1988, chapter 6."""
    a, b = np.clip(np.asarray(p, dtype=np.float64), 0, 1), np.clip(np.asarray(q, dtype=np.float64), 0, 1)
    return np.asarray(2 * np.abs(np.arcsin(np.sqrt(a)) - np.arcsin(np.sqrt(b))))


def homogeneity(before: ArrayLike, now: ArrayLike) -> float:
    """Probability of two rows of counts as different as these: Pearson's χ² of homogeneity, 1900.

    Bins are taken together, the rarest first, until each expects at least 5 rows in either table (Cochran,
    "Some methods for strengthening the common χ² tests", 1954); 1 where fewer than two bins are left.
    """
    a, b = np.asarray(before, dtype=np.float64), np.asarray(now, dtype=np.float64)
    n, m = a.sum(), b.sum()
    if not n or not m:
        return 1.0
    order = np.argsort(-(a + b), kind="stable")
    a, b = a[order], b[order]
    enough = (a + b) * min(n, m) / (n + m) >= 5
    kept = int(enough.sum())
    a = np.concatenate([a[:kept], [a[kept:].sum()]])
    b = np.concatenate([b[:kept], [b[kept:].sum()]])
    if (a[-1] + b[-1]) * min(n, m) / (n + m) < 5:
        if len(a) > 1:
            a[-2], b[-2] = a[-2] + a[-1], b[-2] + b[-1]
        a, b = a[:-1], b[:-1]
    if len(a) < 2:
        return 1.0
    expected_a, expected_b = (a + b) * n / (n + m), (a + b) * m / (n + m)
    statistic = np.sum((a - expected_a) ** 2 / expected_a + (b - expected_b) ** 2 / expected_b)
    return float(chi2.sf(statistic, len(a) - 1))
