"""The long tail in an evaluation: its slices by rule, and intervals that are honest about few rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from scipy.stats import norm, t

from evergreen.intervals import quantile, wilson
from evergreen.modeling.evaluation.bootstrap import Estimate, Estimates
from evergreen.modeling.evaluation.sample import Sample
from evergreen.modeling.evaluation.slices import Slicing
from evergreen.strategy.members import Members
from evergreen.strategy.model import TailSlice, read_slices

TAIL = "long_tail"
PREFIX = f"{TAIL}:"
_FEWEST_OF_A_CLASS, _MOST_FALSE = 5, 0.01
_OF_CLASSES = ("roc_auc", "average_precision", "f1", "precision", "recall", "balanced_accuracy")
_UNBOUNDED = ("rmse", "mae", "median_absolute_error", "mape", "log_loss")


def is_tail(name: str) -> bool:
    """Whether a slice of an evaluation is one of the long tail."""
    return name == TAIL or name.startswith(PREFIX)


@dataclass(frozen=True)
class Tail:
    """The slices of a strategy over the splits.

    Attributes:
        slices: As `assess_data` found them.
        members: Which rows are in them.
    """

    slices: tuple[TailSlice, ...]
    members: Members

    @staticmethod
    def of(
        con: duckdb.DuckDBPyConnection, everything: str, types: Mapping[str, str], strategy: Path | None
    ) -> "Tail":
        """Read a strategy; without one there are no slices.

        Args:
            con: An open connection.
            everything: SQL after FROM, over all parts: rows of an entity are counted in all of them.
            types: The columns of the parts.
            strategy: `strategy.json`, or None.

        Raises:
            DataError: when it is no strategy, or the parts lack a column of its rules.
        """
        slices = read_slices(strategy) if strategy is not None else ()
        return Tail(slices, Members(con, everything, types, [s.rule for s in slices]))

    def source(self, part: str) -> str:
        """SQL after FROM: a part with what the rules need, rows in their order."""
        return self.members.source(part, ordered=True)

    @property
    def slicings(self) -> tuple[Slicing, ...]:
        """A slicing for all of the tail together, `long_tail`, and one for each slice.

        Rows outside get a place that has no name, and so are in no slice.
        """
        conditions = {s.name: self.members.sql(s.rule) for s in self.slices}
        if conditions:
            conditions = {TAIL: f"({' OR '.join(conditions.values())})", **conditions}
        return tuple(
            Slicing(TAIL, (name,), f"CASE WHEN {sql} THEN 0 ELSE 1 END") for name, sql in conditions.items()
        )

    def content(self) -> list[dict[str, Any]]:
        """What `evaluation.json` says about the slices: name, rule in words, rows of the training set."""
        return [{"name": s.name, "words": s.words, "rows": s.rows} for s in self.slices]


def widened(found: Estimates, sample: Sample, confidence: float, looks: int) -> Estimates:
    """The estimates of a slice of the tail, with intervals for few rows and many looks.

    A percentile interval of n rows is too narrow by about t/z · √(n/(n − 1)) (Hesterberg, "What teachers
    should know about the bootstrap", The American Statistician 2015): its ends are moved away from the
    value by that factor, n being rows, or entities where they have several. Slices that nobody chose must
    not stop runs by chance: t is taken at an error of at most 1 % for all of them together, divided by their
    number (Bonferroni). An accuracy's interval also holds Wilson's, which stays honest at 0 and 1. A
    metric of classes has no interval when a class has fewer than 5 rows.

    Args:
        found: What `estimate` gave.
        sample: The slice's rows.
        confidence: Of the intervals of `found`; those that are made hold at least 99 %.
        looks: How many slices are judged together.
    """
    units = sample.rows if sample.clusters is None else len(np.unique(sample.clusters))
    alpha = min(1 - confidence, _MOST_FALSE) / max(1, looks)
    factor = _factor(units, confidence, alpha)
    few = _fewest(sample) < _FEWEST_OF_A_CLASS

    def stretch(by: Mapping[str, Estimate] | None, change: bool) -> dict[str, Estimate] | None:
        if by is None:
            return None
        made = {m: _stretched(m, e, factor, change, few and m in _OF_CLASSES) for m, e in by.items()}
        accuracy = made.get("accuracy")
        if not change and accuracy is not None and accuracy.value is not None and factor is not None:
            made["accuracy"] = _with_wilson(accuracy, units, 1 - alpha)
        return made

    return Estimates(
        stretch(found.candidate, False) or {}, stretch(found.baseline, False), stretch(found.changes, True)
    )


def _factor(units: int, confidence: float, alpha: float) -> float | None:
    """By how much an interval is stretched; None when there are too few units for any."""
    if units < 3:
        return None
    wide = float(t.ppf(1 - alpha / 2, units - 1)) / float(norm.ppf((1 + confidence) / 2))
    return max(1.0, wide * float(np.sqrt(units / (units - 1))))


def _fewest(sample: Sample) -> int:
    """Rows of the rarer class of two; of other tasks all rows."""
    if sample.classes != 2:
        return sample.rows
    positives = int(sample.positive.sum())
    return min(positives, sample.rows - positives)


def _stretched(metric: str, found: Estimate, factor: float | None, change: bool, unknown: bool) -> Estimate:
    if found.value is None or found.low is None or found.high is None:
        return found
    if factor is None or unknown:
        return replace(found, low=None, high=None)
    low = found.value - factor * max(0.0, found.value - found.low)
    high = found.value + factor * max(0.0, found.high - found.value)
    if metric == "r2" or (change and metric in _UNBOUNDED):
        return replace(found, low=low, high=high)
    floor, ceiling = (-1.0, 1.0) if change else (0.0, float("inf") if metric in _UNBOUNDED else 1.0)
    return replace(found, low=max(floor, low), high=min(ceiling, high))


def _with_wilson(found: Estimate, units: int, confidence: float) -> Estimate:
    low, high = wilson((found.value or 0.0) * units, units, quantile((1 + confidence) / 2))
    return replace(
        found,
        low=low if found.low is None else min(low, found.low),
        high=high if found.high is None else max(high, found.high),
    )


def tail_names(parts: Mapping[str, Any]) -> list[str]:
    """The names of an evaluation's slices of the tail, `long_tail` itself left out."""
    return [name for name in parts if name.startswith(PREFIX)]


def own_names(parts: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """The names of the slices that the project itself names."""
    return [name for name in parts if not is_tail(name)]
