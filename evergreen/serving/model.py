"""A model that is served: its bundle, what the protocol says about it, and how long a prediction takes."""

import time
from dataclasses import dataclass

import numpy as np

from evergreen.bundle.load import Bundle
from evergreen.bundle.signature import Input, Prediction, Signature
from evergreen.errors import InputError
from evergreen.serving import binary
from evergreen.serving.columns import Columns, Read
from evergreen.serving.outputs import DATATYPES as OUTPUT_DATATYPES
from evergreen.serving.outputs import Answered, Outputs
from evergreen.serving.protocol import (
    InferRequest,
    ModelMetadata,
    RowsRequest,
    TensorMetadata,
    decode_infer,
    decode_rows,
    encode,
    schema_error,
)
from evergreen.serving.settings import Policy
from evergreen.serving.values import DATATYPES

_PLATFORMS = {"onnx": "onnx_onnxruntime", "native": "sklearn_skops"}
_WARM_UP_ROWS = 64


@dataclass(frozen=True)
class Identity:
    """What is served, as clients and metrics see it."""

    name: str
    version: str
    digest: str
    engine: str

    @property
    def ref(self) -> str:
        """`name@version`, as the header `x-evergreen-model` has it."""
        return f"{self.name}@{self.version}"


class ServedModel:
    """One version of a model, ready to answer; never changed, so that it can be swapped for another one.

    Args:
        name: The model's name in the registry.
        version: Its version there.
        bundle: The loaded bundle.
        max_rows: The most rows of one request.
        policy: What becomes of values that do not fit, and which outputs are empty.
    """

    def __init__(
        self, name: str, version: int, bundle: Bundle, max_rows: int, policy: Policy | None = None
    ) -> None:
        policy = policy or Policy()
        self.identity = Identity(name, str(version), bundle.digest, bundle.engine)
        self.ref = self.identity.ref
        self.signature = bundle.signature
        self.columns = Columns(bundle.signature, max_rows, policy)
        self.outputs = Outputs(name, str(version), bundle.signature, policy.empty_outputs)
        self.metadata = encode(_metadata(self.identity, bundle.signature))
        self._bundle = bundle
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
        read = Read(rows, np.array(arrays)) if self.columns.all_numbers else Read(rows, given=arrays)
        best = float("inf")
        for _ in range(5):
            begun = time.perf_counter()
            self.predict(read)
            best = min(best, time.perf_counter() - begun)
        return best

    def expected_seconds(self, rows: int) -> float:
        """About how long the prediction of so many rows takes, by the warm-up."""
        single, per_row = self._seconds
        return single + (rows - 1) * per_row

    def read_infer(self, body: bytes, json_length: str | None) -> tuple[InferRequest, Read]:
        """Read the body of `POST …/infer`.

        Args:
            body: The whole body.
            json_length: The header `Inference-Header-Content-Length`, when there is one.

        Raises:
            Refusal: with status 400 when it does not fit the model, 413 for too many rows.
        """
        if json_length is None:
            request = decode_infer(body)
            tail = len(body) if any(t.parameters is not None for t in request.inputs) else None
        else:
            tail = binary.json_length(json_length, body)
            request = decode_infer(memoryview(body)[:tail])
        if request.outputs:
            self.outputs.check(request)
        values = () if tail is None else binary.read_values(request.inputs, body, tail)
        return request, self.columns.from_tensors(request, values)

    def read_rows(self, body: bytes, json_length: str | None) -> tuple[RowsRequest, Read]:
        """Read the body of `POST …/rows`.

        Raises:
            Refusal: as `read_infer`.
        """
        if json_length is not None:
            raise binary.refuse_header_without_infer()
        request = decode_rows(body)
        return request, self.columns.from_rows(request)

    def predict(self, read: Read) -> Prediction:
        """Predict the rows of a request.

        Raises:
            Refusal: with status 400 when the model's own steps refuse the values.
        """
        try:
            if read.block is not None:
                return self._bundle.run_block(read.block)
            return self._bundle.run(read.given, read.rows)
        except InputError as error:
            raise schema_error(error.where, error.found, error.expected, error.remedy) from None

    def answer(self, request: InferRequest | RowsRequest, prediction: Prediction) -> Answered:
        """The answer to a request, in its own form."""
        if isinstance(request, InferRequest):
            return self.outputs.infer(request, prediction)
        return self.outputs.rows(request.id, prediction)


def _made_up(spec: Input, rows: int) -> np.ndarray:
    if spec.type == "category":
        return np.full(rows, spec.categories[0] if spec.categories else "", dtype=object)
    return np.zeros(rows)


def _metadata(identity: Identity, signature: Signature) -> ModelMetadata:
    classes = None if signature.classes is None else list(signature.classes)
    inputs = [TensorMetadata(i.name, DATATYPES[i.type], [-1]) for i in signature.inputs]
    outputs = [
        TensorMetadata(o["name"], OUTPUT_DATATYPES[o["type"]], list(o["shape"])) for o in signature.outputs
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
