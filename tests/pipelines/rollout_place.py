"""A real platform with a router, two versions of a model, and users who ask and click all the time."""

import contextlib
import http.client
import json
import os
import random
import runpy
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evergreen.decisions import Decision
from evergreen.local import platform
from evergreen.local.routing import Wish
from evergreen.registry import Registry
from evergreen.storage import open_store

HELP = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "serving" / "conftest.py"))
EVERGREEN = str(Path(sys.executable).with_name("evergreen"))
SAID = [Decision("model", "roc_auc min", "pass", "it is good enough")]
ROW = {"age": 30.0, HELP["ODD"]: 5.5, "city": "a", "vip": True}
PROJECT = """
version: 1
name: demo
sources: {t: {path: t.csv}}
entity: who
label: {source: t, column: buys}
features: [{name: f, source: t, columns: "*"}]
serving: {log: {rotate: 200ms}}
rollout:
  interval: 200ms
  dead_man: 30s
  soak: 2s
  stages:
    - {kind: shadow, at_least: 1s, requests: 20}
    - {kind: canary, share: 20, at_least: 1s, requests: 10}
    - {kind: experiment, share: 50, at_least: 1s, requests: 10, users: 100, looks: 2,
       require: not_worse, margin: 0.95, success: [{event: click}]}
  guardrails:
    latency: {reaction: "off", slo: 1s}  # four times that, and the baseline answers
    missing_inputs: {reaction: "off"}
    outputs: {reaction: "off"}
    min_events: 5
"""


@dataclass
class Place:
    """A folder whose platform is up; commands run in it as a user would type them."""

    path: Path
    statuses: list[int] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.path / ".evergreen"

    @property
    def project(self) -> Path:
        return self.path / "project.yaml"

    @property
    def registry(self) -> Registry:
        return Registry(open_store(platform.store_uri(self.home)))

    def push(self, kind: str, name: str, said: list[Decision] = SAID) -> int:
        bundle = self.path / "bundles" / name
        if not bundle.exists():
            HELP["make_bundle"](bundle, kind)
        return self.registry.push("demo", bundle, decisions=said).version

    def evergreen(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "EVERGREEN_"))}
        return subprocess.run(
            [EVERGREEN, *map(str, arguments)], cwd=self.path, capture_output=True, text=True, env=environment,
            timeout=timeout,
        )  # fmt: skip

    def run(self, root: str, *params: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
        """`evergreen run rollout`; its record."""
        given = [word for p in params for word in ("--param", p)]
        done = self.evergreen("run", "rollout", "--project", "project.yaml", "--root", root, *given)
        return done, json.loads((self.path / root / "run.json").read_text())

    def outputs(self, run: dict[str, Any], component: str) -> dict[str, Any]:
        return next(t["outputs"] for t in run["tasks"] if t["component"] == component)


@contextlib.contextmanager
def standing(folder: Path, patch: Any) -> Iterator[Place]:
    """A platform with version 1 as the baseline behind a router."""
    place = Place(folder)
    place.project.write_text(PROJECT)
    platform.up(place.home, s3_port=0)
    try:
        for name, value in platform.environment(place.home).items():
            patch.setenv(name, value)
        version = place.push("binary", "first")
        place.registry.move("demo", "baseline", version, why="a test")
        platform.up(place.home, model="demo@baseline", router=Wish(port=0, project=place.project, drain=1.0))
        yield place
    finally:
        platform.down(place.home)


@contextlib.contextmanager
def users(place: Place, pause: float = 0.01) -> Iterator[None]:
    """Users who ask all the time; one answer of three is clicked on."""
    address = platform.overview(place.home).url.removeprefix("http://")
    stop, rng = threading.Event(), random.Random(3)

    def live() -> None:
        number = 0
        while not stop.wait(pause):
            number += 1
            with contextlib.suppress(OSError, http.client.HTTPException):
                place.statuses.append(
                    _visit(address, f"user {number % 211}", f"r{number}", rng.random() < 0.33)
                )

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _visit(address: str, user: str, request: str, clicks: bool) -> int:
    connection = http.client.HTTPConnection(address, timeout=10)
    headers = {"x-user-id": user, "x-request-id": f"{request}-{time.time_ns():x}"}
    try:
        connection.request("POST", "/v2/models/demo/rows", json.dumps({"rows": [ROW]}), headers)
        answer = connection.getresponse()
        answer.read()
        if clicks and answer.status == 200:
            said = {"outcomes": [{"request_id": headers["x-request-id"], "event": "click", "value": 1.0}]}
            connection.request("POST", "/v2/models/demo/outcomes", json.dumps(said), headers)
            connection.getresponse().read()
        return answer.status
    finally:
        connection.close()
