"""What a model takes and gives: `signature.json`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from evergreen.errors import BundleError

InputType = Literal["number", "category", "boolean"]
Task = Literal["binary", "multiclass", "regression", "ranking"]
Label = str | int | float | bool


@dataclass(frozen=True)
class Input:
    """One column that the model reads.

    Attributes:
        name: The column's name in the training set.
        type: `number` (double), `category` (text) or `boolean`.
        required: Whether the column must be given. One that had no missing value in training is required; a
            value of it may still be missing.
        categories: The values seen in training, in order, or None when there were too many to list.
    """

    name: str
    type: InputType
    required: bool = True
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives.

    Attributes:
        task: `binary`, `multiclass`, `regression` or `ranking`.
        inputs: The columns, in the order in which the model reads them.
        classes: The label's values in the order of the probabilities; None for a regression.
        positive: The positive class of a binary task, always the last of `classes`; else None.
        label: The name of the label's column.
        entity: The columns that say what a row is about; not inputs.
        time: The column of the label's time, or None; not an input.
        has_probabilities: Whether the model gives class probabilities.
        accepts_missing: Whether rows with missing values can be predicted.
    """

    task: Task
    inputs: tuple[Input, ...]
    classes: tuple[Label, ...] | None = None
    positive: Label | None = None
    label: str = ""
    entity: tuple[str, ...] = ()
    time: str | None = None
    has_probabilities: bool = False
    accepts_missing: bool = True

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The outputs by name: `prediction`, and `probabilities` with one column a class."""
        kind = "number" if self.classes is None else _label_type(self.classes)
        outputs: list[dict[str, Any]] = [{"name": "prediction", "type": kind, "shape": [-1]}]
        if self.has_probabilities and self.classes is not None:
            outputs.append({"name": "probabilities", "type": "number", "shape": [-1, len(self.classes)]})
        return outputs

    def to_json(self) -> str:
        """The text of `signature.json`; the same signature gives the same bytes."""
        content = {"version": 1, **asdict(self), "outputs": self.outputs}
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "signature.json") -> "Signature":
        """Read `to_json`'s text.

        Raises:
            BundleError: when it is not a signature of this version.
        """
        try:
            content = json.loads(text)
            if content.pop("version") != 1:
                raise BundleError(where, "a signature of another version", "version 1")
            content.pop("outputs")
            inputs = tuple(
                Input(**{**i, "categories": _tuple_or_none(i["categories"])}) for i in content.pop("inputs")
            )
            classes, entity = _tuple_or_none(content.pop("classes")), tuple(content.pop("entity"))
            return cls(inputs=inputs, classes=classes, entity=entity, **content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(where, f"not a signature ({type(error).__name__})") from error

    def labels(self, indices: np.ndarray) -> np.ndarray:
        """Class indices [rows] as the label's values [rows]; the array's type is the labels' own."""
        if self.classes is None:
            return indices
        return label_array(self.classes)[np.asarray(indices, dtype=np.intp)]


@dataclass(frozen=True)
class Prediction:
    """Predictions for some rows.

    Attributes:
        values: The predicted class label or number of each row, [rows].
        probabilities: [rows, classes], in the order of `Signature.classes`; None for a regression and for a
            classifier that gives none.
    """

    values: np.ndarray
    probabilities: np.ndarray | None = None

    @property
    def scores(self) -> np.ndarray:
        """One number a row, [rows]: the last of two classes' probability, else the value."""
        if self.probabilities is not None and self.probabilities.shape[1] == 2:
            return self.probabilities[:, 1]
        return self.values


def label_array(classes: Sequence[Label]) -> np.ndarray:
    """Class labels as an array of their own type: boolean, integer, double, or object for text."""
    kinds = {type(c) for c in classes}
    types = {frozenset({bool}): bool, frozenset({int}): np.int64, frozenset({float}): np.float64}
    return np.array(list(classes), dtype=types.get(frozenset(kinds), object))


def _label_type(classes: Sequence[Label]) -> str:
    names = {bool: "boolean", int: "integer", float: "number"}
    kinds = {names.get(type(c), "string") for c in classes}
    return kinds.pop() if len(kinds) == 1 else "string"


def _tuple_or_none(values: list[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)
