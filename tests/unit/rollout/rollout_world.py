"""A small world for rollouts: routers, servers and a judge that do what a test tells them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from evergreen.bundle import manifest
from evergreen.decisions import Decision
from evergreen.errors import ConflictError, Fault
from evergreen.project.model import Rollout, Serving
from evergreen.registry import Registry
from evergreen.rollout.controller import Controller, Parts
from evergreen.rollout.controller.errands import InlineErrands
from evergreen.rollout.controller.links import InlineLinks
from evergreen.rollout.controller.sources import Pace, Sources
from evergreen.rollout.evidence import ArmCounts, Bucket, Evidence
from evergreen.rollout.opening import Opening, opened
from evergreen.rollout.plan import RoutePlan
from evergreen.rollout.record import RolloutRecord, Verdict
from evergreen.rollout.router.client import Confirmation, RouterState, RouterUnreachable
from evergreen.rollout.seen import RouterSeen, Seen, Timing
from evergreen.rollout.stores.local import LocalStates
from evergreen.storage.local import LocalStore

GO, WAIT, STOP, BACK = (Verdict(kind, f"says {kind}") for kind in ("promote", "hold", "stop", "roll_back"))
PASSED = [Decision("model", "roc_auc min", "pass", "roc_auc 0.81 is at least 0.7", 0.7, 0.81, (0.79, 0.83))]
NOW = 1_800_000_000.0


def settings(*stages: Any, **fields: Any) -> Rollout:
    """A rollout section whose stages take no time."""
    kinds = stages or ("shadow", 5, 50, 100)
    made = [
        {"kind": s, "at_least": "0s"} if isinstance(s, str)
        else s if isinstance(s, dict)
        else {"kind": "canary", "share": s, "at_least": "0s"}
        for s in kinds
    ]  # fmt: skip
    return Rollout.model_validate({"stages": made, "soak": "10s", "dead_man": "30s", **fields})


def record(rollout: Rollout | None = None, **fields: Any) -> RolloutRecord:
    """A rollout of version 2 against version 1 as it begins."""
    opening = Opening("shop", 2, 1, 0, "ada", "better", direct=fields.pop("direct", False))
    return replace(opened(opening, rollout or settings(), Serving(), NOW, None), **fields)


def seen(of: RolloutRecord, verdict: Verdict | None = None, **fields: Any) -> Seen:
    """All is well: one router that confirms the present plan, every server ready."""
    routers = (RouterSeen("r1", of.plan.generation or 3),)
    servers = {1: ("a:1",), 2: ("b:1",), 3: ("c:1",)}
    aliases = {"baseline": of.baseline, "candidate": of.candidate}
    basics: dict[str, Any] = {
        "routers": routers, "servers": servers, "aliases": aliases, "top": max(3, of.plan.generation),
        "verdict": verdict,
    }  # fmt: skip
    return Seen(**{**basics, **fields})


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class FileRouter:
    """A router that keeps its plan in a file, so that it outlives the controller's process; no Envoy.

    `up` and `applies` are what a test takes from it; `shares` is what users saw, plan by plan.
    """

    def __init__(self, path: Path, name: str = "r1") -> None:
        self.path, self.name = Path(path), name
        self.up, self.applies = True, True
        if not self.path.exists():
            self._keep({"plan": None, "dead_man": False, "buckets": [], "history": []})

    @property
    def kept(self) -> dict[str, Any]:
        return json.loads(self.path.read_text())

    def _keep(self, state: Mapping[str, Any]) -> None:
        aside = self.path.with_suffix(".new")
        aside.write_text(json.dumps(state))
        aside.replace(self.path)

    def _reached(self) -> dict[str, Any]:
        if not self.up:
            raise RouterUnreachable(f"router {self.name} does not answer")
        return self.kept

    @property
    def plan(self) -> RoutePlan | None:
        plan = self.kept["plan"]
        return msgspec.convert(plan, RoutePlan) if plan else None

    @property
    def share(self) -> float:
        """Percent of the users who get the candidate now."""
        state = self.kept
        return 0.0 if state["dead_man"] or self.plan is None else self.plan.share

    @property
    def shares(self) -> list[tuple[int, float]]:
        return [(g, s) for g, s in self.kept["history"]]

    def put_plan(self, plan: RoutePlan) -> Confirmation:
        state = self._reached()
        old = state["plan"]
        if old and old["generation"] > plan.generation:
            raise ConflictError(f"router {self.name} has generation {old['generation']}")
        if old and old["generation"] == plan.generation and old != msgspec.to_builtins(plan):
            raise ConflictError(f"router {self.name} has another plan of generation {plan.generation}")
        if not self.applies:
            return Confirmation(self.name, plan.generation, False, "Envoy refused it")
        if not old or old["generation"] != plan.generation:
            state["history"].append((plan.generation, plan.share))
        self._keep({**state, "plan": msgspec.to_builtins(plan), "dead_man": False})
        return Confirmation(self.name, plan.generation, True)

    def heartbeat(self, generation: int) -> bool:
        state = self._reached()
        return bool(state["plan"]) and state["plan"]["generation"] == generation and not state["dead_man"]

    def state(self) -> RouterState:
        state = self._reached()
        plan = self.plan
        generation = plan.generation if plan else 0
        return RouterState(self.name, generation, plan, state["dead_man"], True, self.applies)

    def buckets(self, after: int) -> list[Bucket]:
        return [b for b in (msgspec.convert(b, Bucket) for b in self._reached()["buckets"]) if b.seq > after]

    def fire(self) -> None:
        """The dead man: nobody was heard."""
        self._keep({**self.kept, "dead_man": True})

    def serve(self, requests: int = 10) -> None:
        """Answer requests under the present plan: one bucket."""
        state, plan = self.kept, self.plan
        if plan is None:
            return
        candidate = round(requests * self.share / 100)
        arms = {"baseline": ArmCounts(requests - candidate), "candidate": ArmCounts(candidate)}
        bucket = Bucket(
            self.name, len(state["buckets"]) + 1, plan.rollout, plan.generation, NOW, NOW, arms,
            round(requests * plan.mirror / 100),
        )  # fmt: skip
        self._keep({**state, "buckets": [*state["buckets"], asdict(bucket)]})


class Fleet:
    """Servers that are there as soon as they are asked for, unless a test says otherwise."""

    def __init__(self) -> None:
        self.removed: list[int] = []
        self.missing: set[int] = set()
        self.errors: dict[int, Exception] = {}
        self.addresses: dict[int, tuple[str, ...]] = {}
        self.asked: dict[int, tuple[int, Mapping[str, Any]]] = {}

    def ensure(
        self, model: str, version: int, replicas: int, serving: Mapping[str, Any]
    ) -> tuple[str, ...] | None:
        self.asked[version] = replicas, serving
        if version in self.errors:
            raise self.errors[version]
        return None if version in self.missing else self.addresses.get(version, (f"10.0.0.{version}:80",))

    def remove(self, model: str, version: int) -> None:
        self.removed.append(version)


@dataclass
class Judgement:
    verdict: Verdict
    looks: tuple[Mapping[str, float], ...] = ()


@dataclass
class World:
    """Everything that a controller is made of, in one folder."""

    folder: Path
    versions: int = 3
    verdict: Verdict | Exception = WAIT
    clock: Clock = field(default_factory=Clock)
    fleet: Fleet = field(default_factory=Fleet)
    judged: list[tuple[int, Evidence]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = LocalStore(self.folder / "store")
        self.registry = Registry(self.store)
        self.states = LocalStates(self.folder / "state")
        self.routers = {f"http://r{n}": FileRouter(self.folder / f"r{n}.json", f"r{n}") for n in (1, 2)}
        if not self.registry.models():
            for number in range(1, self.versions + 1):
                self.push(f"model {number}")
            self.registry.move("shop", "baseline", 1, why="first")

    def push(self, content: str, project: Mapping[str, Any] | None = None) -> int:
        bundle = make_bundle(self.folder / content.replace(" ", "-"), content)
        version = self.registry.push("shop", bundle, decisions=PASSED, settings=project).version
        self.registry.move("shop", "candidate", version, why="pushed")
        return version

    def judge(self, rollout: Rollout, stage: int, evidence: Evidence, elapsed: float) -> Judgement:
        self.judged.append((stage, evidence))
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return Judgement(self.verdict)

    def parts(self, **fields: Any) -> Parts:
        pace = Pace(0.0, 0.0, 0.0, 0.0)
        sources = Sources(
            self.registry, self.fleet, fields.pop("readers", lambda model: None), self.judge,
            fields.pop("query", lambda url, text: None), fields.pop("store", self.store), pace,
        )  # fmt: skip
        basics: dict[str, Any] = {
            "states": self.states, "sources": sources, "routers": lambda model: self.routers,
            "models": ("shop",), "clock": self.clock, "timing": Timing(drain=20.0), "commit": 0.0,
        }  # fmt: skip
        return Parts(**{**basics, **fields})

    def controller(self, **fields: Any) -> Controller:
        return Controller(self.parts(**fields), errands=InlineErrands(), links=InlineLinks())

    def looks(self, controller: Controller, times: int = 1, seconds: float = 1.0) -> None:
        for _ in range(times):
            controller.look()
            self.clock.now += seconds

    def until(self, controller: Controller, phase: str, id: str, most: int = 60) -> RolloutRecord:
        for _ in range(most):
            found = self.states.read(id).record
            if found.phase == phase:
                return found
            self.looks(controller)
        raise AssertionError(f"{id} is {found.phase}, not {phase}: {found.events[-3:]}")

    @property
    def shares(self) -> list[float]:
        return [router.share for router in self.routers.values()]


def make_bundle(folder: Path, content: str) -> Path:
    """A bundle that differs from others in `content` alone."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"model.skops": content, "parity.json": '{"onnx": false}', "signature.json": "{}",
             "training.json": "{}"}  # fmt: skip
    for name, text in files.items():
        (folder / name).write_text(text)
    manifest.write(folder)
    return folder


def unreachable(*_: Any) -> None:
    raise Fault("not reachable")


HOUR = timedelta(hours=1)
