"""A world of users for simulated rollouts: heavy-tailed, some of whom fail always; counted as routers do.

Who asks how much is drawn once a rollout; time goes by in minutes. Nothing of it knows which statistics will
be asked.
"""

from dataclasses import dataclass, field

import numpy as np

from evergreen.rollout.evidence import (
    RATES,
    ArmCounts,
    Evidence,
    Outputs,
    StepEvidence,
    UserEvidence,
    UserMoments,
)
from evergreen.rollout.statistics.clusters import WIDTH

ARMS = ("baseline", "candidate")


@dataclass(frozen=True)
class Habits:
    """What users do, and what the candidate changes.

    Attributes:
        users: How many there are.
        requests: Mean requests of all of them in a window.
        bad: By rate: the share of requests that is bad for everybody.
        always: By rate: the share of users for whom every request is bad.
        factor: By rate: how many times as often the candidate is bad.
        clicks: Clicks a request.
        uplift: Relative change of the clicks with the candidate.
        labels: How often each label is answered.
        shifted: The same by the candidate.
        bias: Share of the candidate's users that are lost on the way (a sample ratio mismatch).
        most: Requests of the busiest user for one of the least.
        window: Minutes; a user is counted as harmed at most once in it, by each router.
        routers: Among which every request is drawn.
        breaks: Minutes after which `factor` and `shifted` begin to hold.
    """

    users: int = 5000
    requests: float = 1500.0
    bad: dict[str, float] = field(
        default_factory=lambda: dict(zip(RATES, (0.01, 0.01, 0.002, 0.02), strict=True))
    )
    always: dict[str, float] = field(
        default_factory=lambda: dict(zip(RATES, (0.01, 0.01, 0.0, 0.03), strict=True))
    )
    factor: dict[str, float] = field(default_factory=dict)
    clicks: float = 0.1
    uplift: float = 0.0
    labels: tuple[float, ...] = (0.7, 0.2, 0.1)
    shifted: tuple[float, ...] | None = None
    bias: float = 0.0
    most: float = 800.0
    window: int = 1440
    breaks: int = 0
    routers: int = 1


def activity(rng: np.random.Generator, users: int, most: float = 800.0) -> np.ndarray:
    """Requests of users, by default 1 to 800: a tenth of the users makes most of them."""
    return np.clip(np.ceil(rng.pareto(1.1, users)), 1, most)


class World:
    """One rollout's users, and what was counted of them so far."""

    def __init__(
        self, seed: int, habits: Habits, only: tuple[str, ...] = RATES, users_too: bool = True
    ) -> None:
        self.rng, self.habits, self.only, self.users_too = (
            np.random.default_rng(seed),
            habits,
            only,
            users_too,
        )
        n, rng = habits.users, self.rng
        self.hash = rng.random(n)
        weight = activity(rng, n, habits.most)
        self.rate = weight * habits.requests / weight.sum()
        self.always = {r: rng.random(n) < habits.always[r] for r in only}
        self.times = {r: np.zeros((habits.routers, n)) for r in only}
        self.until = {r: np.zeros((habits.routers, n)) for r in only}
        self.place, self.sign = rng.integers(WIDTH, size=n), rng.choice([-1, 1], n)
        self.sketch = {r: np.zeros(WIDTH, dtype=int) for r in only}
        self.counted = dict.fromkeys(only, 0)
        self.minute = 0
        self.own = rng.beta(20 * habits.clicks, 20 * (1 - habits.clicks), n)
        self.past = np.where(rng.random(n) < 0.7, rng.binomial(20, self.own) / 20, 0.0)
        self.steps: list[StepEvidence] = []
        self.counts: dict[str, dict[str, np.ndarray]] = {}
        self.begin(0, 0.0)
        self.steps.clear()

    def begin(self, stage: int, share: float) -> None:
        """A stage with the candidate at `share` percent begins."""
        self.share = share
        self.mine = self.hash < share / 100
        self.lost = self.mine & (self.rng.random(len(self.hash)) < self.habits.bias)
        self.totals = {arm: {"requests": 0, **{(k, r): 0 for k in "erp" for r in self.only}} for arm in ARMS}
        self.asked, self.clicked = np.zeros(len(self.hash)), np.zeros(len(self.hash))
        self.said = {arm: np.zeros(len(self.habits.labels), dtype=int) for arm in ARMS}
        self.before = {r: self._clustered(r) for r in self.only}
        self.steps.append(StepEvidence(stage, share))

    def pass_minute(self) -> None:
        """Let a minute go by."""
        rng, habits = self.rng, self.habits
        asked = rng.poisson(self.rate)
        asked[self.lost] = 0
        arms = {"candidate": self.mine, "baseline": ~self.mine}
        for arm, who in arms.items():
            self.totals[arm]["requests"] += int(asked[who].sum())
        for rate in self.only:
            worse = habits.factor.get(rate, 1.0) if self.minute >= habits.breaks else 1.0
            p = np.where(self.mine, worse, 1.0) * habits.bad[rate]
            left = np.where(self.always[rate], asked, rng.binomial(asked, np.minimum(p, 1.0)))
            for k in range(habits.routers):
                bad = rng.binomial(left, 1 / (habits.routers - k))
                left -= bad
                self._count(rate, k, bad, arms)
        if self.users_too:
            self._visits(asked)
        self.minute += 1
        arms_ = {arm: self._arm(arm) for arm in ARMS}
        repeats = {r: self._clustered(r) - self.before[r] for r in self.only}
        self.steps[-1] = StepEvidence(self.steps[-1].stage, self.share, arms_, 0, repeats)

    def _count(self, rate: str, router: int, bad: np.ndarray, arms: dict[str, np.ndarray]) -> None:
        """What a router counts of bad requests by user, and what it adds to the sketch."""
        times, until = self.times[rate][router], self.until[rate][router]
        harmed = (bad > 0) & (until <= self.minute)
        for arm, who in arms.items():
            here, total = harmed & who, self.totals[arm]
            total["e", rate] += int(bad[who].sum())
            total["r", rate] += int(here.sum())
            total["p", rate] += int(2 * times[here].sum())
        times[harmed] += 1
        until[harmed] = self.minute + self.habits.window
        np.add.at(self.sketch[rate], self.place[harmed], self.sign[harmed])
        self.counted[rate] += int(harmed.sum())

    def _clustered(self, rate: str) -> int:
        return int((self.sketch[rate] ** 2).sum()) - self.counted[rate]

    def _visits(self, asked: np.ndarray) -> None:
        habits = self.habits
        self.asked += asked
        gain = np.where(self.mine, 1 + habits.uplift, 1.0)
        self.clicked += self.rng.binomial(asked, np.minimum(self.own * gain, 1.0))
        for arm, who in (("candidate", self.mine), ("baseline", ~self.mine)):
            labels = habits.shifted if arm == "candidate" and habits.shifted else habits.labels
            self.said[arm] += self.rng.multinomial(int(asked[who].sum()), labels)

    def _arm(self, arm: str) -> ArmCounts:
        t = self.totals[arm]
        events, harmed, repeats = ({r: t[k, r] for r in self.only} for k in "erp")
        return ArmCounts(t["requests"], 0, events, harmed, (), repeats)

    def evidence(self) -> Evidence:
        """As the controller would have it now."""
        seen = self.asked > 0
        metrics, exposed = {}, {}
        for arm, who in (("candidate", self.mine), ("baseline", ~self.mine)):
            here = seen & who
            exposed[arm] = int(here.sum())
            metrics[arm] = sums(self.clicked[here], self.asked[here], self.past[here])
        outputs = Outputs(
            tuple("abc"), tuple(10_000 * v for v in self.habits.labels),
            {arm: tuple(int(v) for v in self.said[arm]) for arm in ARMS},
        )  # fmt: skip
        users = UserEvidence(exposed, self.share, {"click": metrics}, outputs=outputs)
        return Evidence(steps=tuple(self.steps), users=users)


def sums(y: np.ndarray, n: np.ndarray, x: np.ndarray) -> UserMoments:
    """The sums over users that the evidence has."""
    values = (y, n, x, y * y, n * n, x * x, y * n, y * x, n * x)
    return UserMoments(len(y), int(y.sum()), int((x > 0).sum()), *(float(v.sum()) for v in values))
