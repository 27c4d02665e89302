"""The controller is killed between its steps, gets a rival, or is gone: users see one rollout, in order."""

import signal
import threading
import time
from collections import defaultdict

import pytest
from chaos_load import flips, models
from chaos_world import settings
from server_processes import gone, until

from evergreen.errors import EvergreenError

pytestmark = pytest.mark.service
KILLS = (
    ("read", 6), ("confirmed", 1), ("observed", 6), ("written", 1), ("decided", 6), ("intent", 2),
    ("applied", 6), ("plan", 1),
)  # fmt: skip
"""`plan`: a new plan is written, and no router has it."""


class Watch:
    """Looks at both routers all the time: which plan each had under which generation."""

    def __init__(self, world):
        self._routers, self._stop = world.routers, threading.Event()
        self.plans, self.order = defaultdict(set), defaultdict(list)
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(10)

    def _look(self):
        while not self._stop.wait(0.05):
            for router in self._routers:
                try:
                    state = router.state()
                except EvergreenError:
                    continue
                self.plans[state.generation].add(state.plan)
                self.order[state.router].append(state.generation)

    def fenced(self):
        """No generation stood for two plans, and no router went back to an older one."""
        assert all(len(plans) == 1 for plans in self.plans.values())
        assert len(self.order) == 2 and all(g == sorted(g) for g in self.order.values())


def stages():
    """All of them, short."""
    quick = {"at_least": "1s", "requests": 20}
    hidden = [{"kind": kind, **quick} for kind in ("shadow", "dark")]
    return hidden + [{"kind": "canary", "share": share, **quick} for share in (5, 20, 50, 100)]


def test_a_controller_killed_between_every_two_steps(world):
    outputs = {"outputs": {"reaction": "hold", "rows": 50}}
    record = world.begin("good", settings(*stages(), guardrails=outputs), replicas=2)
    old, new = world.baseline, f"demo@{record.candidate}"
    before = world.counted()
    with world.own_controllers() as controller, Watch(world) as watch:
        with world.load("controller killed", rate=150) as load:
            for step, nth in KILLS:
                assert controller(step, nth, signal.SIGKILL).wait(60) == -signal.SIGKILL, step
            controller("never", 1, 0)
            record = world.ends(record.id)
            assert record.phase == "launched", record.events[-1].reason
            load.wait(50)
        watch.fenced()
        load.figures["killed"] = f"{len(KILLS)} times"
        found = world.requests(before)
    world.up()
    answers = load.answers()
    assert found["baseline"] + found["candidate"] == len(answers) and not found["fallbacks"]
    last = record.marks[-1].generation
    late = [b.arms.get("baseline") for b in world.buckets(before) if b.generation >= last]
    assert models(answers)[new] == found["candidate"] + sum(c.requests for c in late if c)
    assert models(answers).keys() == {old, new} and world.baseline == new
    assert not flips(answers, new, slack=1.0) and record.evidence.users.switched == 0
    load.figures["flips while routers changed over"] = len(flips(answers, new))
    load.figures["in the evidence"] = world.counted_once(record)
    assert [s.stage for s in record.evidence.steps] == list(range(7))
    generations = [m.generation for m in record.marks]
    assert generations == sorted(set(generations))
    moves = [m.version for m in world.registry.history("demo") if m.alias == "baseline"]
    assert moves.count(record.candidate) == 1


def test_a_controller_with_a_stale_lease_and_generation_changes_nothing(world):
    """It stands still after it wrote a plan, and wakes up when another one has gone on."""
    canaries = [
        {"kind": "canary", "share": share, "at_least": "1s", "requests": 20} for share in (5, 20)
    ]  # fmt: skip
    record = world.begin("good", settings(*canaries, {"kind": "canary", "share": 50, "at_least": "10m"}))
    with world.own_controllers() as controller, Watch(world) as watch:
        with world.load("two controllers") as load:
            stale = controller("plan", 1, signal.SIGSTOP, "--lease", "1.5", "--holder", "stale")
            until(lambda: world.record(record.id).plan.generation > 0)
            controller("never", 1, 0, "--lease", "1.5", "--holder", "newer")
            there = world.reaches(record.id, 2)
            assert there.holder == "newer" and there.plan.generation > record.plan.generation
            stale.send_signal(signal.SIGCONT)
            holders = set()
            deadline = time.monotonic() + 2.5
            while time.monotonic() < deadline:
                holders.add(world.record(record.id).holder)
                time.sleep(0.05)
        watch.fenced()
        assert stale.poll() is None and holders == {"newer"}
        log = (world.folder / "controller-0.log").read_text()
        assert "plan refused" in log, "the old controller did not even try"
        assert world.record(record.id).plan == there.plan
    world.up()
    assert not flips(load.answers(), f"demo@{record.candidate}", slack=1.0)


def test_without_controller_and_supervisor_the_routers_go_back(world):
    record = world.begin("good", settings(dead_man="2s"))
    world.reaches(record.id)
    new = f"demo@{record.candidate}"
    with world.load("dead man") as load:
        load.wait(100)
        pids = [world.kill(name) for name in ("supervisor", "controller")]
        silent = time.time()
        until(lambda: all(map(gone, pids)))
        until(lambda: all(r.state().dead_man_fired for r in world.routers))
        load.wait(150)
        last = max(a.ended for a in load.answers() if a.model == new)
        load.figures["last answer by the candidate"] = f"{last - silent:.2f} s after the kill"
        assert 1.0 < last - silent < 2.0 + 1.0
        world.up()  # who comes back gives the same stage again, under a newer generation
        until(lambda: models(load.since(time.time() - 0.5))[new] > 5)
    after = world.record(record.id)
    assert after.phase == "running" and after.plan.generation > world.record(record.id).marks[0].generation
    assert "dead man" in {e.what for e in after.events}
