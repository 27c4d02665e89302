"""Averages over users: ratios such as CTR, their variance, and the difference of two arms relative to one."""

from dataclasses import astuple, dataclass
from math import inf, isfinite, sqrt

from evergreen.rollout.evidence import UserMoments

_COVERED = 30
"""Fewer users with a past than this in an arm, and the covariate is left alone."""


@dataclass(frozen=True)
class Mean:
    """An arm's average over users.

    Attributes:
        value: Σy/Σn, adjusted by the covariate.
        variance: Of `value`.
        users: How many.
        events: Behind it.
    """

    value: float
    variance: float
    users: int
    events: int


@dataclass(frozen=True)
class Comparison:
    """The averages of both arms.

    Attributes:
        candidate: With the candidate.
        baseline: Without.
        reduction: The part of the difference's variance that the covariate took away, 0 to 1.
    """

    candidate: Mean
    baseline: Mean
    reduction: float = 0.0

    @property
    def relative(self) -> float | None:
        """Candidate over baseline, less 1; None where the baseline's average is not above 0."""
        return self.candidate.value / self.baseline.value - 1 if self.baseline.value > 0 else None

    def z(self, factor: float = 1.0) -> float:
        """Candidate less `factor` times baseline, in standard errors: against a loss of 1 − factor.

        It needs no division by an average that is uncertain itself (Fieller, below).
        """
        difference = self.candidate.value - factor * self.baseline.value
        error = sqrt(self.candidate.variance + factor**2 * self.baseline.variance)
        if error == 0:
            return 0.0 if difference == 0 else (inf if difference > 0 else -inf)
        return difference / error

    def interval(self, errors: float) -> tuple[float, float] | None:
        """What relative differences r have |z(1 + r)| ≤ `errors`; None where that is no interval.

        Fieller, "Some problems in interval estimation", JRSS B 16, 1954. It is no interval as long as the
        baseline's average is less than so many standard errors above 0.
        """
        c, b = self.candidate, self.baseline
        square = errors * errors
        if not isfinite(square) or b.value <= 0:
            return None
        first = b.value**2 - square * b.variance
        if first <= 0:
            return None
        middle = c.value * b.value
        rest = c.value**2 - square * c.variance
        root = sqrt(max(0.0, middle**2 - first * rest))
        return (middle - root) / first - 1, (middle + root) / first - 1


def compare(candidate: UserMoments, baseline: UserMoments) -> Comparison | None:
    """Both averages; None where an arm has fewer than two users, no requests, or a number that is none.

    The variance of Σy/Σn is that of z = (y − R·n)/n̄ over the users: the delta method, Deng, Knoblich and Lu,
    "Applying the delta method in metric analytics", KDD 2018. CUPED takes θ(x − x̄) off it, θ the value that
    leaves the least variance of the difference: Deng, Xu, Kohavi and Walker, "Improving the sensitivity of
    online controlled experiments", WSDM 2013. A user without a past has x = 0: still a number from before the
    draw, so that the adjustment has no bias.
    """
    c, b = _spread(candidate), _spread(baseline)
    if c is None or b is None:
        return None
    theta = _theta(c, b) if min(candidate.covered, baseline.covered) >= _COVERED else 0.0
    middle = (candidate.x + baseline.x) / (candidate.users + baseline.users)
    adjusted = [
        Mean(s.value - theta * (s.past - middle), s.variance(theta), m.users, m.events)
        for s, m in ((c, candidate), (b, baseline))
    ]
    plain = c.variance(0.0) + b.variance(0.0)
    left = adjusted[0].variance + adjusted[1].variance
    return Comparison(adjusted[0], adjusted[1], max(0.0, 1 - left / plain) if plain > 0 else 0.0)


def floored(comparison: Comparison) -> Comparison:
    """With the candidate's variance at least what the baseline's users would have among so few.

    For a candidate with hardly any events: its own variance says that it is certain of nothing happening.
    """
    c, b = comparison.candidate, comparison.baseline
    least = b.variance * b.users / c.users
    return Comparison(Mean(c.value, max(c.variance, least), c.users, c.events), b, comparison.reduction)


@dataclass(frozen=True)
class _Spread:
    value: float
    past: float
    zz: float
    zx: float
    xx: float
    users: int

    def variance(self, theta: float) -> float:
        return max(0.0, self.zz - 2 * theta * self.zx + theta**2 * self.xx) / (self.users - 1)


def _spread(m: UserMoments) -> _Spread | None:
    if m.users < 2 or not all(isfinite(v) for v in astuple(m)) or m.n <= 0:
        return None
    ratio, per, past = m.y / m.n, m.n / m.users, m.x / m.users
    zz = (m.yy - 2 * ratio * m.yn + ratio**2 * m.nn) / m.users / per**2
    zx = (m.yx - ratio * m.nx) / m.users / per
    return _Spread(ratio, past, max(0.0, zz), zx, max(0.0, m.xx / m.users - past**2), m.users)


def _theta(c: _Spread, b: _Spread) -> float:
    spread = c.xx / c.users + b.xx / b.users
    return (c.zx / c.users + b.zx / b.users) / spread if spread > 0 else 0.0
