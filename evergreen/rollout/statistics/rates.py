"""Rates of bad requests: evidence of harm that may be looked at after every request.

Who gets the candidate is drawn by a hash, so without harm each bad event falls on the candidate with the
probability that the plan gave it, whoever sends how much: the nominal share of users, not the share of
requests, is what an event is held against. A user who fails again and again falls on one arm with all of it;
`Arms.repeats` takes that out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, gammaincinv, gammaln, xlogy

from evergreen.rollout.statistics.roots import crossing
from evergreen.rollout.statistics.tails import log_beta_above, log_gamma_above

Floats = NDArray[np.float64]
STRENGTH = 10.0
"""Events that the beta prior is worth (notes: a = 10q, b = 10(1 − q))."""
SHAPE = 2.0
"""Of the gamma prior, where there is no baseline beside the candidate."""
HISTORY = 0.1
"""The part of the level that goes to not knowing the baseline's rate from history."""


@dataclass(frozen=True)
class Arms:
    """Bad events of both arms while the candidate had `share` of the users.

    Attributes:
        share: Of the users, above 0 and below 1.
        candidate: Events, a user at most once a window.
        baseline: The same.
        repeats: What the sum of squares of the events by user has more than the sum of events, both arms
            together; 0 when every event is another user's.
    """

    share: float
    candidate: float
    baseline: float
    repeats: float = 0.0

    @property
    def design(self) -> float:
        """The design effect Σh²/Σh ≥ 1 of events that come in clusters, h by user.

        A sum of h over users who fell on an arm by a draw has the variance share·(1 − share)·Σh²: it is worth
        Σh/design independent events (Kish, "Survey Sampling", 1965, section 8.2, for whole clusters).
        """
        events = self.candidate + self.baseline
        return 1 + max(0.0, self.repeats) / events if events else 1.0


@dataclass(frozen=True)
class Alone:
    """Bad events of the candidate after the baseline has left, and what was normal before.

    Assumes that the rate of bad events a request would not have changed by itself since then, and that events
    come as a Poisson process in requests.

    Attributes:
        candidate: Events.
        requests: Of the candidate in the same time.
        baseline: Events in earlier steps.
        baseline_requests: Requests in them, above 0.
        design: The design effect of the events.
    """

    candidate: float
    requests: float
    baseline: float
    baseline_requests: float
    design: float = 1.0


def allowed(share: ArrayLike, ratio: ArrayLike) -> tuple[Floats, Floats]:
    """Probability that a bad event is the candidate's when it errs `ratio` times as often; and its rest."""
    p, r = np.asarray(share, dtype=np.float64), np.asarray(ratio, dtype=np.float64)
    total = p * r + 1 - p
    return p * r / total, (1 - p) / total


def log_e_beside(candidate: ArrayLike, baseline: ArrayLike, share: ArrayLike, harm: ArrayLike) -> Floats:
    """ln of the evidence that the candidate's rate is more than 1 + harm times the baseline's.

    Anytime-valid conditional binomial, Lindon, Ham, Tingley and Bojinov, arXiv 2205.14762: with S and F
    events, q = π(1+δ)/(π(1+δ) + 1 − π) and the prior Beta(a = 10q, b = 10(1−q)) cut off below q,
    E = B(a+S, b+F)·Pr[Beta(a+S, b+F) > q] / (B(a, b)·Pr[Beta(a, b) > q]·q^S·(1−q)^F).
    The chance that E ever reaches x is at most 1/x where the rate is at most 1 + harm times the baseline's.

    Args:
        candidate: Events S; may be a fraction.
        baseline: Events F.
        share: π, of the users.
        harm: δ, at least 0.
    """
    s, f = np.asarray(candidate, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    q, rest = allowed(share, 1 + np.asarray(harm, dtype=np.float64))
    a, b = STRENGTH * q, STRENGTH * rest
    after = betaln(a + s, b + f) + log_beta_above(a + s, b + f, q)
    before = betaln(a, b) + log_beta_above(a, b, q)
    return np.asarray(after - before - xlogy(s, q) - xlogy(f, rest))


def log_e_alone(alone: Alone, harm: float, level: float) -> float:
    """ln of the same evidence where there is no baseline any more.

    The baseline's rate is at most λ = gamma quantile of 1 − η at shape F + 1, over its requests (Garwood,
    "Fiducial limits for the Poisson distribution", 1936), but for η = level/10. Against any rate up to
    λ(1 + harm), a mixture of Poisson processes with greater rates (gamma, shape 2, cut off below) is a
    supermartingale (Robbins, "Statistical methods related to the law of the iterated logarithm", 1970). Times
    9/10, so that the chance of ever reaching 1/level is at most 9/10 of the level and η together: the level.

    Args:
        alone: Counts.
        harm: The relative growth that is tolerated.
        level: The level that the evidence will be judged at: 1/level is the bound.
    """
    if alone.requests <= 0 or alone.baseline_requests <= 0:
        return 0.0
    s, f = alone.candidate / alone.design, alone.baseline / alone.design
    most = float(gammaincinv(f + 1, 1 - HISTORY * level))
    mean = (1 + harm) * most * alone.requests / alone.baseline_requests
    log_e = _log_poisson(s, mean) + log_gamma_above(SHAPE + s, SHAPE + mean) - log_gamma_above(SHAPE, SHAPE)
    return float(log_e + np.log(1 - HISTORY))


def _log_poisson(s: ArrayLike, mean: ArrayLike) -> Floats:
    """ln of the gamma mixture's likelihood ratio against a Poisson process that expects `mean` events."""
    m = np.asarray(mean, dtype=np.float64)
    start = SHAPE * np.log(SHAPE / (SHAPE + m)) - gammaln(SHAPE)
    return np.asarray(m + start - np.asarray(s) * np.log(SHAPE + m) + gammaln(SHAPE + np.asarray(s)))


def log_e(steps: Sequence[Arms], harm: float) -> float:
    """ln of the evidence of all steps with both arms: their product, each held against its own share."""
    return float(
        sum(log_e_beside(x.candidate / x.design, x.baseline / x.design, x.share, harm) for x in steps)
    )


def relative(steps: Sequence[Arms]) -> float | None:
    """The candidate's rate over the baseline's: Mantel and Haenszel's estimate over the steps (1959).

    None without an event of the baseline.
    """
    top = bottom = 0.0
    for step in steps:
        events = step.candidate + step.baseline
        if events:
            top += step.candidate * (1 - step.share) * events / events
            bottom += step.baseline * step.share * events / events
    return top / bottom if bottom else None


def interval(steps: Sequence[Arms], alpha: float) -> tuple[float, float]:
    """Anytime-valid interval of the candidate's rate over the baseline's: 0 to infinity with no events.

    What the mixture test of each single ratio, with the prior Beta(10π, 10(1−π)) and no cut, does not refuse
    at `alpha`: arXiv 2205.14762, section 3. Its logarithm is convex in ln ratio, so it is one interval.
    """
    cells = [(x.candidate / x.design, x.baseline / x.design, x.share) for x in steps]
    s, f, p = (
        (np.array(v, dtype=np.float64) for v in zip(*cells, strict=True)) if cells else (np.zeros(0),) * 3
    )
    a, b = STRENGTH * p, STRENGTH * (1 - p)
    constant = float(np.sum(betaln(a + s, b + f) - betaln(a, b)))

    def excess(log_ratio: float) -> float:
        # ln(π r) − ln(π r + 1 − π) and ln(1 − π) − ln(…), without overflow for any r.
        total = np.logaddexp(np.log(p) + log_ratio, np.log1p(-p))
        loss = np.sum(s * (np.log(p) + log_ratio - total) + f * (np.log1p(-p) - total))
        return float(constant - loss + np.log(alpha))

    middle = _minimum(s, f, p)
    low = crossing(excess, middle, -60.0) if s.sum() else None
    high = crossing(excess, middle, 60.0) if f.sum() else None
    return (
        float(np.exp(low)) if low is not None else 0.0,
        float(np.exp(high)) if high is not None else np.inf,
    )


def _minimum(s: Floats, f: Floats, p: Floats) -> float:
    """The likeliest ln ratio, within ±50: where Σ S = Σ (S+F)·q(ratio)."""
    if not s.sum() or not f.sum():
        return -50.0 if f.sum() else 50.0

    def short(log_ratio: float) -> float:
        odds = np.log(p) - np.log1p(-p) + log_ratio
        return float(np.sum((s + f) / (1 + np.exp(-odds))) - s.sum())

    return crossing(short, -50.0, 50.0) or 0.0


def interval_alone(alone: Alone, alpha: float) -> tuple[float, float]:
    """The same interval where there is no baseline any more: the candidate's anytime-valid interval over the
    baseline's exact one (Garwood), each at alpha/2."""
    if alone.requests <= 0 or alone.baseline_requests <= 0:
        return 0.0, float(np.inf)
    s, f = alone.candidate / alone.design, alone.baseline / alone.design
    least = float(gammaincinv(f, alpha / 4)) if f else 0.0
    most = float(gammaincinv(f + 1, 1 - alpha / 4))

    def excess(log_mean: float) -> float:
        return float(_log_poisson(s, np.exp(log_mean)) + np.log(alpha / 2))

    middle = float(np.log(max(s, 1e-9)))
    low = crossing(excess, middle, -60.0) if s else None
    high = crossing(excess, middle, 60.0)
    scale = alone.baseline_requests / alone.requests
    return (
        float(np.exp(low)) * scale / most if low is not None else 0.0,
        float(np.exp(high)) * scale / least if high is not None and least else float(np.inf),
    )
