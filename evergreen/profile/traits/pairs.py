"""Cutting columns into few codes, and counting which codes stand in the same rows."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evergreen.profile.model import Family
from evergreen.profile.traits.model import Coding, Item
from evergreen.profile.traits.tallies import DAY

_CODES = 5
_COLUMNS = 60
# Columns of texts or numbers that hardly repeat say nothing in pairs when they are names.
_UNLIKE = 0.5
_BLOCK = 8192


def codings(name: str, encoded: pa.DictionaryArray, family: Family) -> list[Coding]:
    """How to cut a column: numbers and times at their quintiles, texts by their most frequent values."""
    values, counts = distinct(encoded)
    rows = int(counts.sum())
    if len(values) < 2 or family == "other":
        return []
    if family == "boolean":
        return [Coding(name, values=(True,))]
    if family == "text":
        order = sorted(range(len(values)), key=lambda i: (-counts[i], str(values[i])))[:_CODES]
        kept: tuple[Item, ...] = tuple(values[i] for i in order if counts[i] >= max(5, rows / 100))
        return [Coding(name, values=kept)] if kept and len(values) < _UNLIKE * rows else []
    numbers = values.astype(np.float64)
    found = [Coding(name, edges=edges)] if (edges := _quintiles(numbers, counts)) else []
    if family == "time":
        if np.any(numbers % DAY):
            hours = numbers % DAY
            found += [Coding(name, "hour", edges=e)] if (e := _quintiles(hours, counts)) else []
        days = (numbers // DAY + 3) % 7
        found += [Coding(name, "weekday", edges=e)] if (e := _quintiles(days, counts)) else []
    return found


def _quintiles(values: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[float, ...]:
    order = np.argsort(values)
    ranked, below = values[order], np.cumsum(counts[order])
    wanted = below[-1] * np.arange(1, _CODES) / _CODES
    edges = ranked[np.minimum(np.searchsorted(below, wanted), len(ranked) - 1)]
    # The last value would leave its outer code empty.
    return tuple(dict.fromkeys(float(e) + 0.0 for e in edges if e < ranked[-1]))


def distinct(encoded: pa.DictionaryArray) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """The distinct values of an encoded column, and the rows of each."""
    indices = encoded.indices.drop_null().to_numpy(zero_copy_only=False)
    counts = np.bincount(indices, minlength=len(encoded.dictionary))
    values = np.empty(len(counts), dtype=object)
    values[:] = encoded.dictionary.to_pylist()
    return values, counts


def cooccurrence(
    codes: Sequence[Coding], columns: dict[str, pa.DictionaryArray], rows: int
) -> NDArray[np.float64]:
    """How many rows have code i and code j: XᵀX of the one-hot codes, block by block."""
    coded = [(c.size, _coded(c, columns[c.column])) for c in codes]
    starts = np.concatenate([[0], np.cumsum([size for size, _ in coded])]).astype(int)
    total = np.zeros((starts[-1], starts[-1]))
    for begin in range(0, rows, _BLOCK):
        end = min(rows, begin + _BLOCK)
        block = np.zeros((end - begin, starts[-1]), dtype=np.float32)
        for (_, own), start in zip(coded, starts, strict=False):
            part = own[begin:end]
            present = np.flatnonzero(part >= 0)
            block[present, start + part[present]] = 1
        total += block.T @ block
    return total


def _coded(coding: Coding, encoded: pa.DictionaryArray) -> NDArray[np.int64]:
    """The code of every row; −1 where the value is missing."""
    values = encoded.dictionary.to_pylist()
    if coding.edges:
        numbers = np.array(values, dtype=np.float64)
        if coding.part == "hour":
            numbers = numbers % DAY
        elif coding.part == "weekday":
            numbers = (numbers // DAY + 3) % 7
        own = np.searchsorted(np.array(coding.edges), numbers)
    else:
        places = {v: i for i, v in enumerate(coding.values)}
        own = np.array([places.get(v, len(places)) for v in values], dtype=np.int64)
    padded = np.concatenate([own.astype(np.int64), [-1]])
    return padded[encoded.indices.fill_null(len(own)).to_numpy(zero_copy_only=False)]


def chosen(found: Sequence[Coding]) -> tuple[Coding, ...]:
    """The first of them; pairs grow with the square."""
    return tuple(found[:_COLUMNS])
