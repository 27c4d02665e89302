"""A platform's registry with real bundles, and the requests that its tests send."""

import http.client
import json
import os
import runpy
import time
from collections.abc import Iterator
from pathlib import Path

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
    """Status and body of one prediction; of a body that is not JSON the text."""
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        headers = {"x-user-id": user} if user else {}
        connection.request("POST", "/v2/models/demo/rows", json.dumps({"rows": [ROW] * rows}), headers)
        answer = connection.getresponse()
        content, kind = answer.read(), answer.headers.get("content-type", "")
        is_json = kind.startswith("application/json")
        return answer.status, json.loads(content) if is_json else {"text": content.decode()}
    finally:
        connection.close()


def status(address: str, user: str = "") -> int | str:
    """Status of one prediction, or the name of what came instead of an answer."""
    try:
        return ask(address, user)[0]
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__


def states(home: Path) -> dict[str, str]:
    """How every part does."""
    return {part.name: part.state for part in platform.status(home)}


def until_states(home: Path, expected: dict[str, str]) -> None:
    """Wait until the parts do so: a busy one may answer a look too late, and is `unwell` in that one."""
    deadline = time.monotonic() + 60
    while (found := states(home)) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == expected


def until_up(home: Path, *names: str) -> None:
    """Wait until the platform has these parts, no others, and all of them are up."""
    until_states(home, dict.fromkeys(names, "up"))


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a folder with its bytes; the parts at work take some away meanwhile."""
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names):
            try:
                data = path.read_bytes() if path.is_file() else b""
            except FileNotFoundError:
                continue
            yield path, data
