"""Bad candidates are taken back by themselves, within seconds, and everybody is answered meanwhile."""

import signal
import threading
import time

import pytest
from chaos_breach import counted_by_routers, seen_by_the_client
from chaos_bundles import FEATURE
from chaos_load import flips, models
from chaos_world import LONG, settings
from server_processes import until

pytestmark = pytest.mark.service
MOST = 2.0
"""Seconds from the breach to the candidate's last answer."""


class Throttle:
    """A process that gets the processor for a small part of the time, as under a limit of a container."""

    def __init__(self, world, name, runs=0.03, stands=0.22):
        self._world, self._name, self._times = world, name, (runs, stands)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _work(self):
        while not self._stop.is_set():
            self._world.kill(self._name, signal.SIGCONT)
            self._stop.wait(self._times[0])
            self._world.kill(self._name, signal.SIGSTOP)
            self._stop.wait(self._times[1])
        self._world.kill(self._name, signal.SIGCONT)


def rolled_back(world, load, record, before):
    """What must hold of every bad candidate; and the figures."""
    load.stop()
    world.counted()
    old, new = world.baseline, f"demo@{record.candidate}"
    assert record.phase == "rolled_back", record.events[-1].reason
    assert models(load.answers()).keys() == {old, new}
    last = max(a.ended for a in load.answers() if a.model == new)
    breach = seen_by_the_client(load.answers(), record)
    buckets = world.buckets(before)
    begin, end = counted_by_routers(buckets, record)
    routed = max(b.end for b in buckets if b.rollout == record.id and "candidate" in b.arms)
    load.figures["breach to last answer"] = f"{last - end:.2f} to {last - begin:.2f} s"
    load.figures["to the last request routed to it"] = f"{routed - end:.2f} to {routed - begin:.2f} s"
    load.figures["by the client's log alone"] = f"{last - breach:.2f} s" if breach else "no breach yet"
    load.figures["answers by it"] = models(load.answers())[new]
    assert max(last, routed) - begin <= MOST


def taken_back(world, kind, name, **load_settings):
    """A bad candidate under load until it is rolled back: the load, the record, and what routers counted."""
    before = world.counted()
    with world.load(name, **load_settings) as load:
        record = world.begin(kind, settings())
        record = world.ends(record.id)
        load.wait(50)
        rolled_back(world, load, record, before)
    return load, record, world.requests(before)


def test_one_that_needs_what_callers_do_not_send(world):
    """It answers 400 where the baseline answers 200: users get the baseline's answer, it gets the error."""
    load, record, found = taken_back(world, "needy", "candidate errs", lacks=0.3, feature=FEATURE)
    new = f"demo@{record.candidate}"
    assert found["fallbacks"] > 5 and found["candidate"] - found["fallbacks"] == models(load.answers())[new]
    assert all(a.whole for a in load.answers() if a.model == new)
    rolling = next(e for e in record.events if e.what == "rolling back")
    assert "errors" in rolling.reason


def test_one_that_fails(world):
    """It answers 500 where the baseline answers 200: users get the baseline's answer."""
    load, record, found = taken_back(world, "faulty", "candidate fails", lacks=0.3, feature=FEATURE)
    assert found["fallbacks"] > 5
    assert all(a.whole for a in load.answers() if a.model == f"demo@{record.candidate}")
    (log,) = (world.home / "platform" / "logs").glob(f"model-server-demo@{record.candidate}-*.log")
    assert "request failed" in log.read_text()
    assert "errors" in next(e for e in record.events if e.what == "rolling back").reason


def test_one_that_needs_it_is_taken_back_before_any_user_sees_it(world):
    shadow = {"kind": "shadow", "at_least": "10m", "requests": 50}
    with world.load("shadow errs", lacks=0.3, feature=FEATURE) as load:
        record = world.begin("needy", settings(shadow))
        record = world.ends(record.id)
        load.wait(50)
    assert record.phase == "rolled_back" and models(load.answers()).keys() == {world.baseline}
    assert "failed copies" in next(e for e in record.events if e.what == "rolling back").reason


def test_one_that_is_slow(world):
    before = world.counted()
    slow = {"latency": {"slo": "100ms"}}
    with world.load("candidate slow") as load:
        record = world.begin("good", settings(guardrails=slow))
        world.reaches(record.id)
        load.wait(60)
        with Throttle(world, f"model server demo@{record.candidate} #1"):
            record = world.ends(record.id)
        load.wait(50)
        rolled_back(world, load, record, before)
    reason = next(e for e in record.events if e.what == "rolling back").reason
    assert "slow answers" in reason or "errors" in reason


def test_one_that_answers_nothing(world):
    _, record, _ = taken_back(world, "silent", "candidate empty")
    assert "empty outputs" in next(e for e in record.events if e.what == "rolling back").reason


def test_one_that_hangs(world):
    before = world.counted()
    with world.load("candidate hangs") as load:
        record = world.begin("good", settings())
        world.reaches(record.id)
        load.wait(60)
        world.kill(f"model server demo@{record.candidate} #1", signal.SIGSTOP)
        record = world.ends(record.id)
        load.wait(50)
        rolled_back(world, load, record, before)
    assert world.requests(before)["fallbacks"] > 0


def test_a_hung_shadow_hurts_nobody_and_is_not_promoted(world):
    shadow = {"kind": "shadow", "at_least": "3s", "requests": 50}
    record = world.begin("good", settings(shadow, LONG))
    with world.load("shadow hangs", rate=150) as load:
        world.reaches(record.id)
        begun = time.time()
        load.wait(200)
        hung = time.time()
        world.kill(f"model server demo@{record.candidate} #1", signal.SIGSTOP)
        load.wait(900)
        after = world.record(record.id)
        assert (after.phase, after.stage, after.verdict.kind) == ("running", 0, "hold")
        assert "coverage" in after.verdict.waits, after.verdict
        woken = time.time()
        world.kill(f"model server demo@{record.candidate} #1", signal.SIGCONT)
        until(lambda: world.record(record.id).stage == 1 or world.record(record.id).ended)
    answers = load.answers()
    good, bad = (
        sorted(a.ended - a.began for a in answers if low <= a.began < high)
        for low, high in ((begun, hung), (hung, woken))
    )
    p50, p95 = ([round(1000 * part[int(len(part) * q)], 1) for part in (good, bad)] for q in (0.5, 0.95))
    load.figures["p50, p95 well and hung"] = f"{p50[0]}, {p95[0]} and {p50[1]}, {p95[1]} ms"
    assert p50[1] < 2 * p50[0] + 5 and p95[1] < 2 * p95[0] + 50
    assert f"demo@{record.candidate}" not in models([a for a in answers if a.ended < woken])


def test_a_newer_candidate_takes_the_place_of_an_older_one(world):
    """Everybody has the baseline again before anybody gets the newer one."""
    first = world.begin("good", settings())
    world.reaches(first.id)
    with world.load("superseded") as load:
        load.wait(100)
        second = world.begin("good", settings())
        assert world.ends(first.id).phase == "superseded"
        world.reaches(second.id)
        load.wait(150)
    old, one, two = world.baseline, f"demo@{first.candidate}", f"demo@{second.candidate}"
    answers = load.answers()
    assert models(answers).keys() == {old, one, two}
    ended = max(a.ended for a in answers if a.model == one)
    begun = min(a.ended for a in answers if a.model == two)
    between = [a for a in answers if ended < a.began and a.ended < begun]
    load.figures["between them"] = f"{begun - ended:.2f} s, {len(between)} answers by the baseline"
    assert ended < begun and {a.model for a in between} <= {old}
    assert not flips([a for a in answers if a.began > ended], two, slack=1.0)
    assert world.record(second.id).plan.generation > world.record(first.id).plan.generation
