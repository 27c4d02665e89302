"""The features of a batch of requests as Arrow arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from evergreen.bundle.encode import MISSING_TEXT
from evergreen.serving.predictions import arrays
from evergreen.serving.predictions.entry import Served
from evergreen.serving.predictions.layout import Feature, struct_of
from evergreen.serving.predictions.privacy import ColumnHash


class FeatureColumns:
    """Makes the column `features`.

    Args:
        features: What is logged of the model's columns.
        column_hash: Hashes those that are to be hashed.
    """

    def __init__(self, features: Sequence[Feature], column_hash: ColumnHash) -> None:
        self.features, self.kind = features, struct_of(features)
        self._hash = column_hash

    def made(self, served: Sequence[Served], rows: int) -> tuple[pa.Array, np.ndarray]:
        """The column of some requests, and how many of each row's logged values are missing, [rows]."""
        blocks = [one.arrays for one in served if isinstance(one.arrays, np.ndarray)]
        if len(blocks) == len(served):
            children, missing = self._numbers(np.concatenate(blocks, axis=1))
            return arrays.struct(children, self.kind, rows), missing
        columns = _single(served) if rows == len(served) else _many(served)
        missing = np.zeros(rows, dtype=np.int32)
        children = [self._child(feature, columns[feature.index], missing) for feature in self.features]
        return arrays.struct(children, self.kind, rows), missing

    def _numbers(self, block: np.ndarray) -> tuple[list[pa.Array], np.ndarray]:
        """The same of a block [columns, rows] of doubles: asked at once which values are missing."""
        valid = block == block
        if valid.all():
            missing = np.zeros(block.shape[1], dtype=np.int32)
            return [self._number(f, block[f.index], None) for f in self.features], missing
        logged = [feature.index for feature in self.features]
        missing = np.count_nonzero(~valid[logged], axis=0).astype(np.int32)
        return [self._number(f, block[f.index], valid[f.index]) for f in self.features], missing

    def _child(self, feature: Feature, values: Any, missing: np.ndarray) -> pa.Array:
        """One column, missing values as null; they are added to `missing`."""
        if feature.type == "category":
            texts: list[str] = values
            if MISSING_TEXT in texts:
                missing += np.array([not text for text in texts])
            if feature.hashed:
                texts = self._hash.texts(texts)
            return arrays.texts(texts, empty_is_null=True)
        numbers = np.array(values, dtype=np.float64)
        valid = numbers == numbers
        missing += ~valid
        return self._number(feature, numbers, valid)

    def _number(self, feature: Feature, numbers: np.ndarray, valid: np.ndarray | None) -> pa.Array:
        if feature.hashed:
            return arrays.texts(self._hash.numbers(numbers.tolist()), empty_is_null=True)
        if feature.type == "boolean":
            given = numbers != 0
            return arrays.booleans(given if valid is None else given & valid, valid)
        return arrays.numbers(numbers, pa.float64(), valid)


def _single(served: Sequence[Served]) -> list[Any]:
    """The values by column, of requests with one row each; much faster than joining so many arrays."""
    wide = len(served[0].arrays)
    values = [array.item() for one in served for array in one.arrays]
    return [values[k::wide] for k in range(wide)]


def _many(served: Sequence[Served]) -> list[Any]:
    """The values by column, of requests with any number of rows."""
    joined = [np.concatenate(column) for column in zip(*(one.arrays for one in served), strict=True)]
    return [column.tolist() if column.dtype == object else column for column in joined]
