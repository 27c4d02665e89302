"""The parts of the embedded platform: start one and wait for it, look at one, stop one."""

import http.client
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from evergreen import log
from evergreen.errors import EvergreenError, Fault, InputError
from evergreen.local import process, s3
from evergreen.local.process import Process
from evergreen.local.state import CONTROLLER, MODEL_SERVER, ROUTER, S3, SUPERVISOR, Folder, Running, State
from evergreen.rollout.router import token
from evergreen.serving.predictions import salt
from evergreen.threads import thread_limits

if TYPE_CHECKING:
    from evergreen.rollout.router.client import RouterState

_log = log.get(__name__)
_POLL_SECONDS = 0.05
_OURS = (MODEL_SERVER, ROUTER, CONTROLLER, SUPERVISOR)
_PATIENCE = {ROUTER: 25.0, MODEL_SERVER: 45.0}
"""Seconds that a part may take to end: a router drains, a server answers and ships its prediction log."""


@dataclass(frozen=True)
class Part:
    """How one part of the platform does.

    Attributes:
        name: Such as `s3` or `model server coupons@8 #1`.
        state: `up`; `unwell` when the process runs but does not answer as it should; `ending` when it was
            asked to end; `down` when it died.
        url: Where it listens; empty for nowhere.
        pid: Its process.
        log: Its log file.
        memory: Resident bytes.
        seconds: How long it has been running.
        detail: What it serves, or why it is down.
    """

    name: str
    state: str
    url: str
    pid: int
    log: Path
    memory: int = 0
    seconds: float = 0.0
    detail: str = ""


@dataclass(frozen=True)
class Recipe:
    """How a part is started.

    Attributes:
        command: Program and arguments, without secrets.
        variables: What it needs in its environment beside what every part gets; no secrets.
        url: Where it will listen; empty for nowhere.
    """

    command: tuple[str, ...]
    variables: Mapping[str, str]
    url: str = ""


def launch(
    folder: Folder, state: State, name: str, recipe: Recipe, restarts: int = 0
) -> tuple[State, Process]:
    """Start a part and keep it in the state at once, without waiting for it. The caller holds the lock."""
    if name == S3:
        server(folder, state).prepare()
        server(folder, state).clean()
        folder.temporary.mkdir(exist_ok=True)
    started = process.start(recipe.command, environment(folder, state, name, recipe), folder.log(name))
    running = Running(
        started.pid, started.born, time.time(), recipe.command, dict(recipe.variables), recipe.url, restarts
    )
    state = state.with_part(name, running)
    folder.write(state)
    return state, started


def start(
    folder: Folder, state: State, name: str, recipe: Recipe, deadline: float, ready: Callable[[], bool]
) -> State:
    """Start a part and wait until it is ready.

    Args:
        folder: The platform's folder.
        state: What runs so far.
        name: The part.
        recipe: How it is started.
        deadline: Seconds it has to become ready.
        ready: Says whether it is.

    Raises:
        InputError: a part of our own ended with exit code 2: what it was given is at fault.
        Fault: a part ended otherwise, or was not ready in time. Both end with the log's last lines.
    """
    path, begun = folder.log(name), time.time()
    offset = path.stat().st_size if path.exists() else 0
    state, started = launch(folder, state, name, recipe)
    while not ready():
        if not started.alive():
            code = started.exit_code()
            raise failed(name, f"ended at its start with exit code {code}", path, offset, code)
        if time.time() - begun > deadline:
            raise failed(name, f"was not ready after {deadline:g} seconds", path, offset)
        time.sleep(_POLL_SECONDS)
    _log.info("part up", extra={"part": name, "pid": started.pid, "seconds": round(time.time() - begun, 2)})
    return state


def failed(name: str, what: str, path: Path, offset: int, code: int | None = None) -> EvergreenError:
    """Exit code 2 of a part of ours means bad input; another program's means nothing (Go panics with 2)."""
    text = f"{what}; the end of its log {path}:{process.tail(path, start=offset)}"
    return InputError(name, text) if code == 2 and name.startswith(_OURS) else Fault(f"{name}: {text}")


def environment(folder: Folder, state: State, name: str, recipe: Recipe) -> dict[str, str]:
    """A part's whole environment, secrets too. The S3 server's holds nothing that it does not need."""
    credentials = folder.credentials()
    if name == S3:
        base = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TZ")}
        return base | server(folder, state).environment(credentials, state.bucket, folder.temporary)
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "EVERGREEN_S3", "EVERGREEN_SERVING"))
    }
    own = s3.variables(state.endpoint, credentials, state.bucket)
    secret = {salt.VARIABLE: credentials.salt}
    if name.startswith((ROUTER, CONTROLLER)):
        secret[token.VARIABLE] = credentials.token
    return {**inherited, **thread_limits(1), **own, **secret, **recipe.variables}


def stop(folder: Folder, state: State, name: str) -> None:
    """End a part, if it was started, and remove what its program leaves lying about."""
    if name not in state.parts:
        return
    kind = next((k for k in _PATIENCE if name.startswith(k)), "")
    state.parts[name].process.stop(_PATIENCE.get(kind, 15.0))
    if name == S3:
        server(folder, state).clean()
    if name.startswith(ROUTER):
        envoy = _envoy(folder.router(_number(name)))  # a killed agent leaves it behind
        if envoy is not None:
            envoy.stop(5.0)


def look(folder: Folder, state: State, name: str, running: Running) -> Part:
    """How a part does now."""
    url = {S3: state.endpoint, MODEL_SERVER: state.model_url}.get(name, running.url)
    about = Part(name, "up", url, running.pid, folder.log(name), detail=_detail(state, name))
    if not running.process.alive():
        reason = running.failed.splitlines()[0] if running.failed else about.detail
        return replace(about, state="down", detail=reason)
    well = running.ending or is_well(folder, state, name, url)
    return replace(
        about, state="ending" if running.ending else "up" if well else "unwell",
        memory=running.process.resident_bytes(), seconds=time.time() - running.started,
    )  # fmt: skip


def _detail(state: State, name: str) -> str:
    if name == S3:
        return f"{state.kind}, bucket {state.bucket}"
    if name == MODEL_SERVER:
        return f"{state.model} {state.digest[:12]}"
    if name.startswith(ROUTER) and state.routing:
        return f"Envoy on port {state.routing.port}"
    return ""


def is_well(folder: Folder, state: State, name: str, url: str) -> bool:
    """Whether a part that runs answers as it should."""
    if name == S3:
        return s3.answers(state.endpoint, folder.credentials(), state.bucket)
    if name == MODEL_SERVER:
        return is_ready(url, state.model.partition("@")[0])
    if name.startswith(MODEL_SERVER):
        return is_ready(url, name.split()[2].partition("@")[0])
    if name.startswith(ROUTER):
        found = router_state(folder, url)
        return found is not None and found.envoy_up
    return name != CONTROLLER or _answers(url, "/healthz")


def answers(name: str, url: str) -> bool:
    """Whether a router's agent or the controller says anything, however it does."""
    return _answers(url, "/metrics" if name.startswith(ROUTER) else "/healthz")


def has_plan(folder: Folder, url: str) -> bool:
    """Whether the router of an agent routes by a plan."""
    found = router_state(folder, url)
    return found is not None and found.plan is not None and found.applied


def router_state(folder: Folder, url: str) -> "RouterState | None":
    """What the agent of a router says; None when it does not answer."""
    from evergreen.rollout.router.client import RouterClient

    try:
        return RouterClient(url, 2.0, folder.credentials().token).state()
    except EvergreenError:
        return None


def is_ready(url: str, model: str, timeout: float = 2.0) -> bool:
    """Whether a model server, or the router before it, says that it is ready to serve a model."""
    try:
        status, body = _get(url, f"/v2/models/{model}/ready", timeout)
        return status == 200 and json.loads(body).get("name") == model
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        return False


def is_alive(url: str, timeout: float = 1.0) -> bool:
    """Whether a model server says that it lives, ready or not."""
    return _answers(url, "/v2/health/live", timeout)


def _answers(url: str, path: str, timeout: float = 2.0) -> bool:
    try:
        return _get(url, path, timeout)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def _get(url: str, path: str, timeout: float) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def server(folder: Folder, state: State) -> s3.Server:
    """The S3 server that a state describes."""
    return s3.Server(state.kind, state.program, folder.data / state.kind, state.host, state.s3_port)


def envoy_lives(folder: Folder, name: str) -> bool:
    """Whether a router's Envoy runs, whatever has become of its agent."""
    found = _envoy(folder.router(_number(name)))
    return found is not None and found.alive()


def _envoy(folder: Path) -> Process | None:
    """The Envoy of a router's folder."""
    import msgspec

    from evergreen.rollout.router.envoy import Running as Envoy

    try:
        return msgspec.json.decode((folder / "envoy.json").read_bytes(), type=Envoy).process
    except (OSError, msgspec.ValidationError, msgspec.DecodeError):
        return None


def _number(name: str) -> int:
    return int(name.rpartition("#")[2])
