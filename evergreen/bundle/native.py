"""The native engine: a skops file read with a fixed list of trusted types, and run with scikit-learn.

Two checks come before any object is made: every type that the file names must be on our list, and no node may
ask for a bound method. One comes after: the indices of every decision tree must lie inside the tree, for
scikit-learn follows them without looking.
"""

import io
import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evergreen.bundle.signature import Prediction, Signature
from evergreen.bundle.trusted_types import TRUSTED_TYPES
from evergreen.errors import BundleError, InputError

_LOADERS_REFUSED = {"MethodNode", "OperatorFuncNode"}


def audit(data: bytes, where: str) -> None:
    """Refuse a skops file that names a type off the list; nothing is imported or built.

    Raises:
        BundleError: naming the types, or saying that it is no skops file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            schema = json.loads(archive.read("schema.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, RuntimeError) as error:
        raise BundleError(where, f"not a skops file ({type(error).__name__})") from error
    unknown = sorted(set(_named_types(schema)) - TRUSTED_TYPES)
    if unknown:
        raise BundleError(
            where,
            f"it holds types that are not trusted: {', '.join(unknown)}",
            remedy="Only models that Evergreen trained can be loaded.",
        )


def _named_types(schema: Any) -> Iterator[str]:
    stack = [schema]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            loader = part.get("__loader__")
            if loader in _LOADERS_REFUSED:
                yield f"{loader} of {part.get('__module__')}.{part.get('__class__')}"
            elif "__class__" in part or "__module__" in part:
                yield f"{part.get('__module__')}.{part.get('__class__')}"
            stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)


def load_model(data: bytes, where: str = "model.skops") -> Any:
    """Build the model of a skops file, after the checks.

    Raises:
        BundleError: when a type is not trusted, the file is broken, or a tree points outside itself.
    """
    audit(data, where)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before OpenMP loads; see evergreen.modeling
    import skops.io  # 4 s with scikit-learn: a server on the ONNX graph never pays for it
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        model = skops.io.loads(data, trusted=sorted(TRUSTED_TYPES))
    except UntrustedTypesFoundException as error:
        raise BundleError(where, str(error).splitlines()[0]) from error
    except (TypeError, ValueError, KeyError, AttributeError, ImportError, zipfile.BadZipFile) as error:
        raise BundleError(where, f"it cannot be read ({type(error).__name__}: {error})") from error
    check_trees(model, where)
    return model


def check_trees(model: Any, where: str = "model.skops") -> None:
    """Refuse a model whose decision trees point outside themselves.

    Raises:
        BundleError: when a child's or a feature's index is out of range, or a child stands before its parent.
    """
    for part in _parts(model):
        kind = type(part).__name__
        if kind == "Tree":
            leaf = part.children_left < 0
            ok = _inside(part.children_left, part.children_right, leaf) and bool(
                np.all(part.feature[~leaf] < part.n_features) and np.all(part.feature[~leaf] >= 0)
            )
        elif kind == "TreePredictor":
            nodes = part.nodes
            leaf = nodes["is_leaf"].astype(bool)
            ok = _inside(nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), leaf) and bool(
                np.all(nodes["bitset_idx"][nodes["is_categorical"] != 0] < len(part.raw_left_cat_bitsets))
            )
        elif hasattr(part, "_predictors") and hasattr(part, "_n_features"):
            used = [
                t.nodes["feature_idx"][t.nodes["is_leaf"] == 0] for trees in part._predictors for t in trees
            ]
            features = np.concatenate([*used, np.empty(0, dtype=np.intp)])
            ok = bool(np.all((features >= 0) & (features < part._n_features)))
        else:
            continue
        if not ok:
            raise BundleError(where, "a decision tree in it points outside itself")


def _inside(left: np.ndarray, right: np.ndarray, leaf: np.ndarray) -> bool:
    """Whether every child lies after its parent and inside the tree, so that a walk down ends."""
    here = np.arange(len(leaf))[~leaf]
    children = (left[~leaf], right[~leaf])
    return bool(len(leaf)) and all(bool(np.all((c > here) & (c < len(leaf)))) for c in children)


def _parts(model: Any) -> Iterator[Any]:
    """Every object that a fitted model holds, each once."""
    seen: set[int] = set()
    stack = [model]
    while stack:
        part = stack.pop()
        if isinstance(part, str | int | float | bool | bytes | type(None) | np.number) or id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, np.ndarray):
            stack.extend(part.ravel().tolist() if part.dtype == object else ())
        elif isinstance(part, dict):
            stack.extend(part.values())
        elif isinstance(part, list | tuple | set):
            stack.extend(part)
        else:
            yield part
            stack.extend(vars(part).values() if hasattr(part, "__dict__") else ())


class NativeEngine:
    """A scikit-learn pipeline over the arrays of `evergreen.bundle.encode`.

    On one thread up to 10,000 rows: below that threads wait for each other longer than they work.
    """

    name = "native"
    _FEW = 10_000

    def __init__(self, model: Any, signature: Signature) -> None:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

        self.model, self.signature = model, signature
        self._threads = ThreadpoolController()
        pin = {
            k: 1 for k, v in model.get_params().items() if k.rpartition("__")[2] == "n_jobs" and v is not None
        }
        model.set_params(**pin)

    @classmethod
    def read(cls, path: Path, signature: Signature) -> "NativeEngine":
        """Load `model.skops`; see `load_model`."""
        return cls(load_model(path.read_bytes(), str(path)), signature)

    def run(self, arrays: Sequence[np.ndarray], rows: int) -> Prediction:
        """Predict `rows` rows."""
        return self._run(_matrix(arrays) if rows <= self._FEW else _frame(arrays), rows)

    def run_block(self, block: np.ndarray) -> Prediction:
        """Predict the columns of a block [columns, rows] of doubles; for models without text."""
        rows = block.shape[1]
        return self._run(block.T if rows <= self._FEW else _frame(list(block)), rows)

    def _run(self, table: Any, rows: int) -> Prediction:
        limit = 1 if rows <= self._FEW else None
        import sklearn

        with self._threads.limit(limits=limit), sklearn.config_context(skip_parameter_validation=True):
            return self._predict(table)

    def _predict(self, table: Any) -> Prediction:
        signature = self.signature
        try:
            if signature.classes is None:
                return Prediction(np.asarray(self.model.predict(table), dtype=np.float64).ravel())
            if not signature.has_probabilities:
                return Prediction(signature.labels(self.model.predict(table)))
            probabilities = np.asarray(self.model.predict_proba(table), dtype=np.float64)
        except ValueError as error:
            raise InputError("rows", f"the model cannot take them ({error})") from error
        return Prediction(signature.labels(probabilities.argmax(axis=1)), probabilities)


def _matrix(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """A few rows as one matrix [rows, inputs]: a DataFrame costs three times the prediction."""
    mixed = any(a.dtype == object for a in arrays)
    matrix = np.empty((len(arrays[0]), len(arrays)), dtype=object if mixed else np.float64, order="F")
    for k, array in enumerate(arrays):
        matrix[:, k] = array
    return matrix


def _frame(arrays: Sequence[np.ndarray]) -> Any:
    """Rows as the table that training used: columns numbered from 0, no names."""
    import pandas as pd

    return pd.DataFrame(dict(enumerate(arrays)), copy=False)
