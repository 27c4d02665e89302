"""Whole rollouts by the real controller and judge, on evidence that is made up: for views and reports."""

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rollout_world import World, settings

from evergreen.rollout import judge as real
from evergreen.rollout import plans
from evergreen.rollout.evidence import (
    LATENCY_EDGES,
    ArmCounts,
    Bucket,
    Outputs,
    Pairs,
    UserEvidence,
    UserMoments,
)
from evergreen.rollout.record import RolloutRecord

STAGES = (
    {"kind": "shadow", "at_least": "5s", "requests": 500},
    {"kind": "dark", "at_least": "5s", "requests": 500},
    {"kind": "canary", "share": 5, "at_least": "5s", "requests": 200},
    {"kind": "experiment", "share": 50, "at_least": "5s", "requests": 500, "users": 4000, "looks": 4,
     "success": [{"event": "click"}], "require": "not_worse", "margin": 0.2},
    {"kind": "canary", "share": 100, "at_least": "5s", "requests": 500},
)  # fmt: skip
MEANS = {"means": [{"event": "click", "margin": 0.5}], "min_events": 20, "latency": {"slo": "100ms"}}
LABELS = ("no", "yes", "<b>&maybe")


def rollout_settings(**fields: Any) -> Any:
    return settings(*STAGES, **{"guardrails": MEANS, "soak": "8s", **fields})


@dataclass
class Reading:
    users: UserEvidence
    offsets: Mapping[str, int] = field(default_factory=dict)
    state: str = "state"


@dataclass
class Story(World):
    """A world with traffic: `harm` multiplies the candidate's errors, `lift` its clicks."""

    harm: float = 1.0
    lift: float = 1.1
    per_look: int = 1500
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    seen: dict[int, int] = field(default_factory=dict)

    def judge(self, rollout: Any, stage: int, evidence: Any, elapsed: float) -> Any:
        return real.judge(rollout, stage, evidence, elapsed)

    def begin(self, model: str = "shop", **fields: Any) -> RolloutRecord:
        from evergreen.project.model import Serving
        from evergreen.rollout.commands import start

        return start(
            self.registry, self.states, model, 2, settings=rollout_settings(**fields), serving=Serving(),
            by="ada", why="trained on <March> & more", clock=self.clock,
        )  # fmt: skip

    def read(self, record: RolloutRecord) -> Reading:
        """What the prediction log would say by now."""
        n = self.seen.get(record.stage, 0)
        stage = plans.stage_of(record)
        if stage is not None and stage.kind in ("shadow", "dark"):
            outputs = _outputs("shadow", n)
            pairs = Pairs(n, n // 25, (0.002 * n, 0.01 * n), (0.0004 * n, 4e-6 * n), 0, n // 1000, n)
            return Reading(UserEvidence(pairs=pairs, outputs=outputs))
        share = record.plan.share / 100
        users = n // 3
        arms = {
            "candidate": (round(users * share), 0.2 * self.lift),
            "baseline": (round(users * (1 - share)), 0.2),
        }
        return Reading(
            UserEvidence(
                exposed={arm: count for arm, (count, _) in arms.items() if count},
                exposed_share=record.plan.share,
                metrics={"click": {arm: _moments(*given) for arm, given in arms.items() if given[0] > 1}},
                outputs=_outputs("candidate", n),
            )
        )

    def traffic(self) -> None:
        """One look's worth of requests at every router."""
        for router in self.routers.values():
            plan = router.plan
            if plan is None:
                continue
            n = self.per_look // len(self.routers)
            stage = len([1 for _ in router.shares])
            found = self.states.read(plan.rollout).record if plan.rollout else None
            if found is not None:
                stage = found.stage
            self.seen[stage] = self.seen.get(stage, 0) + n
            candidate = round(n * router.share / 100)
            arms = {
                "baseline": self._arm(n - candidate, 0.004),
                "candidate": self._arm(candidate, 0.004 * self.harm),
            }
            state = router.kept
            bucket = Bucket(
                router.name, len(state["buckets"]) + 1, plan.rollout, plan.generation, self.clock.now,
                self.clock.now, {a: c for a, c in arms.items() if c.requests}, round(n * plan.mirror / 100),
            )  # fmt: skip
            router._keep({**state, "buckets": [*state["buckets"], asdict(bucket)]})

    def _arm(self, n: int, errors: float) -> ArmCounts:
        bad = round(n * min(1.0, errors))
        counts = [0] * (len(LATENCY_EDGES) + 1)
        for _ in range(n):
            seconds = self.rng.lognormvariate(-4.6, 0.9)
            counts[next((i for i, e in enumerate(LATENCY_EDGES) if seconds <= e), len(LATENCY_EDGES))] += 1
        slow = sum(counts[12:])
        events = {"errors": bad, "latency": slow, "empty_outputs": 0, "missing_inputs": n // 200}
        return ArmCounts(n, 0, events, dict(events), tuple(counts), {})

    def go(self, phase: str, id: str, most: int = 200) -> RolloutRecord:
        """Look, with traffic, until the rollout is in a phase."""
        controller = self.controller(readers=lambda model: self)
        for _ in range(most):
            found = self.states.read(id).record
            if found.phase == phase:
                for _ in range(3):
                    self.looks(controller)
                return self.states.read(id).record
            self.traffic()
            self.looks(controller)
        raise AssertionError(f"{id} is {found.phase}, not {phase}: {found.verdict} {found.events[-2:]}")


def _outputs(arm: str, n: int) -> Outputs:
    def parts(total: int) -> tuple[int, ...]:
        return (total - total // 4 - total // 50, total // 4, total // 50)

    return Outputs(LABELS, (0.72, 0.26, 0.02), {"baseline": parts(n), arm: parts(n)})


def _moments(users: int, rate: float) -> UserMoments:
    """Users with three requests each, of which `rate` have a click."""
    y = rate * 3 * users
    return UserMoments(users, round(y), 0, y, 3.0 * users, 0.0, 1.6 * y, 9.0 * users, 0.0, 3 * y)


def story(folder: Path, **fields: Any) -> Story:
    return Story(folder, **fields)
