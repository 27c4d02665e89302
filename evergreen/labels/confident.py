"""Out-of-fold class probabilities of every row, by quick models that see the row's label in no form."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from evergreen.modeling.columns import ColumnPlan
from evergreen.modeling.matrix import Matrix
from evergreen.modeling.task import Target
from evergreen.modeling.training.fit import fit, predict
from evergreen.modeling.training.pipeline import build_pipeline
from evergreen.project.model import Model

FOLDS = 5
_TREES = 100
_LINEAR = "sklearn.linear_model.LogisticRegression"
_CLASS_TREES = "sklearn.ensemble.ExtraTreesClassifier"
_REGRESSION_TREES = "sklearn.ensemble.ExtraTreesRegressor"
_RIDGE = "sklearn.linear_model.Ridge"


def out_of_fold(
    project_model: Model,
    plan: ColumnPlan,
    target: Target,
    matrix: Matrix,
    groups: np.ndarray,
    *,
    repeats: int,
    seed: int,
    threads: int | None = None,
) -> np.ndarray:
    """What models say about rows they were not fitted on, the mean of two models and `repeats` foldings.

    A linear model and randomised trees, since one draws straight lines and the other does not, and the mean
    of bagged or regularised models follows wrong labels less than boosting does (Frénay and Verleysen,
    "Classification in the presence of label noise: a survey", IEEE TNNLS 25, 2014, section III). The features
    are the project's own transforms.

    Args:
        project_model: The project's `model` section; its transform and its categories are used.
        plan: The columns.
        target: The task and its classes.
        matrix: The rows.
        groups: [rows]; rows of one group stand in one fold.
        repeats: Foldings to average over.
        seed: Of the folds and the trees.
        threads: At most so many.

    Returns:
        [rows, classes] probabilities, or [rows] numbers for a regression.
    """
    models = _models(project_model, target, matrix.rows, seed, max(_TREES // repeats, 40))
    total = np.zeros((matrix.rows, len(target.classes)) if target.classes is not None else matrix.rows)
    for repeat in range(repeats):
        numbers = folds(groups, matrix.target if target.classes is not None else None, seed + repeat)
        for k in range(int(numbers.max()) + 1):
            inside, outside = np.flatnonzero(numbers != k), np.flatnonzero(numbers == k)
            fitted = Matrix(matrix.table.iloc[inside], matrix.target[inside])
            for model in models:
                pipeline = build_pipeline(model, plan, target).pipeline
                fit(pipeline, fitted, threads)
                said = predict(pipeline, matrix.table.iloc[outside], target)
                total[outside] += said.values if said.probabilities is None else said.probabilities
    return total / (repeats * len(models))


def _models(model: Model, target: Target, rows: int, seed: int, trees: int) -> list[Model]:
    shared = {"transform": model.transform, "max_categories": model.max_categories, "seed": seed}
    leaf: dict[str, float | str] = {"min_samples_leaf": 3 if rows < 2_000 else 5}
    if target.classes is None:
        grown = {"n_estimators": trees, "max_features": 1.0 if rows < 2_000 else 0.33, **leaf}
        made = [(_RIDGE, {"alpha": 1.0}), (_REGRESSION_TREES, grown)]
    else:
        grown = {"n_estimators": trees, "max_features": 0.5 if rows < 2_000 else "sqrt", **leaf}
        made = [(_LINEAR, {"C": 0.3, "max_iter": 300}), (_CLASS_TREES, grown)]
    return [Model.model_validate({"estimator": path, "params": params, **shared}) for path, params in made]


def folds(groups: np.ndarray, labels: np.ndarray | None, seed: int, count: int = FOLDS) -> np.ndarray:
    """The fold of each row: groups dealt out in a seeded order, those of one class in turn.

    Args:
        groups: [rows]; equal numbers stay together.
        labels: [rows] class places; None does not stratify.
        seed: Of the order.
        count: Folds; fewer when there are fewer groups.
    """
    _, first, place = np.unique(groups, return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(first))
    if labels is not None:
        order = order[np.argsort(labels[first[order]], kind="stable")]
    numbers = np.empty(len(first), dtype=np.int64)
    numbers[order] = np.arange(len(first)) % min(count, len(first))
    return numbers[place.ravel()]


def together(keys: Sequence[np.ndarray]) -> np.ndarray:
    """Groups of rows that share any of several keys, directly or through others.

    Args:
        keys: [rows] each, such as an entity's hash and a hash of the features.
    """
    if len(keys) == 1:
        return np.unique(keys[0], return_inverse=True)[1].ravel()
    rows = len(keys[0])
    ends, offset = [], rows
    for key in keys:
        place = np.unique(key, return_inverse=True)[1].ravel()
        ends.append(place + offset)
        offset += int(place.max(initial=-1)) + 1
    links = np.concatenate(ends)
    graph = coo_matrix((np.ones(len(links)), (np.tile(np.arange(rows), len(keys)), links)), (offset, offset))
    return np.asarray(connected_components(graph, directed=False)[1][:rows])
