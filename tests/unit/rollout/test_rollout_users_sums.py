"""Sums over users: equal to a recomputation of the whole log, however it is cut, ordered and read."""

import random
import tempfile
import time
import zlib
from dataclasses import asdict, replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.rollout.users import UserReader
from evergreen.storage.local import LocalStore
from tests.unit.rollout.users_world import GRACE, T0, Brute, Out, Row, Writers, after, record, traffic

SHIPPED = 13.0  # seconds: the log's defaults, and two for the upload


def world(folder, clock=time.time):
    folder.mkdir(exist_ok=True)
    store = LocalStore(folder / "store")
    reader = UserReader(store, "shop", folder / "cache", "512MiB", lookback=3600, clock=clock)
    return store, reader, Writers(store, folder)


def users_of(store, key):
    found = duckdb.sql(
        f"SELECT * EXCLUDE (id, key, time) FROM '{store.uri}/{key}' WHERE kind = 'user'"
    ).fetchall()
    return sorted(found)


def cut(rows, writers, chance, longest):
    """Segments of several writers: (when it arrives, writer, rows), each writer's in order."""
    found = []
    for writer in range(writers):
        own = [r for r in rows if zlib.crc32(repr(r).encode()) % writers == writer]
        at = 0
        arrived = -1e9
        while at < len(own):
            limit = own[at].time + chance.uniform(1, longest)
            end = next((i for i in range(at, len(own)) if own[i].time > limit), len(own))
            arrived = max(arrived, own[end - 1].time + chance.uniform(0, 150))
            part = own[at:end]
            chance.shuffle(part)
            found.append((arrived, f"{'abc'[writer]}riter{type(rows[0]).__name__.lower()}", part))
            at = end
    return found


def assert_equal(users, brute, rows, outs):
    for name, event, by_user in (
        ("click", "click", False),
        ("retry", "retry", False),
        ("bought", "bought", True),
    ):
        for arm in ("baseline", "candidate"):
            expected = brute.moments(rows, outs, event, by_user, arm)
            assert asdict(users.metrics[name][arm]) == pytest.approx(expected, rel=1e-9), (name, arm)
    _, _, _, first, switched = brute.sums(rows, outs)
    arms = [arm for _, arm in first.values()]
    assert users.exposed == {"baseline": arms.count("baseline"), "candidate": arms.count("candidate")}
    assert users.switched == len(switched)


@pytest.mark.slow
@settings(max_examples=4)
@given(
    seed=st.integers(0, 10**6), size=st.integers(20, 160), writers=st.integers(1, 3), reads=st.integers(1, 4)
)
def test_any_split_and_order_gives_the_sums_of_the_whole_log(seed, size, writers, reads):
    rows, outs = traffic(seed, size)
    chance = random.Random(seed)
    brute = Brute(live=0.0, begin=GRACE, gaps=[(0.0, GRACE)])
    with tempfile.TemporaryDirectory() as folder:
        clock = T0
        store, reader, log = world(Path(folder) / "split", lambda: clock)
        parts = cut(rows, writers, chance, 100) + (cut(outs, writers, chance, 100) if outs else [])
        parts.sort(key=lambda part: part[0])
        marks = [*sorted(chance.sample(range(len(parts) + 1), min(reads, len(parts)))), len(parts)]
        now, done = record(), 0
        for mark in marks:
            for _, writer, part in parts[done:mark]:
                log.put(part, writer)
            done = mark
            clock = max(clock, T0 + chance.uniform(-100, 60) + max([p[0] for p in parts[:mark]], default=0))
            reading = reader.read(now)
            now = after(now, reading)
        clock = time.time()
        reading = reader.read(now)  # all the same whether something is new, or was only too young
        assert_equal(reading.users, brute, rows, outs)

        whole_store, whole_reader, whole = world(Path(folder) / "whole")
        whole.put(rows)
        if outs:
            whole.put(outs)
        once = whole_reader.read(record())
        assert once.users == reading.users  # to the last bit
        assert once.left_out["late"] == reading.left_out["late"] == 0
        assert users_of(whole_store, once.state) == users_of(store, reading.state)


def test_the_same_offsets_give_the_same_bytes(tmp_path):
    store, reader, log = world(tmp_path)
    rows, outs = traffic(1, 120)
    log.put(rows[:60])
    now = after(record(), reader.read(record()))
    log.put(rows[60:])
    log.put(outs)
    first = reader.read(now)
    content = store.read(first.state)
    again = UserReader(store, "shop", tmp_path / "other", lookback=3600).read(now)
    assert (again.state, again.users, again.offsets) == (first.state, first.users, first.offsets)
    assert store.read(again.state) == content
    assert reader.read(after(now, first)) == replace(again, left_out=first.left_out)  # nothing is new


def test_requests_count_once_every_server_had_the_time_to_ship_them(tmp_path):
    """One arm's newest requests must not look as if the other arm had none."""
    seconds = 0.0
    _, reader, log = world(tmp_path, lambda: T0 + seconds)
    canary = record(share=50.0)

    def exposed():
        nonlocal canary
        reading = reader.read(canary)
        canary = after(canary, reading)
        return reading.users.exposed

    log.put([Row(t, f"b{t}", str(t)) for t in range(10, 20)], "writer0b")
    log.put([Out(15, "b11", "11"), Out(25, "", "12")], "writer0o")
    seconds = 20.5
    assert exposed() == {"baseline": 0, "candidate": 0}
    log.put([Row(t, f"c{t}", str(100 + t), "candidate") for t in range(10, 20)], "writer0c")
    seconds = 14.5 + SHIPPED
    assert exposed() == {"baseline": 5, "candidate": 5}
    seconds = 20.0 + SHIPPED
    assert exposed() == {"baseline": 10, "candidate": 10}, "nothing is new but the time"
    state, moments = canary.evidence.state, canary.evidence.users.metrics["click"]["baseline"]
    assert (moments.users, moments.events, moments.y) == (10, 2, 2.0)
    exposed()
    assert canary.evidence.state == state, "nothing waits any more"


@pytest.mark.slow
def test_a_crash_between_state_and_record_leaves_an_orphan_only(tmp_path):
    store, reader, log = world(tmp_path)
    rows, outs = traffic(2, 150)
    log.put(rows[:50])
    now = after(record(), reader.read(record()))
    log.put(rows[50:100])
    orphan = reader.read(now)  # the record is never written
    log.put(rows[100:])
    log.put(outs)
    reading = reader.read(now)
    assert_equal(reading.users, Brute(0.0, GRACE, gaps=[(0.0, GRACE)]), rows, outs)
    assert orphan.state != reading.state
    for _ in range(3):  # later reads remove what no record can name
        log.put([Row(1600, "x", "5")])
        now = after(now, reading)
        reading = reader.read(now)
    left = {e.key for e in store.list("rollouts")}
    assert orphan.state not in left and reading.state in left and len(left) <= 3


def test_a_lost_state_is_made_anew_from_the_log(tmp_path):
    store, reader, log = world(tmp_path)
    rows, outs = traffic(3, 100)
    log.put(rows)
    now = after(record(), reader.read(record()))
    log.put(outs)
    store.delete(now.evidence.state)
    fresh = UserReader(store, "shop", tmp_path / "other", lookback=3600)
    reading = fresh.read(now)
    assert_equal(reading.users, Brute(0.0, GRACE, gaps=[(0.0, GRACE)]), rows, outs)


@pytest.mark.slow
def test_stages_begin_anew_and_keep_habits_and_switches(tmp_path):
    _, reader, log = world(tmp_path)
    rows = [Row(-50, "p1", "5"), Row(-40, "p2", "6"), Row(-500, "p3", "5")]  # before it was live
    rows += [
        Row(10, "a", "5", "candidate"),
        Row(20, "b", "6"),
        Row(30, "c", "7"),
        Row(40, "d", "10", "candidate"),
    ]
    log.put(rows)
    log.put([Out(-45, "p1"), Out(15, "a"), Out(25, "", "6"), Out(35, "", "9")])
    shadow = record(since=-550, share=0.0, mirror=100.0, stage=0)
    reading = reader.read(shadow)
    assert reading.users.metrics == {} and reading.users.exposed == {}
    canary = after(record(), reading)
    reading = reader.read(canary)
    assert reading.users.exposed == {"baseline": 2, "candidate": 2}
    assert reading.users.exposed_share == 20.0
    click = reading.users.metrics["click"]
    assert (click["candidate"].users, click["candidate"].y, click["candidate"].covered) == (2, 1.0, 1)
    assert click["candidate"].x == 0.5  # one click in two requests
    assert (click["baseline"].y, click["baseline"].events) == (1.0, 1)

    later = [Row(101, "e", "7"), Row(110, "f", "7", "candidate"), Row(111, "g", "5", "candidate")]
    later += [Row(112, "h", "6"), Row(113, "i", "10", "baseline"), Row(114, "j", "8")]
    log.put(later)
    log.put([Out(115, "a"), Out(116, "f"), Out(117, "f", event="bought", value=9.5)])
    experiment = replace(after(canary, reading), stage=2, since=canary.since + 100)
    experiment = replace(experiment, plan=replace(experiment.plan, share=50.0))
    reading = reader.read(experiment)
    # user 7 was answered by the baseline while the routers took the plan over: that proves nothing.
    assert reading.users.exposed == {"baseline": 3, "candidate": 2}
    assert reading.users.switched == 1  # user 10: candidate, then baseline
    click = reading.users.metrics["click"]["candidate"]
    assert (click.users, click.y) == (2, 1.0)  # the click on `a` belongs to the stage before
    assert reading.users.metrics["bought"]["candidate"].y == 9.5

    fallen = replace(after(experiment, reading), stage=3, since=canary.since + 200)
    fallen = replace(fallen, plan=replace(fallen.plan, share=10.0))
    log.put([Row(210, "k", "7"), Row(211, "l", "5", "candidate")])
    reading = reader.read(fallen)
    assert reading.users.switched == 0  # the share fell: who moves back does not flip
    assert reading.users.exposed == {"baseline": 1, "candidate": 1}


def test_the_router_decides_whose_a_fallback_is(tmp_path):
    _, reader, log = world(tmp_path)
    answered_by_baseline = Row(20, "a", "5", "candidate")
    log.put([Row(10, "a", "5", "candidate", status=500, prediction=None), answered_by_baseline])
    users = reader.read(record()).users
    assert users.metrics["click"]["candidate"].n == 1  # one request, though two rows
    assert users.exposed == {"baseline": 0, "candidate": 1}


def test_requests_and_outcomes_without_a_user_are_left_out(tmp_path):
    _, reader, log = world(tmp_path)
    log.put([Row(10, "a"), Row(11, "b", "5", "candidate")])
    log.put([Out(12, "a"), Out(13, "nobody"), Out(14, "b"), Out(15, "b", value=float("nan"))])
    log.put([Row(1000, "z")])
    reading = reader.read(record())
    assert reading.users.metrics["click"]["candidate"].y == 1
    assert reading.users.exposed == {"baseline": 0, "candidate": 1}
    assert reading.left_out["outcomes"] == 2


@pytest.mark.slow
def test_rows_that_come_too_late_still_count_once(tmp_path):
    _, reader, log = world(tmp_path)
    log.put([Row(2000, "new", "6")])
    now = after(record(), reader.read(record()))
    log.put([Row(10, "old", "5", "candidate"), Row(1990, "near", "6")], "another1")
    log.put([Out(20, "old")])
    reading = reader.read(now)
    assert reading.left_out["late"] == 1
    log.put([Row(10, "old", "5", "candidate")], "thewriter3")
    now = after(now, reading)
    reading = reader.read(now)
    click = reading.users.metrics["click"]
    assert (click["candidate"].n, click["candidate"].y, click["baseline"].n) == (1, 1, 2)


def test_nothing_is_read_once_it_is_over(tmp_path):
    _, reader, log = world(tmp_path)
    log.put([Row(10, "a", "5", "candidate")])
    for phase in ("rolling_back", "rolled_back", "launched"):
        reading = reader.read(replace(record(), phase=phase))
        assert (reading.offsets, reading.state) == ({}, "")
