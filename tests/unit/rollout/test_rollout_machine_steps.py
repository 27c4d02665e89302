"""The state machine, step by step: forward, held, back."""

from dataclasses import replace

import pytest
from rollout_world import BACK, GO, NOW, STOP, WAIT, record, seen, settings

from evergreen.rollout.machine import alias_goal, judged, needed, step
from evergreen.rollout.record import RolloutRecord, Wish
from evergreen.rollout.seen import RouterSeen


def asked(of: RolloutRecord, order: str) -> RolloutRecord:
    return replace(of, wish=Wish(order, "ada", "because", NOW))


def through(of: RolloutRecord, *, until: str, now: float = NOW, most: int = 30) -> RolloutRecord:
    """Clean evidence until a phase is reached."""
    for _ in range(most):
        if of.phase == until:
            return of
        now += 20
        of = step(of, seen(of, GO, alias="done", current=True), now)
    raise AssertionError(f"{of.phase} {of.events[-2:]}")


def running(stage: int = 0, **fields: object) -> RolloutRecord:
    found = step(record(**fields), seen(record(**fields)), NOW)
    while found.stage < stage:
        found = step(found, seen(found, GO), NOW)
    assert found.phase == "running" and found.stage == stage
    return found


def test_all_the_way_in_order():
    rollout, plans = record(), []
    for look in range(40):
        after = step(rollout, seen(rollout, GO, alias="done"), NOW + 5 * look)
        if after.plan != rollout.plan:
            plans.append((after.plan.generation, after.plan.share, after.plan.mirror, after.phase))
        rollout = after
    assert plans == [
        (4, 0.0, 100.0, "running"), (5, 5.0, 0.0, "running"), (6, 50.0, 0.0, "running"),
        (7, 100.0, 0.0, "running"), (8, 100.0, 0.0, "soaking"), (9, 0.0, 0.0, "soaking"),
    ]  # fmt: skip
    assert rollout.phase == "launched"
    assert (rollout.plan.baseline.version, rollout.plan.candidate) == (2, None)
    whats = [e.what for e in rollout.events if not e.what.startswith("verdict")]
    assert whats == [
        "begun", "started", "promoted", "promoted", "promoted", "launching", "soaking", "finishing",
        "launched",
    ]  # fmt: skip
    assert [d["number"] for d in rollout.outbox] == list(range(1, rollout.decided + 1))


def test_the_old_baseline_is_the_fallback_of_the_soak():
    soaking = through(record(), until="soaking")
    assert (soaking.plan.baseline.version, soaking.plan.candidate.version) == (1, 2)
    assert soaking.plan.share == 100 and judged(soaking) and needed(soaking) == (1, 2)


@pytest.mark.parametrize("verdict", [None, WAIT])
def test_no_data_never_promotes(verdict):
    found = running()
    for look in range(50):
        found = step(found, seen(found, verdict), NOW + 3600 * look)
    assert (found.phase, found.stage, found.plan.share) == ("running", 0, 0.0)


@pytest.mark.parametrize(
    "routers",
    [
        (),
        (RouterSeen("r1", None),),
        (RouterSeen("r1", 4), RouterSeen("r2", 3)),
        (RouterSeen("r1", 4), RouterSeen("r2", 4, applied=False)),
        (RouterSeen("r1", 4), RouterSeen("r2", 4, up=False)),
    ],
)
def test_no_promotion_before_every_router_confirms(routers):
    found = running()
    assert found.plan.generation == 4
    assert step(found, seen(found, GO, routers=routers), NOW + 99).stage == 0
    found = asked(found, "promote")  # by a person: the evidence is skipped, the routers are not
    after = step(found, seen(found, WAIT, routers=routers), NOW + 99)
    assert after.stage == 0 and after.wish is not None
    assert step(after, seen(after, WAIT), NOW + 100).stage == 1


def test_a_stage_lasts_as_long_as_it_must():
    found = running(rollout=settings({"kind": "canary", "share": 5, "at_least": "10m"}, 100))
    assert step(found, seen(found, GO), NOW + 599).stage == 0
    assert step(found, seen(found, GO), NOW + 601).stage == 1


@pytest.mark.parametrize("phase", ["running", "paused", "held"])
@pytest.mark.parametrize("stage", [0, 1, 3])
def test_harm_takes_the_share_to_zero_at_once(phase, stage):
    found = replace(running(stage), phase=phase)
    after = step(found, seen(found, BACK), NOW + 1)
    assert after.phase == "rolling_back" and after.plan.generation == found.plan.generation + 1
    assert (after.plan.share, after.plan.mirror) == (0, 0)
    assert after.plan.candidate is not None  # it drains
    ended = step(after, seen(after), NOW + 2)
    assert ended.phase == "rolled_back" and "version 1" in ended.events[-1].reason
    again = step(ended, seen(ended, GO), NOW + 3)
    assert again.phase == "rolled_back" and again.plan.share == 0


def test_harm_in_the_soak_brings_the_old_baseline_and_the_alias_back():
    soaking = through(record(), until="soaking")
    after = step(soaking, seen(soaking, BACK), NOW + 300)
    assert (after.phase, after.plan.share, alias_goal(after)) == ("rolling_back", 0, "back")
    assert step(after, seen(after), NOW + 301).phase == "rolling_back"  # the alias is not back yet
    ended = step(after, seen(after, alias="done"), NOW + 302)
    assert ended.phase == "rolled_back" and ended.plan.baseline.version == 1


def test_a_rollback_waits_for_every_router_or_its_dead_man():
    found = running(2)
    back = step(found, seen(found, BACK), NOW)
    routers = (RouterSeen("r1", back.plan.generation), RouterSeen("r2", None))
    assert step(back, seen(back, routers=routers), NOW + 30).phase == "rolling_back"
    ended = step(back, seen(back, routers=routers), NOW + 36)
    assert ended.phase == "rolled_back" and "r2 could not be reached" in ended.events[-1].reason
    behind = (RouterSeen("r1", back.plan.generation), RouterSeen("r2", back.plan.generation - 1))
    assert step(back, seen(back, routers=behind), NOW + 3600).phase == "rolling_back"
    refused = (RouterSeen("r1", back.plan.generation, applied=False),)
    assert step(back, seen(back, routers=refused), NOW + 3600).phase == "rolling_back"
    down = (RouterSeen("r1", back.plan.generation, applied=False, up=False),)
    assert step(back, seen(back, routers=down), NOW + 1).phase == "rolled_back"


def test_a_hold_ends_with_clean_evidence():
    found = step(running(1), seen(running(1), STOP), NOW)
    assert (found.phase, found.waits, found.plan.share) == ("held", "evidence", 5)
    assert step(found, seen(found, WAIT), NOW + 60).phase == "held"
    after = step(found, seen(found, GO), NOW + 60)
    assert (after.phase, after.stage) == ("running", 1)
    assert step(after, seen(after, GO), NOW + 61).stage == 2


@pytest.mark.parametrize("verdict", [WAIT, STOP])
def test_past_its_time_a_stage_waits_for_a_person(verdict):
    limited = settings({"kind": "canary", "share": 5, "at_least": "0s", "at_most": "1h"}, 100)
    found = running(rollout=limited)
    assert step(found, seen(found, WAIT), NOW + 3600).phase == "running"
    held = step(found, seen(found, verdict), NOW + 3601)
    assert (held.phase, held.waits) == ("held", "time")
    assert step(held, seen(held, GO), NOW + 3700).phase == "held"
    resumed = step(asked(held, "resume"), seen(held, WAIT), NOW + 3800)
    assert resumed.phase == "running" and resumed.since == NOW + 3800  # another hour
    assert step(asked(held, "promote"), seen(held, WAIT), NOW + 3800).stage == 1


def test_pause_keeps_the_share_and_the_guard():
    found = step(asked(running(2), "pause"), seen(running(2), GO), NOW)
    assert (found.phase, found.plan.share, found.wish) == ("paused", 50, None)
    assert step(found, seen(found, GO), NOW + 3600).phase == "paused"
    assert step(found, seen(found, BACK), NOW + 3600).phase == "rolling_back"
    resumed = step(asked(found, "resume"), seen(found, WAIT), NOW + 5)
    assert (resumed.phase, resumed.stage) == ("running", 2)


def test_a_person_promotes_with_name_and_reason():
    found = step(asked(running(1), "promote"), seen(running(1), WAIT), NOW)
    assert (found.stage, found.plan.share, found.wish) == (2, 50, None)
    event = found.events[-1]
    assert event.who == "ada" and "because" in event.reason and "person" in event.reason


@pytest.mark.parametrize("order,ends", [("abort", "aborted"), ("roll_back", "rolled_back")])
def test_a_person_takes_it_back(order, ends):
    found = step(asked(running(2), order), seen(running(2), GO), NOW)
    assert found.phase == "rolling_back" and found.plan.share == 0
    assert step(found, seen(found), NOW).phase == ends
    assert step(asked(record(), order), seen(record()), NOW).phase == ends  # nobody has seen it


def test_a_wish_that_makes_no_sense_is_refused_with_a_reason():
    found = step(asked(running(1), "resume"), seen(running(1), WAIT), NOW)
    assert found.wish is None and found.phase == "running"
    assert found.events[-1].what == "resume refused" and "running" in found.events[-1].reason


def test_dead_man_goes_on_with_a_newer_generation():
    found = running(2)
    fired = (RouterSeen("r1", found.plan.generation, dead_man=True),)
    after = step(found, seen(found, GO, routers=fired), NOW + 60)
    assert (after.phase, after.stage, after.plan.share) == ("running", 2, 50)
    assert after.plan.generation == found.plan.generation + 1 and after.since == NOW + 60
    assert after.events[-1].what == "dead man"


def test_dead_man_stops_an_experiment():
    found = running(rollout=settings({"kind": "experiment", "success": [{"event": "click"}]}, 100))
    fired = (RouterSeen("r1", found.plan.generation, dead_man=True),)
    after = step(found, seen(found, GO, routers=fired), NOW)
    assert (after.phase, after.waits, after.plan.share) == ("held", "disturbed", 50)
    assert step(after, seen(after, GO), NOW + 60).phase == "held"
    assert step(asked(after, "resume"), seen(after, WAIT), NOW + 60).phase == "running"


def test_a_newer_candidate_supersedes_but_not_what_has_launched():
    found = running(2)
    after = step(found, seen(found, GO, newer="shop-3-abcdef"), NOW)
    assert (after.phase, after.plan.share, after.ends) == ("rolling_back", 0, "superseded")
    assert step(after, seen(after), NOW).phase == "superseded"
    soaking = through(record(), until="soaking")
    assert step(soaking, seen(soaking, WAIT, newer="shop-3-abcdef"), NOW + 300).phase == "soaking"
    waiting = step(record(), seen(record(), newer="shop-3-abcdef"), NOW)
    assert waiting.phase == "superseded" and waiting.plan.generation == 0


def test_it_waits_for_the_older_one():
    found = record()
    assert step(found, seen(found, older="shop-1-abcdef"), NOW).phase == "starting"
    assert step(found, seen(found), NOW).phase == "running"


def test_it_starts_against_the_baseline_of_now():
    found = record()
    after = step(found, seen(found, aliases={"baseline": 3, "previous": 1}), NOW)
    assert (after.baseline, after.previous, after.plan.baseline.version) == (3, 1, 3)
    same = step(found, seen(found, aliases={"baseline": 2}), NOW)
    assert same.phase == "aborted" and "already" in same.events[-1].reason


def test_servers_that_never_come_up_fail_it():
    found = record()
    assert step(found, seen(found, servers={1: ("a:1",), 2: None}), NOW + 600).phase == "starting"
    late = step(found, seen(found, servers={1: ("a:1",), 2: None}), NOW + 601)
    assert late.phase == "failed" and "600 s" in late.events[-1].reason
    broken = step(found, seen(found, trouble="model shop@2: a changed byte"), NOW)
    assert broken.phase == "failed" and "changed byte" in broken.events[-1].reason


def test_servers_that_move_are_followed_and_nothing_else_changes():
    found = running(2)
    moved = seen(found, WAIT, servers={1: ("a:9",), 2: None})
    after = step(found, moved, NOW)
    assert after.plan.baseline.endpoints == ("a:9",) and after.plan.candidate == found.plan.candidate
    assert (after.plan.generation, after.plan.share) == (found.plan.generation + 1, 50)


def test_an_alias_that_somebody_else_moved_rolls_back():
    launching = through(record(), until="launching")
    after = step(launching, seen(launching, WAIT, alias="refused", alias_why="it stands at 7"), NOW + 500)
    assert (after.phase, after.plan.share) == ("rolling_back", 0) and "7" in after.events[-1].reason


def test_launching_waits_for_the_registry_under_guard():
    launching = through(record(), until="launching")
    assert alias_goal(launching) == "forward" and launching.plan.share == 100
    assert step(launching, seen(launching, WAIT), NOW + 500).phase == "launching"
    assert step(launching, seen(launching, BACK), NOW + 500).phase == "rolling_back"


def test_without_a_soak_the_launch_is_the_end():
    found = through(record(settings(100, soak="0s")), until="launched")
    assert found.plan.baseline.version == 2 and found.plan.candidate is None


def test_a_deployment_has_no_stages():
    found = record(direct=True)
    found = step(found, seen(found), NOW)
    assert found.phase == "launching" and found.plan.generation == 0
    assert step(found, seen(found), NOW).plan.generation == 0  # the alias first
    found = step(found, seen(found, alias="done"), NOW)
    assert found.plan.baseline.version == 2 and found.plan.generation == 4
    assert step(found, seen(found, alias="done"), NOW).phase == "launched"
    refused = step(asked(found, "abort"), seen(found), NOW)
    assert "refused" in refused.events[-1].what or refused.phase == "launched"


def test_a_router_that_is_ahead_gets_a_generation_above_its_own():
    found = running(1)
    ahead = (RouterSeen("r1", 90),)
    after = step(found, seen(found, WAIT, routers=ahead, top=90), NOW)
    assert after.plan.generation == 91 and after.plan.share == 5


def test_what_has_ended_is_kept_up_and_then_cleaned():
    found = running(1)
    ended = step(step(found, seen(found, BACK), NOW), seen(found, routers=(RouterSeen("r", 6),)), NOW)
    assert ended.phase == "rolled_back" and needed(ended) == (1,)
    assert step(ended, seen(ended), NOW + 29).plan.candidate is not None
    drained = step(ended, seen(ended), NOW + 31)
    assert drained.plan.candidate is None and drained.plan.generation == 7
    done = {"removed": True, "shipped": True, "sent": drained.decided}
    assert not step(drained, seen(drained, shipped=True, sent=drained.decided), NOW + 32).settled
    settled = step(drained, seen(drained, **done), NOW + 32)
    assert settled.settled and settled.outbox == ()
    moved = step(settled, seen(settled, servers={1: ("new:1",)}), NOW + 99)
    assert moved.plan.baseline.endpoints == ("new:1",) and moved.phase == "rolled_back"


def test_what_a_newer_one_took_over_never_changes_its_plan_again():
    ended = replace(running(1), phase="rolled_back", since=NOW - 900)
    frozen = step(ended, seen(ended, newer="shop-3-abcdef"), NOW)
    assert frozen.replaced == "shop-3-abcdef"
    moved = step(frozen, seen(frozen, servers={1: ("new:1",)}, top=50), NOW + 99)
    assert moved.plan == frozen.plan and not moved.settled
    freed = step(frozen, seen(frozen, released=True), NOW + 99)
    assert freed.replaced == ""
    done = {"overtaken": True, "removed": True, "shipped": True, "sent": frozen.decided, "current": False}
    assert step(frozen, seen(frozen, **done), NOW + 99).settled
