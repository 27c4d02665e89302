"""How many labels are wrong, beyond what overlapping classes explain, with a lower confidence bound.

A model disagrees with a label because the label is wrong, or because the classes overlap. Without an
assumption nobody can tell the two apart (Scott, Blanchard, Handy, "Classification with asymmetric label
noise", COLT 2013). The assumption here is the oldest one: the classes overlap as two normal distributions
of a score do, and wrong labels are strewn among them whatever the score. Disagreement from overlap then dies
out where the model is sure; disagreement from wrong labels does not. Sources: Copas, "Binary regression
models for contaminated data", JRSS B 50, 1988; Hausman, Abrevaya, Scott-Morton, "Misclassification of the
dependent variable in a discrete-response setting", Journal of Econometrics 87, 1998 (P(y=1) = a₀ +
(1−a₀−a₁)F).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, xlog1py, xlogy

Floats = NDArray[np.float64]
_BINS = 20
_ROWS_A_BIN = 8
_RATES = np.concatenate([np.arange(0, 0.1, 0.005), np.arange(0.1, 0.2, 0.01), np.arange(0.2, 0.46, 0.025)])
_SEPARATIONS = np.concatenate([np.arange(0.25, 4, 0.25), np.arange(4, 8.5, 0.5)])
_PRIORS = np.concatenate([[0.002, 0.005], np.arange(0.01, 0.1, 0.01), np.arange(0.1, 0.901, 0.025),
                          np.arange(0.91, 1, 0.01), [0.995, 0.998]])  # fmt: skip


@dataclass(frozen=True)
class Noise:
    """A share of wrong labels.

    Attributes:
        share: The most likely one, 0 to 1.
        low: Its lower confidence bound (one-sided).
        high: Its upper confidence bound (one-sided).
        rows: Rows that it was estimated from.
        overlap: How often the classes, as many rows of each, would be mistaken for one another if every label
            were right, 0 to 0.5; the greater, the less can be said about labels.
    """

    share: float
    low: float
    high: float
    rows: int
    overlap: float


def class_noise(scores: Floats, is_class: NDArray[np.bool_], drop: float) -> tuple[Noise, Noise, Noise]:
    """Wrong labels of one class against the rest, estimated from how labels follow a score.

    Args:
        scores: [rows]; the greater, the more a row looks like the class. Only their order counts.
        is_class: [rows]; whether the label says so.
        drop: How far the log likelihood may fall within the bounds: half the χ² quantile of one degree of
            freedom (profile likelihood; Venzon and Moolgavkar, Applied Statistics 37, 1988).

    Returns:
        The share of all rows whose label is wrong; the share of this class's true rows labelled otherwise;
        the share of the others' true rows labelled as this class.
    """
    hits, rows = _binned(scores, is_class)
    observed = hits.sum() / rows.sum()
    out, into = np.meshgrid(_RATES, _RATES, indexing="ij")
    usable = out + into < 0.9
    prior = np.where(usable, (observed - into) / np.where(usable, 1 - out - into, 1), -1)
    usable &= (prior > 0) & (prior < 1)
    shares = _shares(len(rows))  # [separations, priors, bins]
    at = np.interp(prior, _PRIORS, np.arange(len(_PRIORS)))
    lower = np.clip(np.floor(at).astype(int), 0, len(_PRIORS) - 2)
    part = (at - lower)[None, :, :, None]
    pure = shares[:, lower] * (1 - part) + shares[:, lower + 1] * part
    expected = pure * (1 - out - into)[None, :, :, None] + into[None, :, :, None]
    fitted = np.clip(expected, 1e-4, 1 - 1e-4)
    likelihood = (xlogy(hits, fitted) + xlog1py(rows - hits, -fitted)).sum(axis=-1)
    likelihood = np.where(usable[None], likelihood, -np.inf)
    best, overlap = likelihood.max(axis=0), _overlap_of(likelihood)
    total = int(rows.sum())
    wrong = prior * out + (1 - prior) * into
    return (
        _profile(wrong, best, drop, total, overlap),
        _profile(out, best, drop, total, overlap),
        _profile(into, best, drop, total, overlap),
    )


def pooled_noise(confidence: Floats, disagrees: NDArray[np.bool_], drop: float) -> Noise:
    """Wrong labels of all classes together, from how disagreement falls with confidence.

    Args:
        confidence: [rows]; how sure the model is of the class it prefers. Only the order counts.
        disagrees: [rows]; whether the label is another class.
        drop: As in `class_noise`.
    """
    hits, rows = _binned(confidence, disagrees)
    pure = _overlap(len(rows))  # [separations, bins], the most confident last
    expected = pure[:, None] * (1 - 2 * _RATES[None, :, None]) + _RATES[None, :, None]
    fitted = np.clip(expected, 1e-4, 1 - 1e-4)
    likelihood = (xlogy(hits, fitted) + xlog1py(rows - hits, -fitted)).sum(axis=-1)
    return _profile(_RATES, likelihood.max(axis=0), drop, int(rows.sum()), _overlap_of(likelihood))


def _overlap_of(likelihood: Floats) -> float:
    """Error of the best cut between two equal normal classes at the most likely separation."""
    place = np.unravel_index(np.argmax(likelihood), likelihood.shape)
    return float(ndtr(-_SEPARATIONS[place[0]] / 2))


def _profile(values: Floats, likelihood: Floats, drop: float, rows: int, overlap: float) -> Noise:
    within = values[likelihood >= likelihood.max() - drop]
    share = float(values.ravel()[np.argmax(likelihood)])
    return Noise(share, float(within.min()), float(within.max()), rows, overlap)


def _binned(scores: Floats, hit: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Hits and rows of quantile bins of the scores, the lowest first."""
    order = np.argsort(scores, kind="stable")
    bins = int(np.clip(len(scores) // _ROWS_A_BIN, 2, _BINS))
    pieces = np.array_split(hit[order].astype(np.float64), bins)
    return np.array([p.sum() for p in pieces]), np.array([float(len(p)) for p in pieces])


@lru_cache(maxsize=32)
def _shares(bins: int) -> Floats:
    """Share of the class in each quantile bin of the score, [separations, priors, bins].

    Normal scores of variance 1, means 0 and d: the bins cut the mixture into equal parts.
    """
    z = np.linspace(-6, 14.5, 4001)
    at = np.arange(1, bins) / bins
    found = np.empty((len(_SEPARATIONS), len(_PRIORS), bins))
    for i, d in enumerate(_SEPARATIONS):
        inside, others = ndtr(z - d), ndtr(z)
        for j, prior in enumerate(_PRIORS):
            mixed = prior * inside + (1 - prior) * others
            below = np.interp(at, mixed, inside)
            found[i, j] = np.diff(np.concatenate([[0.0], below, [1.0]])) * prior * bins
    return np.asarray(np.clip(found, 0, 1))


@lru_cache(maxsize=32)
def _overlap(bins: int) -> Floats:
    """Error rate in each quantile bin of the confidence, [separations, bins]: |x| for x normal around d/2."""
    z = np.linspace(0, 14, 4001)
    at = np.arange(1, bins) / bins
    found = np.empty((len(_SEPARATIONS), bins))
    for i, d in enumerate(_SEPARATIONS):
        right, wrong = ndtr(z - d / 2) - ndtr(-d / 2), ndtr(z + d / 2) - ndtr(d / 2)
        below = np.interp(at, right + wrong, wrong)
        found[i] = np.diff(np.concatenate([[0.0], below, [ndtr(-d / 2)]])) * bins
    return np.asarray(np.clip(found, 0, 1))
