"""From a fitted scikit-learn pipeline to an ONNX graph, by skl2onnx and two converters of our own.

skl2onnx 1.20 has none for `MissingIndicator`, and the graph of its `OneHotEncoder` fails on values it has not
seen when rare ones share a column. What it converts wrongly (splits of HistGradientBoosting on native
categories) is refused here, and by the parity gate in any case.
"""

from typing import Any

import numpy as np
from skl2onnx import convert_sklearn, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.impute import MissingIndicator
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

from evergreen.bundle.signature import Signature

_OPSET = {"": 21, "ai.onnx.ml": 3}
_FLOAT, _INT64 = 1, 7
_MAX_NODES = 2_000_000


class NotConvertible(Exception):
    """The pipeline has no graph; the message is the reason."""


def convert(model: Any, signature: Signature) -> bytes:
    """Convert a fitted pipeline; the same pipeline gives the same bytes.

    Raises:
        NotConvertible: with the reason, when there is no converter or the graph would be too large.
    """
    _refuse_what_converts_wrongly(model)
    types = [
        (f"c{k}", StringTensorType([None, 1]) if i.type == "category" else FloatTensorType([None, 1]))
        for k, i in enumerate(signature.inputs)
    ]
    options: dict[Any, dict[str, bool]] | None = None
    if signature.has_probabilities:
        options = {id(model): {"zipmap": False}}
    elif isinstance(model[-1], LinearSVC):  # else skl2onnx gives it an option that it does not know
        options = {LinearSVC: {"raw_scores": True}}
    _register()
    try:
        graph = convert_sklearn(
            model, name="evergreen", initial_types=types, options=options, target_opset=_OPSET
        )
    except Exception as error:  # skl2onnx raises anything; no graph is a result, not a fault
        lines = str(error).strip().splitlines() or [""]
        raise NotConvertible(
            f"skl2onnx cannot convert it: {type(error).__name__}: {lines[0][:200]}"
        ) from error
    opsets = sorted(
        graph.opset_import, key=lambda opset: opset.domain
    )  # skl2onnx lists them in a set's order
    del graph.opset_import[:]
    graph.opset_import.extend(opsets)
    return bytes(graph.SerializeToString(deterministic=True))


def _refuse_what_converts_wrongly(model: Any) -> None:
    for step in _estimators(model):
        if getattr(step, "is_categorical_", None) is not None and hasattr(step, "_predictors"):
            raise NotConvertible("skl2onnx drops HistGradientBoosting's splits on native categories")
    nodes = tree_nodes(model)
    if nodes > _MAX_NODES:
        raise NotConvertible(f"its trees have {nodes} nodes; a graph of more than {_MAX_NODES} is not made")


def tree_nodes(model: Any) -> int:
    """The number of nodes in all decision trees of a fitted model."""
    total = 0
    for step in _estimators(model):
        if hasattr(step, "_predictors"):
            total += sum(len(t.nodes) for trees in step._predictors for t in trees)
        else:
            total += int(getattr(getattr(step, "tree_", None), "node_count", 0))
    return total


def _estimators(model: Any) -> list[Any]:
    """A fitted estimator and every fitted estimator inside it."""
    found: list[Any] = []
    stack = [model]
    while stack:
        part = stack.pop()
        if isinstance(part, list | tuple):
            stack.extend(part)
        elif isinstance(part, np.ndarray) and part.dtype == object and part.ndim <= 2:
            stack.extend(part.ravel().tolist())
        elif isinstance(part, dict):
            stack.extend(part.values())
        elif hasattr(part, "get_params") and not isinstance(part, type) and all(part is not f for f in found):
            found.append(part)
            stack.extend(vars(part).values())
    return found


def _register() -> None:
    update_registered_converter(
        MissingIndicator, "EvergreenMissingIndicator", _shape_of_indicator, _convert_indicator, overwrite=True
    )
    update_registered_converter(
        OneHotEncoder, "SklearnOneHotEncoder", _shape_of_one_hot, _convert_one_hot, overwrite=True
    )


def _width(operator: Any) -> int:
    return sum(int(v.type.shape[1]) for v in operator.inputs)


def _shape_of_indicator(operator: Any) -> None:
    operator.outputs[0].type = FloatTensorType([None, len(operator.raw_operator.features_)])


def _convert_indicator(scope: Any, operator: Any, container: Any) -> None:
    """IsNaN over the indicator's features, as 0 and 1."""
    name = scope.get_unique_variable_name
    merged = _merged(scope, operator, container)
    picked, index, nan = name("picked"), name("index"), name("nan")
    features = [int(f) for f in operator.raw_operator.features_]
    container.add_initializer(index, _INT64, [len(features)], features)
    container.add_node(
        "Gather", [merged, index], picked, axis=1, name=scope.get_unique_operator_name("Gather")
    )
    container.add_node("IsNaN", picked, nan, op_version=20, name=scope.get_unique_operator_name("IsNaN"))
    container.add_node(
        "Cast", nan, operator.outputs[0].full_name, to=_FLOAT, name=scope.get_unique_operator_name("Cast")
    )


def _shape_of_one_hot(operator: Any) -> None:
    width = sum(len(columns) for columns in _one_hot_columns(operator.raw_operator))
    operator.outputs[0].type = FloatTensorType([None, width])


def _one_hot_columns(encoder: Any) -> list[np.ndarray]:
    return [encoder._compute_transformed_categories(k) for k in range(len(encoder.categories_))]


def _convert_one_hot(scope: Any, operator: Any, container: Any) -> None:
    """For each column: category → its place among the output columns, then compare with 0, 1, 2…"""
    encoder = operator.raw_operator
    if encoder.drop_idx_ is not None:
        raise NotImplementedError("OneHotEncoder(drop=…)")
    if encoder.handle_unknown == "error":
        raise NotImplementedError("OneHotEncoder(handle_unknown='error'): a graph cannot refuse a value")
    if any(not isinstance(v.type, StringTensorType) for v in operator.inputs):
        raise NotImplementedError("OneHotEncoder of numbers")
    name, node = scope.get_unique_variable_name, scope.get_unique_operator_name
    merged = _merged(scope, operator, container)
    outputs = []
    for k in range(len(encoder.categories_)):
        keys, places, unknown, width = one_hot_places(encoder, k)
        index, column, place = name("index"), name("column"), name("place")
        container.add_initializer(index, _INT64, [1], [k])
        container.add_node("Gather", [merged, index], column, axis=1, name=node("Gather"))
        container.add_node(
            "LabelEncoder", column, place, op_domain="ai.onnx.ml", op_version=2, name=node("LabelEncoder"),
            keys_strings=[key.encode() for key in keys], values_int64s=places, default_int64=unknown,
        )  # fmt: skip
        range_, equal, output = name("range"), name("equal"), name("one_hot")
        container.add_initializer(range_, _INT64, [1, width], list(range(width)))
        container.add_node("Equal", [place, range_], equal, op_version=13, name=node("Equal"))
        container.add_node("Cast", equal, output, to=_FLOAT, name=node("Cast"))
        outputs.append(output)
    container.add_node("Concat", outputs, operator.outputs[0].full_name, axis=1, name=node("Concat"))


def one_hot_places(encoder: Any, column: int) -> tuple[list[str], list[int], int, int]:
    """Where the categories of a column go in a fitted OneHotEncoder's output.

    Returns:
        The categories, the output column of each, the output column of an unseen one (-1: none), and how many
        output columns there are.
    """
    categories = [str(c) for c in encoder.categories_[column]]
    infrequent = encoder.infrequent_categories_[column] if encoder._infrequent_enabled else None
    rare = set() if infrequent is None else {str(c) for c in infrequent}
    frequent = [c for c in categories if c not in rare]
    place = {c: k for k, c in enumerate(frequent)}
    places = [place.get(c, len(frequent)) for c in categories]
    to_rare = bool(rare) and encoder.handle_unknown in ("infrequent_if_exist", "warn")
    return categories, places, len(frequent) if to_rare else -1, len(frequent) + bool(rare)


def _merged(scope: Any, operator: Any, container: Any) -> str:
    """The operator's inputs as one matrix."""
    if len(operator.inputs) == 1:
        return str(operator.inputs[0].full_name)
    merged: str = scope.get_unique_variable_name("merged")
    names = [v.full_name for v in operator.inputs]
    container.add_node("Concat", names, merged, axis=1, name=scope.get_unique_operator_name("Concat"))
    return merged
