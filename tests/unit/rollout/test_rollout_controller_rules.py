"""The controller, whatever fails in whatever order: all is real but the routers, which are told to fail."""

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings as runs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from rollout_world import BACK, GO, STOP, WAIT, World, settings

from evergreen.errors import ConflictError, EvergreenError, InputError
from evergreen.project.model import Serving
from evergreen.rollout import commands

STEPS = ("read", "observed", "decided", "intent", "applied", "confirmed", "written")


VERDICTS = st.sampled_from([WAIT, GO, GO, GO, STOP, BACK])


class Killed(BaseException):
    pass


class ControllerMachine(RuleBasedStateMachine):
    """Two controllers that take turns, are killed anywhere, and routers that come and go."""

    @initialize()
    def begin(self) -> None:
        self.world = World(Path(tempfile.mkdtemp()), versions=3)
        self.two = [self.world.controller(holder=n) for n in ("one", "two")]
        self.harm: set[str] = set()
        self.stale = self.world.states.list()
        self.world.looks(self.two[0], 5)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            shutil.rmtree(self.world.folder)

    @rule(
        which=st.integers(0, 1),
        verdict=st.sampled_from([WAIT, GO, GO, GO, STOP, BACK]),
        times=st.integers(1, 4),
    )
    def look(self, which, verdict, times) -> None:
        self.world.verdict = verdict
        for _ in range(times):
            self.world.looks(self.two[which], 1, 3.0)
            for router in self.world.routers.values():
                router.serve(20)

    @rule()
    def a_leader_stalls(self) -> None:
        self.stale = self.world.states.list(closed=False)

    @rule(which=st.integers(0, 1), verdict=VERDICTS)
    def and_goes_on_with_what_it_had_read(self, which, verdict) -> None:
        self.world.verdict = verdict
        with contextlib.suppress(ConflictError):
            self.two[which]._pass("shop", list(self.stale))

    @rule(version=st.integers(1, 3), port=st.integers(1, 9))
    def servers_move(self, version, port) -> None:
        self.world.fleet.addresses[version] = (f"10.0.0.{version}:{port}",)

    @rule(step=st.sampled_from(STEPS), verdict=st.sampled_from([WAIT, GO, BACK]))
    def killed(self, step, verdict) -> None:
        def die(name: str) -> None:
            if name == step:
                raise Killed

        self.world.verdict = verdict
        try:
            self.world.looks(self.world.controller(on_step=die))
        except Killed:
            self.world.clock.now += 1

    @rule(version=st.integers(1, 3), again=st.booleans())
    def start(self, version, again) -> None:
        try:
            commands.start(
                self.world.registry, self.world.states, "shop", version, again=again,
                settings=settings(5, 50, 100, soak="2s"), serving=Serving(), clock=self.world.clock,
            )  # fmt: skip
        except InputError:
            return

    @rule(order=st.sampled_from(["pause", "resume", "promote", "abort", "previous"]))
    def order(self, order) -> None:
        try:
            if order == "previous":
                commands.restore_previous(
                    self.world.registry, self.world.states, "shop", clock=self.world.clock
                )
            else:
                commands.order(self.world.states, "shop", order, clock=self.world.clock)
        except EvergreenError:
            return

    @rule(name=st.sampled_from(["http://r1", "http://r2"]), up=st.booleans(), applies=st.booleans())
    def router(self, name, up, applies) -> None:
        router = self.world.routers[name]
        router.up, router.applies = up, applies or up
        if not up:
            router.fire()

    @invariant()
    def at_most_one_version_beside_the_baseline(self) -> None:
        if not hasattr(self, "world"):
            return
        records = [k.record for k in self.world.states.list()]
        live = [r for r in records if r.plan.live]
        assert len(live) <= 1
        generations = [r.plan.generation for r in records if r.plan.generation]
        assert len(set(generations)) == len(generations)

    @invariant()
    def routers_only_go_forward(self) -> None:
        for router in self.world.routers.values() if hasattr(self, "world") else ():
            history = [g for g, _ in router.shares]
            assert history == sorted(set(history))

    @invariant()
    def what_ended_stays_ended(self) -> None:
        for kept in self.world.states.list() if hasattr(self, "world") else ():
            record = kept.record
            if record.phase in ("rolled_back", "aborted", "superseded", "failed"):
                self.harm.add(record.id)
            if record.id in self.harm:
                assert record.ended and record.phase != "launched" and record.plan.share == 0

    @invariant()
    def the_alias_is_at_a_version_that_passed(self) -> None:
        if hasattr(self, "world"):
            standing = self.world.registry.aliases("shop")["baseline"]
            launched = {k.record.candidate for k in self.world.states.list() if k.record.phase != "failed"}
            assert standing in launched | {1}


ControllerMachine.TestCase.settings = runs(max_examples=12, stateful_step_count=25, deadline=None)
TestControllerMachine = pytest.mark.slow(ControllerMachine.TestCase)
