"""Killed between any two steps it goes on: nothing counted twice, no generation twice, nobody flipped."""

import subprocess
import sys
from pathlib import Path

import pytest
from rollout_world import BACK, GO, NOW, WAIT, World, settings

from evergreen.project.model import Serving
from evergreen.rollout import commands
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.tally import stage_at

STEPS = ("read", "observed", "decided", "intent", "applied", "confirmed", "written")


class Killed(BaseException):
    """As final as a kill: nothing in the loop may catch it."""


def begun(world: World) -> str:
    trial = {"kind": "experiment", "at_least": "0s", "success": [{"event": "click"}]}
    rollout = settings("shadow", 5, trial, 100, soak="0s")
    return commands.start(
        world.registry, world.states, "shop", 2, settings=rollout, serving=Serving(), clock=world.clock
    ).id


def check(world: World, record: RolloutRecord) -> None:
    """What must hold at the end, however often somebody was killed on the way."""
    for router in world.routers.values():
        generations = [g for g, _ in router.shares]
        assert generations == sorted(set(generations))
    read = record.evidence.offsets
    taken = [
        b for r in world.routers.values() for b in r.buckets(0)
        if b.rollout == record.id and b.seq <= read.get(f"router/{b.router}", 0)
        and stage_at(record, b.generation) >= 0
    ]  # fmt: skip
    counted = sum(a.requests for s in record.evidence.steps for a in s.arms.values())
    assert counted == sum(a.requests for b in taken for a in b.arms.values())
    for step in record.evidence.steps:  # and each bucket in the stage whose share it was served under
        arms = {arm: counts.requests for arm, counts in step.arms.items()}
        if arms.get("baseline") or arms.get("candidate"):
            share = 100 * arms.get("candidate", 0) / sum(arms.values())
            assert share == pytest.approx(step.share)


def users_never_flip_back(world: World) -> None:
    for router in world.routers.values():
        shares = [s for _, s in router.shares]
        if shares and shares[-1] == 0 and router.plan.baseline.version == 2:
            shares.pop()  # the launch: the candidate is the baseline
        assert shares == sorted(shares)


@pytest.mark.parametrize("step", STEPS)
def test_an_exception_between_any_two_steps(tmp_path, step):
    world = World(tmp_path)
    id = begun(world)
    world.verdict = GO
    deaths = 0

    def die(name: str) -> None:
        if name == step:
            raise Killed

    for look in range(120):
        if world.states.read(id).record.ended:
            break
        try:
            world.looks(world.controller(**({"on_step": die} if look % 3 else {})))
        except Killed:
            deaths += 1
            world.clock.now += 1
        for router in world.routers.values():
            router.serve(20)
    assert world.states.read(id).record.phase == "launched" and deaths >= 2
    record = world.states.read(id).record
    check(world, record)
    assert len(record.evidence.steps) == 4
    users_never_flip_back(world)
    assert world.registry.aliases("shop")["baseline"] == 2
    moves = [m for m in world.registry.history("shop") if m.alias == "baseline"]
    assert [m.version for m in moves] == [1, 2]  # moved once


def test_a_stage_begins_when_the_last_router_has_its_plan(tmp_path):
    """Users fell on the arms by the plan before until then, so what they saw is no evidence of this stage."""
    world = World(tmp_path)
    id = begun(world)
    world.verdict = GO

    def die(name: str) -> None:
        if name == "intent" and world.states.read(id).record.stage == 1:
            raise Killed

    with pytest.raises(Killed):
        world.looks(world.controller(on_step=die), 5)
    decided = world.states.read(id).record
    world.verdict = WAIT
    world.routers["http://r2"].up = False
    world.clock.now += 30
    world.looks(world.controller(), 2)
    assert world.states.read(id).record.since == decided.since
    world.routers["http://r2"].up = True
    world.clock.now += 30
    world.looks(world.controller(), 2)
    after = world.states.read(id).record
    assert after.since - decided.since >= 60 and after.carried == after.plan.generation
    world.routers["http://r2"].name = "r2-again"  # one that joins later changes nothing
    world.clock.now += 30
    world.looks(world.controller(), 2)
    later = world.states.read(id).record
    assert later.since == after.since and "r2-again" in later.confirmed


@pytest.mark.parametrize("step", STEPS)
def test_an_exception_during_a_rollback(tmp_path, step):
    world = World(tmp_path)
    id = begun(world)
    world.verdict = GO
    world.looks(world.controller(), 3)
    for router in world.routers.values():
        router.serve(20)
    world.verdict = BACK

    def die(name: str) -> None:
        if name == step:
            raise Killed

    for _ in range(20):
        try:
            world.looks(world.controller(on_step=die))
        except Killed:
            world.clock.now += 1
        world.looks(world.controller())
    record = world.states.read(id).record
    assert record.phase == "rolled_back" and world.shares == [0, 0]
    check(world, record)


@pytest.mark.slow
@pytest.mark.parametrize("harm", [False, True], ids=["launch", "rollback"])
def test_sigkill_between_any_two_steps(tmp_path, harm):
    world = World(tmp_path)
    id = begun(world)
    (tmp_path / "clock").write_text(str(NOW))
    here = Path(__file__).parent
    deaths = 0
    for number, step in enumerate(reversed(STEPS)):
        if harm and number == 3:
            (tmp_path / "harm").touch()
        command = [sys.executable, str(here / "rollout_process.py"), str(tmp_path), step, "1"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=here)
        deaths += done.returncode == -9
        assert done.returncode in (0, -9), done.stderr
        check_fences(world)
    command = [sys.executable, str(here / "rollout_process.py"), str(tmp_path), "never", "1"]
    assert subprocess.run(command, capture_output=True, cwd=here).returncode == 0
    record = world.states.read(id).record
    assert record.phase == ("rolled_back" if harm else "launched") and deaths >= 4
    check(world, record)
    if not harm:
        users_never_flip_back(world)


def check_fences(world: World) -> None:
    for router in world.routers.values():
        generations = [g for g, _ in router.shares]
        assert generations == sorted(set(generations))
