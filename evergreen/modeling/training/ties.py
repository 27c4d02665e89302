"""Thresholds of trees that no value lies on, so that 32-bit and 64-bit arithmetic fall on the same side.

A threshold is the middle between two values of train. On a coarse grid, such as money in cents, that middle
is a value of other rows, and sums differ from it in their last bit only: in doubles that bit decides, in a
graph of 32-bit floats there is none. Which side is right nobody knows; what matters is that both engines take
the same.
"""

import numpy as np
from sklearn.pipeline import Pipeline

from evergreen.modeling.training.transforms import is_histogram_boosting

_SHIFT = 2.0**-21  # of the threshold: four steps of a 32-bit float


def settle(pipeline: Pipeline) -> int:
    """Move the thresholds of histogram boosting up by half a millionth, in place.

    Rows of train stay where they were, unless two of their values differ by less than that. scikit-learn's
    other trees and forests compare in 32 bits themselves and need none of it.

    Returns:
        How many thresholds were moved.
    """
    moved = 0
    if not is_histogram_boosting(pipeline[-1]):
        return moved
    for stage in pipeline[-1]._predictors:
        for predictor in stage:
            nodes = predictor.nodes
            splits = (nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0)
            splits &= np.isfinite(nodes["num_threshold"])
            nodes["num_threshold"][splits] += np.abs(nodes["num_threshold"][splits]) * _SHIFT
            moved += int(splits.sum())
    return moved
