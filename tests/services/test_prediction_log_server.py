"""The prediction log of a real server: what clients asked and were answered is what the store has."""

import json
import signal
import time
from pathlib import Path
from threading import Thread

import pyarrow.parquet as pq
import pytest
from model_server import GOOD, HELP, ODD, Server
from server_processes import until

from evergreen.serving.predictions.reading import fetch, segments
from evergreen.storage import open_store

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return HELP["make_bundle"](tmp_path_factory.mktemp("bundle") / "binary", "binary")


@pytest.fixture
def start(bundle: Path, tmp_path: Path):
    """Starts servers that share a spool and a store."""
    servers = []
    settings = tmp_path / "serving.json"
    settings.write_text(json.dumps({"log": {"rotate": "500ms", "exclude": ["vip"], "hash": ["city"]}}))

    def begin() -> Server:
        log = tmp_path / f"server-{len(servers)}.log"
        options = ("--settings", str(settings), "--log-spool", str(tmp_path / "spool"))
        options += ("--log-store", str(tmp_path / "store"))
        servers.append(Server(bundle, log, options=options))
        return servers[-1].until("/v2/health/ready")

    yield begin
    for server in servers:
        if server.process.poll() is None:
            server.stop(signal.SIGKILL)


def logged(tmp_path: Path, kind: str = "predictions") -> list[dict]:
    store = open_store(str(tmp_path / "store"))
    files = fetch(store, segments(store, "demo", kind=kind), tmp_path / "cache")
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_requests_answers_and_outcomes_arrive_in_the_store(start, tmp_path: Path):
    server = start()
    headers = {"x-user-id": "Jane Doe", "x-request-id": "one", "x-evergreen-arm": "candidate"}
    path = "/v2/models/demo/rows"
    answers = server.ask("POST", path, {"rows": [GOOD, {**GOOD, "age": None}]}, headers)[1]["predictions"]
    assert server.ask("POST", path, {"rows": [{**GOOD, "age": "x"}]}, {"x-request-id": "two"})[0] == 400
    copied = {"x-request-id": "one", "host": "demo-shadow"}
    assert server.ask("POST", path, {"rows": [GOOD]}, copied)[0] == 200
    outcome = {"outcomes": [{"request_id": "one", "event": "click", "value": 1.0}]}
    assert server.ask("POST", "/v2/models/demo/outcomes", outcome, {"x-user-id": "Jane Doe"})[0] == 202
    assert server.stop() == 0

    rows = sorted(logged(tmp_path), key=lambda r: (r["request_id"], r["arm"], r["row"]))
    assert [(r["request_id"], r["arm"], r["row"], r["status"]) for r in rows] == [
        ("one", "candidate", 0, 200),
        ("one", "candidate", 1, 200),
        ("one", "shadow", 0, 200),
        ("two", "", 0, 400),
    ]
    for row, answer in zip(rows[:2], answers, strict=True):
        assert row["prediction"] == answer["prediction"]
        assert row["score"] == pytest.approx(answer["probabilities"]["yes"], abs=1e-7)
        assert row["model"] == "demo"
        assert row["seconds"] > 0
        assert abs(row["time"].timestamp() - time.time()) < 60
    assert [r["missing"] for r in rows] == [0, 1, 0, 0]
    assert [r["features"] and r["features"]["age"] for r in rows] == [30.0, None, 30.0, None]
    assert set(rows[0]["features"]) == {"age", ODD, "city"}
    assert len(rows[0]["features"]["city"]) == 16
    (click,) = logged(tmp_path, "outcomes")
    assert (click["request_id"], click["event"], click["value"]) == ("one", "click", 1.0)
    assert click["user"] == rows[0]["user"] != ""
    for file in [*(tmp_path / "store").rglob("*"), *(tmp_path / "spool").rglob("*")]:
        assert not file.is_file() or b"Jane" not in file.read_bytes()


def ask_until_killed(server: Server, answered: list[str], name: str) -> None:
    connection = server.connect()
    body = json.dumps({"rows": [GOOD]}).encode()
    try:
        for number in range(100_000):
            request = f"{name}-{number}"
            connection.request("POST", "/v2/models/demo/rows", body, {"x-request-id": request})
            if connection.getresponse().read():
                answered.append(request)
    except (OSError, ValueError):
        return
    except Exception as error:  # noqa: BLE001 - http.client's own, when the server is gone
        assert "Remote end closed" in str(error) or "IncompleteRead" in type(error).__name__


def test_a_killed_servers_answers_are_in_the_log(start, tmp_path: Path):
    everyone: list[list[str]] = []
    for round_ in range(2):
        server, answered = start(), [[], []]
        clients = [
            Thread(target=ask_until_killed, args=(server, answered[k], f"{round_}{k}")) for k in range(2)
        ]
        for client in clients:
            client.start()
        until(lambda: min(map(len, answered)) > 50 * (1 + round_))  # noqa: B023 - called at once
        server.stop(signal.SIGKILL)
        for client in clients:
            client.join()
        everyone.append([request for client in answered for request in client])
    assert start().stop() == 0
    # The writers of killed servers end what they began, at their own pace.
    until(lambda: not any(path.is_dir() for path in (tmp_path / "spool").iterdir()))
    found = [r["request_id"] for r in logged(tmp_path)]
    assert len(found) == len(set(found))
    for requests in everyone:
        assert len(set(requests) - set(found)) <= 1  # a request is answered, then logged
