"""The transform before the estimator: chosen by column type (`auto`), or the project's own steps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from evergreen.bundle.encode import MISSING_TEXT
from evergreen.errors import InputError
from evergreen.modeling.columns import ColumnPlan
from evergreen.modeling.training.estimators import make
from evergreen.project.model import Step

_TREES = ("sklearn.tree.", "sklearn.ensemble._forest", "sklearn.ensemble._gb", "sklearn.ensemble._hist")
_SPARSE_FROM = 200


def is_histogram_boosting(estimator: BaseEstimator) -> bool:
    """Whether it is HistGradientBoosting: it takes missing values and orders of categories as they are."""
    return type(estimator).__module__.startswith("sklearn.ensemble._hist")


def is_tree(estimator: BaseEstimator) -> bool:
    """Whether it is made of trees, which do not care about scale."""
    return type(estimator).__module__.startswith(_TREES)


def automatic(plan: ColumnPlan, estimator: BaseEstimator, max_categories: int) -> ColumnTransformer:
    """The transform by column type.

    Numbers and booleans: imputed (median, most frequent) with an indicator for each column that has missing
    values in train, numbers scaled unless the estimator is made of trees. Categories: one column a value,
    rare and unseen ones together in one. HistGradientBoosting gets numbers as they are and categories as
    ordered codes, an unseen one as missing; both convert to ONNX, its native categories do not.
    """
    numbers, booleans, categories = (plan.places(t) for t in ("number", "boolean", "category"))
    if is_histogram_boosting(estimator):
        codes = OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=np.nan,
            max_categories=max_categories,
            dtype=np.float64,
        )
        parts = [("numbers", "passthrough", sorted(numbers + booleans)), ("categories", codes, categories)]
    else:
        sparse = _wants_sparse(plan, estimator, max_categories)
        values = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=max_categories, sparse_output=sparse
        )
        holes = [k for k in sorted(numbers + booleans) if not plan.inputs[k].required]
        parts = [
            ("numbers", _numbers(scale=not is_tree(estimator)), numbers),
            ("booleans", SimpleImputer(strategy="most_frequent", keep_empty_features=True), booleans),
            ("missing", MissingIndicator(features="all", error_on_new=False), holes),
            ("categories", values, categories),
        ]
        if sparse:
            return ColumnTransformer([p for p in parts if p[2]], sparse_threshold=1.0)
    return ColumnTransformer([p for p in parts if p[2]], sparse_threshold=0.0)


def _numbers(*, scale: bool) -> BaseEstimator:
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    return Pipeline([("impute", imputer), ("scale", StandardScaler())]) if scale else imputer


def _wants_sparse(plan: ColumnPlan, estimator: BaseEstimator, max_categories: int) -> bool:
    """Wide one-hot columns stay sparse where the estimator takes that: memory is what they cost."""
    width = sum(min(max_categories, n + 1) for n in plan.distinct.values())
    return width > _SPARSE_FROM and bool(estimator.__sklearn_tags__().input_tags.sparse)


def listed(plan: ColumnPlan, steps: Sequence[Step]) -> list[tuple[str, Any]]:
    """The project's own steps as steps of a Pipeline.

    Steps with `columns` work on those columns, one after the other where they name the same ones; `numbers`
    and `categories` are the columns of that type that no step names, `rest` all of those. Numbers that no
    step takes pass through. Steps without `columns` follow, and work on everything.

    Raises:
        InputError: when a step names an unknown column or parameter, or text would reach the estimator.
    """
    groups = _groups(plan, steps)
    named = {k for places, _ in groups for k in places}
    left = [k for k in plan.places("category") if k not in named]
    if left:
        names = ", ".join(repr(plan.inputs[k].name) for k in left[:5])
        raise InputError(
            "model.transform",
            f"no step takes the category columns {names}",
            "every text column in a step",
            "Add a step such as `{use: sklearn.preprocessing.OneHotEncoder, columns: categories}`.",
        )
    after = [
        (f"step{k + 1}", make(step.use, step.params, f"model.transform[{k}]"))
        for k, step in enumerate(steps)
        if step.columns is None
    ]
    if not groups:
        return after
    parts = [(f"columns{n + 1}", step, _selector(places, step)) for n, (places, step) in enumerate(groups)]
    return [("columns", ColumnTransformer(parts, remainder="passthrough")), *after]


def _groups(plan: ColumnPlan, steps: Sequence[Step]) -> list[tuple[tuple[int, ...], BaseEstimator]]:
    named = {c for s in steps if isinstance(s.columns, list) for c in s.columns}
    by_columns: dict[tuple[int, ...], list[tuple[str, BaseEstimator]]] = {}
    for k, step in enumerate(steps):
        if step.columns is None:
            continue
        places = tuple(_places(plan, step, named, f"model.transform[{k}]"))
        if places:
            made = _filling_text(make(step.use, step.params, f"model.transform[{k}]"), plan, places, step)
            by_columns.setdefault(places, []).append((f"step{k + 1}", made))
    return [
        (places, chain[0][1] if len(chain) == 1 else Pipeline(chain)) for places, chain in by_columns.items()
    ]


def _places(plan: ColumnPlan, step: Step, named: set[str], where: str) -> list[int]:
    place = {i.name: k for k, i in enumerate(plan.inputs)}
    if isinstance(step.columns, list):
        unknown = [c for c in step.columns if c not in place]
        if unknown:
            raise InputError(
                f"{where}.columns", f"{unknown[0]!r} is no feature", f"one of {', '.join(sorted(place))}"
            )
        return [place[c] for c in step.columns]
    wanted = {"numbers": ("number", "boolean"), "categories": ("category",)}.get(str(step.columns))
    return [
        k for k, i in enumerate(plan.inputs) if i.name not in named and (wanted is None or i.type in wanted)
    ]


def _filling_text(made: BaseEstimator, plan: ColumnPlan, places: Sequence[int], step: Step) -> BaseEstimator:
    """A missing category is the empty text here, so an imputer of text must look for that."""
    if isinstance(made, SimpleImputer) and "missing_values" not in step.params:
        kinds = {plan.inputs[k].type for k in places}
        if kinds == {"category"}:
            made.set_params(missing_values=MISSING_TEXT)
    return made


def _selector(places: Sequence[int], step: BaseEstimator) -> Any:
    """Text vectorizers take one column as a sequence of texts, everything else a table."""
    first = step[0] if isinstance(step, Pipeline) else step
    text = type(first).__module__.startswith("sklearn.feature_extraction.text")
    return places[0] if text and len(places) == 1 else list(places)
