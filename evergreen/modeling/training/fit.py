"""Fit a pipeline the same way everywhere, and predict what the bundle would."""

import warnings
from typing import Any

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from evergreen.bundle.signature import Prediction
from evergreen.errors import InputError
from evergreen.modeling.cores import available_cores
from evergreen.modeling.matrix import Matrix
from evergreen.modeling.task import Target
from evergreen.modeling.training.ties import settle

_PARALLEL = ("sklearn.ensemble._forest",)
_MANY = 20_000


def fit(pipeline: Pipeline, matrix: Matrix, threads: int | None = None) -> list[str]:
    """Fit a pipeline in place; the result does not depend on the number of cores, nor on the engine (`ties`).

    BLAS runs on one thread, because its sums depend on how many there are. Forests and histogram boosting use
    `threads`, their results do not; but one thread for few rows, where threads wait for each other longer
    than they work.

    Returns:
        What scikit-learn warned about, each sentence once.

    Raises:
        InputError: when the estimator or a transformer cannot take the data.
    """
    cores = available_cores(threads) if matrix.rows >= _MANY else 1
    wanted = _parallel_parameters(pipeline)
    pipeline.set_params(**dict.fromkeys(wanted, cores))
    limits = threadpool_limits(limits={"blas": 1, "openmp": cores})
    with warnings.catch_warnings(record=True) as caught, limits:
        warnings.simplefilter("always")
        try:
            pipeline.fit(matrix.table, matrix.target)
        except Exception as error:  # scikit-learn raises anything; the choice of estimator is the user's
            raise InputError(
                "model",
                f"{type(pipeline[-1]).__name__} cannot be fitted to these rows: {_first_line(error)}",
                remedy="Change the estimator, its parameters or the transform.",
            ) from error
        finally:
            pipeline.set_params(**dict.fromkeys(wanted))
    settle(pipeline)
    kept = [str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning | RuntimeWarning)]
    return sorted({" ".join(text.split())[:300] for text in kept})


def _parallel_parameters(pipeline: Pipeline) -> list[str]:
    """The `n_jobs` that the project left open, of estimators whose result does not depend on it."""
    owners = {"": pipeline, **{k: v for k, v in pipeline.get_params().items() if hasattr(v, "get_params")}}
    return [
        f"{path}__n_jobs"
        for path, owner in owners.items()
        if type(owner).__module__.startswith(_PARALLEL) and owner.n_jobs is None
    ]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")


def predict(pipeline: Pipeline, table: Any, target: Target) -> Prediction:
    """Predict with a fitted pipeline; probabilities have a column for every class of the target.

    Returns:
        Numbers, or places in `target.classes`.
    """
    with sklearn.config_context(assume_finite=False), threadpool_limits(limits=1, user_api="blas"):
        if target.classes is None:
            return Prediction(np.asarray(pipeline.predict(table), dtype=np.float64).ravel())
        if not hasattr(pipeline, "predict_proba"):
            return Prediction(np.asarray(pipeline.predict(table)))
        known = pipeline.predict_proba(table)
    probabilities = np.zeros((len(known), len(target.classes)))
    probabilities[:, np.asarray(pipeline.classes_, dtype=np.intp)] = known
    return Prediction(probabilities.argmax(axis=1), probabilities)
