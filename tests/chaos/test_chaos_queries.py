"""Prometheus is away, has no number, and comes back: the rollout waits, then goes on."""

import json
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from chaos_world import LONG, settings
from server_processes import free_port, until

pytestmark = pytest.mark.service


class Answering:
    """A server that says what a test wants: Prometheus' answer with this number."""

    def __init__(self, port, number):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                result = [{"metric": {}, "value": [0, number]}]
                body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Real:
    """A real Prometheus that scrapes the agents of the routers."""

    def __init__(self, folder, port, targets):
        self._folder, self._port = folder, port
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 300ms, scrape_timeout: 300ms}\nscrape_configs:\n"
            f"- {{job_name: routers, static_configs: [{{targets: {json.dumps(targets)}}}]}}\n"
        )

    def __enter__(self):
        command = [shutil.which("prometheus"), f"--config.file={self._folder}/prometheus.yml"]
        command += [f"--storage.tsdb.path={self._folder}/data", "--log.level=error"]
        self.process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{self._port}"])
        until(self._ready)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def _ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=1) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


def waiting(world, id):
    """Whether the rollout waits for the query, and only for it."""
    record = world.record(id)
    assert (record.phase, record.stage) == ("running", 0)
    verdict = record.verdict
    return verdict is not None and verdict.kind == "hold" and verdict.waits == ("query share",)


def begun(world, port, query):
    guard = {
        "prometheus": f"http://127.0.0.1:{port}",
        "queries": [{"name": "share", "query": query, "min": 0.01, "max": 0.99}],
    }
    first = {"kind": "canary", "share": 20, "at_least": "1s", "requests": 20}
    return world.begin("good", settings(first, LONG, guardrails=guard))


def held_for(world, id, load, count):
    load.wait(count)
    assert waiting(world, id)


def test_a_server_that_is_away_or_has_no_number_holds(world):
    port = free_port()
    record = begun(world, port, "whatever")
    world.reaches(record.id)
    with world.load("Prometheus down, NaN, back") as load:
        until(lambda: waiting(world, record.id))
        held_for(world, record.id, load, 150)
        for number in ("NaN", "+Inf"):
            with Answering(port, number):
                held_for(world, record.id, load, 300)
        with Answering(port, "0.5"):
            world.reaches(record.id, 1)
    assert world.record(record.id).phase == "running"


def test_a_real_prometheus_that_was_killed_holds_until_it_is_back(world, tmp_path):
    if not shutil.which("prometheus"):
        pytest.skip("no prometheus binary on the PATH: apt-get install prometheus")
    port = free_port()
    ours = "sum(rate(evergreen_router_requests_total{arm='candidate'}[4s]))"
    record = begun(world, port, f"{ours} / sum(rate(evergreen_router_requests_total[4s]))")
    targets = [router.url.removeprefix("http://") for router in world.routers]
    with Real(tmp_path, port, targets):
        pass  # it was there once
    world.reaches(record.id)
    with world.load("real Prometheus killed") as load:
        until(lambda: waiting(world, record.id))
        held_for(world, record.id, load, 150)
        with Real(tmp_path, port, targets):
            world.reaches(record.id, 1)
            share = world.record(record.id).evidence.queries["share"]
            load.figures["share by Prometheus"] = f"{share:.3f}" if share is not None else "none"
    assert world.record(record.id).phase == "running"
