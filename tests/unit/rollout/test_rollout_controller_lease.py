"""One leads, and another one takes over: at once from the dead, in time from the silent."""

import json
import subprocess
import sys

from rollout_world import GO, WAIT, Clock, World, settings

from evergreen.project.model import Serving
from evergreen.rollout import commands
from evergreen.rollout.lease import FileLease


def test_one_holds_it_until_it_is_silent(tmp_path):
    clock = Clock()
    one, two = (FileLease(tmp_path / "lease", n, 10, clock) for n in ("one", "two"))
    assert one.held() and not two.held()
    clock.now += 9
    assert one.held() and not two.held()  # renewed
    clock.now += 9
    assert not two.held()
    clock.now += 2
    assert two.held() and not one.held()
    two.release()
    assert one.held()


def test_a_dead_process_loses_it_at_once(tmp_path):
    code = f"""
from pathlib import Path
from evergreen.rollout.lease import FileLease
assert FileLease(Path({str(tmp_path / "lease")!r}), "other", 3600).held()
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    assert json.loads((tmp_path / "lease").read_text())["holder"] == "other"
    assert FileLease(tmp_path / "lease", "me", 10).held()


def test_what_is_broken_is_free(tmp_path):
    (tmp_path / "lease").write_text('{"holder": "o')
    assert FileLease(tmp_path / "lease", "me").held()


def test_who_does_not_lead_touches_nothing(tmp_path):
    world = World(tmp_path)
    clock = world.clock
    one, two = (FileLease(tmp_path / "lease", n, 10, clock) for n in ("one", "two"))
    first = world.controller(lease=one, holder="one")
    second = world.controller(lease=two, holder="two")
    world.verdict = GO
    rollout = settings(50, 100, soak="0s")
    id = commands.start(
        world.registry, world.states, "shop", 2, settings=rollout, serving=Serving(), clock=clock
    ).id
    world.looks(first, 2)
    before = world.states.read(id)
    world.verdict = WAIT
    world.looks(second, 3)
    assert world.states.read(id) == before
    clock.now += 11  # the first one stalls, the second one takes over
    world.verdict = GO
    world.looks(second, 6)
    after = world.states.read(id).record
    assert after.holder == "two" and after.phase == "launched"
    world.looks(first, 2)
    assert world.states.read(id).record.phase == "launched"
    first.close()
    second.close()
