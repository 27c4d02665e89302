"""Any sequence of verdicts, wishes, failures and silences: the promises of the state machine hold."""

from dataclasses import replace

import pytest
from hypothesis import settings as runs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from rollout_world import BACK, GO, NOW, STOP, WAIT, record, seen, settings

from evergreen.rollout.machine import judged, step
from evergreen.rollout.record import Wish
from evergreen.rollout.seen import RouterSeen

TRIAL = {"kind": "experiment", "at_least": "0s", "success": [{"event": "click"}]}
PATHS = st.sampled_from(
    [
        settings("shadow", "dark", 5, TRIAL, 100),
        settings(5, 20, 100, soak="0s"),
        settings({"kind": "canary", "share": 10, "at_least": "5s", "at_most": "60s"}, TRIAL),
    ]
)
VERDICTS = st.sampled_from([None, WAIT, WAIT, STOP, *[GO] * 8, BACK])
ORDERS = st.sampled_from([*["pause", "resume", "promote"] * 4, "abort", "roll_back"])
RARELY = st.integers(0, 9).map(lambda n: n == 9)
STATES = st.sampled_from(["follows", "follows", "follows", "unreachable", "refuses"])


class RolloutMachine(RuleBasedStateMachine):
    """Two routers that take the plan or do not, and users at every percent of the hash."""

    @initialize(path=PATHS, direct=st.sampled_from([False, False, False, True]))
    def begin(self, path, direct) -> None:
        self.record = record(path, direct=direct)
        self.now = NOW
        self.routers = {"r1": (3, False), "r2": (3, False)}
        self.verdict, self.wish = None, None
        self.generations = [3]
        self.reached = 0.0
        self.alias = ""

    def _look(self, verdict, **fields) -> None:
        before = self.record
        verdict = verdict if judged(before) else None  # as the controller asks
        routers = tuple(RouterSeen(name, *fields.get("routers", self.routers)[name]) for name in ("r1", "r2"))
        looked = seen(
            before, verdict, alias=self.alias, **{**fields, "routers": routers, "top": max(self.generations)}
        )
        self.record = step(before, looked, self.now)
        self._check(before, verdict, looked)

    def _check(self, before, verdict, looked) -> None:
        after = self.record
        if after.plan != before.plan:
            assert after.plan.generation > max(self.generations)  # grows strictly, whatever happens
            self.generations.append(after.plan.generation)
        else:
            assert after.plan.generation == before.plan.generation
        if after.plan.share > before.plan.share:
            person = before.wish is not None and before.wish.order == "promote"
            launch = before.phase == "launching"
            started = before.phase == "starting"
            assert launch or started or person or (verdict is not None and verdict.kind == "promote")
            assert launch or started or looked.confirmed(before.plan.generation)
            assert verdict is None or verdict.kind != "roll_back"
        if before.phase == "rolling_back" or before.ends is not None:
            assert after.plan.share == 0 and after.plan.mirror == 0
            assert after.phase in ("rolling_back", before.ends)
        if before.ended:
            assert after.phase == before.phase and after.plan.share == 0
        if after.stage > before.stage:
            assert after.stage == before.stage + 1
        if verdict is BACK and before.plan.candidate and before.phase in ("running", "paused", "held"):
            assert after.phase == "rolling_back"

    @rule(times=st.integers(1, 6))
    def all_is_well(self, times) -> None:
        for _ in range(times):
            self.now += 6
            self.alias = "done"
            if self.record.plan.generation:
                self.routers = dict.fromkeys(self.routers, (self.record.plan.generation, False))
            self._look(GO)

    @rule(verdict=VERDICTS, seconds=st.sampled_from([0.5, 0.5, 6.0, 70.0]))
    def look(self, verdict, seconds) -> None:
        self.now += seconds
        self._look(verdict)

    @rule(states=st.tuples(STATES, STATES))
    def routers_follow(self, states) -> None:
        for name, state in zip(("r1", "r2"), states, strict=True):
            generation = self.record.plan.generation
            if state == "follows" and generation:
                self.routers[name] = (generation, False)
            elif state == "unreachable":
                self.routers[name] = (None, False)

    @precondition(lambda self: self.record.plan.live)
    @rule(name=st.sampled_from(["r1", "r2"]))
    def dead_man(self, name) -> None:
        self.routers[name] = (self.routers[name][0], True)

    @rule(order=ORDERS)
    def somebody_asks(self, order) -> None:
        self.record = replace(self.record, wish=Wish(order, "ada", "", self.now))

    @rule(alias=st.sampled_from(["", "done", "done", "refused"]))
    def registry(self, alias) -> None:
        self.alias = alias

    @rule(servers=st.dictionaries(st.sampled_from([1, 2]), st.sampled_from([None, ("x:1",), ("y:2",)])))
    def servers_move(self, servers) -> None:
        self._look(self.verdict, servers=servers)

    @rule(yes=RARELY)
    def a_newer_one_waits(self, yes) -> None:
        self._look(WAIT, newer="shop-3-abcdef" if yes else "")

    @rule(ahead=st.integers(1, 50))
    def a_router_is_ahead(self, ahead) -> None:
        top = max(self.generations) + ahead
        self.generations.append(top)
        self._look(WAIT, routers={"r1": (top, False), "r2": self.routers["r2"]})

    @invariant()
    def nobody_flips_back_during_a_ramp(self) -> None:
        if not hasattr(self, "record"):
            return
        if self.record.phase in ("running", "paused", "held", "launching") or (
            self.record.phase == "soaking" and self.record.plan.candidate
        ):
            assert self.record.plan.share >= self.reached
            self.reached = self.record.plan.share

    @invariant()
    def users_have_a_version(self) -> None:
        if hasattr(self, "record") and self.record.phase == "launched":
            assert self.record.plan.baseline.version == self.record.candidate
        elif hasattr(self, "record") and not (self.record.direct or self.record.phase == "soaking"):
            assert self.record.plan.baseline.version == self.record.baseline


RolloutMachine.TestCase.settings = runs(max_examples=60, stateful_step_count=40, deadline=None)
TestRolloutMachine = pytest.mark.slow(RolloutMachine.TestCase)
