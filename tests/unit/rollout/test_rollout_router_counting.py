"""Counting: what a line says, who counts as harmed, and that counts add up whichever way they are split."""

import json
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.rollout.evidence import LATENCY_EDGES, RATES, ArmCounts, added
from evergreen.rollout.plan import RoutePlan, Target
from evergreen.rollout.router.access import FORMAT, read_line
from evergreen.rollout.router.admin import Copies
from evergreen.rollout.router.metrics import Metrics
from evergreen.rollout.router.tally import Harmed, Tally, harms
from evergreen.rollout.statistics import clusters
from evergreen.serving.users import user_key


def text(**changes) -> bytes:
    plan = {"rollout": "r", "generation": 3, "slo": 0.25, "window": 10.0, "copied": False}
    plan |= {k: changes.pop(k) for k in list(changes) if k in plan}
    line = {
        "arm": "candidate", "by": "candidate", "flags": "-", "host": "10.0.0.1:80", "id": "x", "model": "m@2",
        "ms": 4, "notes": "rows=1,missing=0,imputed=0,empty=0", "plan": plan, "status": 200,
        "time": "1000.5", "tries": 1, "us": 3840, "user": "ann",
    }  # fmt: skip
    return json.dumps({**line, **changes}, separators=(",", ":")).encode()


def line(**changes):
    found = read_line(text(**changes))
    assert found is not None
    return found


def test_the_format_asks_for_every_field_in_the_order_that_a_torn_line_is_found_by():
    assert list(FORMAT) == sorted(FORMAT) and next(iter(FORMAT)) == "arm"
    assert set(FORMAT) == set(type(line()).__struct_fields__)


@pytest.mark.parametrize(
    "changes, bad, fallback",
    [
        ({}, [], False),
        ({"status": 500}, ["errors"], False),
        (
            {"status": 0, "flags": "DC", "by": None, "model": None, "notes": None, "us": None},
            ["errors"],
            False,
        ),
        ({"status": 404}, [], False),
        ({"by": "baseline", "tries": 2}, ["errors"], True),
        ({"by": "baseline"}, ["errors"], True),  # the candidate had no healthy server
        ({"by": "baseline", "status": 400, "tries": 1}, ["errors"], True),
        ({"by": "baseline", "status": 400, "tries": 2}, [], False),  # both refuse: the client's fault
        ({"by": "baseline", "status": 503, "tries": 3}, ["errors"], False),
        ({"arm": "baseline", "by": "baseline"}, [], False),
        ({"arm": "baseline", "by": "baseline", "tries": 2}, ["errors"], False),  # as for the candidate
        ({"us": 250_001}, ["latency"], False),
        ({"us": 250_000}, [], False),
        ({"us": None, "ms": 251}, ["latency"], False),
        ({"notes": "rows=2,missing=3,imputed=1,empty=1"}, ["empty_outputs", "missing_inputs"], False),
        ({"notes": "nonempty=4, empty=0,missing=x"}, [], False),
    ],
)
def test_what_is_bad_about_a_request(changes, bad, fallback):
    found = line(**changes)
    assert (harms(found), found.fallback) == (bad, fallback)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b'{"arm":',
        text()[:-4],
        text(arm="shadow"),
        text(plan=None),
        text(time=None),
        b"\xff" + text()[:9],
    ],
)
def test_lines_that_count_for_nobody(raw):
    assert read_line(raw) is None


def test_a_line_behind_a_torn_one_is_found():
    whole = text(user="bob")
    for cut in (1, 9, 60, len(whole) - 1):
        found = read_line(text(user="ann")[:cut] + whole)
        assert found is not None and found.user == "bob"


def counted(lines, harmed=None) -> dict[tuple[str, int], dict[str, ArmCounts]]:
    tally = Tally("salt", Harmed() if harmed is None else harmed)
    for each in lines:
        tally.add(each)
    return {(b.rollout, b.generation): dict(b.arms) for b in tally.take("router", 0)}


def test_a_user_is_harmed_once_a_window_and_repeats_make_squares():
    times = [0.0, 5.0, 9.9, 10.0, 19.0, 25.0]
    lines = [line(status=500, time=str(100 + t)) for t in times]
    counts = counted(lines)["r", 3]["candidate"]
    assert (counts.events["errors"], counts.harmed["errors"]) == (6, 3)
    assert counts.harmed["errors"] + counts.repeats["errors"] == 3**2
    nobody = counted([line(status=500, user=None) for _ in range(4)])["r", 3]["candidate"]
    assert (nobody.harmed["errors"], nobody.repeats["errors"]) == (4, 0)


def test_routers_tell_by_sketches_whom_they_counted():
    """Both arms in one sketch, by the user's key; who has no key is nobody's repeat."""
    lines = [line(status=500, user=user) for user in ("ann", "ann", "bob", None)]
    lines += [line(status=500, arm="baseline", by="baseline", user="bob"), line()]
    tally = Tally("salt", Harmed())
    for each in lines:
        tally.add(each)
    (bucket,) = tally.take("router", 0)
    expected = clusters.begun()
    for user in ("ann", "bob"):
        clusters.add(expected, user_key(user, "salt"))
    assert bucket.clusters == {"errors": tuple(expected)}
    tally.add(line())
    assert tally.take("router", 1)[0].clusters == {}


def test_harm_counts_on_the_arm_where_it_happened_first():
    """By arm, whoever moves to the candidate counts anew, and an A/A rollout looks harmful."""
    arms = counted([line(status=500, arm=a, by=a) for a in ("baseline", "candidate")])["r", 3]
    assert [arms[a].harmed["errors"] for a in ("baseline", "candidate")] == [1, 0]
    assert [arms[a].events["errors"] for a in ("baseline", "candidate")] == [1, 1]


def test_harmed_users_outlive_a_restart_and_are_forgotten_after_their_rollout():
    first = Harmed()
    counted([line(status=500), line(status=500, user="bob")], first)
    assert user_key("ann", "salt") in first.new[0][0] and "ann" not in first.new[0][0]
    again = Harmed(first.new)
    counts = counted([line(status=500, time="1005"), line(status=500, time="1020")], again)["r", 3][
        "candidate"
    ]
    assert (counts.harmed["errors"], counts.repeats["errors"]) == (1, 2)
    again.forget(2000.0, "r")
    assert len(again) == 2
    again.forget(1015.0, "another")
    assert len(again) == 1, "bob's window is over"
    again.forget(2000.0, "another")
    assert len(again) == 0


def test_too_many_harmed_users_are_forgotten_oldest_first():
    harmed = Harmed(most=3)
    counted([line(status=500, user=str(i), time=str(i)) for i in range(6)], harmed)
    harmed.forget(12.5, "r")
    assert len(harmed) == 3
    harmed.forget(0.0, "r")
    assert len(harmed) == 3


LINES = st.builds(
    line,
    arm=st.sampled_from(["baseline", "candidate"]), status=st.sampled_from([200, 200, 400, 500, 0]),
    us=st.one_of(st.none(), st.integers(0, 10**7)), user=st.one_of(st.none(), st.sampled_from("abcde")),
    tries=st.integers(1, 3), generation=st.integers(1, 2), copied=st.booleans(),
    notes=st.sampled_from(["", "rows=1,missing=1,imputed=0,empty=0", "rows=1,missing=0,imputed=0,empty=1"]),
)  # fmt: skip


@given(st.lists(LINES, max_size=30), st.data())
@settings(max_examples=40)
def test_counts_add_up_whichever_way_they_are_split(lines, data):
    lines = [type(each)(**{**{f: getattr(each, f) for f in each.__struct_fields__}, "time": str(1000 + i)})
             for i, each in enumerate(lines)]  # fmt: skip
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=4)))
    whole, harmed, split, seq = counted(lines), Harmed(), [], 0
    tally = Tally("salt", harmed)
    for begin, end in zip([0, *cuts], [*cuts, len(lines)], strict=True):
        for each in lines[begin:end]:
            tally.add(each)
        buckets = tally.take("router", seq)
        assert [b.seq for b in buckets] == list(range(seq + 1, seq + 1 + len(buckets)))
        seq += len(buckets)
        split += buckets
        known = Harmed(harmed.all())  # as after a restart
        tally.harmed = harmed = known
    for (_, generation), arms in whole.items():
        for arm, counts in arms.items():
            parts = [b.arms[arm] for b in split if b.generation == generation and arm in b.arms]
            assert reduce(added, parts) == counts
            assert counts.requests == sum(counts.latency) and len(counts.latency) == len(LATENCY_EDGES) + 1
            assert all(counts.harmed[r] <= counts.events[r] <= counts.requests for r in RATES)
            assert counts.fallbacks <= counts.events["errors"]
    assert sum(b.mirrored for b in split) == sum(each.plan.copied for each in lines)


def test_metrics_follow_counters_that_fall_back_to_zero():
    metrics = Metrics("router")
    for sent in (5, 9, 2, 3):
        metrics.copied(Copies({"shadow-2": sent}, {"shadow-2": 0}))
    metrics.request(line(status=500, by="baseline", tries=2), ["errors"])
    plan = RoutePlan("m", "r", 3, Target(1, ("a:1",)), Target(2, ("b:1",)), share=20.0)
    metrics.plan(plan, True, True)
    page = metrics.page().decode()
    assert 'evergreen_router_copies_total{result="sent"} 12.0' in page
    assert 'evergreen_router_requests_total{arm="candidate",code="500"} 1.0' in page
    assert "evergreen_router_share_percent 0.0" in page and "evergreen_router_dead_man 1.0" in page
    assert "ann" not in page
