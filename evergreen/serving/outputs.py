"""Predictions as answers: tensors in JSON or binary, or one object a row; and which of them are empty."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from evergreen.bundle.signature import Prediction, Signature
from evergreen.serving import binary
from evergreen.serving.protocol import (
    InferAnswer,
    InferRequest,
    OutputTensor,
    OutputWish,
    RowAnswer,
    RowsAnswer,
    encode,
    schema_error,
)

DATATYPES = {"number": "FP64", "integer": "INT64", "boolean": "BOOL", "string": "BYTES"}


@dataclass(slots=True)
class Answered:
    """A prediction's answer.

    Attributes:
        body: The answer's body.
        empty: How many rows have an empty output.
        empty_rows: Which ones, [rows] of booleans; None when none or all are.
        json_length: How many bytes of the body are JSON, when binary tensors follow; else None.
    """

    body: bytes
    empty: int = 0
    empty_rows: np.ndarray | None = None
    json_length: int | None = None


class Outputs:
    """Writes the answers of one version of a model.

    Args:
        name: The model's name.
        version: Its version.
        signature: What it gives.
        empty: Predictions that stand for "no answer", besides null, NaN and the empty text.
    """

    def __init__(
        self, name: str, version: str, signature: Signature, empty: Sequence[str | bool | int | float]
    ) -> None:
        self._name, self._version = name, version
        self._datatypes = {o["name"]: DATATYPES[o["type"]] for o in signature.outputs}
        self._classes = [text(c) for c in signature.classes or ()]
        self._all = [OutputWish(name) for name in self._datatypes]
        self._empty = {(type(value) is bool, value) for value in ("", None, *empty)}
        self._may_be_empty = signature.classes is None or any(map(self._is_empty, signature.classes))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the outputs."""
        return tuple(self._datatypes)

    def check(self, request: InferRequest) -> None:
        """Refuse a wish for an output that this model does not give.

        Raises:
            Refusal: with status 400.
        """
        for wish in request.outputs or ():
            if wish.name not in self._datatypes:
                known = ", ".join(self._datatypes)
                raise schema_error(f"output {wish.name[:80]!r}", "not an output of this model", known)

    def infer(self, request: InferRequest, prediction: Prediction) -> Answered:
        """The protocol's answer: the outputs asked for, or all; each in JSON unless binary was asked for."""
        values, shares = _lists(prediction)
        wished = request.parameters is not None and bool(request.parameters.binary_data_output)
        tensors, tail = [], []
        for wish in request.outputs or self._all:
            array = prediction.values if wish.name == "prediction" else prediction.probabilities
            data = values if wish.name == "prediction" else shares
            assert array is not None and data is not None
            datatype, shape = self._datatypes[wish.name], list(array.shape)
            if datatype == "BYTES":
                data = [text(value) for value in data]
            own = None if wish.parameters is None else wish.parameters.binary_data
            if wished if own is None else own:
                tail.append(binary.write_values(datatype, data))
                size = {"binary_data_size": len(tail[-1])}
                tensors.append(OutputTensor(wish.name, shape, datatype, None, size))
            else:
                tensors.append(OutputTensor(wish.name, shape, datatype, data))
        head = encode(InferAnswer(self._name, self._version, tensors, request.id))
        answered = Answered(head) if not tail else Answered(b"".join((head, *tail)), json_length=len(head))
        return self._counted(answered, values, shares)

    def rows(self, request_id: str | None, prediction: Prediction) -> Answered:
        """The answer to a `rows` request: one object a row."""
        values, shares = _lists(prediction)
        if shares is None:
            answers = [RowAnswer(value) for value in values]
        else:
            width, names = len(self._classes), self._classes
            answers = [
                RowAnswer(value, dict(zip(names, shares[k * width : (k + 1) * width], strict=True)))
                for k, value in enumerate(values)
            ]
        answered = Answered(encode(RowsAnswer(self._name, self._version, answers, request_id)))
        return self._counted(answered, values, shares)

    def _counted(self, answered: Answered, values: list[Any], shares: list[float] | None) -> Answered:
        """Count the empty outputs; JSON has no NaN and no infinity, so such a number is null there."""
        if not self._may_be_empty and (shares is None or isfinite(sum(shares))):
            return answered
        rows = np.array([self._is_empty(value) for value in values])
        if shares is not None:
            rows |= ~np.isfinite(np.reshape(shares, (len(values), -1))).all(axis=1)
        answered.empty = int(rows.sum())
        answered.empty_rows = rows if 0 < answered.empty < len(rows) else None
        return answered

    def _is_empty(self, value: Any) -> bool:
        return (type(value) is bool, value) in self._empty or (
            isinstance(value, float) and not isfinite(value)
        )


def _lists(prediction: Prediction) -> tuple[list[Any], list[float] | None]:
    shares = prediction.probabilities
    return prediction.values.tolist(), None if shares is None else shares.ravel().tolist()


def text(value: Any) -> str:
    """A class label as text, as JSON writes it."""
    return value if isinstance(value, str) else encode(value).decode()
