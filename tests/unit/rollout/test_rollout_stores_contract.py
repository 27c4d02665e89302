"""Every state store keeps the same promises: whole writes, one winner, nothing lost."""

import multiprocessing
import os
import threading
import time
from dataclasses import replace

import pytest
from rollout_world import NOW, record

from evergreen.decisions import Decision
from evergreen.errors import ConflictError, InputError, NotFoundError, StorageError
from evergreen.rollout import codec
from evergreen.rollout.chronicle import noted
from evergreen.rollout.evidence import ArmCounts, Evidence, StepEvidence, UserEvidence, UserMoments
from evergreen.rollout.record import Verdict, Wish
from evergreen.rollout.stores import default_state, open_state
from evergreen.rollout.stores.local import LocalStates
from evergreen.rollout.stores.objects import ObjectStates
from evergreen.storage.local import LocalStore


@pytest.fixture(params=["local", "objects"])
def states(request, tmp_path):
    return LocalStates(tmp_path) if request.param == "local" else ObjectStates(LocalStore(tmp_path))


def full():
    """A record with something in every field, and with numbers that JSON does not know."""
    counts = ArmCounts(10, 1, {"errors": 2}, {"errors": 1}, latency=(1,) * 21)
    users = UserEvidence(metrics={"click": {"candidate": UserMoments(3, 2, y=1.5, yy=float("nan"))}})
    evidence = Evidence(
        (StepEvidence(0, 5.0, {"candidate": counts}, 7),), users, {"q": None}, {"router/r1": 4}, "s",
        ({"users": 100.0, "click": float("inf")},),
    )  # fmt: skip
    check = Decision("rollout", "errors", "pass", "fine", 0.5, 0.1, (0.0, float("inf")))
    return replace(
        record(), evidence=evidence, verdict=Verdict("hold", "naïve – “quotes”", (check,)),
        wish=Wish("pause", "ada", "lunch", NOW), confirmed={"r1": 3},
    )  # fmt: skip


def test_a_record_comes_back_as_it_was(states):
    kept = full()
    tag = states.write_if(kept, None)
    back = states.read(kept.id)
    assert back.tag == tag and repr(back.record) == repr(kept)  # NaN is not equal to itself
    assert codec.encode(back.record) == codec.encode(kept)
    assert "inf" in str(codec.plain(kept)["verdict"])


def test_one_winner(states):
    kept = record()
    tag = states.write_if(kept, None)
    with pytest.raises(ConflictError):
        states.write_if(kept, None)
    new = states.write_if(replace(kept, holder="a"), tag)
    with pytest.raises(ConflictError):
        states.write_if(replace(kept, holder="b"), tag)
    assert new != tag and states.read(kept.id).record.holder == "a"


def test_list_current_and_remove(states):
    first = replace(record(), id="shop-2-aaaaaa", phase="launched", settled=True, replaced="shop-3-bbbbbb")
    second = replace(record(), id="shop-3-bbbbbb", created=NOW + 1)
    other = replace(record(), id="my-shop-2-cccccc", model="my-shop", created=NOW + 2)
    assert states.current("shop") is None
    for each in (second, first, other):
        states.write_if(each, None)
    assert [k.record.id for k in states.list()] == [first.id, second.id, other.id]
    assert [k.record.id for k in states.list("shop")] == [first.id, second.id]
    assert [k.record.id for k in states.list(closed=False)] == [second.id, other.id]
    assert states.current("shop").record.id == second.id
    states.remove(second.id)
    states.remove(second.id)
    assert states.current("shop").record.id == first.id
    with pytest.raises(NotFoundError):
        states.read(second.id)


@pytest.mark.parametrize(
    "id", ["../x-1-abcdef", "shop", "shop-x-abcdef", "shop-1-ABCDEF", "", "a/b-1-abcdef"]
)
def test_ids_that_are_none(states, id):
    with pytest.raises(InputError):
        states.read(id)


def _count(folder: str, id: str, times: int) -> None:
    states = LocalStates(folder)
    done = 0
    while done < times:
        kept = states.read(id)
        try:
            states.write_if(replace(kept.record, decided=kept.record.decided + 1), kept.tag)
        except ConflictError:
            continue
        done += 1


@pytest.mark.slow
def test_processes_and_threads_lose_nothing(tmp_path):
    kept = replace(record(), decided=0)
    LocalStates(tmp_path).write_if(kept, None)
    workers = [
        multiprocessing.get_context("spawn").Process(target=_count, args=(str(tmp_path), kept.id, 20)),
        *(threading.Thread(target=_count, args=(str(tmp_path), kept.id, 20)) for _ in range(3)),
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert LocalStates(tmp_path).read(kept.id).record.decided == 80


def test_a_record_that_changed_twice_within_a_tick_of_the_clock_is_read_anew(tmp_path):
    """Two writes later it may have its old inode, size and time: many kernels count in steps of 4 ms."""
    states, kept = LocalStates(tmp_path), replace(record(), holder="a")
    states.write_if(kept, None)
    path, then = tmp_path / f"{kept.id}.json", time.time_ns() + 10**12  # young, however slow this test is
    os.utime(path, ns=(then, then))
    assert states.read(kept.id).record.holder == "a"
    path.write_bytes(codec.encode(replace(kept, holder="b")))
    os.utime(path, ns=(then, then))
    assert states.read(kept.id).record.holder == states.list()[0].record.holder == "b"


def test_a_broken_record_is_named(tmp_path):
    states = LocalStates(tmp_path)
    kept = record()
    states.write_if(kept, None)
    (tmp_path / f"{kept.id}.json").write_text('{"id": 1}')
    assert states.list() == ()
    with pytest.raises(StorageError, match=r"not a rollout's record.*model|id"):
        states.read(kept.id)


def test_a_record_is_cut_to_fit():
    long = record()
    for number in range(200):
        long = noted(long, NOW + number, "verdict hold", "x" * 500)
    checks = tuple(Decision("rollout", f"c{n}", "pass", "y" * 500) for n in range(100))
    long = replace(long, verdict=Verdict("hold", "why", checks))
    whole = codec.encode(long)
    cut = codec.decode(codec.encode(long, 60_000), "here")
    assert len(whole) > 200_000 and len(codec.encode(cut)) <= 60_000
    assert cut.events[-1] == long.events[-1] and cut.evidence == long.evidence
    with pytest.raises(StorageError, match="bytes"):
        codec.encode(long, 1000)


def test_where_state_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert open_state(default_state()).uri == str(tmp_path / ".evergreen/rollouts")
    monkeypatch.setenv("EVERGREEN_ROLLOUT_STATE", str(tmp_path / "x"))
    assert open_state(default_state()).uri == str(tmp_path / "x")
    monkeypatch.delenv("EVERGREEN_ROLLOUT_STATE")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert default_state() == "configmap://" and default_state("s3://b/x") == "s3://b/x"
