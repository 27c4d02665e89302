"""One number from Prometheus or none: what a server may answer, without a Prometheus."""

import json
import logging
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.rollout.prometheus import _NoNumberError, _number, query

PATIENCE = 60.0  # seconds, where a number must come


@contextmanager
def answering(handle):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.close_connection = True
            handle(self)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def body(content, status=200, headers=()):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()

    def handle(request):
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    return handle


def vector(*values):
    result = [{"metric": {}, "value": [1.0, value]} for value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


@pytest.mark.parametrize(
    "content, expected",
    [
        (vector("1.5"), 1.5),
        ({"status": "success", "data": {"resultType": "scalar", "result": [1, "-2e3"]}}, -2000.0),
        (vector(), None),
        (vector("1", "2"), None),
        (vector("NaN"), None),
        (vector("+Inf"), None),
        ({"status": "success", "data": {"resultType": "string", "result": [1, "2"]}}, None),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, None),
        ({"data": {"resultType": "vector", "result": [{"metric": {}, "histogram": [1, {}]}]}}, None),
        ({"data": {"resultType": "vector", "result": 5}}, None),
        ([1], None),
        (b"<html>", None),
        (b"[" * 100_000, None),
        (b"", None),
    ],
)
def test_answers(content, expected):
    with answering(body(content)) as url:
        assert query(url, "x", timeout=PATIENCE) == expected


@settings(max_examples=30)
@given(
    st.recursive(st.none() | st.floats() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s))
)
def test_any_json_gives_a_number_or_a_reason(content):
    for wrapped in (content, {"data": content}, {"data": {"resultType": "vector", "result": content}}):
        with pytest.raises(_NoNumberError):
            _number(json.dumps(wrapped).encode())


@pytest.mark.parametrize("status", [301, 302, 400, 422, 503])
def test_errors_and_redirects(status):
    with answering(body(vector("1"))) as target:
        headers = [("Location", f"{target}/api/v1/query?query=x")]
        with answering(body({"status": "error", "error": "bad"}, status, headers)) as url:
            assert query(url, "x") is None


def test_a_slow_server_gets_no_more_than_the_time():
    served = threading.Event()

    def drip(request):
        request.send_response(200)
        request.end_headers()
        with suppress(OSError):  # when nobody waits for it any more
            for _ in range(400):
                request.wfile.write(b" ")
                request.wfile.flush()
                time.sleep(0.05)
            served.set()

    with answering(drip) as url:
        assert query(url, "x", timeout=0.3) is None
        assert not served.is_set()


def test_a_silent_server_times_out():
    with answering(lambda _: time.sleep(1)) as url:
        assert query(url, "x", timeout=0.1) is None


def test_a_huge_answer_is_cut_off():
    with answering(body(b" " * 3_000_000)) as url:
        assert query(url, "x") is None


@pytest.mark.parametrize(
    "url", ["", "prometheus:9090", "ftp://x", "http://127.0.0.1:1", "http://[", "http://a:b"]
)
def test_no_server(url):
    assert query(url, "x", timeout=0.5) is None


def test_path_query_and_password_reach_the_server():
    seen = {}

    def handle(request):
        seen.update(path=request.path, auth=request.headers["Authorization"])
        body(vector("3"))(request)

    with answering(handle) as url:
        address = url.replace("http://", "http://me:a%40b@") + "/prom/"
        assert query(address, 'sum(rate(a{b="c d"}[1m]))', timeout=PATIENCE) == 3
    assert seen["path"].startswith(
        "/prom/api/v1/query?query=sum%28rate%28a%7Bb%3D%22c+d%22%7D%5B1m%5D%29%29&"
    )
    assert seen["auth"] == "Basic bWU6YUBi"


def test_the_reason_is_logged_once_and_without_the_password(caplog):
    with caplog.at_level(logging.WARNING, "evergreen.rollout.prometheus"):
        for _ in range(3):
            assert query("http://me:secret@127.0.0.1:1", "up") is None
    (entry,) = caplog.records
    assert "secret" not in json.dumps(vars(entry), default=str)
    assert entry.query == "up"
