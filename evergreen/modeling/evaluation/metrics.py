"""The metrics: which fit a task, which way is better, and one number for one set of rows.

The formulas stand in `evaluate_classes`, `evaluate_numbers` and `evaluate_ranking`; each works for any
weights of the rows, which is what the bootstrap needs.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from evergreen.bundle.signature import Prediction, Task
from evergreen.errors import InputError
from evergreen.modeling.evaluation import classes, numbers, ranking
from evergreen.modeling.evaluation.sample import Formula, Sample, Undefined, Weights
from evergreen.modeling.task import Target
from evergreen.near import did_you_mean

_HIGHER = {
    "accuracy": True,
    "balanced_accuracy": True,
    "roc_auc": True,
    "average_precision": True,
    "f1": True,
    "precision": True,
    "recall": True,
    "r2": True,
    "ndcg": True,
    "log_loss": False,
    "brier": False,
    "calibration_error": False,
    "rmse": False,
    "mae": False,
    "median_absolute_error": False,
    "mape": False,
}
_CLASSES: Mapping[str, Callable[[Sample], Formula]] = {
    "accuracy": classes.accuracy,
    "balanced_accuracy": classes.balanced_accuracy,
    "f1": classes.f1,
    "precision": classes.precision,
    "recall": classes.recall,
    "log_loss": classes.log_loss,
    "brier": classes.brier,
    "calibration_error": classes.calibration_error,
    "roc_auc": classes.roc_auc,
    "average_precision": classes.average_precision,
}
_FORMULAS: Mapping[Task, Mapping[str, Callable[[Sample], Formula]]] = {
    "binary": {
        name: _CLASSES[name]
        for name in (
            "roc_auc", "average_precision", "log_loss", "brier", "accuracy", "f1", "precision", "recall",
            "calibration_error", "balanced_accuracy",
        )
    },
    "multiclass": {
        name: _CLASSES[name]
        for name in (
            "accuracy", "balanced_accuracy", "f1", "log_loss", "roc_auc", "brier", "precision", "recall",
            "calibration_error", "average_precision",
        )
    },
    "regression": {
        "rmse": numbers.rmse,
        "mae": numbers.mae,
        "median_absolute_error": numbers.median_absolute_error,
        "r2": numbers.r2,
        "mape": numbers.mape,
    },
    "ranking": {
        "ndcg": ranking.ndcg,
        "roc_auc": ranking.roc_auc,
        "average_precision": ranking.average_precision,
    },
}  # fmt: skip
_DEFAULTS: Mapping[Task, int] = {"binary": 9, "multiclass": 5, "regression": 4, "ranking": 3}


def default_metrics(task: Task) -> list[str]:
    """The metrics of a task, the leading one first."""
    return list(_FORMULAS[task])[: _DEFAULTS[task]]


def fitting_metrics(task: Task) -> list[str]:
    """Every metric that can be asked for in a task."""
    return list(_FORMULAS[task])


def higher_is_better(metric: str) -> bool:
    """Whether a greater value of the metric is better."""
    return _HIGHER[metric]


def chosen_metrics(task: Task, primary: str | None, wanted: Sequence[str]) -> tuple[str, list[str]]:
    """The leading metric, and all that are to be measured (it among them).

    Args:
        task: The task.
        primary: `evaluation.primary`, or None for the task's own.
        wanted: `evaluation.metrics`; empty for the task's own.

    Raises:
        InputError: naming a metric that does not fit the task.
    """
    fitting = fitting_metrics(task)
    for name in [*wanted, *([primary] if primary else [])]:
        if name not in fitting:
            hint = did_you_mean(name, fitting, "Change `evaluation` in the project file.", cutoff=0.5)
            raise InputError(
                "evaluation", f"the metric {name!r} for a {task} task", f"one of {', '.join(fitting)}", hint
            )
    metrics = list(dict.fromkeys(wanted)) or default_metrics(task)
    leading = primary or metrics[0]
    return leading, list(dict.fromkeys([leading, *metrics]))


def formula(metric: str, sample: Sample) -> Formula:
    """A metric over the rows of a sample, as a function of the rows' weights.

    Args:
        metric: One of `fitting_metrics(sample.target.task)`.
        sample: The rows.

    Returns:
        A function from weights [batch, rows] to values [batch]; NaN where weights leave it undefined.

    Raises:
        Undefined: saying why these rows have no such metric.
    """
    if not sample.rows:
        raise Undefined("no rows")
    return _FORMULAS[sample.target.task][metric](sample)


def value(metric: str, sample: Sample) -> float:
    """A metric over the rows of a sample, each counted once.

    Raises:
        Undefined: saying why these rows have no such metric.
    """
    ones: Weights = np.ones((1, sample.rows))
    result = float(formula(metric, sample)(ones)[0])
    if not np.isfinite(result):
        raise Undefined("it has no finite value on these rows")
    return result


def score(metric: str, target: Target, y: np.ndarray, prediction: Prediction) -> float:
    """One metric of one prediction; a ranking is scored as one group.

    Args:
        metric: One of `fitting_metrics(target.task)`.
        target: The task and its classes.
        y: [rows]; the label's place in `target.classes`, or the number.
        prediction: `values` [rows] are places in `target.classes`, or numbers.

    Raises:
        InputError: when the metric does not fit the task, or these rows have no such metric, with the reason.
    """
    chosen_metrics(target.task, metric, [metric])
    try:
        return value(metric, Sample(target, y, prediction.values, prediction.probabilities))
    except Undefined as undefined:
        raise InputError(f"metric {metric}", str(undefined), remedy="Choose another metric.") from None
