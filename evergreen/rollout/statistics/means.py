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
        first = b.value * b.value - square * b.variance
        if not first > 0:
            return None
        middle = c.value * b.value
        rest = c.value * c.value - square * c.variance
        root = sqrt(max(0.0, middle * middle - first * rest))
        low, high = (middle - root) / first - 1, (middle + root) / first - 1
        return (low, high) if isfinite(low) and isfinite(high) else None


def compare(candidate: UserMoments, baseline: UserMoments) -> Comparison | None:
    """Both averages; None where an arm has fewer than two users, no request, or a number that is none.

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
    if not all(isfinite(v) for m in adjusted for v in (m.value, m.variance)):
        return None
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
        return max(0.0, self.zz - 2 * theta * self.zx + theta * theta * self.xx) / (self.users - 1)


def _spread(m: UserMoments) -> _Spread | None:
    """Powers are products here: a value of 1e200, which anybody may report, gives inf, and no exception."""
    if m.users < 2 or not all(isfinite(v) for v in astuple(m)) or m.n < 1:
        return None
    ratio, per, past = m.y / m.n, m.n / m.users, m.x / m.users
    zz = (m.yy - 2 * ratio * m.yn + ratio * ratio * m.nn) / m.users / (per * per)
    zx = (m.yx - ratio * m.nx) / m.users / per
    xx = m.xx / m.users - past * past
    if not all(map(isfinite, (zz, zx, xx))):
        return None
    return _Spread(ratio, past, max(0.0, zz), zx, max(0.0, xx), m.users)


def _theta(c: _Spread, b: _Spread) -> float:
    spread = c.xx / c.users + b.xx / b.users
    return (c.zx / c.users + b.zx / b.users) / spread if spread > 0 else 0.0
