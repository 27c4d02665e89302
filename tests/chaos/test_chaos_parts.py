"""Parts of the platform are killed, broken and restarted while users get answers."""

import signal
import time

import pytest
from chaos_load import flips, models
from chaos_world import settings
from server_processes import gone, until

from evergreen.local import platform

pytestmark = pytest.mark.service
TOLERANT = settings(guardrails={"errors": {"reaction": "warn"}})
_UNWRITTEN = 0.35
"""Seconds of an Envoy's access log that its death may cost: it is written ten times a second."""


@pytest.fixture(scope="module")
def canary(_platform):
    """The platform with half of the users at a candidate that stays there."""
    world = _platform.settled()
    record = world.begin("good", TOLERANT)
    return world, world.reaches(record.id)


@pytest.mark.parametrize("victim", ["candidate", "baseline", "envoy 1", "router #2", "controller", "s3"])
def test_sigkill(canary, victim):
    world, record = canary
    old, new = world.baseline, f"demo@{record.candidate}"
    part = {"candidate": f"model server {new} #1", "baseline": f"model server {old} #2"}.get(victim, victim)
    before = world.counted()
    rate = 300.0 if "envoy" in victim else 120.0  # so that something is under way when it dies
    with world.load(f"SIGKILL {victim}", rate=rate) as load:
        load.wait(150)
        killed, pid = time.time(), world.kill(part)
        world.back(part, pid)
        load.figures["back after"] = f"{time.time() - killed:.1f} s"
        until(lambda: all(r.state().applied for r in world.routers))
        if victim == "candidate":
            until(lambda: models(load.since(time.time() - 0.5))[new] > 5)
        load.wait(150)
    found, lost = world.requests(before), {"envoy 1": _UNWRITTEN * load.rate}.get(victim, 0.0)
    count = found["baseline"] + found["candidate"]
    routers = {b.router for b in world.buckets(before) if b.end < killed}
    assert len(routers) == 2, "both routers had requests when it was killed"
    load.figures["counted"] = f"{count} requests, {found['fallbacks']} fallbacks"
    assert len(load.answers()) - lost <= count <= len(load.answers())
    assert set(models(load.answers())) == {old, new}
    if victim == "candidate":
        assert found["fallbacks"] > 0
    else:
        assert not flips(load.answers(), new) and not found["fallbacks"]
    record = world.record(record.id)
    assert record.phase == "running" and record.evidence.users.switched == 0
    world.counted_once(record)


def test_sigkill_of_the_supervisor_and_of_what_it_should_start_again(canary):
    """Nobody starts the agent again then, but the next `up`; Envoy goes on meanwhile."""
    world, record = canary
    with world.load("SIGKILL supervisor") as load:
        load.wait(50)
        pids = {name: world.kill(name) for name in ("supervisor", "router #1")}
        until(lambda: all(map(gone, pids.values())))
        load.wait(150)
        world.up()
        load.wait(100)
    assert set(world.parts.values()) == {"up"} and not flips(load.answers(), f"demo@{record.candidate}")


def test_broken_routes_and_unknown_clusters_leave_the_old_routes(canary):
    world, record = canary
    new = f"demo@{record.candidate}"
    folder = world.home / "platform" / "routers" / "1"
    routes, clusters = folder / "routes" / "rds.json", folder / "clusters" / "cds.json"
    good = {path: path.read_text() for path in (routes, clusters)}
    name = f"candidate-{record.candidate}-over-{record.baseline}"
    unknown = good[routes].replace(f'"{name}"', '"nowhere"').replace('"g', '"x')
    assert unknown != good[routes]
    broken = [(routes, "{"), (routes, unknown), (routes, ""), (clusters, "{"), (clusters, '{"resources": 3}')]
    with world.load("broken routes") as load:
        load.wait(50)
        for path, text in broken:
            aside = folder / "aside"
            aside.write_text(text)
            aside.rename(path)
            time.sleep(0.4)
            until(lambda path=path: path.read_text() == good[path])
        load.wait(50)
    assert not flips(load.answers(), new) and models(load.answers())[new] > 100
    assert all(r.state().applied for r in world.routers)


def test_every_part_is_restarted_in_turn(canary):
    """Gracefully, as an upgrade does it; what is started again by nobody is started by `up`."""
    world, record = canary
    names = [name for name in world.parts if name != "supervisor"]
    with world.load("rolling restart") as load:
        load.wait(50)
        for name in names:
            world.back(name, world.kill(name, signal.SIGTERM))
        pid = world.kill("supervisor", signal.SIGTERM)
        until(lambda: gone(pid))
        world.up()
        load.wait(100)
    record = world.record(record.id)
    assert record.phase == "running" and world.counted_once(record) > 0
    assert models(load.since(time.time() - 2.0)).keys() == {world.baseline, f"demo@{record.candidate}"}


def test_down_answers_what_it_took_and_up_brings_the_rollout_back(canary):
    world, record = canary
    with world.load("down", strict=False) as load:
        load.wait(200)
        platform.down(world.home)
        load.wait(50)
    found = load.answers()
    last = max(a.ended for a in found if a.status == 200)
    refused = [a for a in found if a.status == 0]
    assert {a.status for a in found} == {0, 200}
    assert {a.fault for a in refused} == {"refused"} and min(a.ended for a in refused) > last - 1.0
    load.figures["no answer"], load.figures["refused when down"] = 0, len(refused)
    world.up()
    with world.load("up again") as load:
        load.wait(200)
    assert world.record(record.id).phase == "running"
    assert models(load.answers()).keys() == {world.baseline, f"demo@{record.candidate}"}
