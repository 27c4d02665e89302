"""The model servers of versions, behind a router: started, started again, ended.

Who calls holds the platform's lock and hands in the state that it read under it.
"""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from evergreen.errors import InputError
from evergreen.local import parts, s3
from evergreen.local.parts import Recipe
from evergreen.local.process import Process
from evergreen.local.state import S3, Folder, Running, State, server_name
from evergreen.serving.ports import is_free, is_freed, require_free

_PORTS = range(20_000, 32_000)
_LASTED = 60.0
_LONGEST_WAIT = 30.0
_FREED_SECONDS = 0.5
_GIVEN_BACK_SECONDS = 5.0  # a killed process of a busy machine holds its ports as long
_DRAIN_SECONDS = "1"  # routers look every half second whether a server is ready
_INPUT = 2


@dataclass(frozen=True)
class Servers:
    """The servers of one version.

    Attributes:
        model: The model's name.
        version: Its version.
        replicas: How many there shall be at least.
        serving: The project's section `serving` as plain data; a version keeps what its first server began
            with.
    """

    model: str
    version: int
    replicas: int
    serving: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Their parts."""
        return tuple(server_name(self.model, self.version, i + 1) for i in range(self.replicas))


def of_version(state: State, model: str, version: int) -> tuple[str, ...]:
    """The parts that serve a version, also those past the wanted number."""
    prefix = server_name(model, version, 0)[:-1]
    return tuple(name for name in state.parts if name.startswith(prefix))


def number_of(state: State, model: str, version: int) -> int:
    """How many servers of a version there shall be: those that were asked to end do not count."""
    names = of_version(state, model, version)
    return max((int(n.rpartition("#")[2]) for n in names if not state.parts[n].ending), default=0)


def endpoints(state: State, servers: Servers) -> tuple[str, ...] | None:
    """`host:port` of every server of the version; None while one of them is not ready."""
    names = servers.names
    if not all(state.alive(name) and not state.parts[name].ending for name in names):
        return None
    more = (name for name in of_version(state, servers.model, servers.version) if state.alive(name))
    every = sorted({*names, *more})
    urls = [state.parts[name].url for name in every]
    ready = all(parts.is_ready(url, servers.model, timeout=1.0) for url in urls)
    return tuple(urlsplit(url).netloc for url in urls) if ready else None


@dataclass(frozen=True)
class Started:
    """What `start_missing` did.

    Attributes:
        state: The state after it.
        children: The processes that it started, by part.
        failed: The part that cannot be started, and why; None when there is none.
    """

    state: State
    children: Mapping[str, Process] = field(default_factory=dict)
    failed: tuple[str, str] | None = None


def start_missing(folder: Folder, state: State, servers: Servers, children: Mapping[str, Process]) -> Started:
    """Start those servers that are not there or have died, each when its time has come.

    Args:
        folder: The platform's folder.
        state: What runs.
        servers: What shall be.
        children: Processes that the caller started, by part: only a parent learns an exit code. A server that
            ended with 2 cannot be started, and is tried again after a long pause only.
    """
    begun: dict[str, Process] = {}
    failed = None
    if not _store_answers(folder, state):
        return Started(state)
    for name in servers.names:
        running = state.parts.get(name)
        if running is not None:
            if running.process.alive():
                continue
            state, running = _judged(folder, state, name, children.get(name))
            if time.time() < running.started + wait(running) and not running.ending:
                failed = (name, running.failed) if running.failed else failed
                continue
        recipe = _recipe(folder, state, servers, name)
        restarts = running.restarts + 1 if running and not running.ending else 0
        state, begun[name] = parts.launch(folder, state, name, recipe, restarts)
    return Started(state, begun, failed)


def ask_to_end(folder: Folder, state: State, model: str, version: int) -> dict[str, Running]:
    """Ask a version's servers to end, each once; returns those that were there."""
    asked = {name: state.parts[name] for name in of_version(state, model, version)}
    for name, running in asked.items():
        if not running.ending:
            running.process.ask_to_end()
            state = state.with_part(name, replace(running, ending=True))
    folder.write(state)
    return asked


def forget(folder: Folder, state: State, ended: Mapping[str, Running]) -> None:
    """Take parts out of the state, unless they were started again meanwhile."""
    for name, running in ended.items():
        if name in state.parts and state.parts[name].process == running.process:
            state = state.with_part(name, None)
    folder.write(state)


def wait(running: Running) -> float:
    """Seconds after its last start at which a part that died is started again; more each time."""
    if running.failed:
        return _LONGEST_WAIT
    return 0.0 if not running.restarts else min(_LONGEST_WAIT, 0.5 * 2.0**running.restarts)


def lasted(running: Running) -> Running:
    """A part that ran long enough before it died has no restarts to answer for."""
    long = time.time() - running.started > _LASTED
    return replace(running, restarts=0) if long and not running.failed else running


def _judged(folder: Folder, state: State, name: str, child: Process | None) -> tuple[State, Running]:
    """The dead part, with the reason when it can never run; what may pass by itself is no such reason."""
    running = lasted(state.parts[name])
    mine = child is not None and child == running.process
    if mine and not running.failed and not running.ending and child and child.exit_code() == _INPUT:
        port = urlsplit(running.url).port or 0
        if is_free(state.host, port):
            said = parts.process.tail(folder.log(name), lines=6)
            running = replace(
                running, failed=f"cannot be started; the end of its log {folder.log(name)}:{said}"
            )
    if running != state.parts[name]:
        state = state.with_part(name, running)
        folder.write(state)
    return state, running


def _store_answers(folder: Folder, state: State) -> bool:
    """Whether the S3 server does: without it a server ends with the very code that means bad input."""
    return state.alive(S3) and s3.answers(state.endpoint, folder.credentials(), state.bucket)


def _recipe(folder: Folder, state: State, servers: Servers, name: str) -> Recipe:
    before = state.parts.get(name)
    begun = next((state.parts[n] for n in of_version(state, servers.model, servers.version)), None)
    port = urlsplit(before.url).port if before else None
    if not port or not is_freed(state.host, port, _FREED_SECONDS):
        port = free_port(folder, state, name)
    command = (
        sys.executable, "-m", "evergreen.serving", f"{servers.model}@{servers.version}",
        "--store", f"s3://{state.bucket}", "--host", state.host, "--port", str(port),
        "--log-spool", str(folder.spool), "--drain-delay", _DRAIN_SECONDS,
    )  # fmt: skip
    variables = begun.variables if begun else {"EVERGREEN_SERVING": json.dumps(dict(servers.serving))}
    return Recipe(command, variables, f"http://{state.host}:{port}")


def require_port(host: str, port: int, purpose: str, option: str, ours: bool) -> None:
    """Refuse a port that something else listens on.

    Args:
        host: The address to listen on.
        port: 1 to 65535.
        purpose: What the port is for, such as `the model server`.
        option: The command's option that names another one.
        ours: Whether it was ours before: a part of ours that was killed is given time to let it go.

    Raises:
        InputError: naming the port, who holds it, and the remedy.
    """
    remedy = f"Name another one with {option}, or 0 for any."
    require_free(host, port, purpose, remedy, _GIVEN_BACK_SECONDS if ours else 0.0)


def free_port(folder: Folder, state: State, name: str) -> int:
    """A free port that no other part was given, looked for from a place that folder and part decide.

    So a part finds its port again after the platform was down, where nobody else took it.

    Raises:
        InputError: when there is none.
    """
    given = {urlsplit(part.url).port for part in state.parts.values() if part.url}
    given |= set(parts.server(folder, state).ports.values())
    first = sum(k * byte for k, byte in enumerate(f"{folder.path} {name}".encode(), 1)) * 7919 % len(_PORTS)
    for i in range(len(_PORTS)):
        port = _PORTS[(first + i) % len(_PORTS)]
        if port not in given and is_free(state.host, port):
            return port
    raise InputError("ports", "no free one was found", f"a free port from {_PORTS[0]} to {_PORTS[-1]}")
