"""Which features to leave out, and the proof that leaving them out costs nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evergreen.modeling.selection.alone import Score, score
from evergreen.modeling.selection.importance import Importances
from evergreen.modeling.selection.information import Information
from evergreen.modeling.selection.intervals import clustered_mean
from evergreen.modeling.selection.quick import Problem, out_of_fold, prior_losses
from evergreen.modeling.selection.sample import Sample

_TRIES = 5
_MARGIN = 0.01
_REPEATS = 3


@dataclass(frozen=True)
class Quality:
    """A quick model's quality out of fold with all features looked at, and with those kept.

    Attributes:
        loss_all: Mean loss a row: bits for classes, share of the label's variance for a number.
        loss_kept: The same with those kept.
        loss_prior: The same with no feature.
        worse: By how much the loss grows without what is left out (below 0: it shrinks).
        low: Lower bound of `worse` (95 %, paired, rows of one entity together).
        high: Upper bound of `worse`.
        score_all: Area under the ROC curve, accuracy or R² with all.
        score_kept: The same with those kept.
        tries: How many sets were tried.
        refused: Features that seemed of no help, but stay: it could not be shown that it costs nothing.
    """

    loss_all: float
    loss_kept: float
    loss_prior: float
    worse: float
    low: float
    high: float
    score_all: Score
    score_kept: Score
    tries: int
    refused: tuple[int, ...] = ()


def candidates(
    units: Sequence[tuple[int, ...]], found: Importances, known: Sequence[Information], fixed: set[int]
) -> dict[int, str]:
    """What may go, by place: `useless`, `adds nothing` or `redundant`.

    A unit (a feature, or features that say the same) that does not beat shuffled copies is useless; of one
    that does, the first member stays and the others repeat it. Never all: where nothing beats the shuffled
    copies, nothing goes.
    """
    going: dict[int, str] = {}
    for unit, importance in zip(units, found.units, strict=True):
        if importance.useless:
            going |= {k: "adds nothing" if known[k].real else "useless" for k in unit if k not in fixed}
        else:
            stays = next((k for k in unit if k in fixed), unit[0])
            going |= {k: "redundant" for k in unit if k != stays and k not in fixed}
    if all(i.useless for i in found.units):
        return {}
    return going


def verified(
    sample: Sample,
    problem: Problem,
    places: Sequence[int],
    going: Mapping[int, str],
    importance: Sequence[float],
) -> tuple[set[int], Quality]:
    """The part of `going` that can be left out without a loss, and the proof.

    Useless and redundant features may go when the paired difference of out-of-fold losses is not above 0 in
    its mean, or within its own uncertainty and at most 1 % of what the features explain. What tells something
    alone but adds nothing to the others goes only when the upper bound of the difference is below that 1 %:
    the same rows chose it. With fewer than 10,000 rows nothing of that kind can be shown, and it stays.
    Where a set may not go, the half that mattered most stays and the others are tried.

    Args:
        sample: The rows.
        problem: Label, classes, seed.
        places: All features looked at.
        going: What may go, and why.
        importance: By place: what stays first.
    """
    proof = _Proof(sample, problem, places)
    sure = sorted((k for k in going if going[k] != "adds nothing"), key=lambda k: importance[k])
    gone, quality = proof.largest(set(), sure, strict=False)
    weak = sorted((k for k in going if going[k] == "adds nothing"), key=lambda k: importance[k])
    if weak and not sample.small:
        gone, quality = proof.largest(gone, weak, strict=True, otherwise=quality)
    return gone, replace(quality, tries=proof.tries, refused=tuple(k for k in going if k not in gone))


class _Proof:
    """Scores of a quick model with all features, against which sets without some are held."""

    def __init__(self, sample: Sample, problem: Problem, places: Sequence[int]) -> None:
        self.sample, self.problem, self.places, self.tries = sample, problem, list(places), 0
        self.repeats = sample.repeats[: _REPEATS if sample.small else 1]
        self.full, outputs = out_of_fold(problem, sample.model_values[:, self.places], self.repeats)
        self.prior = float(np.nanmean(prior_losses(problem, self.repeats[0])))
        self.score = score(problem, outputs, sample.clusters)
        self.loss = float(np.nanmean(self.full))

    def largest(
        self, gone: set[int], more: Sequence[int], *, strict: bool, otherwise: Quality | None = None
    ) -> tuple[set[int], Quality]:
        """`gone` and as much of the front of `more` as may go too; `otherwise` where nothing of it may."""
        left = list(more)
        margin = _MARGIN * max(0.0, self.prior - self.loss)
        for _ in range(_TRIES):
            if not left:
                break
            found = self.without(gone | set(left))
            proven = found.high <= margin
            likely = found.worse <= 0 or (found.low <= 0 and found.worse <= margin)
            if proven or (likely and not strict):
                return gone | set(left), found
            left = left[: len(left) // 2]
        nothing = Quality(self.loss, self.loss, self.prior, 0.0, 0.0, 0.0, self.score, self.score, 0)
        return gone, otherwise or nothing

    def without(self, gone: set[int]) -> Quality:
        """The quality without some features."""
        self.tries += 1
        kept = [k for k in self.places if k not in gone]
        values = self.sample.model_values[:, kept]
        reduced, outputs = out_of_fold(self.problem, values, self.repeats)
        difference = _difference(reduced, self.full, self.sample.clusters)
        own = score(self.problem, outputs, self.sample.clusters)
        return Quality(self.loss, float(np.nanmean(reduced)), self.prior, *difference, self.score, own, 0)


def _difference(new: np.ndarray, old: np.ndarray, clusters: np.ndarray) -> tuple[float, float, float]:
    both = ~np.isnan(new) & ~np.isnan(old)
    return clustered_mean((new - old)[both], clusters[both])
