"""The embedded platform: real parts as processes of this machine, without a cluster.

`up` brings it to the wanted state and may be called again at any time: what runs stays, what is missing or
died is started. `down` ends everything and keeps the data. Everything lies in `HOME/platform`, and records of
rollouts in `HOME/rollouts`.

Without a router nobody watches over the parts: `status` looks, `up` repairs. With one, a supervisor does (see
`evergreen.local.supervisor`).
"""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.errors import InputError
from evergreen.local import parts, s3
from evergreen.local.parts import Part, Recipe
from evergreen.local.servers import require_port
from evergreen.local.state import CONTROLLER, MODEL_SERVER, ROUTER, S3, SUPERVISOR, Folder, State
from evergreen.serving.ports import is_free

if TYPE_CHECKING:
    from evergreen.local.routing import Wish

S3_PORT, MODEL_PORT = 8333, 8080
_BUCKET = "evergreen"
_POLL_SECONDS = 0.1
_BUSY_SECONDS = 10.0  # a server that answers late works; `up` must not replace it
_FREE_PORTS = range(20_000, 32_000, 20)


def up(
    home: Path,
    *,
    s3_port: int | None = None,
    model: str | None = None,
    model_port: int | None = None,
    host: str = "127.0.0.1",
    deadline: float = 90.0,
    router: "Wish | None" = None,
) -> tuple[Part, ...]:
    """Start what of the platform is not running yet, and wait until it answers.

    Args:
        home: The platform's folder is `home/platform`.
        s3_port: Port of the S3 server (its inner parts take the nine that follow); 0 picks a free block,
            None keeps the running one's or takes 8333.
        model: Also serve this model of the platform's registry, such as `coupons@baseline`; None keeps what
            is served. A server whose alias has moved since is started anew. With a router only the model's
            `baseline` can be named, and a rollout that is under way goes on.
        model_port: Port of the model server; 0 picks a free one, None keeps the running one's or takes 8080.
        host: The address to listen on.
        deadline: Seconds that each part has to become ready.
        router: Serve through a router, with a controller that takes new versions to their users; None keeps
            it as it is. Model servers then take free ports, and each version has its own.

    Returns:
        The parts, all up.

    Raises:
        InputError: a port is taken, no S3 binary, no such model, or the platform is up on other ports.
        Fault: a part did not become ready; the message ends with its log's last lines.
    """
    folder = Folder(Path(home).resolve() / "platform")
    with folder.locked():
        before = folder.read()
        with _undone_on_failure(folder, before):
            state = _plan_s3(folder, before, s3_port, host)
            if not state.alive(S3):
                state = _start_s3(folder, state, deadline)
            else:
                _await_s3(folder, state, deadline)
            if router is not None or state.routing is not None:
                _refuse_model_port(model_port)
                _start_routing(folder, state, model, router, deadline)
            else:
                state = _plan_model(folder, state, model, model_port)
                if state.model and not state.alive(MODEL_SERVER):
                    _start_model(folder, state, deadline)
        return status(home)


def down(home: Path, *, delete_data: bool = False) -> tuple[str, ...]:
    """Stop every part; the stored data and the logs stay unless `delete_data`.

    Returns:
        The names of the parts that were running.
    """
    folder = Folder(Path(home).resolve() / "platform")
    if not folder.path.exists():
        return ()
    with folder.locked():
        state = folder.read()
        running = tuple(name for name in (state.parts if state else ()) if state and state.alive(name))
        if state:
            _stop(folder, state, tuple(state.parts))
        folder.write(None)
        shutil.rmtree(folder.temporary, ignore_errors=True)
        if delete_data:
            shutil.rmtree(folder.path, ignore_errors=True)
            shutil.rmtree(folder.rollouts, ignore_errors=True)
    return running


def status(home: Path) -> tuple[Part, ...]:
    """How every started part does; empty when the platform is down."""
    folder = Folder(Path(home).resolve() / "platform")
    state = folder.read()
    if state is None:
        return ()
    return tuple(parts.look(folder, state, name, running) for name, running in state.parts.items())


@dataclass(frozen=True)
class Overview:
    """How the platform does.

    Attributes:
        parts: Every started part.
        url: Where users send their requests to; empty without a router.
        serves: What they get, such as `coupons@3`, or `coupons@3, 5 % coupons@4`; empty without a router.
        rollout: The last rollout, in one line; empty for none.
    """

    parts: tuple[Part, ...]
    url: str = ""
    serves: str = ""
    rollout: str = ""


def overview(home: Path) -> Overview:
    """The parts, and what goes on; empty when the platform is down."""
    folder = Folder(Path(home).resolve() / "platform")
    state = folder.read()
    if state is None or state.routing is None:
        return Overview(status(home))
    from evergreen.local.standing import standing

    serves, rollout = standing(folder, state.routing)
    return Overview(status(home), f"http://{state.host}:{state.routing.port}", serves, rollout)


def environment(home: Path) -> dict[str, str]:
    """The platform's key pair and store, and where its rollouts are; empty when it is down."""
    folder = Folder(Path(home).resolve() / "platform")
    state = folder.read()
    if state is None:
        return {}
    variables = s3.variables(state.endpoint, folder.credentials(), state.bucket)
    return {**variables, "EVERGREEN_ROLLOUT_STATE": str(folder.rollouts)}


def store_uri(home: Path) -> str:
    """The root of the platform's store, such as `s3://evergreen`.

    Raises:
        InputError: when the platform is down.
    """
    variables = environment(home)
    if not variables:
        raise InputError(str(home), "no platform runs here", remedy="Start it with `evergreen up`.")
    return variables["EVERGREEN_STORE"]


@contextmanager
def _undone_on_failure(folder: Folder, before: State | None) -> Iterator[None]:
    """When `up` fails half-way, stop what it started and leave the state as it was."""
    kept = {} if before is None else before.parts
    try:
        yield
    except BaseException:
        state = folder.read()
        if state is not None:
            begun = tuple(name for name, running in state.parts.items() if kept.get(name) != running)
            _stop(folder, state, begun)
            left = {name: running for name, running in state.parts.items() if name not in begun}
            alive = before and any(running.process.alive() for running in left.values())
            folder.write(replace(before, parts=left) if before and alive else None)
        if not folder.state_file.exists():
            shutil.rmtree(folder.temporary, ignore_errors=True)
        raise


def _stop(folder: Folder, state: State, names: tuple[str, ...]) -> None:
    """End parts, first those that others do not need; those of one kind drain side by side."""
    for kind in (SUPERVISOR, CONTROLLER, ROUTER, MODEL_SERVER, S3):
        same = [name for name in names if name.startswith(kind)]
        for name in same:
            state.parts[name].process.ask_to_end()
        for name in same:
            parts.stop(folder, state, name)


def _refuse_model_port(port: int | None) -> None:
    if port is not None:
        raise InputError(
            f"--model-port {port}", "behind a router model servers take free ports",
            remedy="Leave it away; clients ask the router.",
        )  # fmt: skip


def _start_routing(
    folder: Folder, state: State, model: str | None, wish: "Wish | None", deadline: float
) -> None:
    from evergreen.local import routing

    state = routing.planned(folder, state, model or state.model or None, wish or routing.Wish())
    if MODEL_SERVER in state.parts:
        parts.stop(folder, state, MODEL_SERVER)
        state = state.with_part(MODEL_SERVER, None)
    folder.write(state)
    routing.started(folder, state, deadline)


def _plan_s3(folder: Folder, before: State | None, port: int | None, host: str) -> State:
    if before and before.alive(S3):
        if port not in (None, 0, before.s3_port) or host != before.host:
            here = f"{before.host}:{before.s3_port}"
            raise InputError(
                f"{host}:{port or before.s3_port}", f"the platform is already up on {here}",
                remedy="Run `evergreen down` first, or leave the port away.",
            )  # fmt: skip
        return before
    kind, program = s3.choose(folder.data, before.kind if before else None)
    wanted = (before.s3_port if before else S3_PORT) if port is None else port
    if wanted == 0:
        wanted = _free_block(folder.path, host, len(s3.PORTS))
    state = State(host, kind, program, _BUCKET, wanted)
    if before:
        state = replace(before, host=host, kind=kind, program=program, s3_port=wanted)
    own = set(parts.server(folder, before).ports.values()) if before else set()
    for purpose, number in parts.server(folder, state).ports.items():
        require_port(host, number, f"the S3 server ({purpose})", "--s3-port", number in own)
    return state


def _free_block(seed: Path, host: str, length: int) -> int:
    """The first of `length` free ports in a row, looked for from a place that depends on the folder."""
    first = sum(str(seed).encode()) * 7 % len(_FREE_PORTS)
    for i in range(len(_FREE_PORTS)):
        port = _FREE_PORTS[(first + i) % len(_FREE_PORTS)]
        if all(is_free(host, port + k) for k in range(length)):
            return port
    raise InputError("ports", "no free block was found", f"{length} free ports in a row below 32000")


def _start_s3(folder: Folder, state: State, deadline: float) -> State:
    credentials, command = folder.credentials(), tuple(parts.server(folder, state).command)
    return parts.start(
        folder, state, S3, Recipe(command, {}, state.endpoint), deadline,
        lambda: s3.takes_writes(state.endpoint, credentials, state.bucket),
    )  # fmt: skip


def _await_s3(folder: Folder, state: State, deadline: float) -> None:
    """One that somebody just started again answers before it can read what it has."""
    end, credentials = time.monotonic() + deadline, folder.credentials()
    while not s3.takes_writes(state.endpoint, credentials, state.bucket):
        if time.monotonic() > end:
            raise parts.failed(S3, f"takes no writes after {deadline:g} seconds", folder.log(S3), 0)
        time.sleep(_POLL_SECONDS)


def _plan_model(folder: Folder, state: State, model: str | None, port: int | None) -> State:
    """The state with the model to serve; a server of something else is stopped here."""
    model = model or state.model
    if not model:
        return state
    digest = _resolve(folder, state, model)
    wanted = (state.model_port or MODEL_PORT) if port is None else port
    if state.alive(MODEL_SERVER):
        same = (model, digest) == (state.model, state.digest) and wanted in (0, state.model_port)
        if same and _is_ready(state, _BUSY_SECONDS):
            return state
        parts.stop(folder, state, MODEL_SERVER)
        state = state.with_part(MODEL_SERVER, None)
        folder.write(state)
    if wanted == 0:
        wanted = _free_block(folder.path / "model", state.host, 1)
    require_port(state.host, wanted, "the model server", "--model-port", wanted == state.model_port)
    return replace(state, model=model, model_port=wanted, digest=digest)


def _resolve(folder: Folder, state: State, model: str) -> str:
    """The digest of the model that a reference names in the platform's own registry."""
    from evergreen.local.routing import environment
    from evergreen.registry import Registry
    from evergreen.storage import open_store

    with environment(folder, state) as store:
        return Registry(open_store(store)).resolve(model).digest


def _start_model(folder: Folder, state: State, deadline: float) -> State:
    command = (
        sys.executable, "-m", "evergreen.serving", state.model, "--host", state.host,
        "--store", f"s3://{state.bucket}", "--port", str(state.model_port),
    )  # fmt: skip
    recipe = Recipe(command, {}, state.model_url)
    return parts.start(folder, state, MODEL_SERVER, recipe, deadline, lambda: _is_ready(state))


def _is_ready(state: State, timeout: float = 2.0) -> bool:
    return parts.is_ready(state.model_url, state.model.partition("@")[0], timeout)
