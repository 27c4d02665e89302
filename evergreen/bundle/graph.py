"""The ONNX engine: the model's graph run by ONNX Runtime, without scikit-learn and without pandas.

The graph has one input tensor a column, [rows, 1], named `c0`, `c1`… in the order of the signature's inputs
(an ONNX name cannot hold every column name), float for numbers and booleans, string for categories.
"""

from collections.abc import Sequence
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime

from evergreen.bundle.signature import Prediction, Signature, label_array
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
        self._labels = None if signature.classes is None else label_array(signature.classes)

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
        return self._predict(feed, rows)

    def run_block(self, block: np.ndarray) -> Prediction:
        """Predict the columns of a block [columns, rows] of doubles; for graphs without text."""
        rows = block.shape[1]
        if rows == 1:
            return self._prediction(self._single.run(block))
        feed = dict(zip(self._names, block.astype(np.float32).reshape(-1, rows, 1), strict=True))
        return self._predict(feed, rows)

    @cached_property
    def _single(self) -> "_SingleRow":
        return _SingleRow(self._one, self._names, self._outputs[0])

    def _predict(self, feed: dict[str, np.ndarray], rows: int) -> Prediction:
        session = self._one if rows <= self._FEW else self._many
        return self._prediction(session.run(self._outputs, feed)[0])

    def _prediction(self, output: np.ndarray) -> Prediction:
        if self._labels is None:
            return Prediction(output.astype(np.float64).ravel())
        if not self.signature.has_probabilities:
            return Prediction(self._labels[np.asarray(output.ravel(), dtype=np.intp)])
        return Prediction(self._labels[output.argmax(axis=1)], output.astype(np.float64))


class _SingleRow:
    """One row at a time through inputs that stay bound: checking a call's inputs is half its cost."""

    def __init__(self, session: Any, names: Sequence[str], output: str) -> None:
        self._session, self._binding, self._lock = session, session.io_binding(), Lock()
        self._values = np.zeros((len(names), 1, 1), dtype=np.float32)  # the bound inputs share its memory
        for name, value in zip(names, self._values, strict=True):
            self._binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(value))
        self._binding.bind_output(output)

    def run(self, block: np.ndarray) -> np.ndarray:
        """The graph's output for a block [columns, 1]."""
        with self._lock:
            self._values[:, :, 0] = block
            self._session.run_with_iobinding(self._binding)
            output: np.ndarray = self._binding.copy_outputs_to_cpu()[0]
            return output
