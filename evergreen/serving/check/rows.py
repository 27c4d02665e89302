"""Real rows as callers send them, what the trained pipeline says about them, and how far answers are off."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evergreen.bundle.encode import MISSING_TEXT, encode_columns
from evergreen.bundle.load import load_bundle
from evergreen.bundle.parity import PROBABILITY_TOLERANCE
from evergreen.bundle.signature import Prediction, Signature
from evergreen.errors import DataError
from evergreen.tables import connect, identifier, literal


@dataclass(frozen=True)
class RealRows:
    """Rows of a split.

    Attributes:
        rows: As JSON objects.
        expected: What the trained pipeline, without the graph, predicts for them.
        left_out: Rows with a missing value, for a model that takes none.
    """

    rows: tuple[Mapping[str, Any], ...]
    expected: Prediction
    left_out: int


def real_rows(bundle: Path, splits: Path, signature: Signature, count: int) -> RealRows:
    """A fixed sample of the test part (or of the last part there is), and the pipeline's predictions.

    Raises:
        DataError: there is no part with rows, or it lacks a column.
    """
    path = next(
        (p for p in (splits / f"{n}.parquet" for n in ("test", "validation", "train")) if p.is_file()), None
    )
    if path is None:
        raise DataError(str(splits), "no part of a split is there", "test.parquet", "Run split_data first.")
    names = [i.name for i in signature.inputs]
    with connect() as con:
        known = {
            c[0] for c in con.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(str(path))})").fetchall()
        }
        absent = [i.name for i in signature.inputs if i.required and i.name not in known]
        if absent:
            raise DataError(str(path), f"no column {absent[0]!r}", "every required input of the model")
        there = [n for n in names if n in known]
        quoted = ", ".join(map(identifier, there))
        order = "md5(file_row_number::VARCHAR)"
        table = con.execute(
            f"SELECT {quoted} FROM read_parquet({literal(str(path))}, file_row_number=true) "
            f"ORDER BY {order} LIMIT ?",
            [count],
        ).df()
    if not len(table):
        raise DataError(str(path), "no rows", "at least one row to ask the server about")
    arrays, rows = encode_columns(signature, table) if signature.accepts_missing else _whole(signature, table)
    objects = tuple(_objects(signature, arrays, rows, set(there)))
    expected = load_bundle(bundle, engine="native", threads=1).run(arrays, rows)
    return RealRows(objects, expected, len(table) - rows)


def _whole(signature: Signature, table: Any) -> tuple[list[np.ndarray], int]:
    kept = table.dropna()
    if not len(kept):
        raise DataError("test part", "every row has a missing value", "rows that the model takes")
    return encode_columns(signature, kept)


def _objects(
    signature: Signature, arrays: Sequence[np.ndarray], rows: int, there: set[str]
) -> list[dict[str, Any]]:
    columns = {
        spec.name: [_value(spec.type, v) for v in array.tolist()]
        for spec, array in zip(signature.inputs, arrays, strict=True)
        if spec.name in there
    }
    return [{name: values[k] for name, values in columns.items()} for k in range(rows)]


def _value(kind: str, value: Any) -> Any:
    if kind == "category":
        return None if value == MISSING_TEXT else value
    if value != value:
        return None
    return bool(value) if kind == "boolean" else value


def rows_body(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The body of a `rows` request."""
    return json.dumps({"rows": list(rows)}).encode()


def infer_body(signature: Signature, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The body of an `infer` request, one tensor a column."""
    types = {"number": "FP64", "boolean": "BOOL", "category": "BYTES"}
    inputs = [
        {
            "name": i.name,
            "shape": [len(rows)],
            "datatype": types[i.type],
            "data": [r.get(i.name) for r in rows],
        }
        for i in signature.inputs
    ]
    return json.dumps({"inputs": inputs}).encode()


@dataclass(frozen=True)
class Difference:
    """How far answers are from the pipeline's.

    Attributes:
        largest: Of a probability, or of a number relative to the predictions' spread.
        labels: Rows with another label although the classes were not a tie.
        gaps: The difference of each answer; one with another label counts as infinite.
    """

    largest: float
    labels: int
    gaps: tuple[float, ...] = ()

    def worse(self, other: "Difference") -> "Difference":
        """The larger difference, both counts, and the answers of both."""
        return Difference(
            max(self.largest, other.largest), self.labels + other.labels, (*self.gaps, *other.gaps)
        )

    def beyond(self, tolerance: float) -> int:
        """How many answers are further off."""
        return sum(gap > tolerance for gap in self.gaps)


def rows_difference(signature: Signature, expected: Prediction, first: int, body: bytes) -> Difference:
    """Compare the answer to a `rows` request with the expected predictions from row `first` on."""
    answers = json.loads(body)["predictions"]
    values = [a["prediction"] for a in answers]
    names = [c if isinstance(c, str) else json.dumps(c) for c in signature.classes or ()]
    shares = (
        [[a["probabilities"][n] for n in names] for a in answers] if signature.has_probabilities else None
    )
    return _difference(signature, expected, first, values, shares)


def infer_difference(signature: Signature, expected: Prediction, first: int, body: bytes) -> Difference:
    """Compare the answer to an `infer` request with the expected predictions from row `first` on."""
    outputs = {o["name"]: o for o in json.loads(body)["outputs"]}
    shares = None
    if signature.has_probabilities:
        found = outputs["probabilities"]
        shares = np.reshape(found["data"], found["shape"]).tolist()
    return _difference(signature, expected, first, outputs["prediction"]["data"], shares)


def _difference(
    signature: Signature,
    expected: Prediction,
    first: int,
    values: list[Any],
    shares: list[list[float]] | None,
) -> Difference:
    part = slice(first, first + len(values))
    wanted = expected.values[part]
    if signature.classes is None:
        gap = np.abs(np.array(values, dtype=np.float64) - wanted)
        scale = max(float(np.std(expected.values)), 1e-12) + 0.1 * np.abs(wanted)
        return _found(gap / scale, np.zeros(len(values), dtype=bool))
    # Labels are compared as JSON writes them: a caller sees nothing else.
    other = np.array([json.dumps(v) != json.dumps(w) for v, w in zip(values, wanted.tolist(), strict=True)])
    if expected.probabilities is None or shares is None:
        return _found(np.zeros(len(values)), other)
    probabilities = expected.probabilities[part]
    top = np.sort(probabilities, axis=1)[:, -2:]
    tie = top[:, 1] - top[:, 0] <= 2 * PROBABILITY_TOLERANCE
    return _found(np.abs(np.array(shares) - probabilities).max(axis=1), other & ~tie)


def _found(gaps: np.ndarray, other: np.ndarray) -> Difference:
    """The difference of some answers: `gaps` [rows], `other` [rows] says whose label is another one."""
    gaps = np.nan_to_num(gaps, nan=np.inf)
    each = np.where(other, np.inf, gaps)
    return Difference(float(gaps.max()), int(other.sum()), tuple(each.tolist()))
