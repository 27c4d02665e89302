"""The parity gate: the graph serves only when it predicts what the pipeline predicts.

Checked on real rows, and on the same rows with missing and unseen values put into every column. The gate
blocks the graph, not the model, and records why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from evergreen.bundle.encode import MISSING_TEXT
from evergreen.bundle.signature import Prediction, Signature
from evergreen.errors import EvergreenError

UNSEEN_TEXT = "\u2603 a value that training never saw"
PROBABILITY_TOLERANCE = 1e-4
VALUE_TOLERANCE = 1e-4


class Engine(Protocol):
    """What both engines offer."""

    def run(self, arrays: Sequence[np.ndarray], rows: int) -> Prediction:
        """Predict `rows` rows."""


@dataclass(frozen=True)
class Parity:
    """What the gate saw.

    Attributes:
        passed: Whether the graph may serve.
        reason: Why not; empty when it passed.
        rows: Rows compared, those with injected values included.
        largest_difference: Of a probability, or of a number in units of the predictions' spread; None when
            nothing was compared.
        different_labels: Rows whose predicted class differs although the classes were not within tolerance.
        tolerance: The largest difference that passes.
    """

    passed: bool
    reason: str = ""
    rows: int = 0
    largest_difference: float | None = None
    different_labels: int = 0
    tolerance: float = PROBABILITY_TOLERANCE


def probes(signature: Signature, arrays: Sequence[np.ndarray], seed: int = 0) -> dict[str, list[np.ndarray]]:
    """Rows to compare on: the real ones, and copies with values made missing, unseen, or both at random.

    Args:
        signature: The model's inputs.
        arrays: Encoded real rows, one array [rows] an input.
        seed: Seeds the choice of cells.
    """
    rng = np.random.default_rng(seed)
    rows = len(arrays[0]) if arrays else 0
    columns = range(len(arrays))
    one_missing = [_with(a, np.arange(rows) % len(arrays) == k, missing=True) for k, a in enumerate(arrays)]
    some_missing = [_with(a, rng.random(rows) < 0.2, missing=True) for a in arrays]
    unseen = [
        _with(arrays[k], rng.random(rows) < 0.3, missing=False)
        if signature.inputs[k].type == "category"
        else arrays[k]
        for k in columns
    ]
    return {"real": list(arrays), "missing": one_missing, "many missing": some_missing, "unseen": unseen}


def _with(array: np.ndarray, where: np.ndarray, *, missing: bool) -> np.ndarray:
    changed = array.copy()
    if array.dtype == object:
        changed[where] = MISSING_TEXT if missing else UNSEEN_TEXT
    elif missing:
        changed[where] = np.nan
    return changed


def compare(
    signature: Signature, native: Engine, graph: Engine, tables: Mapping[str, list[np.ndarray]]
) -> Parity:
    """Run both engines on the probes; a table that only the graph takes blocks it."""
    worst, labels, rows = 0.0, 0, 0
    for kind, arrays in tables.items():
        count = len(arrays[0]) if arrays else 0
        if not count:
            continue
        try:
            expected = native.run(arrays, count)
        except EvergreenError:
            return Parity(False, f"the pipeline refuses rows with {kind} values, a graph cannot")
        try:
            observed = graph.run(arrays, count)
        except Exception as error:  # noqa: BLE001  # ONNX Runtime's own errors have no common base
            return Parity(False, f"the graph fails on rows with {kind} values ({type(error).__name__})")
        difference, differing = _difference(signature, expected, observed)
        worst, labels, rows = max(worst, difference), labels + differing, rows + count
    if not rows:
        return Parity(False, "no row to compare on")
    ok = worst <= PROBABILITY_TOLERANCE and labels == 0
    reason = "" if ok else f"largest difference {worst:.3g}, {labels} different labels in {rows} rows"
    return Parity(ok, reason, rows, float(f"{worst:.3g}"), labels)


def _difference(signature: Signature, expected: Prediction, observed: Prediction) -> tuple[float, int]:
    """The largest difference, and the number of rows whose label differs without being a tie."""
    if expected.probabilities is not None and observed.probabilities is not None:
        both = expected.probabilities, observed.probabilities
        if both[0].shape != both[1].shape or not all(np.isfinite(p).all() for p in both):
            return float("inf"), len(expected.values)
        top = np.sort(both[0], axis=1)[:, -2:]
        clear = top[:, 1] - top[:, 0] > 2 * PROBABILITY_TOLERANCE
        differing = (both[0].argmax(axis=1) != both[1].argmax(axis=1)) & clear
        return float(np.abs(both[0] - both[1]).max()), int(differing.sum())
    if signature.classes is None:
        gap = np.abs(expected.values - observed.values)
        scale = max(float(np.std(expected.values)), 1e-12)
        relative = gap / (scale + 0.1 * np.abs(expected.values))
        return float("inf") if not np.isfinite(gap).all() else float(relative.max()), 0
    return 0.0, int((expected.values != observed.values).sum())


def as_record(parity: Parity) -> dict[str, Any]:
    """The record kept in `parity.json` and in the manifest."""
    finite = parity.largest_difference is not None and np.isfinite(parity.largest_difference)
    return {
        "passed": parity.passed,
        "reason": parity.reason,
        "rows": parity.rows,
        "largest_difference": parity.largest_difference if finite else None,
        "different_labels": parity.different_labels,
        "tolerance": parity.tolerance,
    }
