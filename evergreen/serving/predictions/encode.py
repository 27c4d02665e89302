"""Served requests as Arrow record batches: column by column over a whole batch.

What this takes is part of every request's cost on the server's core, so little is done value by value.
"""

import json
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa

from evergreen.bundle.signature import Label, Prediction, Signature
from evergreen.serving.model import Identity
from evergreen.serving.predictions import arrays
from evergreen.serving.predictions.columns import FeatureColumns
from evergreen.serving.predictions.entry import Outcome, Served
from evergreen.serving.predictions.layout import (
    GAP,
    OUTCOMES,
    TIME,
    logged_features,
    predictions_schema,
)
from evergreen.serving.predictions.privacy import ColumnHash
from evergreen.serving.predictions.spread import Spread


class Encoder:
    """Encodes the requests that one version of a model answered.

    Args:
        identity: What answered.
        signature: Of the model.
        exclude: Features that are left out.
        hashed: Features that are hashed.
        column_hash: Hashes them.
    """

    def __init__(
        self,
        identity: Identity,
        signature: Signature,
        exclude: Collection[str],
        hashed: Collection[str],
        column_hash: ColumnHash,
    ) -> None:
        self.version = int(identity.version) if identity.version.isdecimal() else 0
        self._model, self._classes = identity.name, signature.classes
        self._features = FeatureColumns(logged_features(signature, exclude, hashed), column_hash)
        self._texts = {label: _text(label) for label in signature.classes or ()}
        self.schema = predictions_schema(self._features.features)

    def encode(self, served: Sequence[Served], gap: Mapping[str, int]) -> pa.RecordBatch:
        """One batch of rows: those that were answered, then those that were refused.

        Args:
            served: At least one request, all of this version.
            gap: What was dropped before them, by reason.
        """
        answered = [s for s in served if s.prediction is not None]
        refused = [s for s in served if s.prediction is None] if len(answered) < len(served) else []
        parts = [self._answered(answered)] if answered else []
        parts += [self._refused(refused)] if refused else []
        names = [name for name in self.schema.names if name != GAP]
        columns = [_joined([part[name] for part in parts]) for name in names]
        return pa.RecordBatch.from_arrays([*columns, gaps(gap, len(columns[0]))], schema=self.schema)

    def _answered(self, served: Sequence[Served]) -> dict[str, pa.Array]:
        spread = Spread([s.rows for s in served])
        made: list[Prediction] = [s.prediction for s in served]  # type: ignore[misc]
        values = np.concatenate([p.values for p in made])
        features, nulls = self._features.made(served, spread.total)
        texts = self._predictions(values)
        columns = self._of_requests(served, spread)
        columns["prediction"] = arrays.texts(texts, empty_is_null=True)
        columns["score"] = self._scores(made, values)
        columns["empty"] = arrays.booleans(_empty(served, spread, texts))
        columns["missing"] = arrays.numbers(_missing(served, spread, nulls), pa.int32())
        columns["features"] = features
        return columns

    def _refused(self, served: Sequence[Served]) -> dict[str, pa.Array]:
        """One row a request, without features and prediction."""
        rows = len(served)
        columns = self._of_requests(served, Spread([1] * rows))
        columns["prediction"], columns["score"] = pa.nulls(rows, pa.string()), pa.nulls(rows, pa.float64())
        columns["empty"] = arrays.booleans(np.array([s.empty > 0 for s in served]))
        columns["missing"] = arrays.numbers(np.array([s.missing for s in served], np.int32), pa.int32())
        columns["features"] = pa.nulls(rows, self._features.kind)
        return columns

    def _of_requests(self, served: Sequence[Served], spread: Spread) -> dict[str, pa.Array]:
        """The columns that a request's rows have in common."""
        texts, numbers = spread.repeat_list, spread.repeat
        version = np.full(spread.total, self.version, dtype=np.int32)
        return {
            "time": arrays.numbers(numbers(_microseconds([s.time for s in served])), TIME),
            "request_id": arrays.texts(texts([s.request_id for s in served])),
            "row": arrays.numbers(spread.numbers(), pa.int32()),
            "user": arrays.texts(texts([s.user for s in served])),
            "arm": arrays.texts(texts([s.arm for s in served])),
            "model": arrays.same(self._model, spread.total),
            "version": arrays.numbers(version, pa.int32()),
            "status": arrays.numbers(numbers(np.array([s.status for s in served], np.int16)), pa.int16()),
            "seconds": arrays.numbers(numbers(np.array([s.seconds for s in served], float)), pa.float64()),
            "imputed": arrays.numbers(spread.once([s.imputed for s in served]), pa.int32()),
        }

    def _predictions(self, values: np.ndarray) -> list[str]:
        """The predicted labels or numbers as texts; the empty one for none."""
        if self._texts:
            known = self._texts
            return [known[v] if v in known else _text(v) for v in values.tolist()]
        return [repr(v) if v == v else "" for v in values.tolist()]

    def _scores(self, made: Sequence[Prediction], values: np.ndarray) -> pa.Array:
        """The positive class's probability, or the number; null for anything else."""
        if self._classes is None:
            numbers = values.astype(np.float64, copy=False)
            return arrays.numbers(numbers, pa.float64(), numbers == numbers)
        if len(self._classes) != 2 or made[0].probabilities is None:
            return pa.nulls(len(values), pa.float64())
        given = np.concatenate([p.probabilities for p in made])
        return arrays.numbers(given[:, 1].astype(np.float64), pa.float64())


def encode_outcomes(outcomes: Sequence[Outcome], gap: Mapping[str, int]) -> pa.RecordBatch:
    """One batch of outcomes, at least one."""
    columns = [
        arrays.numbers(_microseconds([o.time for o in outcomes]), TIME),
        *(arrays.texts([getattr(o, name) for o in outcomes]) for name in ("request_id", "user", "event")),
        arrays.numbers(np.array([o.value for o in outcomes], dtype=np.float64), pa.float64()),
        gaps(gap, len(outcomes)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=OUTCOMES)


def gaps(gap: Mapping[str, int], rows: int) -> pa.Array:
    """The column `gap`: counts by reason in the first row of a batch, null in the others."""
    if not gap:
        return pa.nulls(rows, pa.string())
    return arrays.texts([json.dumps(dict(gap)), *([""] * (rows - 1))], empty_is_null=True)


def _microseconds(seconds: Sequence[float]) -> np.ndarray:
    return np.round(np.array(seconds, dtype=np.float64) * 1e6).astype(np.int64)


def _joined(parts: Sequence[pa.Array]) -> pa.Array:
    return parts[0] if len(parts) == 1 else pa.concat_arrays(parts)


def _text(label: Label | None) -> str:
    """A label as text, as JSON writes it."""
    if label is None or label != label:
        return ""
    return label if isinstance(label, str) else json.dumps(label)


def _missing(served: Sequence[Served], spread: Spread, nulls: np.ndarray) -> np.ndarray:
    """Missing values by row, where the logged features explain the request's own count."""
    counts = [s.missing for s in served]
    return spread.once(counts) if spread.single or not any(counts) else spread.agreed(counts, nulls)


def _empty(served: Sequence[Served], spread: Spread, texts: list[str]) -> np.ndarray:
    """Which rows have an empty output."""
    if spread.single:
        return np.array([s.empty > 0 for s in served])
    empty = np.repeat([s.empty >= s.rows for s in served], spread.counts)
    for start, one in zip(spread.starts.tolist(), served, strict=True):
        if 0 < one.empty < one.rows:
            none = [not text for text in texts[start : start + one.rows]]
            empty[start : start + one.rows] = none if one.empty_rows is None else one.empty_rows
    return empty
