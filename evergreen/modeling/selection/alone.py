"""How well each feature foretells the label on its own, out of fold: what a leak does too well."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from evergreen.modeling.selection import intervals
from evergreen.modeling.selection.quick import Problem
from evergreen.modeling.tuning.folds import Fold

_LEAVES = {True: 16, False: 64}
_SMOOTHING = 2.0


@dataclass(frozen=True)
class Score:
    """ROC AUC of two classes, accuracy of several, R² of a number; with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """What is missing to 1."""
        return max(0.0, 1.0 - self.value)


def metric_of(classes: int) -> str:
    """The name of the metric that `score` gives."""
    return {0: "r2", 2: "roc_auc"}.get(classes, "accuracy")


def score(problem: Problem, outputs: np.ndarray, clusters: np.ndarray) -> Score:
    """Score out-of-fold outputs; rows without one (NaN) do not count."""
    scored = ~np.isnan(outputs if outputs.ndim == 1 else outputs[:, 0])
    label, found = problem.label[scored], outputs[scored]
    if problem.classes == 2:
        return Score(*intervals.auc(found[:, 1], label == 1))
    if problem.classes:
        return Score(*intervals.share(float((found.argmax(axis=1) == label).sum()), len(label)))
    variance = float(np.var(label)) or 1.0
    mean, low, high = intervals.clustered_mean((found - label) ** 2 / variance, clusters[scored])
    return Score(1 - mean, 1 - high, 1 - low)


def alone(
    problem: Problem, values: np.ndarray, categories: np.ndarray, folds: Sequence[Fold], clusters: np.ndarray
) -> list[Score]:
    """Score each column of [rows, features] as the only one a model sees.

    A number by a small tree (missing goes its own way), and of a numeric label also by a straight line; a
    category by the label's smoothed distribution for each value in the rows fitted on.
    """
    found = []
    for k in range(values.shape[1]):
        column = values[:, k]
        tries = [_by_value] if categories[k] else [_by_tree] if problem.classes else [_by_tree, _by_line]
        scores = [score(problem, _outputs(problem, column, folds, way), clusters) for way in tries]
        found.append(max(scores, key=lambda s: s.value))
    return found


def _outputs(problem: Problem, column: np.ndarray, folds: Sequence[Fold], way: "object") -> np.ndarray:
    count = len(column)
    outputs = np.full((count, problem.classes) if problem.classes else count, np.nan)
    for fold in folds:
        outputs[fold.score] = way(problem, column, fold)  # type: ignore[operator]
    return outputs


def _by_tree(problem: Problem, column: np.ndarray, fold: Fold) -> np.ndarray:
    settings = {
        "max_leaf_nodes": _LEAVES[bool(problem.classes)],
        "min_samples_leaf": max(3, min(50, len(fold.fit) // 100)),
        "random_state": problem.seed,
    }
    maker = DecisionTreeClassifier if problem.classes else DecisionTreeRegressor
    tree = maker(**settings).fit(column[fold.fit, None], problem.label[fold.fit])
    if not problem.classes:
        return np.asarray(tree.predict(column[fold.score, None]))
    found = np.zeros((len(fold.score), problem.classes))
    found[:, tree.classes_] = tree.predict_proba(column[fold.score, None])
    return found


def _by_line(problem: Problem, column: np.ndarray, fold: Fold) -> np.ndarray:
    x, y = column[fold.fit], problem.label[fold.fit]
    present = ~np.isnan(x)
    mean = float(y.mean())
    spread = float(x[present].var()) if present.any() else 0.0
    if spread <= 0:
        return np.full(len(fold.score), mean)
    centre = float(x[present].mean())
    slope = float(((x[present] - centre) * y[present]).mean()) / spread
    line = float(y[present].mean()) + slope * (column[fold.score] - centre)
    return np.where(np.isnan(line), mean, line)


def _by_value(problem: Problem, column: np.ndarray, fold: Fold) -> np.ndarray:
    places = np.unique(np.where(np.isnan(column), -1.0, column), return_inverse=True)[1]
    many, fit_places, known = int(places.max()) + 1, places[fold.fit], problem.label[fold.fit]
    counts = np.bincount(fit_places, minlength=many)
    if not problem.classes:
        sums = np.bincount(fit_places, weights=known, minlength=many)
        return ((sums + _SMOOTHING * known.mean()) / (counts + _SMOOTHING))[places[fold.score]]
    prior = np.bincount(known, minlength=problem.classes) / len(known)
    table = np.bincount(fit_places * problem.classes + known, minlength=many * problem.classes)
    smoothed = table.reshape(many, problem.classes) + _SMOOTHING * prior
    return (smoothed / (counts[:, None] + _SMOOTHING))[places[fold.score]]
