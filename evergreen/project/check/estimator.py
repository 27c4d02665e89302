"""The estimator, the steps before it, and their parameters, against scikit-learn."""

import importlib
import inspect
from typing import Any

from evergreen.project.document import Document
from evergreen.project.model import Choice, Model, Project
from evergreen.project.wording import Path, did_you_mean, listed

AUTO = {
    "regression": "sklearn.ensemble.HistGradientBoostingRegressor",
    "other": "sklearn.ensemble.HistGradientBoostingClassifier",
}


def check_model(project: Project, document: Document) -> None:
    """Record estimators and steps that cannot be imported, and parameters that they do not take."""
    model, where = project.model, ("model",)
    auto = AUTO["regression" if project.task == "regression" else "other"]
    path = auto if model.estimator == "auto" else model.estimator
    estimator = _class_at(document, (*where, "estimator"), path, "fit", "predict")
    if estimator is not None:
        _check_kind(project, estimator, document)
        _check_params(document, (*where, "params"), estimator, model.params)
        _check_space(document, model, estimator)
    steps = model.transform if isinstance(model.transform, list) else []
    for index, step in enumerate(steps):
        place: Path = (*where, "transform", index)
        transformer = _class_at(document, (*place, "use"), step.use, "fit", "transform")
        if transformer is not None:
            _check_params(document, (*place, "params"), transformer, step.params)


def _class_at(document: Document, where: Path, path: str, *methods: str) -> Any | None:
    """The class at an import path, if it is there and has the methods."""
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ImportError:
        near = did_you_mean(module_name, _modules())
        document.add(where, f"no module `{module_name}`", "an import path in scikit-learn", near)
        return None
    found = getattr(module, name, None)
    if inspect.isclass(found) and all(hasattr(found, m) for m in methods):
        return found
    public = [n for n in dir(module) if not n.startswith("_") and inspect.isclass(getattr(module, n, None))]
    fitting = [n for n in public if all(hasattr(getattr(module, n), m) for m in methods)]
    what = (
        f"no class `{name}` in {module_name}" if found is None else f"`{path}`, which has no `{methods[-1]}`"
    )
    kind = "an estimator" if "predict" in methods else "a transformer"
    document.add(where, what, f"{kind} of scikit-learn", did_you_mean(name, fitting))
    return None


def _modules() -> list[str]:
    import pkgutil

    import sklearn

    return [f"sklearn.{m.name}" for m in pkgutil.iter_modules(sklearn.__path__) if not m.name.startswith("_")]


def _check_kind(project: Project, estimator: Any, document: Document) -> None:
    classifies, regresses = hasattr(estimator, "predict_proba"), _is(estimator, "RegressorMixin")
    classifies = classifies or _is(estimator, "ClassifierMixin")
    if project.task == "regression" and not regresses:
        document.add(("model", "estimator"), f"`{estimator.__name__}` for a regression", "a regressor")
    elif project.task in ("binary", "multiclass") and not classifies:
        found = f"`{estimator.__name__}` for a {project.task} task"
        document.add(("model", "estimator"), found, "a classifier")


def _is(estimator: Any, mixin: str) -> bool:
    return any(base.__name__ == mixin for base in inspect.getmro(estimator))


def _names(estimator: Any) -> list[str]:
    """Parameter names; those of nested estimators too, where the class can be made without arguments."""
    try:
        return sorted(estimator().get_params(deep=True))
    except TypeError:
        return [n for n in inspect.signature(estimator).parameters if n != "self"]


def _check_params(document: Document, where: Path, estimator: Any, params: dict[str, Any]) -> None:
    known = _names(estimator)
    unknown = [p for p in params if p not in known and "__" not in p]
    for name in unknown:
        found = f"`{estimator.__name__}` takes no `{name}`"
        document.add((*where, name), found, "one of " + listed(known, 30), did_you_mean(name, known))
    if not unknown and params:
        _check_values(document, where, estimator, params)


def _check_values(document: Document, where: Path, estimator: Any, params: dict[str, Any]) -> None:
    """Let scikit-learn judge the values, by the rules that it applies when it fits."""
    from sklearn.utils._param_validation import InvalidParameterError

    try:
        made = estimator(**params)
        validate = getattr(made, "_validate_params", None)
        if validate is not None:
            validate()
    except InvalidParameterError as error:
        name = next((p for p in params if f"'{p}'" in str(error)), "")
        expected = str(error).partition(" must be ")[2].partition(". Got")[0] or "a value that it takes"
        place = (*where, name) if name else where
        document.add(place, f"{params.get(name)!r}", expected)
    except (TypeError, ValueError) as error:
        document.add(where, str(error).splitlines()[0], f"parameters that `{estimator.__name__}` takes")


def _check_space(document: Document, model: Model, estimator: Any) -> None:
    if model.tune is None:
        return
    known = _names(estimator)
    for name, values in model.tune.space.items():
        where: Path = ("model", "tune", "space", name)
        if name not in known and "__" not in name:
            found = f"`{estimator.__name__}` takes no `{name}`"
            document.add(where, found, "one of " + listed(known, 30), did_you_mean(name, known))
            continue
        if isinstance(values, Choice):
            tried: list[Any] = list(values.choices)
        else:
            tried = [int(v) if values.integer else v for v in (values.low, values.high)]
        for value in tried:
            if not any(p.line == document.line(where) for p in document.problems):
                _check_values(document, where[:-1], estimator, {**model.params, name: value})
