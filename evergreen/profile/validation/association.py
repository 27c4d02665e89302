"""Which columns no longer go together as they did: a shuffled column, a shifted row, a swapped pair."""

from collections import Counter
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from evergreen.profile.traits.model import Coding, Traits
from evergreen.profile.validation.chance import level

# Changes of a correlation below this are left alone however many rows show them.
_CHANGE = 0.08
# A code must have so many rows in either table, or its correlations are chance.
_ROWS = 25


@dataclass(frozen=True)
class Loosened:
    """A column whose relation to others changed.

    Attributes:
        column: Its name.
        others: The columns it no longer goes with as it did, the most changed first.
        before: The most changed correlation (φ of two codes) in the baseline.
        now: The same in the table.
    """

    column: str
    others: tuple[str, ...]
    before: float
    now: float


def loosened(baseline: Traits, current: Traits, moved: frozenset[str]) -> list[Loosened]:
    """Columns whose correlation with another changed by more than chance, each with the others.

    Compared are the correlations of the one-hot codes of all pairs of columns. The variance of a correlation
    is that of its influence function, z₁z₂ − ρ(z₁² + z₂²)/2 (Devlin, Gnanadesikan, Kettenring, "Robust
    estimation and outlier detection with correlation coefficients", Biometrika 62, 1975).

    Args:
        baseline: Of the reference.
        current: Observed with its codes.
        moved: Columns whose own distribution moved: that changes what they go with, and is told already.
    """
    codes, before, now = _common(baseline, current)
    if len(codes) < 2:
        return []
    owner = np.repeat(np.arange(len(codes)), [c.size for c in codes])
    names = [c.column for c in codes]
    found = _changed(before, now, baseline.rows, current.rows, owner, names)
    for pair, change in _reordered(codes, before, now).items():
        known = found.get(pair)
        if known is None or abs(change[1] - change[0]) > abs(known[1] - known[0]):
            found[pair] = change
    edges = {pair: change for pair, change in found.items() if not set(pair) & moved}
    result = []
    while edges:
        degree = Counter(name for pair in edges for name in pair)
        strength = {n: sum(abs(b - a) for pair, (a, b) in edges.items() if n in pair) for n in degree}
        worst = max(degree, key=lambda n: (degree[n], strength[n], n))
        own = sorted(
            ((pair, ab) for pair, ab in edges.items() if worst in pair), key=lambda e: -abs(e[1][1] - e[1][0])
        )
        others = tuple(next(n for n in pair if n != worst) for pair, _ in own)
        result.append(Loosened(worst, others, *own[0][1]))
        edges = {pair: ab for pair, ab in edges.items() if worst not in pair}
    return result


def _common(
    baseline: Traits, current: Traits
) -> tuple[list[Coding], NDArray[np.float64], NDArray[np.float64]]:
    kept = [c for c in baseline.codings if c in current.codings]
    matrices = []
    for traits in (baseline, current):
        starts = dict(zip(traits.codings, np.cumsum([0, *(c.size for c in traits.codings)]), strict=False))
        picked = [int(starts[c]) + i for c in kept for i in range(c.size)]
        matrices.append(traits.matrix()[np.ix_(picked, picked)])
    return kept, matrices[0], matrices[1]


def _changed(
    before: NDArray[np.float64], now: NDArray[np.float64], n: int, m: int, owner: NDArray[np.int64],
    names: list[str],
) -> dict[tuple[str, str], tuple[float, float]]:  # fmt: skip
    """For every pair of columns with a real change: its most changed correlation, before and now."""
    first, second = _correlated(before, n), _correlated(now, m)
    # As in a score test, the variance under "nothing changed" counts too: where a small table leaves a cell
    # empty by chance, its own is far too small.
    pooled = _correlated(before + now, n + m)[1] * (1 / n + 1 / m)
    variance = np.maximum(first[1] / n + second[1] / m, pooled)
    often = (np.diag(before) >= _ROWS) & (np.diag(now) >= _ROWS)
    often &= (n - np.diag(before) >= _ROWS) & (m - np.diag(now) >= _ROWS)
    column = np.array([names.index(names[i]) for i in range(len(names))])[owner]
    usable = np.triu(np.outer(often, often), 1) & (column[:, None] != column[None, :])
    tests = int(usable.sum())
    if not tests:
        return {}
    change = second[0] - first[0]
    limit = norm.isf(level("association", 2 * tests) / 2)
    real = usable & (np.abs(change) > limit * np.sqrt(variance)) & (np.abs(change) > _CHANGE)
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for i, j in zip(*np.nonzero(real), strict=True):
        pair = tuple(sorted((names[owner[i]], names[owner[j]])))
        known = found.get(pair)
        if known is None or abs(change[i, j]) > abs(known[1] - known[0]):
            found[pair] = (float(first[0][i, j]), float(second[0][i, j]))
    return found


def _reordered(
    codes: list[Coding], before: NDArray[np.float64], now: NDArray[np.float64]
) -> dict[tuple[str, str], tuple[float, float]]:
    """Pairs of ordered codes whose rank correlation changed: fewer tests than cells, so less change shows."""
    starts = np.cumsum([0, *(c.size for c in codes)])
    ordered = [i for i, c in enumerate(codes) if c.edges or c.size == 2]
    pairs = [(i, j) for i, j in combinations(ordered, 2) if codes[i].column != codes[j].column]
    limit = norm.isf(level("association", 2 * len(pairs)) / 2)
    found = {}
    for i, j in pairs:
        block = np.s_[starts[i] : starts[i + 1], starts[j] : starts[j + 1]]
        first, second, both = (_ranked(t) for t in (before[block], now[block], before[block] + now[block]))
        if first is None or second is None or both is None:
            continue
        n, m = before[block].sum(), now[block].sum()
        variance = max(first[1] + second[1], both[1] * (n + m) * (1 / n + 1 / m))
        change, error = second[0] - first[0], np.sqrt(variance)
        if abs(change) > _CHANGE and abs(change) > limit * error:
            a, b = sorted((codes[i].column, codes[j].column))
            found[a, b] = (first[0], second[0])
    return found


def _ranked(table: NDArray[np.float64]) -> tuple[float, float] | None:
    """The correlation of the mid-ranks in a table of counts, and its variance; None for too few rows."""
    rows = table.sum()
    if rows < 2 * _ROWS:
        return None
    scores = []
    for side in (table.sum(1), table.sum(0)):
        middle = (np.cumsum(side) - side / 2) / rows
        spread = np.sqrt(np.sum(side / rows * (middle - 0.5) ** 2))
        if spread < 1e-6:
            return None
        scores.append((middle - 0.5) / spread)
    a, b = scores[0][:, None], scores[1][None, :]
    share = table / rows
    correlation = float(np.sum(share * a * b))
    influence = a * b - correlation * (a**2 + b**2) / 2
    return correlation, float(np.sum(share * influence**2) + 1 / rows) / rows


def _correlated(counts: NDArray[np.float64], rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The correlation of every pair of codes, and the variance of its influence function.

    Both from the four cells of each pair, with half a row added to every cell, so that empty cells do not
    make a correlation look certain.
    """
    single = np.diag(counts)
    cells = {
        (1, 1): counts + 0.5,
        (1, 0): single[:, None] - counts + 0.5,
        (0, 1): single[None, :] - counts + 0.5,
        (0, 0): rows - single[:, None] - single[None, :] + counts + 0.5,
    }
    total = rows + 2.0
    a = (cells[1, 1] + cells[1, 0]) / total
    b = (cells[1, 1] + cells[0, 1]) / total
    spread_a, spread_b = np.sqrt(a * (1 - a)), np.sqrt(b * (1 - b))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = (cells[1, 1] / total - a * b) / (spread_a * spread_b)
        variance = np.zeros_like(counts)
        for (x, y), cell in cells.items():
            za, zb = (x - a) / spread_a, (y - b) / spread_b
            variance += cell / total * (za * zb - correlation * (za**2 + zb**2) / 2) ** 2
    return np.nan_to_num(correlation), np.nan_to_num(variance, nan=np.inf)
