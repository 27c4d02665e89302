"""The application without a socket: headers, arms, the prediction log's hook, limits, what is refused how."""

import asyncio
import gzip
import json
import threading
import time
import zlib
from collections import Counter
from types import SimpleNamespace

import pytest
from asking import Asker, Skipping, app_of

from evergreen.serving import lines
from evergreen.serving.app import App
from evergreen.serving.settings import Limits, Policy
from evergreen.serving.users import user_key


class Recorder:
    """Where the prediction log would be: keeps what the application hands over."""

    def __init__(self, full: bool = False) -> None:
        self.entries, self.outcomes, self.full = [], [], full
        self.written = self.shipped = self.waiting = self.spooled = 0
        self.dropped_by_reason = {"queue": 2}

    def record(self, served) -> bool:
        self.entries.append(served)
        return True

    def record_outcomes(self, outcomes) -> bool:
        self.outcomes += [] if self.full else outcomes
        return not self.full


@pytest.fixture(scope="module")
def good(table):
    return {name: v.tolist()[1] for name, v in table(2).items()}


@pytest.fixture(scope="module")
def asker(bundles):
    return Asker(app_of(bundles["binary"]))


@pytest.fixture
def still(monkeypatch):
    """The time by which log lines are bounded does not pass."""
    now = time.monotonic()
    monkeypatch.setattr(lines, "time", SimpleNamespace(monotonic=lambda: now))


def test_an_answer_says_who_gave_it_and_what_was_noticed(asker, good):
    got = asker.rows(good, {**good, "age": None}, x_request_id="r-1")
    assert got.status == 200
    assert got.headers["x-evergreen-model"] == "demo@3"
    assert got.headers["x-evergreen-flags"] == "rows=2,missing=1,imputed=0,empty=0"
    assert got.headers["x-request-id"] == "r-1"
    refused = asker.rows({})
    assert refused.status == 400 and refused.headers["x-evergreen-model"] == "demo@3"
    assert "x-evergreen-flags" not in refused.headers


@pytest.mark.parametrize("headers,arm", [
    ({}, ""),
    ({"x-evergreen-arm": "baseline"}, "baseline"),
    ({"x-evergreen-arm": "candidate"}, "candidate"),
    ({"x-evergreen-arm": "made-up"}, ""),
    ({"host": "models-shadow"}, "shadow"),
    ({"host": "127.0.0.1-shadow:8080", "x-evergreen-arm": "candidate"}, "shadow"),
    ({"host": "a-shadow.example:80"}, ""),
])  # fmt: skip
def test_the_arm_comes_from_the_router(bundles, good, headers, arm):
    log = Recorder()
    asker = Asker(app_of(bundles["binary"], predictions=log))
    asker.ask("POST", "/v2/models/demo/rows", {"rows": [good]}, headers)
    assert [entry.arm for entry in log.entries] == [arm]
    name = f'evergreen_predictions_total{{arm="{arm}",code="200",model_name="demo",version="3"}}'
    assert asker.metrics()[name] == 1


def test_the_prediction_log_gets_what_the_model_saw(bundles, good):
    log = Recorder()
    app = app_of(bundles["binary"], policy=Policy("impute", user_header="x-who"), predictions=log, salt="s")
    asker = Asker(app)
    before = time.time()
    got = asker.rows(good, {**good, "age": "x", "city": None}, x_who="ann", x_request_id="r-9")
    (entry,) = log.entries
    assert (entry.request_id, entry.user, entry.rows) == ("r-9", user_key("ann", "s"), 2)
    assert entry.identity.ref == "demo@3" and entry.signature is app.model.signature
    assert before <= entry.time <= time.time() and 0 < entry.seconds < 10
    assert (entry.status, entry.missing, entry.imputed, entry.empty) == (200, 1, 1, 0)
    assert [len(a) for a in entry.arrays] == [2] * 4 and entry.arrays[2].tolist() == [good["city"], ""]
    assert entry.prediction.values.tolist() == [p["prediction"] for p in got.json["predictions"]]
    assert asker.metrics()['evergreen_log_dropped_total{model_name="demo",reason="queue"}'] == 2


def test_a_refused_request_is_logged_without_values(bundles, good):
    log = Recorder()
    asker = Asker(app_of(bundles["binary"], predictions=log))
    assert asker.rows({**good, "age": "secret"}).status == 400
    assert asker.infer(b"{").status == 400
    assert [(e.status, e.prediction, e.arrays) for e in log.entries] == [(400, None, [])] * 2


def test_outcomes_are_taken_checked_and_refused(bundles):
    log = Recorder()
    asker = Asker(app_of(bundles["binary"], Limits(rows=3), predictions=log, salt="s"))

    def send(*outcomes, **headers):
        body = outcomes[0] if isinstance(outcomes[0], bytes) else {"outcomes": list(outcomes)}
        return asker.ask("POST", "/v2/models/demo/outcomes", body, headers)

    one = {"request_id": "r-1", "event": "click", "value": 2, "time": "2026-01-02T03:04:05Z"}
    got = send(one, {"event": "retry"}, **{"x-user-id": "ann"})
    assert (got.status, got.json) == (202, {"accepted": 2})
    first, second = log.outcomes
    assert (first.request_id, first.event, first.value, first.time) == ("r-1", "click", 2.0, 1767323045)
    assert (second.request_id, second.value) == ("", 1.0) and abs(second.time - time.time()) < 60
    assert first.user == second.user == user_key("ann", "s")
    bad = [
        {"event": "click"}, {**one, "event": ""}, {**one, "event": "a b"}, {**one, "event": "x" * 65},
        {**one, "value": "1"}, {**one, "value": None}, {**one, "time": "2026-01-02T03:04:05"},
        {**one, "request_id": "x" * 129}, {**one, "request_id": "a\nb"}, {"request_id": "r-1"}, b"{", b"[]",
        {**one, "value": 1e300}, {**one, "value": -2e15},
    ]  # fmt: skip
    for body in bad:
        got = send(body)
        assert got.status == 400 and got.error, body
    assert send(b'{"outcomes": []}').status == 400
    assert send(*[one] * 4).status == 413
    assert len(log.outcomes) == 2
    log.full = True
    got = send(one)
    assert (got.status, got.headers["retry-after"]) == (503, "1")


def test_without_a_log_outcomes_have_no_place(asker):
    got = asker.ask("POST", "/v2/models/demo/outcomes", {"outcomes": [{"request_id": "a", "event": "b"}]})
    assert got.status == 404 and "no prediction log" in got.error
    assert asker.ask("GET", "/v2/models/demo/outcomes").status == 405


def test_empty_outputs_are_counted(bundles, good):
    answer = Asker(app_of(bundles["binary"])).rows(good).json["predictions"][0]["prediction"]
    asker = Asker(app_of(bundles["binary"], policy=Policy(empty_outputs=(answer,))))
    assert asker.rows(good).headers["x-evergreen-flags"].endswith("empty=1")
    assert asker.metrics()['evergreen_empty_outputs_total{arm="",model_name="demo"}'] == 1


def test_true_is_not_the_empty_number_one(bundles, good):
    for empty, count in ((1, 0), (True, None), (False, None)):
        asker = Asker(app_of(bundles["native"], policy=Policy(empty_outputs=(empty,))))
        got = asker.rows(good)
        expected = count if count is not None else int(got.json["predictions"][0]["prediction"] is empty)
        assert got.headers["x-evergreen-flags"].endswith(f"empty={expected}")


def test_a_server_that_drains_answers_and_closes(bundles, good):
    asker = Asker(app_of(bundles["binary"]))
    assert "connection" not in asker.rows(good).headers
    asker.app.draining = True
    got = asker.rows(good)
    assert (got.status, got.headers["connection"]) == (200, "close")
    for path in ("/v2/health/ready", "/v2/models/demo/ready"):
        assert asker.ask("GET", path).status == 503
    assert asker.ask("GET", "/v2/health/live").status == 200


def test_a_server_that_loads_says_so(good):
    asker = Asker(App("demo", Limits()))
    got = asker.rows(good)
    assert (got.status, got.headers["retry-after"]) == (503, "1") and "being loaded" in got.error
    assert asker.ask("GET", "/v2/models/demo").status == 503
    assert asker.ask("POST", "/v2/repository/index").json == [
        {"name": "demo", "state": "UNAVAILABLE", "reason": ""}
    ]


def test_slow_bodies_are_given_up_and_quick_ones_are_not(bundles, good, monkeypatch):
    asker = Asker(app_of(bundles["binary"], Limits(body_seconds=0.2)), Skipping)
    monkeypatch.setattr(asker.app.model, "expected_seconds", lambda rows: 0.0)  # no thread: time is skipped
    body = json.dumps({"rows": [good]}).encode()

    async def together():
        path = "/v2/models/demo/rows"
        return await asyncio.gather(*(asker.asked("POST", path, body, {}, wait) for wait in (9, 0, 0.05, 9)))

    assert [got.status for got in asker.runner.run(together())] == [408, 200, 200, 408]
    assert asker.app.in_flight == 0
    assert asker.rows(good).status == 200


def test_a_prediction_that_takes_too_long_is_a_503(bundles, good, monkeypatch):
    asker = Asker(app_of(bundles["binary"], Limits(seconds=0.1)))
    predict, answered = asker.app.model.predict, threading.Event()
    monkeypatch.setattr(asker.app.model, "expected_seconds", lambda rows: 1.0)
    monkeypatch.setattr(asker.app.model, "predict", lambda read: (answered.wait(60), predict(read))[1])
    got = asker.rows(good)
    answered.set()
    assert got.status == 503 and "no prediction after 0.1 seconds" in got.error
    assert asker.app.in_flight == 0


def test_too_many_requests_at_once_are_a_503(bundles, good):
    asker = Asker(app_of(bundles["binary"], Limits(in_flight=2)))
    body = json.dumps({"rows": [good]}).encode()

    async def together():
        return await asyncio.gather(
            *(asker.asked("POST", "/v2/models/demo/rows", body, {}, 0.1) for _ in range(4))
        )

    assert sorted(got.status for got in asker.runner.run(together())) == [200, 200, 503, 503]


@pytest.mark.parametrize("pack,encoding", [(gzip.compress, "gzip"), (zlib.compress, "deflate")])
def test_compressed_bodies_are_taken_within_the_limit(bundles, good, pack, encoding):
    asker = Asker(app_of(bundles["binary"], Limits(body=2000)))
    path, headers = "/v2/models/demo/rows", {"content-encoding": encoding}
    body = json.dumps({"rows": [good]}).encode()
    assert asker.ask("POST", path, pack(body), headers).status == 200
    assert asker.ask("POST", path, pack(b" " * 3000), headers).status == 413
    assert asker.ask("POST", path, pack(body)[:-9], headers).status == 400
    assert asker.ask("POST", path, body, headers).status == 400
    assert asker.ask("POST", path, body, {"content-encoding": "br"}).status == 415


def test_long_and_odd_paths_methods_and_headers_are_4xx(asker, good):
    for method, path in [
        ("GET", "/" + "a" * 100_000), ("GET", "/v2/models/demo/versions/" + "9" * 9999), ("PUT", "/v2"),
        ("GET", "/v2/models/" + "x" * 99_999), ("DELETE", "/v2/models/demo"), ("BREW" * 99, "/v2"),
        ("POST", "/v2/repository/models/demo/load"), ("GET", "/../../etc/passwd"), ("GET", "//"), ("GET", ""),
        ("POST", "/v2/models/demo/versions//infer"), ("GET", "/v2/models/d\x00emo"),
    ]:  # fmt: skip
        got = asker.ask(method, path)
        assert 400 <= got.status < 500 and len(got.error) < 1000, (method, path)
    assert asker.ask("PUT", "/v2").headers["allow"] == "GET"
    strange = {"x-evergreen-arm": "x" * 9999, "x-user-id": "\udcff" * 99, "x-request-id": "a\tb", "host": ":"}
    got = asker.ask("POST", "/v2/models/demo/rows", {"rows": [good]}, strange)
    assert got.status == 200 and len(got.headers["x-request-id"]) == 16


@pytest.mark.parametrize("length", ["x", "-1", "99999", "1" * 400])
def test_a_content_length_that_lies_is_a_4xx_or_not_believed(asker, good, length):
    headers = {"content-length": length}
    got = asker.ask("POST", "/v2/models/demo/rows", {"rows": [good]}, headers)
    assert got.status in (200, 413)


def test_what_is_refused_before_its_body_came_closes_only_when_it_must(asker, bundles, good):
    small, large = {"rows": [good]}, {"rows": [good] * 2000}
    nowhere, here = "/v2/models/other/rows", "/v2/models/demo/rows"
    assert "connection" not in asker.ask("POST", nowhere, small).headers
    assert asker.ask("POST", nowhere, large).headers["connection"] == "close"
    assert "connection" not in asker.ask("POST", here, {"rows": [{}]}).headers
    assert "connection" not in asker.ask("POST", here, large).headers
    limited = Asker(app_of(bundles["binary"], Limits(body=1000)))
    got = limited.ask("POST", here, large)
    assert (got.status, got.headers["connection"]) == (413, "close")
    slow = Asker(app_of(bundles["binary"], Limits(body_seconds=0.1)))
    for path, status in ((here, 408), (nowhere, 404)):
        got = slow.ask("POST", path, small, wait=9)
        assert (got.status, got.headers["connection"]) == (status, "close")


def test_a_fault_of_ours_is_a_500_without_its_text(bundles, good, monkeypatch, caplog, still):
    asker = Asker(app_of(bundles["binary"]))
    monkeypatch.setattr(asker.app.model, "predict", lambda read: 1 / 0)
    for _ in range(50):
        got = asker.rows(good)
        assert got.status == 500 and "ZeroDivision" not in got.error
    assert asker.app.in_flight == 0
    told = [record for record in caplog.records if record.getMessage() == "request failed"]
    assert len(told) == 10 and "ZeroDivisionError" in caplog.text


def test_log_lines_of_requests_are_few(bundles, good, caplog, still):
    asker = Asker(app_of(bundles["binary"]))
    with caplog.at_level("INFO", logger="evergreen"):
        for _ in range(200):
            asker.rows({**good, "age": "secret"})
    told = [r for r in caplog.records if r.getMessage() in ("refused", "request")]
    assert Counter(r.getMessage() for r in told) == {"refused": 10, "request": 1}
    refused = next(r for r in told if r.getMessage() == "refused")
    assert (refused.status, refused.reason, refused.column) == (400, "schema", "age")
    assert "secret" not in caplog.text
