"""Read a bundle, after every digest of it was checked, and predict with it."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from evergreen.bundle import manifest as manifests
from evergreen.bundle.encode import encode_columns, encode_rows
from evergreen.bundle.native import NativeEngine, audit
from evergreen.bundle.signature import Prediction, Signature
from evergreen.errors import InputError

_CHUNK_ROWS = 65_536


def load_bundle(
    folder: Path, *, engine: Literal["auto", "onnx", "native"] = "auto", threads: int = 0
) -> "Bundle":
    """Load a bundle.

    Every file's digest is checked first, then every type that `model.skops` names, then the engine starts.

    Args:
        folder: The bundle.
        engine: `auto` takes the graph where there is one.
        threads: What a prediction of many rows may use; 0 means every core. Few rows always use one.

    Raises:
        BundleError: naming the file that is missing, extra, changed, or holds a type that is not trusted.
        InputError: when `engine` is `onnx` and the bundle has no graph.
    """
    folder = Path(folder)
    manifest = manifests.verify(folder)
    path = folder / "signature.json"
    signature = Signature.from_json(path.read_text(encoding="utf-8"), str(path))
    audit((folder / "model.skops").read_bytes(), str(folder / "model.skops"))
    chosen = manifest["engine"] if engine == "auto" else engine
    if chosen == "onnx" and manifest["engine"] != "onnx":
        reason = manifest["parity"]["reason"]
        raise InputError(str(folder), f"it has no ONNX graph ({reason})", remedy="Use the native engine.")
    return Bundle(folder, manifest, signature, chosen, threads)


class Bundle:
    """A loaded bundle.

    Attributes:
        folder: Where it was read from.
        manifest: `manifest.json`: digest, files, engine, parity.
        signature: What the model takes and gives.
        engine: `onnx` or `native`: what predicts.
        digest: The digest over all files.
    """

    def __init__(
        self, folder: Path, manifest: Mapping[str, Any], signature: Signature, engine: str, threads: int = 0
    ) -> None:
        self.folder, self.manifest, self.signature, self.engine = folder, manifest, signature, engine
        self.digest: str = manifest["digest"]
        self._runner = self._start(threads)

    def _start(self, threads: int) -> Any:
        if self.engine == "native":
            return NativeEngine.read(self.folder / "model.skops", self.signature)
        from evergreen.bundle.graph import OnnxEngine  # a native bundle needs no ONNX Runtime

        path = self.folder / "model.onnx"
        return OnnxEngine(path.read_bytes(), self.signature, str(path), threads)

    @cached_property
    def model(self) -> Any:
        """The fitted scikit-learn pipeline, read on first use."""
        if isinstance(self._runner, NativeEngine):
            return self._runner.model
        return NativeEngine.read(self.folder / "model.skops", self.signature).model

    @cached_property
    def profile(self) -> dict[str, Any] | None:
        """The frozen baseline profile (`profile.json`) as plain data; None when the bundle has none."""
        return self._json("profile.json")

    @cached_property
    def training(self) -> dict[str, Any]:
        """What the model was trained on and how (`training.json`)."""
        return self._json("training.json") or {}

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        path = self.folder / "card.md"
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def _json(self, name: str) -> dict[str, Any] | None:
        import json

        path = self.folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def predict(self, columns: Any) -> Prediction:
        """Predict a table: a pandas DataFrame, or a mapping of names to columns.

        Columns that the model does not read are ignored; an optional column that is absent counts as missing.

        Raises:
            InputError: naming a required column that is absent, or a column of the wrong type.
        """
        arrays, rows = encode_columns(self.signature, columns)
        pieces = [
            self.run([a[k : k + _CHUNK_ROWS] for a in arrays], min(_CHUNK_ROWS, rows - k))
            for k in range(0, rows, _CHUNK_ROWS)
        ]
        return _joined(self.signature, pieces)

    def predict_rows(self, rows: Sequence[Mapping[str, Any]]) -> Prediction:
        """Predict a few rows, each a mapping of names to values; on one thread and without pandas.

        Raises:
            InputError: as `predict`.
        """
        if not rows:
            return _joined(self.signature, [])
        return self.run(encode_rows(self.signature, rows), len(rows))

    def run(self, arrays: Sequence[np.ndarray], rows: int) -> Prediction:
        """Predict rows that are encoded already, as `evergreen.bundle.encode` does it; all at once."""
        prediction: Prediction = self._runner.run(arrays, rows)
        return prediction

    def run_block(self, block: np.ndarray) -> Prediction:
        """As `run`, for a model without text: the columns as one block [columns, rows] of doubles."""
        prediction: Prediction = self._runner.run_block(block)
        return prediction


def _joined(signature: Signature, pieces: Sequence[Prediction]) -> Prediction:
    if len(pieces) == 1:
        return pieces[0]
    if not pieces:
        none = np.empty(0, dtype=np.intp)
        values = none.astype(np.float64) if signature.classes is None else signature.labels(none)
        width = len(signature.classes or ())
        return Prediction(values, np.empty((0, width)) if signature.has_probabilities else None)
    probabilities = [p.probabilities for p in pieces if p.probabilities is not None]
    return Prediction(
        np.concatenate([p.values for p in pieces]), np.concatenate(probabilities) if probabilities else None
    )
