"""A model that is served: its bundle, what the protocol says about it, and how long a prediction takes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evergreen.bundle.load import Bundle
from evergreen.bundle.signature import Input, Prediction, Signature
from evergreen.serving.columns import DATATYPES, Columns
from evergreen.serving.protocol import (
    InferAnswer,
    InferRequest,
    ModelMetadata,
    OutputTensor,
    Refusal,
    RowAnswer,
    RowsAnswer,
    TensorMetadata,
    encode,
)

_OUTPUT_DATATYPES = {"number": "FP64", "integer": "INT64", "boolean": "BOOL", "string": "BYTES"}
_PLATFORMS = {"onnx": "onnx_onnxruntime", "native": "sklearn_skops"}
_WARM_UP_ROWS = 64


@dataclass(frozen=True)
class Identity:
    """What is served, as clients and metrics see it."""

    name: str
    version: str
    digest: str
    engine: str


class ServedModel:
    """One version of a model, ready to answer; never changed, so that it can be swapped for another one.

    Args:
        name: The model's name in the registry.
        version: Its version there.
        bundle: The loaded bundle.
        max_rows: The most rows of one request.
    """

    def __init__(self, name: str, version: int, bundle: Bundle, max_rows: int) -> None:
        self.identity = Identity(name, str(version), bundle.digest, bundle.engine)
        self.signature = bundle.signature
        self.columns = Columns(bundle.signature, max_rows)
        self.metadata = encode(_metadata(self.identity, bundle.signature))
        self._run = bundle.run
        self._outputs = {o["name"]: _OUTPUT_DATATYPES[o["type"]] for o in bundle.signature.outputs}
        self._class_names = [_text(c) for c in bundle.signature.classes or ()]
        self._seconds = (0.0, 0.0)

    def warm_up(self) -> float:
        """Predict made-up rows, so that the first caller does not wait, and learn what a prediction costs.

        Returns:
            Seconds that one row takes.
        """
        single, many = self._timed(1), self._timed(_WARM_UP_ROWS)
        per_row = max(0.0, (many - single) / (_WARM_UP_ROWS - 1))
        self._seconds = (single, per_row)
        return single

    def _timed(self, rows: int) -> float:
        arrays = [_made_up(spec, rows) for spec in self.signature.inputs]
        best = float("inf")
        for _ in range(5):
            begun = time.perf_counter()
            self.predict(arrays, rows)
            best = min(best, time.perf_counter() - begun)
        return best

    def expected_seconds(self, rows: int) -> float:
        """About how long the prediction of so many rows takes, by the warm-up."""
        single, per_row = self._seconds
        return single + (rows - 1) * per_row

    def predict(self, arrays: Sequence[np.ndarray], rows: int) -> Prediction:
        """Predict rows given as the arrays of `Columns`.

        Raises:
            InputError: when the model's own steps refuse the values.
        """
        return self._run(arrays, rows)

    def check_outputs(self, request: InferRequest) -> None:
        """Refuse a wish for an output that this model does not give (status 400)."""
        for wish in request.outputs or ():
            if wish.name not in self._outputs:
                known = ", ".join(self._outputs)
                raise Refusal(400, "schema", f"output {wish.name!r}", "not an output of this model", known)

    def infer_answer(self, request: InferRequest, prediction: Prediction) -> bytes:
        """The protocol's answer: the outputs asked for, or all."""
        names = [wish.name for wish in request.outputs] if request.outputs else list(self._outputs)
        tensors = [self._tensor(name, prediction) for name in names]
        return encode(InferAnswer(self.identity.name, self.identity.version, tensors, request.id))

    def _tensor(self, name: str, prediction: Prediction) -> OutputTensor:
        array = prediction.values if name == "prediction" else prediction.probabilities
        assert array is not None
        data = array.ravel().tolist()
        if self._outputs[name] == "BYTES":
            data = [_text(value) for value in data]
        return OutputTensor(name, list(array.shape), self._outputs[name], data)

    def rows_answer(self, prediction: Prediction, request_id: str | None) -> bytes:
        """The answer to a `rows` request: one object a row."""
        values: list[Any] = prediction.values.tolist()
        if prediction.probabilities is None:
            answers = [RowAnswer(value) for value in values]
        else:
            rows = prediction.probabilities.tolist()
            answers = [
                RowAnswer(value, dict(zip(self._class_names, row, strict=True)))
                for value, row in zip(values, rows, strict=True)
            ]
        return encode(RowsAnswer(self.identity.name, self.identity.version, answers, request_id))


def _made_up(spec: Input, rows: int) -> np.ndarray:
    if spec.type == "category":
        return np.full(rows, spec.categories[0] if spec.categories else "", dtype=object)
    return np.zeros(rows)


def _text(value: Any) -> str:
    """A class label as text, as JSON writes it."""
    return value if isinstance(value, str) else encode(value).decode()


def _metadata(identity: Identity, signature: Signature) -> ModelMetadata:
    classes = None if signature.classes is None else list(signature.classes)
    inputs = [TensorMetadata(i.name, DATATYPES[i.type], [-1]) for i in signature.inputs]
    outputs = [
        TensorMetadata(o["name"], _OUTPUT_DATATYPES[o["type"]], list(o["shape"])) for o in signature.outputs
    ]
    parameters = {
        "digest": identity.digest,
        "task": signature.task,
        "engine": identity.engine,
        "classes": classes,
        "positive": signature.positive,
        "optional": [i.name for i in signature.inputs if not i.required],
        "accepts_missing": signature.accepts_missing,
    }
    return ModelMetadata(
        identity.name, [identity.version], _PLATFORMS[identity.engine], inputs, outputs, parameters
    )
