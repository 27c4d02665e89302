"""The journal and the access log: nothing twice, nothing lost, wherever the agent is cut off."""

import asyncio
import json
import os
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.errors import ConflictError, InputError
from evergreen.rollout.evidence import ArmCounts, Bucket
from evergreen.rollout.plan import RoutePlan, Target
from evergreen.rollout.router.bootstrap import Files
from evergreen.rollout.router.counter import Counter
from evergreen.rollout.router.journal import Entry, Journal, encoded
from evergreen.rollout.router.logs import Logs
from evergreen.rollout.router.metrics import Metrics
from evergreen.rollout.router.saved import PlanStore, Saved


def bucket(seq: int) -> Bucket:
    return Bucket("r", seq, "x", 1, 0.0, 1.0, {"baseline": ArmCounts(requests=seq)})


def entry(*seqs: int, **more) -> Entry:
    return Entry(seqs[-1], {"1.log": seqs[-1] * 10}, buckets=encoded(map(bucket, seqs)), **more)


def numbers(journal: Journal, after: int = 0) -> list[int]:
    return [b["seq"] for b in json.loads(journal.after(after))]


def test_a_journal_keeps_what_was_written(tmp_path):
    path = tmp_path / "j" / "evidence.jsonl"
    journal = Journal(path)
    assert (journal.first, journal.last.seq, numbers(journal)) == (1, 0, [])
    journal.append(entry(1, 2, harmed=(("a", 5.0, 1),)))
    journal.append(entry(3))
    journal.close()
    again = Journal(path)
    assert again.last.positions == {"1.log": 30} and again.harmed == [("a", 5.0, 1)]
    assert numbers(again, 1) == [2, 3] and json.loads(again.after(1, most=1))[0]["seq"] == 2
    assert path.stat().st_mode & 0o077 == 0
    again.close()


@given(st.integers(0, 400))
@settings(max_examples=30)
def test_a_torn_end_is_cut_off_with_all_that_was_in_it(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("j") / "evidence.jsonl"
    journal = Journal(path)
    journal.append(entry(1))
    whole = path.stat().st_size
    journal.append(entry(2))
    journal.close()
    os.truncate(path, max(whole, path.stat().st_size - 1 - cut))
    again = Journal(path)
    assert (again.last.seq, again.last.positions, numbers(again)) == (1, {"1.log": 10}, [1])
    again.append(entry(2))
    again.close()
    assert numbers(Journal(path)) == [1, 2]


def test_old_buckets_are_dropped_and_the_numbers_go_on(tmp_path):
    path = tmp_path / "evidence.jsonl"
    journal = Journal(path, keep=5)
    for seq in range(1, 13):
        journal.append(entry(seq))
        journal.compact([("a", 1.0, 2)])
    assert (journal.first, numbers(journal)) == (8, [8, 9, 10, 11, 12])
    assert len(path.read_bytes().splitlines()) < 8
    journal.close()
    again = Journal(path, keep=5)
    assert (again.first, again.last.seq, again.last.positions) == (8, 12, {"1.log": 120})
    assert again.harmed == [("a", 1.0, 2)]


def test_what_is_no_journal_is_refused(tmp_path):
    (tmp_path / "j").write_text("what\n")
    with pytest.raises(InputError, match="line 1"):
        Journal(tmp_path / "j")


LINE = (
    '{"arm":"baseline","by":"baseline","plan":{"rollout":"r","generation":1,"slo":1,"window":1,"copied":false},'
    '"status":200,"time":"%d","us":5,"user":"%s"}\n'
)


class Killed(BaseException):
    """What a SIGKILL is to this test."""


class _Envoy:
    """Writes a log as Envoy does: to the file that it has open, until it is told to open another."""

    def __init__(self, folder):
        self._folder, self.count = folder, 0
        self._open()

    def _open(self):
        self._file, self._told = (self._folder / "1.log").open("ab", buffering=0), False

    def reopen_logs(self):
        if not self._told:
            self.write(2, random.Random(self.count))  # what came since the agent read the old one
        self._told = True

    def write(self, lines: int, dice: random.Random) -> None:
        data = b"".join((LINE % (self.count + i, dice.randrange(9))).encode() for i in range(lines))
        self.count += lines
        while data:
            size = dice.randrange(1, len(data) + 1)
            self._file.write(data[:size])
            data = data[size:]
        if self._told and dice.random() < 0.4:
            self._open()


@pytest.mark.slow
@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_a_counter_that_is_killed_between_any_two_steps_counts_every_line_once(tmp_path_factory, seed):
    dice, folder = random.Random(seed), tmp_path_factory.mktemp("counter")
    files, killed = Files(folder), [0]
    files.prepare()
    envoy = _Envoy(files.log)

    def fragile(thing, name: str):
        whole = getattr(thing, name)

        def step(*args):
            if dice.random() < 0.15:
                killed[0] += 1
                raise Killed
            found = whole(*args)
            if dice.random() < 0.15:
                killed[0] += 1
                raise Killed
            return found

        setattr(thing, name, step)

    def start() -> Counter:
        counter = Counter("r", files, "salt", Metrics("r"), lambda: frozenset({"1.log"}))
        counter._rotated -= dice.choice([0, 100])
        for part, names in ((counter._journal, ["append"]), (counter._logs, ["read", "moved", "remove"])):
            for name in names:
                fragile(part, name)
        return counter

    counter = start()
    for _ in range(40):
        envoy.write(dice.randrange(4), dice)
        try:
            asyncio.run(_tick(counter, envoy))
        except Killed:
            counter.close()
            counter = start()
    counter.close()
    last = Counter("r", files, "salt", Metrics("r"), frozenset)
    asyncio.run(_tick(last, None))
    asyncio.run(_tick(last, None))
    found = json.loads(last.evidence(0))
    last.close()
    assert sum(b["arms"]["baseline"]["requests"] for b in found["buckets"]) == envoy.count
    assert [b["seq"] for b in found["buckets"]] == list(range(1, found["last"] + 1))
    assert list(files.log.iterdir()) == [], "raw users are left behind"
    assert killed[0] > 0


async def _tick(counter, envoy) -> None:
    await counter.tick(envoy)


def test_a_full_disk_loses_nothing(tmp_path):
    files = Files(tmp_path)
    files.prepare()
    envoy, dice = _Envoy(files.log), random.Random(1)
    counter = Counter("r", files, "salt", Metrics("r"), lambda: frozenset({"1.log"}))
    whole, counter._journal.append = counter._journal.append, None
    envoy.write(3, dice)
    with pytest.raises(TypeError):
        asyncio.run(_tick(counter, None))
    envoy.write(2, dice)
    counter._journal.append = whole
    for _ in range(2):
        asyncio.run(_tick(counter, None))
    found = json.loads(counter.evidence(0))["buckets"]
    assert [b["arms"]["baseline"]["requests"] for b in found] == [3, 2]


def test_a_log_in_memory_that_a_restart_emptied_is_read_from_its_begin(tmp_path):
    logs = Logs(tmp_path, Entry(5, {"1.log": 500, "1.log.7": 3}, 7))
    (tmp_path / "1.log").write_bytes(b"short\n")
    again = Logs(tmp_path, Entry(5, {"1.log": 500, "1.log.7": 3}, 7))
    assert logs.positions == again.positions == {}
    (chunk,) = again.read()
    assert (chunk.lines, chunk.end) == ((b"short",), 6)


PLAN = RoutePlan("m", "r", 4, Target(1, ("a:1",)), Target(2, ("b:1",)), share=5.0)


def test_the_plan_is_fenced_and_outlives_a_restart(tmp_path):
    store = PlanStore(tmp_path)
    assert store.saved == Saved() and store.fence(PLAN) and store.silence() == 0
    store.put(Saved(PLAN, True))
    again = PlanStore(tmp_path)
    assert again.saved == Saved(PLAN, True) and not again.fence(PLAN)
    for other in (3, 4):
        with pytest.raises(ConflictError, match=r"plan\.generation"):
            again.fence(RoutePlan("m", "r", other, Target(1, ("a:1",))))
    assert again.fence(RoutePlan("m", "r", 5, Target(1, ("a:1",))))
    again.heard()
    then = time.time() - 7
    os.utime(tmp_path / "heartbeat", (then, then))
    assert 7 <= again.silence() + 1e-3 <= time.time() - then + 2e-3
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(InputError, match=r"plan\.json"):
        PlanStore(tmp_path)
