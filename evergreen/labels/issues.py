"""Labels that are probably wrong: confident learning over out-of-fold probabilities, ranked for a person."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from cleanlab.count import compute_confident_joint  # type: ignore[import-untyped]
from cleanlab.filter import find_label_issues  # type: ignore[import-untyped]
from cleanlab.rank import get_label_quality_scores  # type: ignore[import-untyped]
from scipy.stats import chi2

from evergreen.labels.noise import Noise, class_noise, pooled_noise
from evergreen.reports.text import percent

# One-sided, shared by the checks of one kind: 200 clean runs must stay silent.
_ALPHA = 0.004
OVERLAP = 0.12
_SLICE_ROWS = 60
_CLASS_ROWS = 30


@dataclass(frozen=True)
class Suspects:
    """What out-of-fold predictions say about labels.

    Attributes:
        order: Places of suspicious rows, the worst first.
        score: [rows]; 0 is surely wrong, 1 surely right (cleanlab's label quality).
        suggested: [rows]; places of classes, or the number that the models expect.
        reasons: Why, for each of `order`.
        noise: Share of wrong labels among all rows.
        by_class: Of each class's true rows, the share labelled otherwise.
        by_slice: Share of wrong labels in each slice that has rows enough.
        matrix: Rows by given (rows) and suggested class (columns), estimated; empty for a regression.
    """

    order: np.ndarray
    score: np.ndarray
    suggested: np.ndarray
    reasons: tuple[str, ...]
    noise: Noise | None = None
    by_class: Mapping[str, Noise] | None = None
    by_slice: Mapping[str, Noise] | None = None
    matrix: tuple[tuple[int, ...], ...] = ()


def find_suspects(
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    slices: Mapping[str, np.ndarray],
) -> Suspects:
    """Rank labels by how wrong they look, and estimate how many are.

    The ranking and the matrix: Northcutt, Jiang, Chuang, "Confident learning: estimating uncertainty in
    dataset labels", JAIR 70, 2021, by cleanlab (prune by noise rate, self-confidence). The shares:
    `evergreen.labels .noise`, since the confident joint of overlapping classes has off-diagonals though every
    label is right.

    Args:
        probabilities: [rows, classes], out of fold.
        labels: [rows]; places of classes.
        classes: Their names.
        slices: [rows] booleans for each slice's name.
    """
    rows = len(labels)
    safe = np.clip(probabilities, 1e-6, 1)
    safe /= safe.sum(axis=1, keepdims=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = np.asarray(get_label_quality_scores(labels, safe, method="self_confidence"))
        flagged = find_label_issues(labels, safe, filter_by="prune_by_noise_rate", n_jobs=1)
        joint = compute_confident_joint(labels, safe, calibrate=True)
    masked = safe.copy()
    masked[np.arange(rows), labels] = -1
    suggested = masked.argmax(axis=1)
    places = np.flatnonzero(flagged)
    order = places[np.argsort(score[places], kind="stable")]
    reasons = tuple(
        f"models that did not see this row give {classes[suggested[i]]!r} "
        f"{percent(float(safe[i, suggested[i]]), 0)} and {classes[labels[i]]!r} {percent(float(score[i]), 0)}"
        for i in order
    )
    return Suspects(
        order, score, suggested, reasons,
        noise_of(safe, labels, _ALPHA),
        _by_class(safe, labels, classes),
        _by_slice(safe, labels, slices),
        tuple(tuple(int(v) for v in row) for row in joint),
    )  # fmt: skip


def _drop(alpha: float) -> float:
    return float(chi2.ppf(1 - 2 * alpha, 1) / 2)


def noise_of(probabilities: np.ndarray, labels: np.ndarray, alpha: float) -> Noise:
    """The share of wrong labels, bounded at one-sided level `alpha`.

    Two classes are estimated with a rate for each direction, more classes by the margin of the preferred one.
    """
    if probabilities.shape[1] == 2:
        return class_noise(probabilities[:, 1], labels == 1, _drop(alpha))[0]
    ordered = np.sort(probabilities, axis=1)
    wrong = probabilities.argmax(axis=1) != labels
    return pooled_noise(ordered[:, -1] - ordered[:, -2], wrong, _drop(alpha))


def _by_class(probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, Noise]:
    found = {}
    frequent = [k for k in range(len(classes)) if (labels == k).sum() >= _CLASS_ROWS]
    drop = _drop(_ALPHA / max(1, len(frequent)))
    for k in frequent:
        found[classes[k]] = class_noise(probabilities[:, k], labels == k, drop)[1]
    return found


def _by_slice(
    probabilities: np.ndarray, labels: np.ndarray, slices: Mapping[str, np.ndarray]
) -> dict[str, Noise]:
    large = {name: inside for name, inside in slices.items() if _SLICE_ROWS <= inside.sum() < len(labels)}
    alpha = _ALPHA / max(1, len(large))
    found = {}
    for name, inside in large.items():
        if len(np.unique(labels[inside])) > 1:
            found[name] = noise_of(probabilities[inside], labels[inside], alpha)
    return found
