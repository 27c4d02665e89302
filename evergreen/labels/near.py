"""Rows that are almost the same: numbers a hair apart, texts that differ in case, spaces or punctuation."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from evergreen.labels.rows import PART, Rows, column_of, feature_hash
from evergreen.tables import identifier

COMPARED = 4_000
_CLOSE = 0.05
_KEYS = 8
_MOST_COLUMNS = 200
_LEAST_NUMBERS = 2
_NO_WORD = r"'[^\p{L}\p{N}]+'"


@dataclass(frozen=True)
class NearCopies:
    """Pairs of rows that are almost, but not quite, the same.

    Attributes:
        compared: Rows that were compared with all the others of them.
        rows: Rows whose nearest other row is closer than coincidence brings it.
        leaked: Rows of validation and test among them whose near copy stands in train.
        conflicting: Rows among them whose near copy has another label.
        keys: Some of the pairs, by key.
        leaked_keys: Some of those on both sides of the split.
    """

    compared: int = 0
    rows: int = 0
    leaked: int = 0
    conflicting: int = 0
    keys: tuple[str, ...] = ()
    leaked_keys: tuple[str, ...] = ()


def find_near_copies(rows: Rows, relation: str) -> NearCopies:
    """Look for near copies among at most `COMPARED` rows of a sample.

    Numbers are divided by their interquartile range, texts compared without case, spaces and punctuation. A
    pair counts when its greatest difference over all numbers, and over all texts, is below a twentieth of the
    median distance of a row to its nearest other row (Chebyshev distance), and every text is the same.

    Args:
        rows: The rows.
        relation: The sample, as SQL after FROM, in a stable order.
    """
    numbers = rows.of_kind("number", "integer")[:_MOST_COLUMNS]
    if len(numbers) < _LEAST_NUMBERS:
        return NearCopies()
    limited = f"(SELECT * FROM {relation} LIMIT {COMPARED})"
    scaled, steps = _scaled(rows, limited, numbers)
    if scaled.shape[1] < _LEAST_NUMBERS or len(scaled) < 3:
        return NearCopies(len(scaled))
    words = [n for n in rows.features if n not in numbers]
    texts = _same_text(rows, limited, words)
    exact = column_of(rows.con, limited, feature_hash(rows.features))
    distance, nearest = _nearest_other(scaled, exact)
    usual = float(np.median(distance[np.isfinite(distance)])) if np.isfinite(distance).any() else 0.0
    rounded = np.abs(scaled - scaled[nearest]).max(axis=1)
    # One step of a coarse column is a step, not a hair: a pair must be closer than any column's own steps.
    close = (distance < _CLOSE * usual) & (texts == texts[nearest]) & (rounded < steps)
    return _described(rows, limited, close, nearest)


def _scaled(rows: Rows, limited: str, names: list[str]) -> tuple[np.ndarray, float]:
    """Numbers over their spread, [rows, columns], missing ones far outside; and the largest column's step.

    The step is the median gap between neighbouring values, of the finest column: below it pairs are told
    apart by noise only.
    """
    columns, steps = [], []
    for name in names:
        values = column_of(rows.con, limited, f"{identifier(name)}::DOUBLE").astype(np.float64)
        present = values[np.isfinite(values)]
        spread = float(np.subtract(*np.percentile(present, [75, 25]))) if len(present) else 0.0
        spread = spread or (float(present.std()) if len(present) else 0.0)
        if not spread:
            continue
        distinct = np.unique(present)
        steps.append(
            float(np.median(np.diff(distinct))) / spread if len(distinct) < len(present) / 2 else 0.0
        )
        columns.append(np.where(np.isfinite(values), values / spread, -1e6))
    coarse = [s for s in steps if s]
    least = float(max(coarse)) if len(coarse) == len(steps) and coarse else np.inf
    return (np.stack(columns, axis=1) if columns else np.empty((0, 0))), least


def _same_text(rows: Rows, limited: str, names: list[str]) -> np.ndarray:
    """A number a row, equal where all texts are equal after normalisation."""
    if not names:
        return np.zeros(rows.con.execute(f"SELECT count(*) FROM {limited}").fetchall()[0][0])
    plain = [
        f"regexp_replace(lower(strip_accents(coalesce({identifier(n)}::VARCHAR, ''))), {_NO_WORD}, '', 'g')"
        for n in names
    ]
    return pd.factorize(column_of(rows.con, limited, f"concat_ws(chr(31), {', '.join(plain)})"))[0]


def _nearest_other(scaled: np.ndarray, exact: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to, and place of, the nearest row that is not an exact copy."""
    most = min(len(scaled), 4)
    found = NearestNeighbors(n_neighbors=most, metric="chebyshev", algorithm="kd_tree").fit(scaled)
    distance, place = found.kneighbors(scaled)
    other = exact[place] != exact[:, None]
    first = other.argmax(axis=1)
    lines = np.arange(len(scaled))
    return np.where(other.any(axis=1), distance[lines, first], np.inf), place[lines, first]


def _described(rows: Rows, limited: str, close: np.ndarray, nearest: np.ndarray) -> NearCopies:
    found = np.flatnonzero(close)
    if not len(found):
        return NearCopies(len(close))
    parts = column_of(rows.con, limited, PART)
    keys = column_of(rows.con, limited, rows.key_sql())
    labels = column_of(rows.con, limited, identifier(rows.label))
    across = [i for i in found if parts[i] != "train" and parts[nearest[i]] == "train"]
    shown = [f"{keys[i]} ~ {keys[nearest[i]]}" for i in found if i < nearest[i] or not close[nearest[i]]]
    return NearCopies(
        compared=len(close),
        rows=len(found),
        leaked=len(across),
        conflicting=int(sum(labels[i] != labels[nearest[i]] for i in found)),
        keys=tuple(shown[:_KEYS]),
        leaked_keys=tuple(f"{keys[i]} ~ {keys[nearest[i]]}" for i in across[:_KEYS]),
    )
