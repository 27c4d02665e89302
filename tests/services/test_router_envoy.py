"""The router with a real Envoy: sticky users, nested ramps, copies, fallback, counting, kills."""

import json
import os
import random
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from router_world import MODEL, Load, RealServer, Router, Server, ask, plan, send, until
from server_processes import free_port

from evergreen.errors import ConflictError, InputError
from evergreen.local.process import birth
from evergreen.rollout.evidence import RATES
from evergreen.rollout.router.admin import Admin
from evergreen.rollout.router.apply import converge, in_force
from evergreen.rollout.router.bootstrap import Files
from evergreen.rollout.router.client import RouterClient, RouterUnreachable
from evergreen.rollout.router.config import Config, config
from evergreen.rollout.router.envoy import find_envoy

pytestmark = pytest.mark.service
USERS = [f"user {i}" for i in range(400)]


@pytest.fixture
def world(tmp_path):
    """Makes servers and routers, and ends them."""
    made = []

    def make(kind, *args, **more):
        made.append(kind(*args, **more))
        return made[-1]

    yield make
    for each in reversed(made):
        each.close()


@pytest.fixture
def pair(world):
    return world(Server, 1), world(Server, 2)


@pytest.fixture
def router(world, tmp_path):
    return world(Router, tmp_path / "router")


def arms(router, users=USERS) -> dict[str, str]:
    answers = send(router.port, users)
    assert {a.status for a in answers} == {200}
    return {a.user: a.model for a in answers}


def test_users_stick_and_ramps_nest(router, pair):
    baseline, candidate = pair
    seen, before = [], set()
    for generation, share in enumerate((5, 20, 50, 100), 1):
        assert router.client.put_plan(plan(generation, [baseline], [candidate], share=share)).applied
        first, second = arms(router), arms(router, USERS[:80])
        assert all(first[u] == model for u, model in second.items())
        chosen = {u for u, model in first.items() if model == "demo@2"}
        sd = (len(USERS) * share / 100 * (1 - share / 100)) ** 0.5
        assert abs(len(chosen) - len(USERS) * share / 100) <= 5 * sd
        assert before <= chosen, "a user flipped back"
        before = chosen
        seen.append(len(chosen))
    assert seen == sorted(seen)
    other = plan(5, [baseline], [candidate], share=50, salt="another")
    assert router.client.put_plan(other).applied
    moved = {u for u, model in arms(router).items() if model == "demo@2"}
    assert 120 < len(moved) < 280 and len(moved & before) < len(before)


def test_requests_without_a_user_split_at_random_and_arms_cannot_be_chosen(router, pair):
    baseline, candidate = pair
    assert router.client.put_plan(plan(1, [baseline], [candidate], share=50)).applied
    path, claims = f"/v2/models/{MODEL}/infer", {"x-evergreen-arm": "candidate", "x-evergreen-user": "me"}
    for empty in ({}, {"x-user-id": ""}):
        models = [ask(router.port, "POST", path, b"{}", {**claims, **empty})[2] for _ in range(60)]
        counts = [sum(m["x-evergreen-model"] == f"demo@{v}" for m in models) for v in (1, 2)]
        assert min(counts) > 10 and sum(counts) == 60
    assert {arm for _, _, arm, *_ in candidate.seen()} == {"candidate"}
    assert {arm for _, _, arm, *_ in baseline.seen()} == {"baseline"}


def test_what_is_no_prediction_goes_to_the_baseline_uncounted(router, pair):
    baseline, candidate = pair
    assert router.client.put_plan(plan(1, [baseline], [candidate], share=100)).applied
    headers = {"x-user-id": "u", "x-evergreen-arm": "candidate"}
    ask(router.port, "POST", f"/v2/models/{MODEL}/outcomes", b"{}", headers)
    ask(router.port, "GET", f"/v2/models/{MODEL}", None, headers)
    ask(router.port, "POST", f"/v2/models/{MODEL}/versions/1/infer", b"{}", headers)
    assert [row[2] for row in baseline.seen()] == [None] * 3
    ask(router.port, "POST", f"/v2/models/{MODEL}/versions/2/infer", b"{}", headers)
    ask(router.port, "POST", f"/v2/models/{MODEL}/rows?x=1", b"{}", headers)
    assert [row[2] for row in candidate.seen()] == [None, "candidate"]
    assert router.totals(of=1)["candidate"].requests == 1


def test_before_the_first_plan_the_answer_says_so(router):
    status, body, _ = ask(router.port, "POST", f"/v2/models/{MODEL}/infer", b"{}")
    assert status == 503 and "no plan" in json.loads(body)["error"]
    assert ask(router.agent_port, "GET", "/ready")[0] == 503


def test_copies_carry_the_request_id_and_a_hung_shadow_hurts_nobody(router, pair):
    baseline, candidate = pair
    assert router.client.put_plan(plan(1, [baseline], [candidate], mirror=100)).applied
    answers = send(router.port, USERS[:100])
    ids = [a.id for a in answers]
    copies = until(lambda: (rows := candidate.seen()) and len(rows) == 100 and rows)
    assert sorted(row[0] for row in copies) == sorted(ids)
    assert {row[1] for row in copies} == {f"127.0.0.1-shadow:{router.port}"}
    assert {a.model for a in answers} == {"demo@1"}
    assert router.client.put_plan(plan(2, [baseline], [candidate], mirror=30)).applied
    send(router.port, USERS)
    candidate.does(delay=60.0)
    assert router.client.put_plan(plan(3, [baseline], [candidate], mirror=100)).applied
    with Load([router.port], rate=400) as load:
        load.more(800)
    assert set(load.statuses) == {200} and set(load.models()) == {"demo@1"}
    assert sorted(a.seconds for a in load.answers)[len(load.answers) // 2] < 0.1
    buckets = router.buckets(of=100 + len(USERS) + len(load.answers))
    copied = {g: sum(b.mirrored for b in buckets if b.generation == g) for g in (1, 2, 3)}
    assert copied[1] == 100 and 70 < copied[2] < 180 and copied[3] == len(load.answers)

    def dropped() -> float:
        metrics = ask(router.agent_port, "GET", "/metrics")[1].decode().splitlines()
        return sum(float(line.split()[-1]) for line in metrics if 'copies_total{result="dropped"}' in line)

    until(lambda: dropped() > 0)


@pytest.mark.parametrize("fault", ["kill", "hang", "500", "refuse"])
def test_a_failing_candidate_is_answered_by_the_baseline_and_counted(router, pair, fault):
    baseline, candidate = pair
    steps = plan(1, [baseline], [candidate], share=50, timeout=0.3)
    assert router.client.put_plan(steps).applied
    body = b"x" * 300_000 if fault == "500" else b"{}"  # what was sent must be kept for another try
    with Load([router.port], rate=100 if fault == "500" else 200, body=body) as load:
        load.more(100)
        if fault == "kill":
            candidate.kill()
        elif fault == "hang":
            candidate.kill(signal.SIGSTOP)
        else:
            candidate.does(status=500 if fault == "500" else 400)
        load.more(200)
    assert set(load.statuses) == {200}
    counts = router.totals(of=len(load.answers))
    assert sum(c.requests for c in counts.values()) == len(load.answers)
    assert counts["candidate"].fallbacks == counts["candidate"].events["errors"] > 10
    assert counts["candidate"].requests - counts["candidate"].fallbacks == load.models()["demo@2"]
    if fault == "hang":
        candidate.kill(signal.SIGCONT)
        assert counts["candidate"].latency[-6] + counts["candidate"].latency[-7] > 0


def test_a_busy_baseline_is_asked_again_rather_than_the_candidate_that_refused(router, pair):
    baseline, candidate = pair
    candidate.does(status=400)
    baseline.does(status=503, every=5)
    assert router.client.put_plan(plan(1, [baseline], [candidate], share=50)).applied
    with Load([router.port], rate=100) as load:
        load.more(300)
    assert set(load.statuses) == {200} and set(load.models()) == {"demo@1"}
    counts = router.totals(of=len(load.answers))
    assert counts["candidate"].fallbacks == counts["candidate"].requests > 50


def test_what_both_versions_refuse_is_the_fault_of_the_client(router, pair):
    assert router.client.put_plan(plan(1, [pair[0]], [pair[1]], share=50)).applied
    for server in pair:
        server.does(status=400)
    answers = send(router.port, USERS[:100])
    assert {a.status for a in answers} == {400}
    counts = router.totals(of=100)
    assert sum(c.requests for c in counts.values()) == 100 and set(counts) == {"baseline", "candidate"}
    assert all(c.fallbacks == c.events["errors"] == 0 for c in counts.values())


def test_long_requests_are_answered_in_a_rollout_too(router, pair):
    for server in pair:
        server.does(delay=1.0)
    for generation, share in enumerate((0, 100), 1):
        steps = plan(generation, [pair[0]], [pair[1]], share=share, timeout=0.2)
        assert router.client.put_plan(steps).applied
        answers = send(router.port, USERS[:3])
        assert {a.status for a in answers} == {200}
        # The fastest: a stall of this machine slows one, a second try of the baseline slows all.
        assert min(a.seconds for a in answers) < 1.9


def test_a_killed_baseline_replica_costs_no_answer(router, world, pair):
    other = world(Server, 1)
    assert router.client.put_plan(plan(1, [pair[0], other])).applied
    with Load([router.port], rate=300) as load:
        load.more(200)
        assert len(other.seen()) > 50
        other.kill()
        load.more(400)
    assert set(load.statuses) == {200}


def test_broken_routes_leave_the_old_ones_and_are_repaired(router, pair):
    baseline, candidate = pair
    assert router.client.put_plan(plan(1, [baseline], [candidate], share=100)).applied
    file = router.folder / "routes" / "rds.json"
    good = file.read_text()
    unknown = good.replace('"candidate-2-over-1","weight"', '"nowhere","weight"').replace('"g1-', '"g9-')
    assert unknown != good
    with Load([router.port], rate=100) as load:
        for broken in ("{", unknown, ""):
            aside = router.folder / "aside"
            aside.write_text(broken)
            aside.rename(file)
            load.more(30)
            until(lambda: file.read_text() == good)
    assert set(load.statuses) == {200} and set(load.models()) == {"demo@2"}
    until(lambda: router.client.state().applied)


def test_what_envoy_refuses_says_why_and_changes_nothing(router, pair):
    """No plan is known that passes our checks and that Envoy refuses; so the routes are made by hand."""
    baseline, candidate = pair
    now = plan(1, [baseline], [candidate], share=100)
    assert router.client.put_plan(now).applied
    files = Files(router.folder)
    admin = Admin("127.0.0.1", int((router.folder / "envoy" / "1" / "admin").read_text().rpartition(":")[2]))
    good = config(plan(2, [baseline], [candidate], share=50))
    routes = json.loads(json.dumps(good.routes).replace("candidate-2-over-1", "nowhere"))
    outcome = converge(files, admin, Config(good.clusters, routes, "g2-wrong"), 3.0)
    assert outcome.refused and "unknown weighted cluster 'nowhere'" in outcome.reason
    other = {**good.clusters["baseline-1"], "name": "wrong", "connect_timeout": "never"}
    outcome = converge(
        files, admin, Config({**good.clusters, "wrong": other}, good.routes, good.version), 3.0
    )
    assert outcome.refused and "clusters" in outcome.reason
    assert in_force(files, admin, config(now))
    assert {a.model for a in send(router.port, USERS[:20])} == {"demo@2"}


@pytest.mark.slow
def test_the_real_model_server_behind_the_router(router, world, tmp_path):
    helpers = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "serving" / "conftest.py"))
    bundle = helpers["make_bundle"](tmp_path / "bundle", "binary")
    server = world(RealServer, bundle, tmp_path)
    assert router.client.put_plan(plan(1, [server], mirror=0)).applied
    good = {"age": 30.0, helpers["ODD"]: 5.5, "city": "a", "vip": True}
    path, user = f"/v2/models/{MODEL}/rows", {"x-user-id": "u1", "x-request-id": "mine"}
    for rows, status in (([good], 200), ([{**good, "age": None}], 200), ([{"age": "x"}], 400)):
        found, _, headers = ask(router.port, "POST", path, json.dumps({"rows": rows}).encode(), user)
        assert found == status and headers.get_all("x-request-id") == ["mine"]
    assert ask(router.port, "GET", f"/v2/models/{MODEL}/ready")[0] == 200
    counts = router.totals(of=3)["baseline"]
    assert (counts.requests, counts.events["errors"], counts.events["missing_inputs"]) == (3, 0, 1)


def test_fencing_and_bad_plans(router, pair):
    baseline, candidate = pair
    client, newest = router.client, plan(5, [baseline], [candidate], share=20)
    assert client.put_plan(newest).applied and client.put_plan(newest).applied
    with pytest.raises(ConflictError, match="older than 5"):
        client.put_plan(plan(4, [baseline]))
    with pytest.raises(ConflictError, match="another plan"):
        client.put_plan(plan(5, [baseline], [candidate], share=21))
    with pytest.raises(InputError, match=r"plan.share.*percentage"):
        client.put_plan(plan(6, [baseline], [candidate], share=120))
    status, body, _ = ask(router.agent_port, "PUT", "/plan", b'{"model": 3}')
    assert status == 400 and "plan.model" in json.loads(body)["error"]
    assert client.heartbeat(5) and not client.heartbeat(4)
    state = client.state()
    assert (state.generation, state.applied, state.envoy_up) == (5, True, True)
    router.kill()
    with pytest.raises(RouterUnreachable):
        client.state()
    router.start()
    with pytest.raises(ConflictError):
        client.put_plan(plan(4, [baseline]))


def test_a_plan_is_in_force_at_once_and_swaps_lose_nothing(router, world, pair):
    baseline, candidate = pair
    third = world(Server, 3)
    assert router.client.put_plan(plan(1, [baseline])).applied
    taken, waves = [], (
        ([baseline], [candidate], 100, {"demo@2"}),
        ([candidate], [third], 50, {"demo@2", "demo@3"}),
        ([third], None, 0, {"demo@3"}),
        ([candidate], [third], 50, {"demo@2", "demo@3"}),
    )  # fmt: skip
    with Load([router.port], rate=200) as load:
        load.more(60)
        for generation, (first, second, share, models) in enumerate(waves, 2):
            begun = time.time()
            assert router.client.put_plan(plan(generation, first, second, share=share)).applied
            confirmed = time.time()
            load.more(60)
            taken.append(confirmed - begun)
            # By when they began: what this process sees late, Envoy may have answered in time.
            asked = [a for a in load.answers if a.at - a.seconds > confirmed + 0.1]
            assert {a.model for a in asked} == models
    assert min(taken) < 0.5
    assert set(load.statuses) == {200}
    buckets = router.buckets(of=len(load.answers))
    assert sum(b.arms[a].requests for b in buckets for a in b.arms) == len(load.answers)


def test_evidence_is_what_the_clients_saw(router, pair):
    baseline, candidate = pair
    baseline.does(flags="rows=1,missing=2,imputed=0,empty=0")
    candidate.does(flags="rows=1,missing=0,imputed=0,empty=1", delay=0.12, every=4)
    steps = plan(1, [baseline], [candidate], share=40, slo=0.1)
    assert router.client.put_plan(steps).applied
    begun = time.time()
    rotations = router.rotations
    with Load([router.port], rate=150, users=50) as load:
        until(lambda: router.rotations >= rotations + 2)
        load.more(50)
    ended = time.time()
    counts = router.totals(of=len(load.answers))
    for arm, model in (("baseline", "demo@1"), ("candidate", "demo@2")):
        mine = [a for a in load.answers if a.model == model]
        users, got = {a.user for a in mine}, counts[arm]
        assert got.requests == len(mine) == sum(got.latency) and got.fallbacks == 0
        assert got.events["errors"] == 0
        bad, good = (
            ("missing_inputs", "empty_outputs") if arm == "baseline" else ("empty_outputs", "missing_inputs")
        )
        assert got.events[bad] == len(mine) and got.harmed[bad] == len(users)
        assert got.events[good] == got.harmed[good] == 0
    delayed = len(candidate.seen()) // 4
    slow = [a for a in load.answers if a.model == "demo@2" and a.seconds > 0.095]
    assert 0 < delayed <= counts["candidate"].events["latency"] <= len(slow)
    assert set(counts["candidate"].events) == set(RATES)
    buckets = router.buckets(0)
    assert [b.seq for b in buckets] == list(range(1, len(buckets) + 1))
    assert all(begun - 0.1 <= b.begin <= b.end <= ended + 0.1 for b in buckets)
    until(lambda: len(list((router.folder / "access").iterdir())) <= 2)
    assert (router.folder / "access").stat().st_mode & 0o077 == 0
    assert "u1" not in (router.folder / "evidence.jsonl").read_text().replace('"', " ").split()


def test_killing_the_agent_at_random_counts_every_request_once(router, pair):
    baseline, candidate = pair
    assert router.client.put_plan(plan(1, [baseline], [candidate], share=50)).applied
    dice = random.Random(4)
    with Load([router.port], rate=300) as load:
        for _ in range(6):
            time.sleep(dice.uniform(0.1, 0.9))
            router.kill()
            time.sleep(dice.uniform(0.0, 0.2))
            router.start()
        rotations = router.rotations
        until(lambda: router.rotations > rotations)
    assert set(load.statuses) == {200}
    counts = router.totals(of=len(load.answers))
    assert {arm: c.requests for arm, c in counts.items()} == {
        "baseline": load.models()["demo@1"], "candidate": load.models()["demo@2"],
    }  # fmt: skip
    seqs = [b.seq for b in router.buckets(0)]
    assert seqs == list(range(1, len(seqs) + 1))


def test_the_dead_man_takes_the_candidate_back_and_only_a_newer_plan_returns_it(router, pair):
    baseline, candidate = pair
    live = plan(1, [baseline], [candidate], share=100, dead_man=2.0)
    assert router.client.put_plan(live).applied
    with Load([router.port], rate=100) as load:
        for _ in range(5):
            until(lambda: router.client.state().silence > 0.5)
            assert router.client.heartbeat(1)
        silent = time.time()
        until(lambda: router.client.state().dead_man_fired)
        load.more(30)
        last = max(a.at - a.seconds for a in load.answers if a.model == "demo@2")
        assert 1.8 < last - silent < 2.9
        assert not router.client.heartbeat(1)
        again = router.client.put_plan(live)
        assert not again.applied and "newer generation" in again.reason
        router.kill()
        router.start()
        assert router.client.state().dead_man_fired
        until(lambda: router.client.state().applied)
        since = time.time()
        load.more(20)
        assert set(load.models(since)) == {"demo@1"}
        assert router.client.put_plan(plan(2, [baseline], [candidate], share=100, dead_man=5)).applied
        until(lambda: load.answers[-1].model == "demo@2")
    assert set(load.statuses) == {200}
    rollouts = [b.rollout for b in router.buckets(of=len(load.answers))]
    assert "" in rollouts, "what came after the dead man fired counts for no rollout"


def test_a_killed_envoy_comes_back_with_the_plan_and_two_routers_cover_for_each_other(world, tmp_path, pair):
    port = free_port()
    routers = [world(Router, tmp_path / n, port, ("--share-port", "--name", n)) for n in ("left", "right")]
    for each in routers:
        assert each.client.put_plan(plan(1, [pair[0]], [pair[1]], share=50)).applied
    with Load([port], rate=200, retry=True) as load:
        load.more(100)
        before = routers[0].envoy_pid
        os.kill(before, signal.SIGKILL)
        until(lambda: routers[0].envoy_pid != before)
        until(lambda: routers[0].client.state().applied)
        load.more(100)
    assert set(load.statuses) == {200}
    by_user = {}
    for answer in load.answers:
        by_user.setdefault(answer.user, set()).add(answer.model)
    assert all(len(models) == 1 for models in by_user.values()), "both routers put a user on the same arm"
    # The kernel spreads connections over the two as it likes, and those to the killed one are opened anew.
    half = len(load.answers) / 2
    until(lambda: sum(c.requests for r in routers for b in r.buckets(0) for c in b.arms.values()) > half)
    assert len({r.client.state().router for r in routers}) == 2


def test_stopping_drains_and_a_new_agent_adopts(router, pair):
    baseline, _ = pair
    baseline.does(delay=0.5)
    assert router.client.put_plan(plan(1, [baseline])).applied
    pid = router.envoy_pid
    router.kill()
    router.start()
    assert router.envoy_pid == pid
    until(lambda: router.client.state().applied)
    with Load([router.port], rate=40, threads=8) as load:
        load.more(8)  # now every thread has its second request at work
        assert router.stop() == 0
    codes = [a.status for a in load.answers]
    answered = codes.index(0) if 0 in codes else len(codes)
    assert answered > 4 and set(codes[:answered]) == {200}
    at_work = {row[0] for row in baseline.seen()}
    assert at_work == {a.id for a in load.answers if a.status == 200}, "a request at work was lost"
    assert not birth(pid)


def test_without_an_envoy_of_its_own_the_agent_writes_files_for_one(world, tmp_path, pair):
    """As in a pod: the bootstrap first, then Envoy and agent side by side on one folder."""
    folder, port, admin = tmp_path / "shared", free_port(), free_port()
    options = ["--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}", "--folder", str(folder)]
    command = [sys.executable, "-m", "evergreen.rollout.router", *options]
    subprocess.run([*command, "--bootstrap-only", str(folder / "envoy-bootstrap.json")], check=True)
    router = world(Router, folder, port, ("--admin", f"127.0.0.1:{admin}"), envoy=False)
    early = router.client.put_plan(plan(1, [pair[0]], [pair[1]], share=100))
    assert not early.applied and "read the plan when" in early.reason
    envoy = subprocess.Popen(
        [
            str(find_envoy()), "-c", str(folder / "envoy-bootstrap.json"), "--disable-hot-restart",
            "--file-flush-interval-msec", "100", "--log-level", "error",
        ]
    )  # fmt: skip
    try:
        until(lambda: router.client.state().applied)
        assert {a.model for a in send(port, USERS[:20])} == {"demo@2"}
        assert router.client.put_plan(plan(2, [pair[0]], [pair[1]], share=0)).applied
        assert {a.model for a in send(port, USERS[:20])} == {"demo@1"}
        counts = router.totals(of=40)
        assert {arm: c.requests for arm, c in counts.items()} == {"baseline": 20, "candidate": 20}
        # Raw user ids live for seconds.
        until(lambda: (folder / "access" / "access.log").stat().st_size == 0, 10)
    finally:
        envoy.terminate()
        envoy.wait()


def test_a_second_agent_on_the_folder_or_the_port_is_refused(router, tmp_path):
    options = ["--listen", f"127.0.0.1:{router.port}", "--agent", f"127.0.0.1:{free_port()}", "--envoy"]
    command = [sys.executable, "-m", "evergreen.rollout.router", *options, "--folder"]
    for folder, found in ((router.folder, "another agent works in it"), (tmp_path / "other", "is taken")):
        done = subprocess.run([*command, str(folder)], capture_output=True, text=True)
        assert done.returncode == 2 and found in done.stderr


def test_only_who_shows_the_token_routes_users_and_reads_what_they_did(world, pair, tmp_path):
    router = world(Router, tmp_path / "router", token="0123456789abcdef")
    assert router.client.put_plan(plan(1, [pair[0]])).applied and router.client.heartbeat(1)
    for given in ({}, {"authorization": "Bearer 0123456789abcdee"}, {"authorization": "0123456789abcdef"}):
        asked = (("PUT", "/plan"), ("POST", "/heartbeat"), ("GET", "/state"), ("GET", "/evidence?after=0"))
        for method, path in asked:
            status, body, headers = ask(router.agent_port, method, path, b"{}", given)
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
            assert b"EVERGREEN_ROUTER_TOKEN" in body and b"0123456789abcdef" not in body
    for path in ("/metrics", "/ready"):
        assert ask(router.agent_port, "GET", path)[0] == 200
    with pytest.raises(RouterUnreachable, match="the token is missing or another one"):
        RouterClient(f"http://127.0.0.1:{router.agent_port}").put_plan(plan(2, [pair[1]]))
    assert router.client.state().generation == 1
    assert "0123456789abcdef" not in router.log.read_text()


def test_a_token_that_guards_nothing_is_refused(tmp_path):
    place = ["--listen", f"127.0.0.1:{free_port()}", "--agent", f"127.0.0.1:{free_port()}"]
    command = [sys.executable, "-m", "evergreen.rollout.router", *place, "--folder", str(tmp_path / "r")]
    environment = {**os.environ, "EVERGREEN_ROUTER_TOKEN": "a few words"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2 and "EVERGREEN_ROUTER_TOKEN" in done.stderr
    assert "a few words" not in done.stderr


def test_a_client_refuses_what_is_no_router(pair):
    with pytest.raises(InputError, match="http://host:port"):
        RouterClient("localhost:1")
    with pytest.raises(RouterUnreachable, match="what no agent says"):
        RouterClient(f"http://{pair[0].endpoint}").state()
