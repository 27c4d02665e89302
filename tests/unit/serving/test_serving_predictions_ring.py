"""The queue between server and writer: nothing is lost, nothing comes twice, what is not kept is counted."""

import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.serving.predictions import ring as module
from evergreen.serving.predictions.ring import KINDS, OUTCOMES, PREDICTIONS, Ring

SMALL = 1024
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(KINDS), st.binary(max_size=600), st.integers(0, 5)),
        st.tuples(st.just("take"), st.integers(1, 2000)),
        st.tuples(st.just("settle")),
    ),
    max_size=80,
)


def taken(ring: Ring, most: int = 2**30) -> list[bytes]:
    return [frame.data for frame in ring.take(most)]


@settings(max_examples=200, deadline=None)
@given(STEPS, st.sampled_from([0, 300, 2**30]))
def test_what_was_put_is_taken_once_and_in_order(steps, early):
    ring, put, got = Ring(capacity=SMALL), [], []
    counts = dict.fromkeys(KINDS, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_EARLY", early)
        for name, *what in steps:
            if name == "put":
                kind, data, items = what
                if ring.put(kind, items + 1, data):
                    put.append((kind, items + 1, data))
                    counts[kind] += items + 1
            elif name == "take":
                got += [tuple(frame) for frame in ring.take(*what)]
            else:
                for kind in KINDS:
                    ring.settle(kind)
                    assert ring.waiting(kind) == counts[kind] - sum(i for k, i, _ in got if k == kind)
        while more := ring.take(100):
            got += [tuple(frame) for frame in more]
    assert got == put
    assert [ring.dropped(kind) for kind in KINDS] == [{}, {}]


def test_another_process_sees_it_by_its_descriptor():
    ring = Ring(capacity=SMALL)
    ring.put(PREDICTIONS, 1, b"here")
    child = os.fork()
    if not child:
        other = Ring(ring.descriptor)
        good = taken(other) == [b"here"]
        other.settle(PREDICTIONS)
        other.show(written=7, shipped=2, writer="abc")
        other.show_room(99, True)
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (ring.waiting(PREDICTIONS), ring.written, ring.shipped, ring.writer) == (0, 7, 2, "abc")
    assert (ring.spooled, ring.full) == (99, True)


def test_no_room_is_said_and_what_is_there_stays():
    ring = Ring(capacity=SMALL)
    assert ring.put(PREDICTIONS, 1, b"a" * 500)
    assert not ring.put(PREDICTIONS, 1, b"b" * 500)
    assert not ring.put(OUTCOMES, 1, b"c" * 5000)
    assert taken(ring) == [b"a" * 500]
    assert ring.put(PREDICTIONS, 1, b"b" * 400)
    assert taken(ring) == [b"b" * 400]


def test_what_a_killed_writer_had_taken_counts_as_dropped():
    ring = Ring(capacity=SMALL)
    for kind, items in ((PREDICTIONS, 1), (OUTCOMES, 5), (PREDICTIONS, 1), (PREDICTIONS, 1)):
        ring.put(kind, items, b"x" * 40)
    assert len(ring.take(100)) == 3
    after = Ring(ring.descriptor)
    after.attach()
    assert after.dropped(PREDICTIONS) == {"killed": 2} and after.dropped(OUTCOMES) == {"killed": 5}
    assert (after.waiting(PREDICTIONS), after.waiting(OUTCOMES)) == (1, 0)
    assert len(after.take(100)) == 1
    after.settle(PREDICTIONS)
    assert after.waiting(PREDICTIONS) == 0 and after.dropped(PREDICTIONS) == {"killed": 2}


def test_one_that_died_between_its_two_notes_is_counted_once():
    ring = Ring(capacity=SMALL)
    for _ in range(3):
        ring.put(PREDICTIONS, 1, b"x")
    ring.take(1)
    ring._words[module._TAKEN] -= 1  # the tail was written, and not how much was taken
    after = Ring(ring.descriptor)
    after.attach()
    assert len(after.take(100)) == 2 and after.dropped(PREDICTIONS) == {"killed": 1}


def test_a_frame_that_is_not_there_yet_is_waited_for():
    ring = Ring(capacity=SMALL)
    ring.put(PREDICTIONS, 1, b"first")
    ring.put(PREDICTIONS, 1, b"second")
    place = module._HEADER + module._room(5) + module._FRAME.size
    ring._map[place : place + 1] = b"?"
    assert taken(ring) == [b"first"]
    assert taken(ring) == []
    ring._map[place : place + 1] = b"s"
    assert taken(ring) == [b"second"]


def test_what_stands_there_from_an_earlier_round_is_not_taken_again():
    ring = Ring(capacity=SMALL)
    ring.put(PREDICTIONS, 1, b"old")
    before = bytes(ring._map[module._HEADER : module._HEADER + 64])
    taken(ring)
    ring._words[module._HEAD] = ring._words[module._TAIL] = 0
    ring.put(PREDICTIONS, 1, b"new")
    after = bytes(ring._map[module._HEADER : module._HEADER + 64])
    ring._map[module._HEADER : module._HEADER + 64] = before
    assert taken(ring) == []
    ring._map[module._HEADER : module._HEADER + 64] = after
    assert taken(ring) == [b"new"]


def test_a_frame_that_stays_broken_costs_what_is_there_and_nothing_later():
    ring = Ring(capacity=SMALL)
    for data in (b"one", b"two"):
        ring.put(PREDICTIONS, 1, data)
    struct.pack_into("<I", ring._map, module._HEADER, 77)
    for _ in range(module._TRIES + 1):
        assert taken(ring) == []
    ring.settle(PREDICTIONS)
    assert ring.dropped(PREDICTIONS) == {"killed": 2} and ring.waiting(PREDICTIONS) == 0
    ring.put(PREDICTIONS, 1, b"three")
    assert taken(ring) == [b"three"]


def test_what_was_dropped_is_told_once():
    ring = Ring(capacity=SMALL)
    ring.drop(OUTCOMES, 3, "queue")
    ring.drop(OUTCOMES, 2, "disk", by_writer=True)
    assert ring.untold(OUTCOMES) == {"queue": 3, "disk": 2} and ring.untold(PREDICTIONS) == {}
    ring.tell(OUTCOMES, {"queue": 3})
    assert ring.untold(OUTCOMES) == {"disk": 2}
    ring.tell(OUTCOMES, {"queue": 3}, -1)
    ring.drop(OUTCOMES, 1, "queue")
    assert ring.untold(OUTCOMES) == {"queue": 4, "disk": 2}
    assert ring.dropped(OUTCOMES) == {"queue": 4, "disk": 2}
