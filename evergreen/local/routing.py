"""The platform with a router: servers of the baseline, Envoys with their agents, the rollout controller."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from evergreen.errors import EvergreenError, Fault, InputError
from evergreen.local import parts, s3, servers
from evergreen.local.parts import Recipe
from evergreen.local.process import Process
from evergreen.local.servers import Servers
from evergreen.local.state import CONTROLLER, ROUTER, SUPERVISOR, Folder, Routing, State, router_name
from evergreen.project.model import Rollout, Serving
from evergreen.registry import Registry
from evergreen.rollout.commands import deploy
from evergreen.rollout.machine import needed
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.router.saved import PlanStore, Saved
from evergreen.rollout.stores.local import LocalStates
from evergreen.serving.ports import is_free
from evergreen.storage import open_store

ROUTER_PORT = 10_000
_MOST_ROUTERS = 8
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Wish:
    """What of a router was asked for; None keeps what is there, or takes the default.

    Attributes:
        port: Where all routers listen; 0 picks a free port. [10000]
        routers: How many. [1]
        project: A project file, for its sections `serving` and `rollout`.
        drain: Seconds from the last request that a version may have got to the end of its servers. [30]
    """

    port: int | None = None
    routers: int | None = None
    project: Path | None = None
    drain: float | None = None


def planned(folder: Folder, state: State, model: str | None, wish: Wish) -> State:
    """The state with the router that is wanted; nothing is started or stopped here.

    Raises:
        InputError: another alias or model than can be routed, a port that is taken, a bad project file.
    """
    before = state.routing
    name = _model(before, model)
    with environment(folder, state) as store:
        Registry(open_store(store)).resolve(f"{name}@baseline")
    count = wish.routers or (before.routers if before else 1)
    if not 1 <= count <= _MOST_ROUTERS:
        raise InputError("--routers", f"is {count}", f"1 to {_MOST_ROUTERS}")
    up = before is not None and any(state.alive(part) for part in state.parts if part.startswith(ROUTER))
    port = (before.port if before else ROUTER_PORT) if wish.port is None else wish.port
    if up and before and port not in (0, before.port):
        raise InputError(
            f"port {port} for the router", f"the router is up on port {before.port} already",
            remedy="Run `evergreen down` first, or leave the port away.",
        )  # fmt: skip
    if up and before:
        port = before.port
    elif port == 0:
        port = servers.free_port(folder, state, ROUTER)
    routing = replace(before, routers=count) if before else Routing(name, port, count)
    routing = replace(routing, port=port, drain=routing.drain if wish.drain is None else wish.drain)
    return replace(state, routing=_with_sections(routing, wish.project), model="", digest="", model_port=0)


def started(folder: Folder, state: State, deadline: float) -> State:
    """Start what of it is missing, each part once those that it needs are ready.

    Args:
        folder: The platform's folder, locked by the caller.
        state: What runs, with the wanted routing.
        deadline: Seconds that each part has to become ready.

    Raises:
        InputError: a port is taken, or the model cannot be served.
        Fault: a part did not become ready; the message ends with its log's last lines.
    """
    routing = state.routing
    assert routing is not None
    records = LocalStates(folder.rollouts)
    with environment(folder, state) as store:
        registry = Registry(open_store(store))
        current = records.current(routing.model)
        record = current.record if current else None
        baseline = registry.resolve(f"{routing.model}@baseline").version
        state = _serve(folder, state, _needed(routing, baseline, record), deadline)
        state = _routers(folder, state, routing, deadline)
        if record is None or record.ended:
            deploy(
                registry, records, routing.model,
                settings=Rollout.model_validate(routing.rollout),
                serving=Serving.model_validate(routing.serving), why="the platform was started",
            )  # fmt: skip
    state = _kept_or_started(folder, state, CONTROLLER, _controller(folder, state, routing), deadline)
    _until_routed(folder, state, routing, deadline)
    return _kept_or_started(
        folder, state, SUPERVISOR,
        Recipe((sys.executable, "-m", "evergreen.local.supervisor", str(folder.path.parent)), {}), deadline,
    )  # fmt: skip


def _model(before: Routing | None, model: str | None) -> str:
    if model is None:
        if before is None:
            raise InputError(
                "--router", "there is no model to route to", remedy="Name one: --model NAME@baseline."
            )
        return before.model
    name, _, alias = model.partition("@")
    if alias not in ("", "baseline"):
        raise InputError(
            f"--model {model}", "with a router users get the alias baseline", f"{name}@baseline",
            "`evergreen rollout start` takes another version to its users.",
        )  # fmt: skip
    if before and before.model != name:
        raise InputError(
            f"--model {model}", f"the platform's router serves {before.model}",
            remedy="Run `evergreen down` first, or use another --home.",
        )  # fmt: skip
    return name


def _with_sections(routing: Routing, project: Path | None) -> Routing:
    if project is None:
        return routing
    from evergreen.project import load_project

    parsed = load_project(project)
    return replace(
        routing,
        serving=parsed.serving.model_dump(mode="json"),
        rollout=parsed.rollout.model_dump(mode="json"),
    )


def _needed(routing: Routing, baseline: int, record: RolloutRecord | None) -> list[Servers]:
    """The baseline's servers, and those that a rollout needs: its routers must not find them missing."""
    found = {baseline: Servers(routing.model, baseline, _replicas(routing.serving), routing.serving)}
    for version in needed(record) if record else ():
        assert record is not None
        more = Servers(routing.model, version, _replicas(record.serving), record.serving)
        found.setdefault(version, more)
    return list(found.values())


def _replicas(serving: Mapping[str, Any]) -> int:
    return int(serving.get("replicas", 1))


def _serve(folder: Folder, state: State, wanted: list[Servers], deadline: float) -> State:
    """Start servers side by side and wait for them; only the first version's must come up."""
    children: dict[str, Process] = {}
    end = time.monotonic() + deadline
    waiting = list(wanted)
    while waiting:
        for each in tuple(waiting):
            done = servers.start_missing(folder, state, each, children)
            state, children = done.state, {**children, **done.children}
            late = time.monotonic() > end
            if (done.failed or late) and each is wanted[0]:
                raise InputError(*done.failed) if done.failed else _late(folder, state, each, deadline)
            if done.failed or late or servers.endpoints(state, each):
                waiting.remove(each)
        time.sleep(_POLL_SECONDS)
    return state


def _late(folder: Folder, state: State, wanted: Servers, deadline: float) -> EvergreenError:
    name = next((n for n in wanted.names if not state.alive(n)), wanted.names[0])
    return parts.failed(name, f"was not ready after {deadline:g} seconds", folder.log(name), 0)


def _routers(folder: Folder, state: State, routing: Routing, deadline: float) -> State:
    """Start the routers that are missing, and end those that are too many."""
    names = [router_name(i + 1) for i in range(routing.routers)]
    for name in [n for n in state.parts if n.startswith(ROUTER) and n not in names]:
        parts.stop(folder, state, name)
        state = state.with_part(name, None)
        folder.write(state)
    if not any(state.alive(name) or parts.envoy_lives(folder, name) for name in names):
        ours = any(name in state.parts for name in names)
        servers.require_port(state.host, routing.port, "the router", "--router-port", ours)
    for number, name in enumerate(names, 1):
        _give_plan(folder, state, number)
        state = _kept_or_started(folder, state, name, _router(folder, state, routing, number), deadline)
    return state


def _give_plan(folder: Folder, state: State, number: int) -> None:
    """A router that joins others on their port begins with their plan, as users find it at once."""
    name, others = router_name(number), [n for n in state.parts if n.startswith(ROUTER) and state.alive(n)]
    if name in others:
        return
    known = [
        found for n in others if (found := parts.router_state(folder, state.parts[n].url)) and found.plan
    ]
    newest = max(known, key=lambda found: found.generation, default=None)
    if newest is None:
        return
    folder.router(number).mkdir(parents=True, exist_ok=True)
    plans = PlanStore(folder.router(number))
    if plans.saved.plan is None or plans.saved.plan.generation < newest.generation:
        plans.put(Saved(newest.plan, newest.dead_man_fired))


def _router(folder: Folder, state: State, routing: Routing, number: int) -> Recipe:
    name = router_name(number)
    port = _port(folder, state, name)
    command = (
        sys.executable, "-m", "evergreen.rollout.router", "--listen", f"{state.host}:{routing.port}",
        "--agent", f"{state.host}:{port}", "--folder", str(folder.router(number)),
        "--name", f"local-{number}", "--envoy", "--share-port",
    )  # fmt: skip
    return Recipe(command, {}, f"http://{state.host}:{port}")


def _port(folder: Folder, state: State, name: str) -> int:
    """The port that a part has or had, unless somebody took it meanwhile."""
    before = state.parts.get(name)
    port = urlsplit(before.url).port if before else None
    kept = port and (state.alive(name) or is_free(state.host, port))
    return port if port and kept else servers.free_port(folder, state, name)


def _controller(folder: Folder, state: State, routing: Routing) -> Recipe:
    urls = [state.parts[router_name(i + 1)].url for i in range(routing.routers)]
    port = _port(folder, state, CONTROLLER)
    command = (
        sys.executable, "-m", "evergreen.rollout.controller", "--state", str(folder.rollouts),
        "--store", f"s3://{state.bucket}", "--fleet", f"local:{folder.path.parent}",
        "--cache", str(folder.path / "cache"), "--drain", f"{routing.drain:g}",
        "--host", state.host, "--port", str(port),
        *(word for url in urls for word in ("--router", f"{routing.model}={url}")),
    )  # fmt: skip
    return Recipe(command, {}, f"http://{state.host}:{port}")


def _kept_or_started(folder: Folder, state: State, name: str, recipe: Recipe, deadline: float) -> State:
    """Keep a part that runs as it is wanted; else start it, anew where it is wanted otherwise."""
    running = state.parts.get(name)
    if running is not None and running.process.alive():
        if running.command == recipe.command:
            return state
        running.process.stop()
    return parts.start(
        folder, state, name, recipe, deadline, lambda: parts.is_well(folder, state, name, recipe.url)
    )


def _until_routed(folder: Folder, state: State, routing: Routing, deadline: float) -> None:
    """Wait until users get answers: until the controller has given every router its plan."""
    end = time.monotonic() + deadline
    url = f"http://{state.host}:{routing.port}"
    while not (
        all(parts.has_plan(folder, state.parts[router_name(i + 1)].url) for i in range(routing.routers))
        and parts.is_ready(url, routing.model)
    ):
        if not state.alive(CONTROLLER):
            raise parts.failed(CONTROLLER, "ended at its start", folder.log(CONTROLLER), 0)
        if time.monotonic() > end:
            log = folder.log(CONTROLLER)
            raise Fault(
                f"{url}: no answer within {deadline:g} seconds; the end of the controller's log "
                f"{log}:{parts.process.tail(log)}"
            )
        time.sleep(_POLL_SECONDS)


@contextmanager
def environment(folder: Folder, state: State) -> Iterator[str]:
    """The platform's store by the environment of this process, and its root; what was there comes back."""
    variables: Mapping[str, str] = s3.variables(state.endpoint, folder.credentials(), state.bucket)
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield variables["EVERGREEN_STORE"]
    finally:
        os.environ.clear()
        os.environ.update(before)
