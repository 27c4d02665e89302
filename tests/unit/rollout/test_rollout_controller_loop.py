"""The controller with real records, a real registry and routers that keep their plan in a file."""

import json
import threading
import time
from dataclasses import replace

import pytest
from rollout_world import BACK, GO, NOW, STOP, WAIT, FileRouter, World, settings

from evergreen.errors import ConflictError, Fault, InputError
from evergreen.project.model import Serving
from evergreen.rollout import commands
from evergreen.rollout.controller import Controller
from evergreen.rollout.evidence import UserEvidence
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.tally import stage_at


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def start(world: World, version: int = 2, **fields: object) -> RolloutRecord:
    rollout = fields.pop("rollout", None) or settings()
    return commands.start(
        world.registry, world.states, "shop", version, settings=rollout, serving=Serving(), by="ada",
        clock=world.clock, **fields,
    )  # fmt: skip


def test_a_first_version_is_served_as_its_project_says(world):
    told = Serving.model_validate({"unknown_columns": "ignore", "replicas": 2, "log": {"exclude": ["age"]}})
    sections = {
        "serving": told.model_dump(mode="json"),
        "rollout": settings("shadow").model_dump(mode="json"),
    }
    version = world.push("told", sections)
    world.registry.move("shop", "baseline", version, why="promoted by a pipeline")
    world.looks(world.controller(), 6)
    record = world.states.current("shop").record
    assert (record.phase, record.plan.baseline.version) == ("launched", version)
    assert record.serving == sections["serving"] and record.settings == sections["rollout"]
    assert world.fleet.asked[version] == (2, sections["serving"])


def test_from_the_first_deployment_to_a_launch_and_back(world):
    controller = world.controller()
    world.looks(controller, 6)  # no record at all: the routers follow the registry
    assert [r.plan.baseline.version for r in world.routers.values()] == [1, 1]
    world.verdict = GO
    begun = start(world)
    launched = world.until(controller, "launched", begun.id)
    assert world.registry.aliases("shop") == {"baseline": 2, "previous": 1, "candidate": 3}
    assert [r.plan.baseline.version for r in world.routers.values()] == [2, 2]
    assert launched.confirmed.keys() == {"r1", "r2"}
    for router in world.routers.values():
        rising = [share for _, share in router.shares]
        assert rising == [0, 0, 5, 50, 100, 100, 0]  # the last one: the candidate is the baseline
    world.looks(controller, 30)
    assert world.fleet.removed == [1] and world.states.read(begun.id).record.settled
    restored = commands.restore_previous(world.registry, world.states, "shop", by="eve", clock=world.clock)
    world.until(controller, "launched", restored.id)
    assert world.registry.aliases("shop")["baseline"] == 1
    assert world.registry.aliases("shop")["previous"] == 2
    assert [r.plan.baseline.version for r in world.routers.values()] == [1, 1]
    history = commands.history(world.states, "shop")
    assert [r.id for r in history][:2] == [restored.id, begun.id] and history[0].events[0].who == "eve"


def test_decisions_and_the_final_record_go_to_the_store(world):
    controller = world.controller()
    world.verdict = GO
    id = start(world).id
    world.looks(controller, 4)
    world.verdict = replace(BACK, reason="errors grew by half")
    world.until(controller, "rolled_back", id)
    world.looks(controller, 30)
    kept = world.states.read(id).record
    assert kept.outbox == () and kept.settled
    names = [e.key for e in world.store.list(f"rollouts/{id}/decisions")]
    assert len(names) == kept.decided and all(n.endswith(".json") for n in names)
    decision = json.loads(world.store.read(next(n for n in names if "rolling-back" in n)))
    assert decision["reason"] == "errors grew by half" and decision["verdict"]["kind"] == "roll_back"
    final = json.loads(world.store.read(f"rollouts/{id}/record.json"))
    assert final["phase"] == "rolled_back" and len(final["events"]) == len(kept.events)


def test_an_aborted_candidate_is_not_begun_again_without_being_told(world):
    controller = world.controller()
    id = start(world).id
    world.looks(controller, 3)
    commands.order(world.states, "shop", "abort", by="ada", why="wrong label", clock=world.clock)
    world.until(controller, "aborted", id)
    with pytest.raises(InputError, match=r"was aborted before.*wrong label.*--again"):
        start(world)
    assert start(world, again=True).id != id


def test_the_same_rollout_is_found_again(world):
    first = start(world, metadata={"run": "run-7"})
    assert start(world).id == first.id
    controller = world.controller()
    world.verdict = BACK
    world.until(controller, "rolled_back", first.id)
    assert start(world, metadata={"run": "run-7"}).phase == "rolled_back"  # a retried task of that run
    with pytest.raises(InputError, match="--again"):
        start(world, metadata={"run": "run-8"})


def test_what_cannot_be_begun(world):
    with pytest.raises(InputError, match="is the baseline already"):
        start(world, 1)
    start(world, 2)
    with pytest.raises(InputError, match="is under way"):
        start(world, 3, rollout=settings(supersede=False))
    with pytest.raises(InputError, match="is under way"):
        commands.deploy(world.registry, world.states, "shop", 3)
    with pytest.raises(InputError, match="pause: the rollout is starting"):
        commands.order(world.states, "shop", "pause")


def test_two_that_begin_at_once_begin_one(world):
    found = []
    threads = [threading.Thread(target=lambda: found.append(start(world).id)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and len(set(found)) == 1


def test_a_newer_candidate_supersedes_after_the_users_are_back(world):
    controller = world.controller()
    world.verdict = GO
    old = start(world, 2).id
    world.looks(controller, 3)
    world.verdict = WAIT
    assert world.shares != [0, 0]
    new = start(world, 3).id
    world.fleet.missing = {3}
    world.looks(controller, 3)
    assert world.states.read(old).record.phase == "running"  # not before the newer one can serve
    world.fleet.missing = set()
    world.until(controller, "superseded", old)
    world.until(controller, "running", new)
    for router in world.routers.values():
        assert router.plan.rollout == new and router.plan.candidate.version == 3
        before = [s for _, s in router.shares]
        assert 0.0 in before[before.index(5.0) :]  # through the baseline
    generations = [g for g, _ in world.routers["http://r1"].shares]
    assert generations == sorted(set(generations))


def test_a_newer_one_that_cannot_start_frees_the_plan_again(world):
    controller = world.controller()
    world.looks(controller, 8)
    start(world, 2)
    world.fleet.errors[2] = InputError("model shop@2", "a changed byte")
    world.looks(controller, 3)
    assert commands.status(world.states, "shop").phase == "failed"
    world.fleet.addresses[1] = ("10.9.9.9:80",)
    world.looks(controller, 3)
    assert world.routers["http://r1"].plan.baseline.endpoints == ("10.9.9.9:80",)


def test_an_unreachable_router_stops_promotion_not_a_rollback(world):
    controller = world.controller()
    world.verdict = GO
    id = start(world).id
    world.looks(controller, 3)
    world.verdict = WAIT
    far = world.routers["http://r2"]
    stage = world.states.read(id).record.stage
    far.up = False
    world.verdict = GO
    world.looks(controller, 5)
    assert world.states.read(id).record.stage == stage and world.shares[0] > 0
    world.verdict = BACK
    world.looks(controller, 2)
    assert world.routers["http://r1"].share == 0  # at once
    assert world.states.read(id).record.phase == "rolling_back"
    far.fire()
    ended = world.until(controller, "rolled_back", id)
    assert "http://r2" in ended.events[-1].reason
    far.up = True
    world.looks(controller, 2)
    assert far.share == 0 and far.plan.generation == world.states.read(id).record.plan.generation


def test_a_silent_controller_comes_back_to_a_fired_dead_man(world):
    controller = world.controller()
    world.verdict = GO
    id = start(world).id
    world.looks(controller, 4)
    world.verdict = WAIT
    share = world.states.read(id).record.plan.share
    assert share > 0
    for router in world.routers.values():
        router.fire()
    assert world.shares == [0, 0]
    world.looks(controller, 2)
    assert world.shares == [share, share]
    assert "dead man" in [e.what for e in world.states.read(id).record.events]


def test_evidence_counts_every_bucket_once_whatever_is_committed(world):
    controller = world.controller(commit=1e9)  # evidence alone is never due: only decisions write
    world.verdict = GO
    id = start(world).id
    for _ in range(8):
        world.looks(controller)
        for router in world.routers.values():
            router.serve(20)
    world.verdict = BACK
    world.until(controller, "rolled_back", id)
    steps = world.states.read(id).record.evidence.steps
    counted = sum(a.requests for s in steps for a in s.arms.values())
    kept = [b for r in world.routers.values() for b in r.buckets(0) if b.rollout == id]
    offsets = world.states.read(id).record.evidence.offsets
    record = world.states.read(id).record
    read = [b for b in kept if b.seq <= offsets[f"router/{b.router}"] and stage_at(record, b.generation) >= 0]
    assert counted == sum(a.requests for b in read for a in b.arms.values()) > 0
    assert [s.stage for s in steps] == list(range(len(steps)))


def test_a_judge_that_fails_holds_the_rollout(world):
    controller = world.controller()
    world.verdict = GO
    id = start(world).id
    world.looks(controller, 3)
    world.verdict = ZeroDivisionError("division by zero")
    world.looks(controller, 2)
    held = world.states.read(id).record
    assert held.phase == "held" and "could not be judged" in held.events[-1].reason
    world.verdict = GO
    world.until(controller, "launched", id)


def test_two_leaders_are_fenced(world):
    one, two = world.controller(holder="one"), world.controller(holder="two")
    world.verdict = GO
    id = start(world).id
    world.looks(one, 3)
    stale = world.states.list()  # what the older leader read before it stalled
    world.looks(two, 2)
    ahead = world.states.read(id).record.plan.generation
    with pytest.raises(ConflictError):
        one._pass("shop", list(stale))
    assert world.states.read(id).record.plan.generation == ahead
    old = next(k.record.plan for k in stale if k.record.id == id)
    with pytest.raises(ConflictError):
        world.routers["http://r1"].put_plan(old)
    for _ in range(30):  # both at once, in turns
        world.looks(one), world.looks(two)
    assert world.states.read(id).record.phase == "launched"
    for router in world.routers.values():
        generations = [g for g, _ in router.shares]
        assert generations == sorted(set(generations))


def test_lost_state_goes_on_above_what_the_routers_know(world):
    world.looks(world.controller(), 8)
    for _ in range(3):
        commands.deploy(world.registry, world.states, "shop", 2 if world.shares else 1)
        world.looks(world.controller(), 8)
    before = world.routers["http://r1"].plan.generation
    for path in (world.folder / "state").glob("*.json"):
        path.unlink()
    world.looks(world.controller(), 8)
    assert world.routers["http://r1"].plan.generation > before


def test_the_routers_follow_a_moved_alias_but_not_in_circles(world):
    controller = world.controller()
    world.looks(controller, 6)
    world.registry.move("shop", "baseline", 3, why="by hand")
    world.looks(controller, 6)
    assert world.routers["http://r1"].plan.baseline.version == 3
    assert "by hand" in commands.status(world.states, "shop").events[0].reason
    world.fleet.errors[2] = InputError("model shop@2", "a changed byte")
    world.registry.move("shop", "baseline", 2, why="by hand")
    world.looks(controller, 40)
    failed = [r for r in commands.history(world.states, "shop") if r.phase == "failed"]
    assert len(failed) == 1 and world.routers["http://r1"].plan.baseline.version == 3


def test_restore_previous_aborts_what_is_under_way(world):
    controller = world.controller()
    world.verdict = GO
    id = start(world).id
    world.looks(controller, 4)
    commands.restore_previous(world.registry, world.states, "shop", clock=world.clock)
    world.until(controller, "aborted", id)
    assert world.shares == [0, 0]
    with pytest.raises(InputError, match="no `previous` version"):
        commands.restore_previous(world.registry, world.states, "shop")


def test_a_rollback_from_the_soak_leaves_previous_as_it_was(world):
    controller = world.controller()
    world.verdict = GO
    id = start(world, rollout=settings(100, soak="1h")).id
    world.until(controller, "soaking", id)
    assert world.registry.aliases("shop")["baseline"] == 2
    world.verdict = BACK
    world.until(controller, "rolled_back", id)
    assert world.registry.aliases("shop")["baseline"] == 1
    with pytest.raises(InputError, match="the baseline itself"):
        commands.restore_previous(world.registry, world.states, "shop")


def test_users_are_read_beside_the_loop_and_a_reading_counts_once(world):
    class Reader:
        def __init__(self) -> None:
            self.calls = 0

        def read(self, record):
            self.calls += 1
            offset = record.evidence.offsets.get("predictions/w", 0) + 1
            exposed = {"candidate": record.evidence.users.exposed.get("candidate", 0) + 1}
            return type("R", (), {
                "users": UserEvidence(exposed=exposed), "offsets": {"predictions/w": offset},
                "state": f"s{offset}",
            })  # fmt: skip

    reader = Reader()
    controller = world.controller(readers=lambda model: reader)
    id = start(world).id
    world.looks(controller, 10)
    evidence = world.states.read(id).record.evidence
    assert evidence.users.exposed["candidate"] <= evidence.offsets["predictions/w"] == int(evidence.state[1:])


def test_slow_readers_do_not_delay_the_loop(world):
    release, let_go = threading.Event(), []

    def hangs():
        release.wait(120)
        let_go.append(release.is_set())

    class Hangs:
        def read(self, record):
            hangs()
            raise Fault("too late")

    queries = {"name": "q", "query": "up", "min": 1}
    world.verdict = GO
    id = start(world, rollout=settings(guardrails={"queries": [queries], "prometheus": "http://p"})).id
    controller = Controller(
        world.parts(readers=lambda model: Hangs(), query=lambda url, text: hangs())
    )  # real threads
    deadline = time.monotonic() + 60
    try:
        while world.states.read(id).record.phase != "soaking" and time.monotonic() < deadline:
            controller.look()
            time.sleep(0.01)
        assert world.states.read(id).record.phase == "soaking"
        assert not let_go, "a look has waited until what hung came back"
    finally:
        release.set()
        controller.close()


def test_queries_without_an_answer_are_none(world):
    queries = [{"name": "q", "query": "up", "min": 1}]
    start(world, rollout=settings(guardrails={"queries": queries, "prometheus": "http://p"}))
    values = iter([2.5, Fault("not reachable"), None])

    def query(url, text):
        value = next(values, None)
        if isinstance(value, Exception):
            raise value
        return value

    world.looks(world.controller(query=query), 6)
    told = [dict(e.queries) for _, e in world.judged]
    assert told[0] == {"q": 2.5} and all(t == {"q": None} for t in told[1:])


def test_wait_tells_of_changes_and_of_a_missing_controller(world):
    id = start(world, rollout=settings("shadow", 50, 100, soak="0s")).id
    with pytest.raises(Fault, match="no controller has looked at it"):
        commands.wait(world.states, id, 0.01, every=0.001, clock=world.clock)
    controller, faces = world.controller(), []
    world.verdict = GO

    def told(record):
        faces.append((record.phase, record.plan.share))
        world.looks(controller, 1 + (record.phase in ("launching", "soaking")))

    ended = commands.wait(world.states, id, 120, told, every=0.001)
    assert ended.phase == "launched" and faces[0] == ("starting", 0.0) and ("running", 50.0) in faces


def test_a_broken_record_of_one_model_leaves_the_others_alone(world):
    controller = world.controller()
    id = start(world).id
    world.looks(controller, 2)
    (world.folder / "state" / "other-1-abcdef.json").write_text("{broken")
    world.verdict = STOP
    world.looks(controller, 2)
    assert world.states.read(id).record.phase == "held"


def test_metrics_say_where_it_stands(world):
    controller = world.controller()
    world.verdict = GO
    start(world)
    world.looks(controller, 4)
    page = controller.page.text().decode()
    assert 'evergreen_rollout_share_percent{model="shop"}' in page
    assert 'evergreen_rollout_phase{model="shop",phase="running"} 1.0' in page
    assert 'evergreen_rollout_routers{model="shop",state="unreachable"} 0.0' in page
    assert 'evergreen_rollout_events_total{model="shop",what="promoted"}' in page


def test_a_lost_race_is_decided_anew(world):
    controller = world.controller()
    id = start(world).id
    world.looks(controller, 3)
    once = []

    def meddle(name: str) -> None:
        if name == "decided" and not once:
            once.append(name)
            commands.order(world.states, id, "abort", by="eve", why="now")

    meddling = world.controller(on_step=meddle)
    world.verdict = GO
    world.until(meddling, "aborted", id)
    assert max(s for _, s in world.routers["http://r1"].shares) == 0  # the promotion of that look was lost


def test_router_keeps_its_plan_when_it_is_asked_twice(tmp_path):
    router = FileRouter(tmp_path / "r.json")
    assert router.plan is None and router.share == 0 and NOW > 0


def test_a_stalled_leader_cannot_touch_a_plan_that_was_taken_over(world):
    one, two = world.controller(holder="one"), world.controller(holder="two")
    world.looks(one, 40)
    stale = world.states.list(closed=False)  # version 1 is deployed and nothing is left to do
    assert len(stale) == 1 and stale[0].record.settled
    id = start(world).id
    world.until(two, "running", id)
    world.fleet.addresses[1] = ("10.9.9.9:80",)  # the stalled leader has a reason for a new generation
    before = [router.plan for router in world.routers.values()]
    with pytest.raises(ConflictError):
        one._pass("shop", list(stale))
    assert [router.plan for router in world.routers.values()] == before


def test_a_router_that_hangs_keeps_no_other_from_its_rollback(world):
    world.verdict = GO
    start(world)
    world.looks(world.controller(), 4)
    assert min(world.shares) > 0
    release, far = threading.Event(), world.routers["http://r2"]
    answered = far.state

    def hangs():
        release.wait(120)
        return answered()

    far.state = hangs
    world.verdict = BACK
    controller = Controller(world.parts())  # real threads
    deadline = time.monotonic() + 60

    def looks_until_back(router):
        while router.share > 0 and time.monotonic() < deadline:  # a stalled thread costs one more look
            controller.look()
            time.sleep(0.01)
        assert router.share == 0

    try:
        looks_until_back(world.routers["http://r1"])
        assert far.share > 0
        release.set()
        looks_until_back(far)
        assert world.shares == [0, 0]
    finally:
        release.set()
        controller.close()
