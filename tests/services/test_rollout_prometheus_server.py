"""Queries against a real Prometheus (Debian's package `prometheus`)."""

import shutil
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from server_processes import answers, free_port, running

from evergreen.rollout import prometheus

pytestmark = pytest.mark.service


def query(url, promql):
    """The number, however long a busy machine takes for it."""
    return prometheus.query(url, promql, timeout=60)


@contextmanager
def nobody():
    """A port that refuses connections, and that nobody else can get."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


class Target:
    """Something to scrape: a counter that can begin anew."""

    def __init__(self):
        self.counter = 0.0
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                text = f"# TYPE shop_total counter\nshop_total {target.counter}\nshop_odd NaN\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def target():
    made = Target()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def gone():
    with nobody() as port:
        yield port


@pytest.fixture(scope="module")
def url(tmp_path_factory, target, gone):
    binary = shutil.which("prometheus")
    if not binary:
        pytest.skip("no prometheus binary on the PATH: apt-get install prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    port = free_port()
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
        "scrape_configs:\n"
        f"- {{job_name: shop, static_configs: [{{targets: ['127.0.0.1:{target.port}']}}]}}\n"
        f"- {{job_name: gone, static_configs: [{{targets: ['127.0.0.1:{gone}']}}]}}\n"
    )
    command = [binary, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    address = f"http://127.0.0.1:{port}"
    with running(command, folder, lambda: answers(f"{address}/-/ready")):
        yield address


def eventually(url, promql, accept):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        value = query(url, promql)
        if accept(value):
            return value
        time.sleep(0.1)
    raise AssertionError(f"{promql}: {value}")


def test_numbers(url):
    assert query(url, "scalar(vector(4))") == 4
    assert query(url, "vector(2.5) * 2") == 5
    assert query(url, '"text"') is None
    assert query(url, "vector(1)[5s:1s]") is None
    assert query(url, "up{") is None
    assert query(url, "nothing_has_this_name") is None
    assert query(url, "nothing_has_this_name / 0") is None


def test_nan_is_no_number(url):
    eventually(url, "count(shop_odd)", lambda v: v == 1)
    assert query(url, "shop_odd") is None
    assert query(url, "vector(0) / vector(0)") is None
    assert query(url, "vector(1) / vector(0)") is None


def test_several_elements_are_no_number(url):
    eventually(url, "count(up)", lambda v: v == 2)
    assert query(url, "up") is None
    assert query(url, "sum(up)") is not None


def test_a_target_that_is_down(url):
    assert eventually(url, 'up{job="gone"}', lambda v: v is not None) == 0
    assert query(url, 'shop_total{job="gone"}') is None


def test_a_counter_that_begins_anew(url, target):
    for value in (1000.0, 1010.0, 3.0, 13.0):
        target.counter = value
        eventually(url, "shop_total", lambda seen, value=value: seen == value)
    growth = query(url, "increase(shop_total[1m])")
    grown = 1000 + 10 + 3 + 10
    assert growth is not None and 0 < growth < 2 * grown  # extrapolated, but never about minus a thousand
    assert query(url, "resets(shop_total[1m])") == 1
    assert query(url, "rate(shop_total[1m])") >= 0


def test_a_server_that_ends(url):
    with nobody() as port:
        assert query(f"http://127.0.0.1:{port}", "vector(1)") is None
