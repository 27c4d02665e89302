"""Folds of the train part for tuning; they respect what the split respected."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np

from evergreen.errors import DataError
from evergreen.modeling.splitting.assign import hash_of, key_columns
from evergreen.modeling.task import Target
from evergreen.tables import columns, identifier


@dataclass(frozen=True)
class Fold:
    """Row numbers to fit on and to score on."""

    fit: np.ndarray
    score: np.ndarray


def make_folds(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    meta: Mapping[str, Any],
    target: Target,
    labels: np.ndarray,
    count: int,
) -> list[Fold]:
    """Make `count` folds of the rows of a relation, in its order.

    By time: each fold is scored on a later span than it is fitted on, and a time is never on both sides. By
    entity: an entity is in one fold. Stratified: every fold has each class's share. Else by the key's hash.

    Raises:
        DataError: when there are too few rows, times or entities.
    """
    split = meta["split"]
    if split["method"] == "time":
        times = _values(con, relation, f"epoch_us({identifier(split['by'][0])}::TIMESTAMP)")
        return _by_time(times, count)
    keys = (
        split["by"]
        if split["method"] == "entity"
        else key_columns(meta, columns(con, f"SELECT * FROM {relation}"))
    )
    hashes = _values(con, relation, hash_of(keys, split["seed"] + 1))
    if split["method"] == "entity" or target.classes is None:
        numbers = _ranked_groups(hashes, count)
    else:
        numbers = _stratified(hashes, labels, count)
    folds = [Fold(np.flatnonzero(numbers != k), np.flatnonzero(numbers == k)) for k in range(count)]
    return _checked(folds, f"{count} folds by {split['method']}")


def _values(con: duckdb.DuckDBPyConnection, relation: str, sql: str) -> np.ndarray:
    column = con.sql(f"SELECT {sql} FROM {relation}").to_arrow_table().column(0)
    return np.asarray(column.to_numpy())


def _by_time(times: np.ndarray, count: int) -> list[Fold]:
    """Cut the distinct times into `count + 1` spans of about as many rows; fold k is scored on span k + 1."""
    _, place, sizes = np.unique(times, return_inverse=True, return_counts=True)
    middle = np.cumsum(sizes) - sizes / 2
    spans = np.minimum((middle / len(times) * (count + 1)).astype(int), count)[place]
    folds = [Fold(np.flatnonzero(spans < k), np.flatnonzero(spans == k)) for k in range(1, count + 1)]
    return _checked(folds, f"{count} folds by time")


def _ranked_groups(hashes: np.ndarray, count: int) -> np.ndarray:
    """The fold of each row: groups in the order of their hashes, dealt out in turn."""
    _, place = np.unique(hashes, return_inverse=True)
    return np.asarray(place % count)


def _stratified(hashes: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    numbers = np.empty(len(hashes), dtype=np.int64)
    start = 0
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        order = rows[np.argsort(hashes[rows], kind="stable")]
        numbers[order] = (np.arange(len(order)) + start) % count
        start += len(order)
    return numbers


def _checked(folds: list[Fold], what: str) -> list[Fold]:
    if any(not len(f.fit) or not len(f.score) for f in folds):
        raise DataError(
            "model.tune.folds",
            f"{what}: one would be empty",
            "rows in every fold",
            "Lower `model.tune.folds`.",
        )
    return folds
