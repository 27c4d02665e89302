"""What the components of a rollout do: on a real registry and real records, while a controller looks."""

import json
import os
import threading
from dataclasses import replace

import pytest
from rollout_world import BACK, GO, WAIT, Clock, World, record
from story_world import STAGES, story

from evergreen.decisions import Decision
from evergreen.errors import Fault, GateStopped, InputError, NotFoundError
from evergreen.project import parse_project
from evergreen.rollout import commands
from evergreen.rollout.tasks.begin import start_rollout
from evergreen.rollout.tasks.conclude import conclude_rollout
from evergreen.rollout.tasks.deploy import deploy_model
from evergreen.rollout.tasks.follow import await_rollout
from evergreen.rollout.tasks.places import Places, find_fleet, fleet_name, open_places, state_uri
from evergreen.rollout.tasks.trial import judge_experiment

PROJECT = """
version: 1
name: shop
sources: {t: {path: t.csv}}
entity: who
label: {source: t, column: buys}
features: [{name: f, source: t, columns: "*"}]
rollout:
  soak: 0s
  stages:
    - {kind: shadow, at_least: 0s}
    - {kind: canary, share: 20, at_least: 0s}
    - {kind: canary, share: 100, at_least: 0s}
"""


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in [n for n in os.environ if n.startswith(("AWS_", "EVERGREEN_", "KUBERNETES_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, verdict=WAIT, clock=_Now())


class _Now(Clock):
    def __call__(self) -> float:
        import time

        return time.time() + (self.now - 1_800_000_000.0)


def places(world, text=PROJECT) -> Places:
    return Places(parse_project(text), world.store, world.registry, world.states)


class led:
    """A controller that looks all the time."""

    def __init__(self, world):
        self._stop = threading.Event()

        def lead():
            controller = world.controller()
            while not self._stop.wait(0.005):
                world.looks(controller)

        self._thread = threading.Thread(target=lead)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def test_begun_once_however_often_the_task_runs(world):
    first = start_rollout(places(world), 2, why="better", run="run 7")
    assert not first.attached and "has begun" in first.decision.reason
    again = start_rollout(places(world), 2, run="run 7")
    other = start_rollout(places(world), 2, run="run 8")
    assert again.rollout == other.rollout == first.rollout and again.attached and other.attached
    assert world.states.read(first.rollout).record.metadata == {"run": "run 7"}
    world.verdict = GO
    world.until(world.controller(), "launched", first.rollout)
    retried = start_rollout(places(world), 2, run="run 7")
    assert retried.rollout == first.rollout and "has ended already" in retried.decision.reason


def test_nothing_to_roll_out_is_said_and_skipped_by_all(world):
    begun = start_rollout(places(world), 1, run="run 9")
    assert (begun.rollout, begun.attached, begun.decision.verdict) == ("", False, "skip")
    assert "is the baseline already" in begun.decision.reason and not world.states.list()
    followed = await_rollout(places(world), "", "experiment")
    assert (followed.phase, followed.verdict) == ("unchanged", "") and "Nothing to do" in followed.page
    followed.stop_if_taken_back()
    judged = judge_experiment(places(world), "")
    assert (judged.winner, judged.relative, judged.decisions[0].verdict) == ("none", 0.0, "skip")
    concluded = conclude_rollout(places(world), "")
    concluded.stop_if_wrong()
    assert json.loads(concluded.record) == {"model": "shop", "phase": "unchanged"}


def test_what_was_rolled_back_before_is_refused_unless_it_is_wanted_again(world):
    id = start_rollout(places(world), 2).rollout
    controller = world.controller()
    world.looks(controller, 2)
    world.verdict = BACK
    world.until(controller, "rolled_back", id)
    with pytest.raises(InputError, match="was rolled back before"):
        start_rollout(places(world), 2)
    with pytest.raises(InputError, match=r"was rolled back before.*says roll_back"):
        deploy_model(places(world), world.fleet, 2, 1.0)
    assert deploy_model(places(world), world.fleet, 2, 1.0, again=True).endpoints
    assert start_rollout(places(world), 2, again=True).rollout != id
    assert deploy_model(places(world), world.fleet, 2, 1.0).endpoints  # it is under way


@pytest.mark.parametrize("version", [99, 4])
def test_a_version_that_is_not_there_or_not_blessed_is_refused(world, version):
    from rollout_world import make_bundle

    world.registry.push("shop", make_bundle(world.folder / "bad", "bad"), decisions=[], allow_unblessed=True)
    with pytest.raises(InputError):
        start_rollout(places(world), version)
    with pytest.raises(InputError):
        deploy_model(places(world), world.fleet, version, 1.0)


def test_waiting_for_a_launch(world):
    id = start_rollout(places(world), 2).rollout
    world.verdict = GO
    with led(world):
        followed = await_rollout(places(world), id, timeout=30, every=0.01)
    followed.stop_if_taken_back()
    assert followed.phase == "launched" and followed.reached
    assert followed.decisions[-1].verdict == "pass" and "Launched: version 2" in followed.page


@pytest.mark.parametrize(
    ("until", "least"), [("shadow", 1), ("canary 20 %", 2), ("canary", 3), ("experiment", 3)]
)
def test_waiting_for_a_stage_to_be_passed(world, until, least):
    id = start_rollout(places(world), 2).rollout
    world.verdict = GO
    with led(world):
        followed = await_rollout(places(world), id, until, timeout=30, every=0.001)
    assert followed.reached and followed.record.stage >= least
    if until == "experiment":  # there is none
        assert followed.phase == "launched"


def test_a_stage_that_is_not_there(world):
    id = start_rollout(places(world), 2).rollout
    with pytest.raises(InputError, match="canary 20 %"):
        await_rollout(places(world), id, "canary 21 %")
    with pytest.raises(NotFoundError):
        await_rollout(places(world), "shop-2-abcdef")


def test_a_rollback_stops_the_run_with_its_reason(world):
    id = start_rollout(places(world), 2).rollout
    world.looks(world.controller(), 2)
    world.verdict = BACK
    with led(world):
        followed = await_rollout(places(world), id, "canary 20 %", timeout=30, every=0.01)
    assert followed.phase == "rolled_back" and followed.decisions[-1].verdict == "fail"
    with pytest.raises(GateStopped, match=r"was rolled back: says roll_back$"):
        followed.stop_if_taken_back()
    concluded = conclude_rollout(places(world), id, every=0.01)
    assert [d.verdict for d in concluded.followed.decisions if d.check == "alias baseline"] == ["pass"]
    with pytest.raises(GateStopped, match="says roll_back"):
        concluded.stop_if_wrong()
    assert world.store.exists(f"rollouts/{id}/report.html")


def test_when_the_time_is_over_the_rollout_goes_on_and_the_task_says_how_to_attach_again(world):
    id = start_rollout(places(world), 2).rollout
    followed = await_rollout(places(world), id, timeout=0.02, every=0.01)
    assert not followed.reached and followed.decisions[-1].verdict == "skip"
    with pytest.raises(Fault, match=f"no controller has looked at it yet.*evergreen rollout watch {id}"):
        followed.stop_if_taken_back()
    assert not world.states.read(id).record.ended and world.states.read(id).record.wish is None
    world.looks(world.controller(), 3)
    with pytest.raises(Fault, match="goes on without this task; it is running in shadow"):
        await_rollout(places(world), id, timeout=0.02, every=0.01).stop_if_taken_back()


def test_servers_that_never_came_are_a_fault(world):
    id = start_rollout(places(world), 2).rollout
    world.fleet.errors[2] = InputError("bundle", "a changed byte")
    with led(world):
        followed = await_rollout(places(world), id, timeout=30, every=0.01)
    with pytest.raises(Fault, match=r"failed: .*a changed byte"):
        followed.stop_if_taken_back()


def test_what_a_person_promoted_is_a_warning(world):
    id = start_rollout(places(world), 2).rollout
    controller = world.controller()
    for _ in range(5):
        world.looks(controller, 2)
        if world.states.read(id).record.phase == "running":
            commands.order(world.states, id, "promote", by="ada", why="I know")
    world.until(controller, "launched", id)
    followed = await_rollout(places(world), id, every=0.01)
    assert (
        followed.decisions[-1].verdict == "warn"
        and "ada promoted it by hand" in followed.decisions[-1].reason
    )
    followed.stop_if_taken_back()


def test_the_end_is_checked_against_the_registry(world):
    id = start_rollout(places(world), 2).rollout
    world.verdict = GO
    world.until(world.controller(), "launched", id)
    concluded = conclude_rollout(places(world), id, every=0.01)
    concluded.stop_if_wrong()
    found = {d.check: d for d in concluded.followed.decisions}
    assert found["alias baseline"].verdict == found["alias previous"].verdict == "pass"
    kept = json.loads(concluded.record)
    assert (kept["id"], kept["phase"]) == (id, "launched")
    world.registry.move("shop", "baseline", 3, why="by hand")
    later = conclude_rollout(places(world), id, every=0.01)
    (moved,) = [d for d in later.followed.decisions if d.check == "alias baseline"]
    assert moved.verdict == "warn" and "moved it since: by hand" in moved.reason
    later.stop_if_wrong()


def test_an_alias_that_nobody_moved_stops_the_run(world):
    id = start_rollout(places(world), 2).rollout
    world.verdict = GO
    world.until(world.controller(), "launched", id)
    kept = world.states.read(id)
    world.states.write_if(replace(kept.record, candidate=3, baseline=2), kept.tag)
    concluded = conclude_rollout(places(world), id, every=0.01)
    with pytest.raises(GateStopped, match="alias baseline stands at version 2, not at version 3"):
        concluded.stop_if_wrong()


def test_the_experiment_is_told_after_it_has_passed(tmp_path):
    world = story(tmp_path, lift=1.4)
    id = world.begin().id
    world.go("launched", id)
    judged = judge_experiment(places(world), id)
    assert judged.winner == "candidate" and judged.relative > 0.2
    assert [d.check for d in judged.decisions] == ["click", "winner"]
    assert judged.decisions[0].interval and "z at each look" in judged.page
    assert "the candidate won, after" in judged.decisions[-1].reason


def test_a_worse_candidate_loses(tmp_path):
    world = story(tmp_path, lift=0.5)
    id = world.begin(guardrails={"min_events": 20, "latency": {"slo": "100ms"}}).id
    world.go("rolled_back", id)
    judged = judge_experiment(places(world), id)
    assert judged.winner == "baseline" and judged.relative < -0.2 and judged.decisions[-1].verdict == "warn"


def test_no_experiment_is_said_and_skipped(world, tmp_path):
    id = start_rollout(places(world), 2).rollout
    judged = judge_experiment(places(world), id)
    assert judged.winner == "none" and judged.decisions[0].reason == "no experiment in this project"
    (tmp_path / "early").mkdir()
    early = story(tmp_path / "early", harm=9.0)
    id = early.begin().id
    early.go("rolled_back", id)
    assert "did not get to its experiment" in judge_experiment(places(early), id).decisions[0].reason
    assert len(STAGES) == 5


def test_servers_come_up_and_are_waited_for(world):
    world.fleet.missing.add(2)
    waits = []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            world.fleet.missing.clear()

    found = deploy_model(places(world), world.fleet, 2, 30.0, wait=wait)
    assert found.endpoints == ("10.0.0.2:80",) and len(waits) == 3
    assert found.serves == "everybody version 1, by no router" and found.decision.verdict == "pass"
    start_rollout(places(world), 2)
    world.looks(world.controller(), 3)
    assert "copied to version 2" in deploy_model(places(world), world.fleet, 2, 30.0).serves


def test_servers_that_do_not_come_up_are_removed_unless_somebody_needs_them(world):
    world.fleet.missing.add(2)
    with pytest.raises(Fault, match=r"not ready within 0\.01 s"):
        deploy_model(places(world), world.fleet, 2, 0.01, wait=lambda _: None)
    assert world.fleet.removed == [2]
    world.fleet.errors[2] = Fault("ErrImagePull")
    with pytest.raises(Fault, match="ErrImagePull"):
        deploy_model(places(world), world.fleet, 2, 0.01, wait=lambda _: None)
    world.fleet.errors[2] = InputError("bundle", "a changed byte")
    start_rollout(places(world), 2)
    with pytest.raises(InputError, match="a changed byte"):
        deploy_model(places(world), world.fleet, 2, 1.0)
    world.fleet.missing.add(1)
    with pytest.raises(Fault):
        deploy_model(places(world), world.fleet, 1, 0.0, wait=lambda _: None)
    assert world.fleet.removed == [2, 2]


def test_where_records_and_servers_are_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert state_uri() == str(tmp_path / ".evergreen/rollouts")
    assert state_uri(home=tmp_path / "h") == str(tmp_path / "h/rollouts")
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path / "e"))
    assert state_uri() == str(tmp_path / "e/rollouts") and state_uri("x") == "x"
    monkeypatch.setenv("EVERGREEN_ROLLOUT_STATE", "s3://there/x")
    assert state_uri() == "s3://there/x"
    monkeypatch.delenv("EVERGREEN_ROLLOUT_STATE")
    opened = open_places(PROJECT, str(tmp_path / "store"))
    assert (
        fleet_name("", opened.state) == f"local:{tmp_path / 'e'}"
        and fleet_name("kube:x", opened.state) == "kube:x"
    )
    with pytest.raises(InputError, match="evergreen up --router"):
        find_fleet("", opened.state)
    with pytest.raises(InputError, match="names no fleet"):
        find_fleet("nonsense", opened.state)
    monkeypatch.delenv("EVERGREEN_HOME")
    assert (
        fleet_name("", open_places(PROJECT, "store", str(tmp_path / "home/rollouts")).state)
        == f"local:{tmp_path}/home"
    )
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert state_uri() == "configmap://" and fleet_name("", opened.state) == "kube:"


def test_checks_of_a_verdict_are_among_the_decisions(world):
    id = start_rollout(places(world), 2).rollout
    kept = world.states.read(id)
    check = Decision("rollout", "errors", "pass", "fine", 0.2, 0.1, (0.0, 0.2))
    world.states.write_if(replace(kept.record, verdict=replace(WAIT, checks=(check,))), kept.tag)
    found = await_rollout(places(world), id, timeout=0.0)
    assert found.decisions[0] == check and found.verdict == "hold"
    assert record().phase == "starting"
