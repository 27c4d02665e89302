"""Read a part of the splits in batches and predict it: what stays is labels, predictions and slices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evergreen.bundle.load import Bundle
from evergreen.bundle.signature import Input, Label, Prediction, Signature
from evergreen.errors import DataError, InputError
from evergreen.modeling.evaluation.sample import Sample
from evergreen.modeling.evaluation.slices import Slicing
from evergreen.modeling.splitting.assign import hash_of
from evergreen.modeling.task import Target
from evergreen.project.wording import shown
from evergreen.tables import explained, identifier

BATCH_ROWS = 100_000


@dataclass(frozen=True)
class Request:
    """What to read beside the models' inputs.

    Attributes:
        label: The label's column.
        slicings: The slices.
        group: The column whose rows are ranked together, or None.
        entity: The columns that name the entity; empty when rows are independent.
    """

    label: str
    slicings: tuple[Slicing, ...] = ()
    group: str | None = None
    entity: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scored:
    """A part with predictions.

    Attributes:
        sample: The rows as the candidate predicts them.
        baseline: The same rows as the baseline predicts them, or None.
        slices: For each slicing, the place of each row's slice, [rows].
    """

    sample: Sample
    baseline: Sample | None
    slices: tuple[np.ndarray, ...]


def target_of(signature: Signature) -> Target:
    """The task and classes that a bundle was trained for."""
    return Target(signature.task, signature.classes, signature.positive)


def same_classes(candidate: Signature, baseline: Signature) -> str:
    """Why the two models cannot be compared on their label; empty when they can."""
    if candidate.task != baseline.task:
        return f"the baseline is a {baseline.task} model, the candidate a {candidate.task} model"
    if set(candidate.classes or ()) != set(baseline.classes or ()):
        return "the baseline predicts other classes than the candidate"
    if candidate.positive != baseline.positive:
        return "the baseline has another positive class than the candidate"
    return ""


def read_part(
    con: duckdb.DuckDBPyConnection,
    source: str,
    types: Mapping[str, str],
    request: Request,
    candidate: Bundle,
    baseline: Bundle | None,
) -> Scored:
    """Read a part and predict its rows with both models.

    Args:
        con: An open connection.
        source: SQL after FROM.
        types: The columns that are there.
        request: What to read.
        candidate: The model that is evaluated.
        baseline: A model with the same classes, or None.

    Raises:
        DataError: when the label or a required input is missing, or a label is no class of the model.
        InputError: when an input is of another type than the model's.
    """
    reader = _Reader(types, request, candidate, baseline)
    with explained("splits", "Run the split again."):
        stream = con.sql(f"SELECT {reader.sql} FROM {source}").to_arrow_reader(BATCH_ROWS)
        for batch in stream:
            reader.add(batch)
    return reader.result()


class _Reader:
    """The columns that are read, and what came of the batches so far."""

    def __init__(
        self, types: Mapping[str, str], request: Request, candidate: Bundle, baseline: Bundle | None
    ) -> None:
        if request.label not in types:
            raise DataError(f"column {request.label!r}", "the splits have no such column")
        self.candidate, self.baseline, self.request = candidate, baseline, request
        self.target = target_of(candidate.signature)
        inputs = {(i.name, i.type == "category"): i for b in self._models() for i in b.signature.inputs}
        self.inputs = [i for (name, _), i in inputs.items() if name in types]
        self.columns: dict[str, list[np.ndarray]] = {}
        group, entity = request.group, request.entity
        label = identifier(request.label)
        expressions = [_cast(i) for i in self.inputs]
        expressions.append(label if self.target.classes is not None else f"{label}::DOUBLE")
        expressions += [f"({s.sql})::INTEGER" for s in request.slicings]
        expressions += [hash_of([group], 0)] if group else []
        expressions += [hash_of(entity, 0)] if entity else []
        self.sql = ", ".join(f"{e} AS c{k}" for k, e in enumerate(expressions))

    def _models(self) -> list[Bundle]:
        return [self.candidate] if self.baseline is None else [self.candidate, self.baseline]

    def add(self, batch: pa.RecordBatch) -> None:
        """Predict a batch and keep what the metrics need."""
        arrays = iter(batch.columns)
        values = {(i.name, i.type == "category"): _plain(i, next(arrays)) for i in self.inputs}
        self._keep("y", label_places(next(arrays), self.target, self.request.label))
        for model, name in zip(self._models(), ("candidate", "baseline"), strict=False):
            given = {
                i.name: values[key]
                for i in model.signature.inputs
                if (key := (i.name, i.type == "category")) in values
            }
            self._predict(name, model, given)
        for k in range(len(self.request.slicings)):
            self._keep(f"slice {k}", next(arrays).to_numpy(zero_copy_only=False).astype(np.int16))
        for name, wanted in (("group", self.request.group), ("entity", self.request.entity)):
            if wanted:
                self._keep(name, next(arrays).to_numpy(zero_copy_only=False).astype(np.uint64))

    def _predict(self, name: str, model: Bundle, given: Mapping[str, np.ndarray]) -> None:
        prediction = model.predict(given)
        values, probabilities = as_places(prediction, model.signature, self.target)
        self._keep(f"{name} predicted", values)
        if probabilities is not None:
            many = probabilities.shape[1] > 2
            self._keep(f"{name} probabilities", probabilities.astype(np.float32 if many else np.float64))

    def _keep(self, name: str, values: np.ndarray) -> None:
        self.columns.setdefault(name, []).append(values)

    def result(self) -> Scored:
        """All rows."""
        whole = {name: np.concatenate(parts) for name, parts in self.columns.items()}
        if not whole:
            raise DataError("splits", "a part has no rows", "rows in every part", "Split again.")
        groups = _numbered(whole.get("group"))
        clusters = groups if self.target.task == "ranking" else _numbered(whole.get("entity"))
        if clusters is not None and clusters.max() + 1 == len(clusters):
            clusters = None
        samples = [
            Sample(
                self.target,
                whole["y"],
                whole[f"{name} predicted"],
                whole.get(f"{name} probabilities"),
                groups,
                clusters,
            )
            for name in ("candidate", "baseline")[: len(self._models())]
        ]
        slices = tuple(whole[f"slice {k}"] for k in range(len(self.request.slicings)))
        return Scored(samples[0], samples[1] if len(samples) > 1 else None, slices)


def _cast(spec: Input) -> str:
    """The types that a model is trained on: text for categories, doubles for the rest."""
    return f"{identifier(spec.name)}::{'VARCHAR' if spec.type == 'category' else 'DOUBLE'}"


def _plain(spec: Input, array: pa.Array) -> np.ndarray:
    if spec.type == "category":
        return np.asarray(array.to_numpy(zero_copy_only=False), dtype=object)
    return np.array(pc.fill_null(array, np.nan).to_numpy(zero_copy_only=False), dtype=np.float64)


def _numbered(names: np.ndarray | None) -> np.ndarray | None:
    return None if names is None else np.unique(names, return_inverse=True)[1].astype(np.int64)


def label_places(values: pa.Array, target: Target, column: str) -> np.ndarray:
    """Labels as places in the target's classes, or as doubles: [rows].

    Raises:
        DataError: for a label that is missing, or no class of the model.
    """
    if values.null_count:
        raise DataError(
            f"label column {column!r}", f"no value in {values.null_count} rows", "a label in every row"
        )
    if target.classes is None:
        return np.array(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    encoded = values.dictionary_encode()
    places = _places(encoded.dictionary.to_pylist(), target.classes)
    unknown = [w for w, place in zip(encoded.dictionary.to_pylist(), places, strict=True) if place < 0]
    if unknown:
        raise DataError(
            f"label column {column!r}",
            f"the class {shown(unknown[0])}, which the model does not know",
            "the classes it was trained on",
            "Train and evaluate on parts of the same split.",
        )
    return places[encoded.indices.to_numpy(zero_copy_only=False)]


def as_places(
    prediction: Prediction, signature: Signature, target: Target
) -> tuple[np.ndarray, np.ndarray | None]:
    """A bundle's prediction as places (or numbers) [rows], and probabilities in the target's order."""
    if target.classes is None or signature.classes is None:
        return np.asarray(prediction.values, dtype=np.float64), None
    different, inverse = np.unique(prediction.values, return_inverse=True)
    places = _places(different.tolist(), target.classes)
    if (places < 0).any():
        raise InputError("model", "it predicts a class that its signature does not name")
    probabilities = prediction.probabilities
    if probabilities is not None and signature.classes != target.classes:
        probabilities = probabilities[:, _places(target.classes, signature.classes)]
    return places[inverse], probabilities


def _places(values: Sequence[Any], classes: Sequence[Label]) -> np.ndarray:
    place: dict[Any, int] = {value: k for k, value in enumerate(classes)}
    plain = [v if isinstance(v, str | int | float | bool) else float(v) for v in values]
    return np.array([place.get(v, -1) for v in plain], dtype=np.int64)
