"""Buckets count once, in the stage that they were seen in."""

from dataclasses import replace

from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st
from rollout_world import NOW, record

from evergreen.rollout.evidence import ArmCounts, Bucket, StepEvidence
from evergreen.rollout.record import Mark
from evergreen.rollout.tally import begun, counted, with_users

UNDER_WAY = replace(
    record(),
    marks=(Mark(4, 0), Mark(7, 1), Mark(9, -1)),
    evidence=replace(record().evidence, steps=(StepEvidence(0, 0.0), StepEvidence(1, 5.0))),
)


def bucket(seq: int, generation: int, router: str = "r1", rollout: str = UNDER_WAY.id) -> Bucket:
    counts = ArmCounts(10, 1, {"errors": 2}, {"errors": 1}, latency=(1,) * 21)
    return Bucket(router, seq, rollout, generation, NOW, NOW + 1, {"candidate": counts}, 3)


def test_each_stage_gets_its_own_even_late():
    buckets = [bucket(seq, generation) for seq, generation in enumerate((3, 4, 7, 6, 9), 1)]
    buckets.append(bucket(6, 8, rollout="x"))
    evidence = counted(UNDER_WAY, buckets)
    shadow, canary = evidence.steps
    assert (shadow.arms["candidate"].requests, shadow.mirrored) == (20, 6)
    assert canary.arms["candidate"].events == {"errors": 2} and canary.mirrored == 3
    assert evidence.offsets == {"router/r1": 6}


@given(
    st.lists(st.tuples(st.sampled_from(["r1", "r2"]), st.integers(1, 12)), max_size=30), st.integers(0, 30)
)
@runs(max_examples=60)
def test_any_cut_and_any_repetition_count_the_same(given_, cut):
    order = sorted({(r, s) for r, s in given_})
    whole = counted(UNDER_WAY, [bucket(s, 4 + s % 5, r) for r, s in order])
    first = replace(UNDER_WAY, evidence=counted(UNDER_WAY, [bucket(s, 4 + s % 5, r) for r, s in order[:cut]]))
    again = [bucket(s, 4 + s % 5, r) for r, s in reversed(order + order)]
    assert counted(first, again) == whole


def test_a_stage_begins_with_nothing_of_the_last_one():
    users = replace(UNDER_WAY.evidence.users, exposed={"candidate": 9}, switched=1)
    old = with_users(UNDER_WAY.evidence, users, {"predictions/w": 3}, "key")
    new = begun(replace(old, looks=({"users": 5.0},)), 2, 50.0)
    assert new.users.exposed == {} and new.users.exposed_share == 50.0 and new.looks == ()
    assert new.users.switched == 1 and new.offsets == {"predictions/w": 3} and new.state == "key"
    assert [s.stage for s in new.steps] == [0, 1, 2]
