"""A platform's registry with real bundles, and the requests that its tests send."""

import http.client
import json
import runpy
import time
from pathlib import Path

import psutil

from evergreen.decisions import Decision
from evergreen.local import platform
from evergreen.local.state import Folder
from evergreen.registry import Registry
from evergreen.storage import open_store

ROOT = Path(__file__).resolve().parents[2]
HELP = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "serving" / "conftest.py"))
SAID = [Decision("model", "roc_auc min", "pass", "it is good enough")]
ROW = {"age": 30.0, HELP["ODD"]: 5.5, "city": "a", "vip": True}
make_bundle = HELP["make_bundle"]


def registry(home: Path) -> Registry:
    return Registry(open_store(platform.store_uri(home)))


def push(home: Path, bundle: Path, *, baseline: bool = True) -> int:
    version = registry(home).push("demo", bundle, decisions=SAID).version
    if baseline:
        registry(home).move("demo", "baseline", version, why="a test")
    return version


def folder(home: Path) -> Folder:
    return Folder(home / "platform")


def ask(address: str, user: str = "", rows: int = 1) -> tuple[int, dict]:
    """Status and body of one prediction."""
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        headers = {"x-user-id": user} if user else {}
        connection.request("POST", "/v2/models/demo/rows", json.dumps({"rows": [ROW] * rows}), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def until(condition, seconds=30, every=0.05):
    """The first true value of a condition."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(every)
    return value


def gone(pid: int) -> bool:
    """Whether the process ended; one whose parent does not ask for its exit code stays as a zombie."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
