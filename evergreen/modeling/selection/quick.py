"""A quick model for looking at features: small histogram boosting on one core, scored row by row out of fold.

Losses have one unit a task: bits for classes (log loss, base 2), shares of the label's variance for numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from evergreen.modeling.tuning.folds import Fold

_TREES = 80
_FEWEST = 12
_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Problem:
    """What is learned: the label of each row, the number of classes (0 for a number), the seed."""

    label: np.ndarray
    classes: int
    seed: int

    def scale(self) -> float:
        """What a squared error is divided by: the label's variance."""
        return float(np.var(self.label)) or 1.0


@dataclass(frozen=True)
class Fitted:
    """A fitted model and the columns that some tree of it looks at."""

    model: HistGradientBoostingClassifier | HistGradientBoostingRegressor
    used: np.ndarray

    def outputs(self, values: np.ndarray, classes: int) -> np.ndarray:
        """[rows, classes] probabilities, or [rows] numbers."""
        if not classes:
            return np.asarray(self.model.predict(values))
        found = np.full((len(values), classes), _LEAST_PROBABILITY)
        found[:, self.model.classes_] = self.model.predict_proba(values)
        return found / found.sum(axis=1, keepdims=True)


def fit(problem: Problem, values: np.ndarray, rows: np.ndarray, seed: int) -> Fitted:
    """Fit to some rows of a matrix [rows, features]."""
    few = len(rows) < 10_000
    per_round = problem.classes if problem.classes > 2 else 1
    rounds = max(_FEWEST, _TREES // per_round)
    settings = {
        "max_iter": rounds,
        "learning_rate": 0.1 if rounds >= 40 else 0.25,
        "max_leaf_nodes": 8 if few else 15,
        "min_samples_leaf": max(3, min(20, len(rows) // 20)),
        "l2_regularization": 1.0,
        "max_features": 0.5,
        "max_bins": 128,
        "early_stopping": False,
        "random_state": seed,
    }
    maker = HistGradientBoostingClassifier if problem.classes else HistGradientBoostingRegressor
    with threadpool_limits(limits=1):
        model = maker(**settings).fit(values[rows], problem.label[rows])
    return Fitted(model, _used(model))


def _used(model: HistGradientBoostingClassifier | HistGradientBoostingRegressor) -> np.ndarray:
    """A column that no tree splits on cannot matter: it needs no permutation."""
    splits = [tree.nodes for stage in model._predictors for tree in stage]
    places = [nodes["feature_idx"][nodes["is_leaf"] == 0] for nodes in splits]
    return np.unique(np.concatenate(places)).astype(int) if places else np.empty(0, dtype=int)


def losses(problem: Problem, outputs: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The loss of each row, [rows]."""
    label = problem.label[rows]
    if problem.classes:
        chosen = outputs[np.arange(len(rows)), label]
        return -np.log2(np.maximum(chosen, _LEAST_PROBABILITY))
    return (outputs - label) ** 2 / problem.scale()


def out_of_fold(
    problem: Problem, values: np.ndarray, repeats: Sequence[Sequence[Fold]]
) -> tuple[np.ndarray, np.ndarray]:
    """Fit and score every fold of every repeat.

    Returns:
        [rows] the mean loss of each row over the repeats, NaN for a row that no fold scores; and the outputs
        of the first repeat, NaN there too.
    """
    count = len(problem.label)
    total, seen = np.zeros(count), np.zeros(count)
    first = np.full((count, problem.classes) if problem.classes else count, np.nan)
    for repeat, folds in enumerate(repeats):
        for k, fold in enumerate(folds):
            fitted = fit(problem, values, fold.fit, problem.seed + 1000 * repeat + k)
            outputs = fitted.outputs(values[fold.score], problem.classes)
            total[fold.score] += losses(problem, outputs, fold.score)
            seen[fold.score] += 1
            if repeat == 0:
                first[fold.score] = outputs
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(seen > 0, total / seen, np.nan), first


def prior_losses(problem: Problem, folds: Sequence[Fold]) -> np.ndarray:
    """The loss of each row when nothing but the label's distribution in the fold is known."""
    found = np.full(len(problem.label), np.nan)
    for fold in folds:
        known = problem.label[fold.fit]
        if problem.classes:
            shares = (np.bincount(known, minlength=problem.classes) + 0.5) / (
                len(known) + 0.5 * problem.classes
            )
            outputs = np.tile(shares, (len(fold.score), 1))
        else:
            outputs = np.full(len(fold.score), known.mean())
        found[fold.score] = losses(problem, outputs, fold.score)
    return found
