"""How much a model leans on each feature, against shuffled copies of the features themselves.

Every fold of every repeat fits a quick model to the features and as many shuffled copies (the shadow
features of Boruta: Kursa and Rudnicki 2010), and permutes one column at a time in the rows held back
(Breiman 2001; Altmann et al. 2010 compare with a null in this way). A feature has a hit where its loss grows
by more than that of the best shadow. Too few hits for a fair coin say that it is of no use.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from evergreen.modeling.selection.intervals import over_folds
from evergreen.modeling.selection.quick import Fitted, Problem, fit, losses
from evergreen.modeling.tuning.folds import Fold

_ALPHA = 0.05
_LEAST_SHADOWS, _MOST_SHADOWS = 10, 60
_CHUNK_ROWS = 20_000


@dataclass(frozen=True)
class Importance:
    """Of a feature, or of a group of features permuted together.

    Attributes:
        mean: By how much the loss grows without it, on rows held back.
        low: Lower bound of `mean` (95 %).
        high: Upper bound of `mean`.
        hits: In how many fits it beat every shuffled copy.
        rounds: How many fits there were.
    """

    mean: float
    low: float
    high: float
    hits: int
    rounds: int

    @property
    def useless(self) -> bool:
        """Whether it beat the shuffled copies less often than a coin would (binomial test, 5 %)."""
        return float(stats.binom.cdf(self.hits, self.rounds, 0.5)) <= _ALPHA

    @property
    def useful(self) -> bool:
        """Whether it beat them more often than a coin would."""
        return float(stats.binom.sf(self.hits - 1, self.rounds, 0.5)) <= _ALPHA


@dataclass(frozen=True)
class Importances:
    """Of every feature and of every unit.

    Attributes:
        features: One a feature.
        units: One a unit, its features permuted together.
        control: The best shuffled copy: mean over the fits, and its interval.
    """

    features: tuple[Importance, ...]
    units: tuple[Importance, ...]
    control: tuple[float, float, float]


def importances(
    problem: Problem,
    values: np.ndarray,
    units: Sequence[Sequence[int]],
    repeats: Sequence[Sequence[Fold]],
) -> Importances:
    """Permutation importance of every column and unit of [rows, features] out of fold.

    Args:
        problem: Label, classes, seed.
        values: The matrix.
        units: Places of features that stand or fall together; every feature is in exactly one.
        repeats: The folds.
    """
    wide = values.shape[1]
    joint = [u for u in units if len(u) > 1]
    own: list[np.ndarray] = []
    together: list[np.ndarray] = []
    best_shadow: list[float] = []
    for repeat, folds in enumerate(repeats):
        rng = np.random.default_rng(problem.seed + 7919 * repeat)
        both = np.column_stack([values, _shadows(values, rng)])
        for k, fold in enumerate(folds):
            fitted = fit(problem, both, fold.fit, problem.seed + 1000 * repeat + k)
            grown = _grown(problem, fitted, both, fold.score, [[c] for c in range(both.shape[1])], rng)
            own.append(grown[:wide])
            best_shadow.append(max(0.0, float(grown[wide:].max())))
            together.append(_grown(problem, fitted, both, fold.score, joint, rng))
    test_share = _test_share(repeats)
    bars = np.array(best_shadow)
    features = tuple(_summary(np.array(own)[:, k], bars, test_share) for k in range(wide))
    joined = iter(_summary(np.array(together)[:, k], bars, test_share) for k in range(len(joint)))
    by_unit = tuple(features[u[0]] if len(u) == 1 else next(joined) for u in units)
    return Importances(features, by_unit, over_folds(best_shadow, test_share))


def _shadows(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffled copies of the columns, rows moved as a whole: at least 10, of a wide table 60 at random."""
    wide = values.shape[1]
    if wide > _MOST_SHADOWS:
        places = np.sort(rng.choice(wide, _MOST_SHADOWS, replace=False))
        return values[rng.permutation(len(values))][:, places]
    copies = -(-_LEAST_SHADOWS // wide)
    return np.column_stack([values[rng.permutation(len(values))] for _ in range(copies)])


def _grown(
    problem: Problem,
    fitted: Fitted,
    values: np.ndarray,
    rows: np.ndarray,
    units: Sequence[Sequence[int]],
    rng: np.random.Generator,
) -> np.ndarray:
    """By how much the mean loss of `rows` grows when each unit's columns are permuted, [units]."""
    held = values[rows]
    base = losses(problem, fitted.outputs(held, problem.classes), rows).mean()
    shuffled = held[rng.permutation(len(rows))]
    used = set(fitted.used.tolist())
    found = np.zeros(len(units))
    asked = [k for k, unit in enumerate(units) if not used.isdisjoint(unit)]
    side_by_side = max(1, _CHUNK_ROWS // len(rows))
    for start in range(0, len(asked), side_by_side):
        chunk = asked[start : start + side_by_side]
        stacked = np.tile(held, (len(chunk), 1))
        for i, k in enumerate(chunk):
            part = slice(i * len(rows), (i + 1) * len(rows))
            stacked[part, units[k]] = shuffled[:, units[k]]
        outputs = fitted.outputs(stacked, problem.classes)
        lost = losses(problem, outputs, np.tile(rows, len(chunk))).reshape(len(chunk), -1)
        found[chunk] = lost.mean(axis=1) - base
    return found


def _test_share(repeats: Sequence[Sequence[Fold]]) -> float:
    fold = repeats[0][-1]
    return len(fold.score) / (len(fold.score) + len(fold.fit))


def _summary(grown: np.ndarray, bars: np.ndarray, test_share: float) -> Importance:
    mean, low, high = over_folds(grown.tolist(), test_share)
    return Importance(mean, low, high, int((grown > bars).sum()), len(grown))
