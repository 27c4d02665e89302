"""Counting: from the lines of the access log to counts by plan and arm, each harmed user once a window."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

from evergreen.rollout.evidence import LATENCY_EDGES, RATES, ArmCounts, Bucket
from evergreen.rollout.router.access import Line
from evergreen.rollout.statistics import clusters
from evergreen.serving.users import user_key

Harm = tuple[str, float, int]
"""Who was harmed in what (`rollout/rate/user key`), until when the same harm does not count again, and
how often it has counted in the rollout."""
_MOST = 200_000


class Harmed:
    """Users who were harmed in the present rollout; nobody else is remembered.

    Past `most` users those that were harmed longest ago are forgotten: they count as new ones when they are
    harmed again, which only makes `ArmCounts.repeats` smaller.

    Args:
        known: From before a restart; of several entries of one user the last one counts.
        most: How many are remembered, besides those whose window is not over.
    """

    def __init__(self, known: Iterable[Harm] = (), most: int = _MOST) -> None:
        self._known: dict[str, tuple[float, int]] = {}
        self._most = most
        self.new: list[Harm] = []
        for name, until, count in known:
            self._known.pop(name, None)
            self._known[name] = (until, count)

    def count(self, name: str, at: float, window: float) -> int | None:
        """Count a harm, unless it has counted within the window.

        Returns:
            How often it had counted before; None when it does not count.
        """
        until, before = self._known.get(name, (0.0, 0))
        if until > at:
            return None
        self._known.pop(name, None)  # the newest ones stand last
        self._known[name] = (at + window, before + 1)
        self.new.append((name, at + window, before + 1))
        return before

    def forget(self, now: float, rollout: str) -> None:
        """Let go of those of other rollouts, and of those who are too many, once their window is over."""
        while self._known:
            name = next(iter(self._known))
            mine = name.startswith(f"{rollout}/") and len(self._known) <= self._most
            if mine or self._known[name][0] > now:
                return
            del self._known[name]

    def all(self) -> list[Harm]:
        """Everyone who is remembered."""
        return [(name, until, count) for name, (until, count) in self._known.items()]

    def __len__(self) -> int:
        return len(self._known)


@dataclass
class _Counts:
    requests: int = 0
    fallbacks: int = 0
    events: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RATES, 0))
    harmed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RATES, 0))
    repeats: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RATES, 0))
    latency: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_EDGES) + 1))

    def frozen(self) -> ArmCounts:
        return ArmCounts(
            self.requests, self.fallbacks, self.events, self.harmed, tuple(self.latency), self.repeats
        )


@dataclass
class _Part:
    begin: float
    end: float
    arms: dict[str, _Counts] = field(default_factory=dict)
    mirrored: int = 0
    clusters: dict[str, list[int]] = field(default_factory=dict)


class Tally:
    """Counts of requests since the last `take`.

    Args:
        salt: For the users' keys.
        harmed: Who was harmed before.
    """

    def __init__(self, salt: str, harmed: Harmed) -> None:
        self._salt, self.harmed = salt, harmed
        self._parts: dict[tuple[str, int], _Part] = {}
        self._rollout = ""

    def add(self, line: Line) -> list[str]:
        """Count one request; returns what was bad about it."""
        at, plan = line.at, line.plan
        self._rollout = plan.rollout
        part = self._parts.setdefault((plan.rollout, int(plan.generation)), _Part(at, at))
        part.begin, part.end = min(part.begin, at), max(part.end, at)
        part.mirrored += plan.copied
        counts = part.arms.setdefault(line.arm, _Counts())
        counts.requests += 1
        counts.fallbacks += line.fallback
        counts.latency[bisect_left(LATENCY_EDGES, line.seconds)] += 1
        bad = harms(line)
        key = user_key(line.user, self._salt) if bad else ""
        for rate in bad:
            counts.events[rate] += 1
            name = f"{plan.rollout}/{rate}/{key}"  # not by arm: see `ArmCounts.harmed`
            before = self.harmed.count(name, at, plan.window) if key else 0
            if before is not None:
                counts.harmed[rate] += 1
                counts.repeats[rate] += 2 * before
                if key:
                    clusters.add(part.clusters.setdefault(rate, clusters.begun()), key)
        return bad

    def forget(self, now: float) -> None:
        """Let go of users who need not be remembered."""
        self.harmed.forget(now, self._rollout)

    def take(self, router: str, seq: int) -> list[Bucket]:
        """The counts as buckets numbered from `seq` + 1 on; counting starts anew.

        Args:
            router: The router's id.
            seq: The number of the last bucket.
        """
        taken, self._parts = self._parts, {}
        return [
            Bucket(
                router, number, rollout, generation, part.begin, part.end,
                {arm: counts.frozen() for arm, counts in sorted(part.arms.items())}, part.mirrored,
                {rate: tuple(sketch) for rate, sketch in part.clusters.items()},
            )
            for number, ((rollout, generation), part) in enumerate(taken.items(), seq + 1)
        ]  # fmt: skip


def harms(line: Line) -> list[str]:
    """What was bad about a request: names from `evergreen.rollout.evidence.RATES`."""
    bad = (
        line.failed,
        line.seconds > line.plan.slo,
        line.count("empty") > 0,
        line.count("missing") > 0,
    )
    return [rate for rate, is_bad in zip(RATES, bad, strict=True) if is_bad]
