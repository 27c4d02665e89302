"""The ONNX engine: the model's graph run by ONNX Runtime, without scikit-learn and without pandas.

The graph has one input tensor a column, [rows, 1], named `c0`, `c1`… in the order of the signature's inputs
(an ONNX name cannot hold every column name), float for numbers and booleans, string for categories.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import onnxruntime

from evergreen.bundle.signature import Prediction, Signature
from evergreen.errors import BundleError


class OnnxEngine:
    """Runs `model.onnx`; one thread for few rows, more for many."""

    name = "onnx"
    _FEW = 1000

    def __init__(
        self, graph: bytes, signature: Signature, where: str = "model.onnx", threads: int = 0
    ) -> None:
        self.signature, self._graph, self._where, self._many_threads = signature, graph, where, threads
        self._one = self._session(1)
        self._names = [f"c{k}" for k in range(len(signature.inputs))]
        outputs = [o.name for o in self._one.get_outputs()]
        wanted = len(outputs) - 1 if signature.has_probabilities else 0
        self._outputs = [outputs[wanted]]

    @cached_property
    def _many(self) -> Any:
        return self._session(self._many_threads)

    def _session(self, threads: int) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            return onnxruntime.InferenceSession(self._graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own errors have no common base
            raise BundleError(self._where, f"ONNX Runtime cannot load it ({type(error).__name__})") from error

    def run(self, arrays: Sequence[np.ndarray], rows: int) -> Prediction:
        """Predict `rows` rows."""
        feed = {
            name: array.reshape(-1, 1) if array.dtype == object else array.astype(np.float32).reshape(-1, 1)
            for name, array in zip(self._names, arrays, strict=True)
        }
        session = self._one if rows <= self._FEW else self._many
        (output,) = session.run(self._outputs, feed)
        signature = self.signature
        if signature.classes is None:
            return Prediction(output.astype(np.float64).ravel())
        if not signature.has_probabilities:
            return Prediction(signature.labels(output.ravel()))
        return Prediction(signature.labels(output.argmax(axis=1)), output.astype(np.float64))
