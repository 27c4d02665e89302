"""The pipeline that a project asks for: the transform and the estimator as one scikit-learn Pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline

from evergreen.errors import InputError
from evergreen.modeling.columns import ColumnPlan
from evergreen.modeling.task import Target
from evergreen.modeling.training.estimators import (
    make,
    public_path,
    refuse_name,
    require_kind,
    seeded,
    set_checked,
)
from evergreen.modeling.training.transforms import automatic, listed
from evergreen.project.model import Model

ESTIMATOR = "model"
SMALL_DATA = 10_000


@dataclass(frozen=True)
class Built:
    """An unfitted pipeline.

    Attributes:
        pipeline: Its last step, `model`, is the estimator.
        estimator: The estimator's public import path.
        transform: The names and classes of the steps before it, for people.
    """

    pipeline: Pipeline
    estimator: str
    transform: tuple[str, ...]


def build_pipeline(
    model: Model, plan: ColumnPlan, target: Target, tuned: Mapping[str, Any] | None = None
) -> Built:
    """Make the pipeline, every `random_state` in it seeded by `model.seed`.

    Args:
        model: The project's `model` section.
        plan: The columns that it reads.
        target: The task; classes ask for a classifier.
        tuned: Parameters that a study found; they replace the project's.

    Raises:
        InputError: naming the field that is wrong.
    """
    estimator = _estimator(model, plan.rows, target)
    if model.transform == "auto":
        steps: list[tuple[str, Any]] = [("prepare", automatic(plan, estimator, model.max_categories))]
    else:
        steps = listed(plan, model.transform)
    pipeline = Pipeline([*steps, (ESTIMATOR, estimator)])
    if tuned:
        paths = {parameter_path(pipeline, name): value for name, value in tuned.items()}
        set_checked(pipeline, paths, "model.tune.space")
    seeded(pipeline, model.seed)
    transform = tuple(
        f"{name}: {step if isinstance(step, str) else type(step).__name__}" for name, step in _leaves(steps)
    )
    return Built(pipeline, public_path(type(estimator)), transform)


def named_columns(model: Model) -> list[str]:
    """The columns that steps of the project's own transform name."""
    steps = [] if model.transform == "auto" else model.transform
    return [c for s in steps if isinstance(s.columns, list) for c in s.columns]


def parameter_path(pipeline: Pipeline, name: str) -> str:
    """The pipeline's name for a parameter: the estimator's own, or the path of a step's.

    Raises:
        InputError: when neither has it.
    """
    known = pipeline.get_params(deep=True)
    if f"{ESTIMATOR}__{name}" in known:
        return f"{ESTIMATOR}__{name}"
    if name in known and "__" in name:
        return name
    estimator = known[ESTIMATOR]
    own = estimator.get_params(deep=True)
    refuse_name(name, {**own, **{k: v for k, v in known.items() if "__" in k}}, type(estimator).__name__,
                "model.tune.space")  # fmt: skip
    raise AssertionError("refuse_name raises")


def _estimator(model: Model, rows: int, target: Target) -> BaseEstimator:
    wants_classes = target.classes is not None
    if model.estimator == "auto":
        path = automatic_estimator(wants_classes)
        params = {**small_data_params(rows), **model.params}
    else:
        path, params = model.estimator, dict(model.params)
    if isinstance(params.get("class_weight"), dict) and target.classes is not None:
        params["class_weight"] = _class_weight(params["class_weight"], target)
    estimator = make(path, params, "model.estimator", "model.params")
    require_kind(estimator, wants_classes, "model.estimator")
    if model.class_weight is not None:
        if "class_weight" not in estimator.get_params(deep=False):
            name = type(estimator).__name__
            raise InputError(
                "model.class_weight",
                f"{name} has no such parameter",
                remedy="Leave it out, or change the estimator.",
            )
        estimator.set_params(class_weight=model.class_weight)
    return estimator


def automatic_estimator(wants_classes: bool) -> str:
    """The estimator of `estimator: auto`; docs/adr/0008-tuning.md has the measurements behind it."""
    return public_path(HistGradientBoostingClassifier if wants_classes else HistGradientBoostingRegressor)


def small_data_params(rows: int) -> dict[str, Any]:
    """Parameters of `estimator: auto` for fewer than 10,000 rows: slower learning and smaller trees."""
    if rows >= SMALL_DATA:
        return {}
    return {
        "learning_rate": 0.05,
        "max_iter": 200,
        "max_leaf_nodes": 8,
        "max_features": 0.5,
        "l2_regularization": 1.0,
    }


def _class_weight(weights: Mapping[Any, float], target: Target) -> dict[int, float]:
    """Weights by class value as weights by class place, which is what the estimator sees."""
    place = {str(value): k for k, value in enumerate(target.classes or ())}
    unknown = [w for w in weights if str(w) not in place]
    if unknown:
        raise InputError(
            "model.params.class_weight", f"{unknown[0]!r} is no class", f"one of {', '.join(place)}"
        )
    return {place[str(name)]: float(weight) for name, weight in weights.items()}


def _leaves(steps: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, step in steps:
        inner = getattr(step, "transformers", None) or getattr(step, "steps", None)
        if inner:
            found += _leaves([(f"{name}.{part[0]}", part[1]) for part in inner])
        else:
            found.append((name, step))
    return found
