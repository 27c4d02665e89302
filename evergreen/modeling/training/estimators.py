"""scikit-learn estimators and transformers by import path, with every mistake explained."""

import importlib
import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.utils import all_estimators
from sklearn.utils._param_validation import InvalidParameterError

from evergreen.errors import InputError
from evergreen.near import did_you_mean, nearest

_INSIDE = "Give it as a parameter: `params: {estimator: {use: sklearn.…, params: {…}}}`."


@cache
def public_paths() -> tuple[str, ...]:
    """Every estimator and transformer of scikit-learn by its public import path, sorted."""
    return tuple(sorted(public_path(cls) for _, cls in all_estimators()))


def public_path(cls: type) -> str:
    """`sklearn.ensemble._forest.RandomForestClassifier` as `sklearn.ensemble.RandomForestClassifier`."""
    return f"{cls.__module__.split('._')[0]}.{cls.__name__}"


def resolve(path: str, where: str) -> type[BaseEstimator]:
    """The class at a path under `sklearn`.

    Args:
        path: Such as `sklearn.ensemble.RandomForestClassifier`.
        where: The project file's field, for the error.

    Raises:
        InputError: when there is no estimator or transformer at that path, with the nearest one that exists.
    """
    module_name, _, name = path.rpartition(".")
    found: Any = None
    if path.startswith("sklearn."):
        try:
            found = getattr(importlib.import_module(module_name), name, None)
        except ImportError:
            found = None
    if inspect.isclass(found) and issubclass(found, BaseEstimator) and not inspect.isabstract(found):
        return found
    names = {p.rpartition(".")[2]: p for p in public_paths()}
    near = nearest(name, names)
    hint = f"Did you mean {names[near]!r}?" if near else "See scikit-learn's API reference for the paths."
    raise InputError(where, f"{path!r} is no scikit-learn estimator or transformer", "an import path", hint)


def make(path: str, params: Mapping[str, Any], where: str, params_where: str = "") -> BaseEstimator:
    """Make an estimator; a parameter `{use: path, params: {…}}` is an estimator itself, in a list too.

    Args:
        path: The class's import path.
        params: Its parameters.
        where: The project file's field that names the path, for errors.
        params_where: The field that holds the parameters; default: `<where>.params`.

    Raises:
        InputError: naming the path or the parameter that is wrong, and the valid ones.
    """
    cls = resolve(path, where)
    params_where = params_where or f"{where}.params"
    values = {name: _built(value, f"{params_where}.{name}") for name, value in params.items()}
    try:
        estimator = cls()
    except TypeError:
        estimator = _make_with_required(cls, values, params_where)
    return set_checked(estimator, values, params_where)


def _make_with_required(cls: type[BaseEstimator], values: Mapping[str, Any], where: str) -> BaseEstimator:
    required = [
        name
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is inspect.Parameter.empty and name != "self"
    ]
    missing = [name for name in required if name not in values]
    if missing:
        raise InputError(where, f"{cls.__name__} needs {', '.join(missing)}", remedy="Give a value.")
    return cls(**{name: values[name] for name in required})


def _built(value: Any, where: str) -> Any:
    if isinstance(value, Mapping) and "use" in value:
        return make(str(value["use"]), value.get("params") or {}, where)
    if isinstance(value, list):
        return [_built(item, where) for item in value]
    return value


def set_checked(estimator: BaseEstimator, values: Mapping[str, Any], where: str) -> BaseEstimator:
    """Set parameters by name (`step__name` for a pipeline's), checked by scikit-learn's own constraints.

    Raises:
        InputError: naming a parameter that does not exist or whose value is not allowed.
    """
    known = estimator.get_params(deep=True)
    for name in values:
        if name not in known:
            refuse_name(name, known, type(estimator).__name__, where)
    estimator.set_params(**values)
    for name in values:
        owner, attribute = _owner(estimator, name)
        check_parameters(owner, f"{where}.{name}", attribute)
    return estimator


def refuse_name(name: str, known: Mapping[str, Any], owner: str, where: str) -> None:
    """Raise the error for a parameter that does not exist.

    Raises:
        InputError: always; with the nearest name, and the valid ones.
    """
    own = [n for n in known if "__" not in n]
    hint = did_you_mean(name, known)
    raise InputError(
        f"{where}.{name}", f"{owner} has no such parameter", f"one of {', '.join(sorted(own))}", hint
    )


def _owner(estimator: BaseEstimator, name: str) -> tuple[BaseEstimator, str]:
    path, _, attribute = name.rpartition("__")
    owner = estimator.get_params(deep=True)[path] if path else estimator
    return owner, attribute


def check_parameters(estimator: BaseEstimator, where: str, name: str = "") -> None:
    """Check an estimator's parameters by scikit-learn's constraints; a list becomes a tuple where one is due.

    Raises:
        InputError: with scikit-learn's sentence on the first parameter that is not allowed.
    """
    try:
        estimator._validate_params()
    except InvalidParameterError as error:
        value = getattr(estimator, name, None) if name else None
        if isinstance(value, list):
            estimator.set_params(**{name: tuple(value)})
            check_parameters(estimator, where)
            return
        raise InputError(where, str(error).rstrip("."), remedy="Correct the value.") from error


def require_kind(estimator: BaseEstimator, wants_classes: bool, where: str) -> None:
    """Refuse a regressor for classes, a classifier for numbers, and what is neither.

    Raises:
        InputError: with the class of the other kind, where scikit-learn has one.
    """
    try:
        fits = is_classifier(estimator) if wants_classes else is_regressor(estimator)
    except AttributeError as error:  # an estimator made of others, of which one is missing
        raise InputError(
            where, f"{type(estimator).__name__} needs another estimator inside", remedy=_INSIDE
        ) from error
    if fits:
        return
    name, kind = type(estimator).__name__, "classifier" if wants_classes else "regressor"
    other = (
        name.replace("Regressor", "Classifier") if wants_classes else name.replace("Classifier", "Regressor")
    )
    known = {p.rpartition(".")[2]: p for p in public_paths()}
    hint = f"Did you mean {known[other]!r}?" if other != name and other in known else f"Name a {kind}."
    raise InputError(where, f"{name} is no {kind}", f"a {kind}, as the label asks for", hint)


def seeded(estimator: BaseEstimator, seed: int) -> BaseEstimator:
    """Set every `random_state` in an estimator, however deep, that the project leaves open."""
    open_ones = {
        name: seed
        for name, value in estimator.get_params(deep=True).items()
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    return estimator.set_params(**open_ones)
