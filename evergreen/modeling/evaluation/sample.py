"""Rows with their labels and predictions, as the metrics take them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from evergreen.modeling.task import Target

Weights = np.ndarray
"""How often each row counts, float64 [batch, rows]; one line for each resample."""
Formula = Callable[[Weights], np.ndarray]
"""A metric: weights [batch, rows] → values [batch]."""


class Undefined(Exception):
    """A metric that these rows do not have; the message says why."""


@dataclass(frozen=True)
class Sample:
    """Rows to be measured.

    Attributes:
        target: The task and its classes.
        y: [rows]; the label's place in `target.classes` (int), or the number (float).
        predicted: [rows]; the predicted class's place, or the predicted number.
        probabilities: [rows, classes], or None where the model gives none.
        groups: [rows]; the number of the row's group (ranking), or None for one group of all.
        clusters: [rows]; the number of the row's entity, or None where rows are independent.
    """

    target: Target
    y: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray | None = None
    groups: np.ndarray | None = None
    clusters: np.ndarray | None = None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.y)

    @property
    def classes(self) -> int:
        """The number of classes; 0 for a number."""
        return len(self.target.classes or ())

    @cached_property
    def positive(self) -> np.ndarray:
        """[rows] of 0.0 and 1.0: whether the label is the positive (last) class of two."""
        return (self.y == 1).astype(np.float64)

    @cached_property
    def score(self) -> np.ndarray:
        """[rows]: what ranks the rows; the positive class's probability, else the predicted number.

        Raises:
            Undefined: for a classifier that gives no probabilities.
        """
        if self.target.classes is None:
            return np.asarray(self.predicted, dtype=np.float64)
        return self.probability_of(1)

    @cached_property
    def rankings(self) -> dict[int, Any]:
        """Rankings that metrics of this sample share, by class."""
        return {}

    def probability_of(self, place: int) -> np.ndarray:
        """[rows]: the probability of the class at a place.

        Raises:
            Undefined: for a classifier that gives no probabilities.
        """
        return np.asarray(self.known_probabilities[:, place], dtype=np.float64)

    @property
    def known_probabilities(self) -> np.ndarray:
        """[rows, classes].

        Raises:
            Undefined: for a classifier that gives none.
        """
        if self.probabilities is None:
            raise Undefined("the estimator gives no probabilities")
        return self.probabilities

    def take(self, index: np.ndarray) -> "Sample":
        """Some of the rows: places [k] or a mask [rows]."""
        return replace(
            self,
            y=self.y[index],
            predicted=self.predicted[index],
            probabilities=None if self.probabilities is None else self.probabilities[index],
            groups=None if self.groups is None else self.groups[index],
            clusters=None if self.clusters is None else self.clusters[index],
        )


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The quotient; NaN where the denominator is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


def mean_of(contribution: np.ndarray) -> Formula:
    """The weighted mean of a contribution [rows]."""
    return lambda weights: ratio(weights @ contribution, weights.sum(axis=1))
