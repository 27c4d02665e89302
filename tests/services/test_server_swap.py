"""Swap, drain and restart of a model server under constant load: no request fails."""

import contextlib
import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Callable

import pytest
from model_server import GOOD, HELP, Server

from evergreen.registry import Registry
from evergreen.storage import open_store

pytestmark = pytest.mark.service
BODY = json.dumps({"rows": [GOOD]}).encode()
PATH = "/v2/models/demo/rows"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    root = tmp_path_factory.mktemp("bundles")
    return {kind: HELP["make_bundle"](root / kind, kind) for kind in ("binary", "native")}


@pytest.fixture()
def registry(bundles, tmp_path):
    registry = Registry(open_store(f"file://{tmp_path}/store"))
    for kind in ("binary", "native"):
        registry.push("demo", bundles[kind], decisions=(), allow_unblessed=True)
    registry.move("demo", "live", 1, why="a test", allow_unblessed=True)
    return registry


class FromRegistry(Server):
    """A server of `demo@live`."""

    def __init__(self, store: str, log, *options: str):
        script = (
            "import sys; from evergreen.serving.__main__ import main; "
            f"sys.argv[1:] = ['demo@live', '--store', {store!r}, '--port', sys.argv[2], *{list(options)!r}]; "
            "sys.exit(main())"
        )
        super().__init__(".", log, script)


class Load:
    """Clients that keep their connections, open new ones when told to, and note every answer.

    `ports` may change at any time; the first of them is the one to connect to.
    """

    def __init__(self, ports: list[int], clients: int = 6) -> None:
        self.ports, self.stop = ports, threading.Event()
        self.answers: list[tuple[int, str]] = []
        self.failures: list[str] = []
        self.asked: dict[str, float] = {}  # by model, when the last request was sent that it answered
        self.places = [0] * clients  # the port that answered each client's last request
        self.threads = [threading.Thread(target=self._client, args=(k,)) for k in range(clients)]

    def _client(self, number: int) -> None:
        connection = None
        while not self.stop.is_set():
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=20)
            begun = time.monotonic()
            try:
                connection.request("POST", PATH, BODY)
                answer = connection.getresponse()
                answer.read()
            except Exception as error:  # noqa: BLE001 - whatever fails is what the test is about
                self.failures.append(repr(error))
                connection = None
                continue
            model = answer.headers.get("x-evergreen-model", "")
            self.answers.append((answer.status, model))
            self.asked[model], self.places[number] = begun, connection.port
            if answer.headers.get("connection") == "close":
                connection.close()
                connection = None
            time.sleep(0.002)

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(30)

    def until(self, count: int) -> None:
        """Wait for so many more answers."""
        goal = len(self.answers) + count
        self._until(lambda: len(self.answers) >= goal)

    def until_model(self, ref: str) -> None:
        """Wait until a model answers a request that is sent from now on."""
        now = time.monotonic()
        self._until(lambda: self.asked.get(ref, 0.0) >= now)

    def until_moved(self) -> None:
        """Wait until the first port has answered every client's last request."""
        self._until(lambda: set(self.places) == {self.ports[0]})

    def _until(self, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not reached():
            assert time.monotonic() < deadline, (self.answers[-3:], self.failures[-3:])
            time.sleep(0.005)


@pytest.mark.parametrize("how", ["follow", "SIGHUP"])
def test_a_hot_swap_under_load_fails_no_request(registry, tmp_path, how):
    options = ("--follow", "0.2") if how == "follow" else ()
    server = FromRegistry(registry.uri, tmp_path / "log", *options).until("/v2/health/ready")
    try:
        with Load([server.port]) as load:
            for version in (2, 1, 2):
                load.until(50)
                registry.move("demo", "live", version, why="a test", allow_unblessed=True)
                if how == "SIGHUP":
                    server.process.send_signal(signal.SIGHUP)
                load.until_model(f"demo@{version}")
            load.until(50)
        assert load.failures == []
        assert {status for status, _ in load.answers} == {200}
        assert {model for _, model in load.answers} == {"demo@1", "demo@2"}
        swapped = 'evergreen_model_swaps_total{model_name="demo",result="swapped"}'
        assert server.metrics()[swapped] == 3
        assert server.ask("GET", "/v2/models/demo")[1]["versions"] == ["2"]
    finally:
        assert server.stop() == 0


def test_a_version_that_was_tampered_with_is_never_served(registry, tmp_path):
    server = FromRegistry(registry.uri, tmp_path / "log", "--follow", "0.1").until("/v2/health/ready")
    try:
        graph = tmp_path / "store/models/demo/versions/000002/bundle/model.skops"
        graph.write_bytes(graph.read_bytes()[:-1] + b"x")
        with Load([server.port]) as load:
            registry.move("demo", "live", 2, why="a test", allow_unblessed=True)
            failed = 'evergreen_model_swaps_total{model_name="demo",result="failed"}'
            deadline = time.monotonic() + 30
            while not server.metrics().get(failed):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(0.6)  # it looks six times more
            load.until(20)
        assert server.metrics()[failed] == 1, "it is not tried again and again"
        assert set(load.answers) == {(200, "demo@1")} and load.failures == []
        (line,) = [x for x in server.log.read_text().splitlines() if "version not loaded" in x]
        assert "model.skops" in json.loads(line)["error"]
        registry.move("demo", "live", 1, why="back", allow_unblessed=True)
        assert server.rows(GOOD)[0] == 200
    finally:
        assert server.stop() == 0


def test_a_rolling_restart_under_load_fails_no_request(bundles, tmp_path):
    old = Server(bundles["binary"], tmp_path / "old", options=("--drain-delay", "600"))
    new = Server(bundles["binary"], tmp_path / "new", options=("--drain-delay", "1"))
    ports = [old.until("/v2/health/ready").port]
    new.until("/v2/health/ready")
    with Load(ports) as load:
        load.until(100)
        old.process.send_signal(signal.SIGTERM)
        old.until("/v2/health/ready", 503)
        ports[0] = new.port  # what a router does when readiness is false; connections follow by themselves
        load.until_moved()
        assert old.stop() == 0, "the delay ends when it is told again"
        load.until(100)
    assert load.failures == []
    assert {status for status, _ in load.answers} == {200}
    assert new.stop() == 0, "the delay ends by itself"


def test_a_draining_server_answers_for_a_while_and_a_second_signal_ends_it(bundles, tmp_path):
    server = Server(bundles["binary"], tmp_path / "log", options=("--drain-delay", "600")).until(
        "/v2/health/ready"
    )
    server.process.send_signal(signal.SIGTERM)
    server.until("/v2/health/ready", 503)
    status, _, headers = server.rows(GOOD)
    assert (status, headers["connection"]) == (200, "close")
    assert server.ask("GET", "/v2/health/live")[0] == 200
    assert server.stop() == 0


def test_sighup_without_an_alias_changes_nothing(bundles, tmp_path):
    server = Server(bundles["binary"], tmp_path / "log").until("/v2/health/ready")
    server.process.send_signal(signal.SIGHUP)
    assert server.rows(GOOD)[0] == 200
    assert server.stop() == 0


def test_settings_of_the_environment_count(bundles, tmp_path, monkeypatch):
    section = {"violations": "impute", "unknown_columns": "ignore", "limits": {"rows": 2}}
    monkeypatch.setenv("EVERGREEN_SERVING", json.dumps(section))
    server = Server(bundles["binary"], tmp_path / "log").until("/v2/health/ready")
    try:
        status, _, headers = server.rows({**GOOD, "age": "x", "zz": 1})
        assert (status, headers["x-evergreen-flags"]) == (200, "rows=1,missing=0,imputed=2,empty=0")
        assert server.rows(*[GOOD] * 3)[0] == 413
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("options,words", [
    (("--follow",), "--follow: given for a bundle's folder"),
    (("--settings", "nope.json"), "nope.json: cannot be read"),
])  # fmt: skip
def test_options_that_make_no_sense_are_exit_2(bundles, tmp_path, options, words):
    server = Server(bundles["binary"], tmp_path / "log", options=options)
    assert server.process.wait(60) == 2
    assert words in server.log.read_text() and "Traceback" not in server.log.read_text()


def test_what_is_served_reaches_the_prediction_log(bundles, tmp_path):
    import pyarrow.parquet as pq

    options = ("--log-spool", str(tmp_path / "spool"), "--log-store", f"file://{tmp_path}/store")
    server = Server(bundles["binary"], tmp_path / "log", options=options).until("/v2/health/ready")
    for k in range(20):
        headers = {"x-request-id": f"r-{k}", "x-user-id": "ann", "x-evergreen-arm": "candidate"}
        assert server.ask("POST", PATH, BODY, headers)[0] == 200
    bad = json.dumps({"rows": [{**GOOD, "age": "secret"}]}).encode()
    assert server.ask("POST", PATH, bad, {"x-request-id": "bad"})[0] == 400
    outcome = {"outcomes": [{"request_id": "r-0", "event": "click"}]}
    assert server.ask("POST", "/v2/models/demo/outcomes", outcome)[:2] == (202, {"accepted": 1})
    assert server.metrics()['evergreen_log_dropped_total{model_name="demo",reason="queue"}'] == 0
    assert server.stop() == 0
    files = sorted((tmp_path / "store" / "predictions" / "demo").glob("*/*.parquet"))
    rows = [row for path in files for row in pq.read_table(path).to_pylist()]
    assert {row["request_id"] for row in rows} == {f"r-{k}" for k in range(20)} | {"bad"}
    good = next(row for row in rows if row["request_id"] == "r-3")
    assert (good["arm"], good["status"], good["version"], len(good["user"])) == ("candidate", 200, 0, 16)
    assert good["features"]["age"] == 30.0
    assert next(row for row in rows if row["request_id"] == "bad")["status"] == 400
    assert "secret" not in server.log.read_text()
    (outcomes,) = (tmp_path / "store" / "outcomes" / "demo").glob("*/*.parquet")
    assert pq.read_table(outcomes).to_pylist()[0]["event"] == "click"


RAW = [
    b"POST /v2/models/demo/rows HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"POST /v2/models/demo/rows HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    b"POST /v2/models/demo/rows HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
    b"POST /v2/models/demo/rows HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v2 HTTP/1.1\r\nHost: x\r\n" + b"".join(b"h%d: v\r\n" % k for k in range(500)) + b"\r\n",
    b"GET /v2 HTTP/1.1\r\nHost: x\r\nlong: " + b"v" * 500_000 + b"\r\n\r\n",
    b"POST /v2/models/demo/rows HTTP/1.1\r\nHost: x\r\nx-request-id: \xff\xfe\r\nx-user-id: \xc3\x28\r\n"
    b"x-evergreen-arm: \xff\r\nContent-Length: 2\r\n\r\n{}",
    b"GET /%zz%00%ff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\r\n\r\n\r\n",
]


def test_abuse_of_http_is_never_a_5xx_and_the_server_lives(bundles, tmp_path):
    server = Server(bundles["binary"], tmp_path / "log").until("/v2/health/ready")
    try:
        for raw in RAW:
            link, got = socket.create_connection(("127.0.0.1", server.port), timeout=0.5), b""
            with link, contextlib.suppress(OSError):
                link.sendall(raw)
                got = link.recv(4096)
            assert not got or got.split(b" ", 2)[1][:1] == b"4", (raw[:60], got[:60])
            assert server.rows(GOOD)[0] == 200
        assert "Traceback" not in server.log.read_text()
    finally:
        assert server.stop() == 0
