"""From a real model server's prediction log and reported outcomes to the evidence of a rollout."""

import time
from dataclasses import replace

import pytest
from model_server import GOOD, HELP, Server

from evergreen.decisions import Decision
from evergreen.errors import Fault, InputError
from evergreen.registry import Registry
from evergreen.rollout.evidence import Evidence
from evergreen.rollout.outcomes import Happened, Reporter
from evergreen.rollout.plan import RoutePlan, Target
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.users import UserReader
from evergreen.storage import open_store

pytestmark = pytest.mark.service
FROM_STORE = """
import sys
from evergreen.serving.__main__ import main
store, port = sys.argv[1:]
sys.argv[1:] = ["demo@1", "--store", store, "--port", port, "--log-spool", store + "-spool"]
sys.exit(main())
"""


def a_rollout(since, **plan):
    settings = {"guardrails": {"means": [{"event": "click"}, {"event": "retry"}]}}
    targets = Target(9, ("a:1",)), Target(1, ("b:1",))
    route = RoutePlan("demo", "demo-1-abcdef", 1, *targets, timeout=0.0, **plan)
    return RolloutRecord(
        id="demo-1-abcdef", model="demo", baseline=9, candidate=1, settings=settings, serving={},
        phase="running", stage=0, since=since, created=since, by="test", plan=route,
    )  # fmt: skip


def ask(server, user, arm, request_id):
    headers = {"x-user-id": user, "x-evergreen-arm": arm, "x-request-id": request_id}
    if arm == "shadow":
        headers["host"] = "demo-shadow:80"
    status, _, answered = server.ask("POST", "/v2/models/demo/rows", {"rows": [GOOD]}, headers)
    assert (status, answered["x-request-id"]) == (200, request_id)


def test_requests_outcomes_and_copies_of_a_real_server(tmp_path):
    bundle = HELP["make_bundle"](tmp_path / "bundle", "binary")
    store = tmp_path / "store"
    passed = [Decision("model", "accuracy min", "pass", "fine")]
    Registry(open_store(str(store))).push("demo", bundle, decisions=passed)
    since = time.time() - 2
    server = Server(store, tmp_path / "log", FROM_STORE).until("/v2/health/ready")
    ask(server, "eve", "baseline", "before")
    time.sleep(0.01)
    for number in range(10):
        ask(server, f"user {number}", "candidate" if number < 3 else "baseline", f"r{number}")
        ask(server, f"user {number}", "shadow", f"r{number}")
    ask(server, "user 1", "candidate", "again")
    with Reporter(f"http://127.0.0.1:{server.port}", "demo") as reporter:
        assert reporter.report([Happened("click", "r1"), Happened("other", "r1")]) == 2
        assert reporter.report([Happened("click")], "user 5") == 1
        with pytest.raises(InputError, match="belongs to no request"):
            reporter.report([Happened("click")])
    assert server.stop() == 0
    with pytest.raises(Fault, match="does not answer"):
        reporter.report([Happened("click")], "user 5")

    reader = UserReader(open_store(str(store)), "demo", tmp_path / "cache", clock=lambda: time.time() + 60)
    live = a_rollout(since, share=30.0)
    reading = reader.read(live)
    assert reading.users.exposed == {"baseline": 8, "candidate": 3}
    click, retry = reading.users.metrics["click"], reading.users.metrics["retry"]
    assert (click["candidate"].y, click["candidate"].n, click["candidate"].users) == (1, 4, 3)
    assert (click["baseline"].y, click["baseline"].events) == (1, 1)
    assert (retry["candidate"].y, retry["baseline"].y) == (1, 0)
    assert {name.split("/")[0] for name in reading.offsets} == {"predictions", "outcomes"}

    shadow = replace(live, plan=replace(live.plan, share=0.0, mirror=100.0), evidence=Evidence())
    pairs = reader.read(shadow).users.pairs
    assert (pairs.pairs, pairs.requests, pairs.disagreements, pairs.failures) == (10, 10, 0, 0)
    assert len(reader.read(shadow).users.outputs.labels) == 2
    assert pairs.score == (0.0, 0.0) and pairs.seconds[1] > 0
