"""A model server as a process of its own, and the requests that its tests send."""

import contextlib
import http.client
import json
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

from server_processes import free_port

_UNIT = Path(__file__).parents[1] / "unit" / "serving"
HELP = runpy.run_path(str(_UNIT / "conftest.py"))
FUZZ = runpy.run_path(str(_UNIT / "fuzzing.py"))["Fuzz"]
ODD = HELP["ODD"]
GOOD = {"age": 30.0, ODD: 5.5, "city": "a", "vip": True}


class Server:
    """A server process; `script` replaces the command line to set what it has no option for."""

    def __init__(self, folder: Path, log: Path, script: str = "", options: tuple[str, ...] = ()):
        self.port, self.log = free_port(), log
        command = [
            sys.executable,
            "-m",
            "evergreen.serving",
            "demo",
            "--bundle",
            str(folder),
            "--port",
            str(self.port),
            *options,
        ]
        if script:
            command = [sys.executable, "-c", script, str(folder), str(self.port)]
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)

    def __del__(self):
        if self.process.poll() is None:  # a test that failed half-way
            self.process.kill()
            self.process.wait()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(self, method, path, body=None, headers=None):
        """Status, parsed body and headers of one request on a connection of its own."""
        connection = self.connect()
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, data, headers or {})
            answer = connection.getresponse()
            content = answer.read()
            is_json = answer.headers["content-type"] == "application/json"
            return answer.status, json.loads(content) if is_json else content.decode(), answer.headers
        finally:
            connection.close()

    def rows(self, *rows, **more):
        return self.ask("POST", "/v2/models/demo/rows", {"rows": list(rows), **more})

    def infer(self, inputs, **more):
        return self.ask("POST", "/v2/models/demo/infer", {"inputs": inputs, **more})

    def until(self, path, status=200, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", path)[0] == status:
                    return self
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def until_at_work(self, count: int) -> None:
        """Wait until so many prediction requests are at work."""
        deadline = time.monotonic() + 30
        while self.metrics()['evergreen_requests_in_flight{model_name="demo"}'] != count:
            assert time.monotonic() < deadline, self.log.read_text()

    def stop(self, number=signal.SIGTERM) -> int:
        """End it; one that waits for requests at work, which it does for 30 s at most, is too slow."""
        self.process.send_signal(number)
        return self.process.wait(20)

    def metrics(self):
        text = self.ask("GET", "/metrics")[1]
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


def script(limits: str = "Limits()", before: str = "") -> str:
    """A program that serves a bundle with limits of its own, or something done before it is loaded."""
    return f"""
import sys, time, pathlib
from evergreen import log
from evergreen.serving import server
from evergreen.serving.app import App, Limits
from evergreen.serving.load import warm
log.configure()
folder, port, limits = pathlib.Path(sys.argv[1]), int(sys.argv[2]), {limits}
def loader():
    {before or "pass"}
    return warm("demo", 4, folder, limits.rows)
server.run(App("demo", limits), loader, "127.0.0.1", port)
"""
