"""The embedded platform: real parts as processes of this machine, without a cluster.

`up` brings it to the wanted state and may be called again at any time: what runs stays, what is missing or
died is started. `down` ends everything and keeps the data. Everything lies in `HOME/platform`.
"""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from evergreen.errors import InputError
from evergreen.local import parts, s3
from evergreen.local.parts import Part
from evergreen.local.state import MODEL_SERVER, S3, Folder, State
from evergreen.serving.ports import is_free, require_free

S3_PORT, MODEL_PORT = 8333, 8080
_BUCKET = "evergreen"
_FREE_PORTS = range(20_000, 32_000, 20)


def up(
    home: Path,
    *,
    s3_port: int | None = None,
    model: str | None = None,
    model_port: int | None = None,
    host: str = "127.0.0.1",
    deadline: float = 90.0,
) -> tuple[Part, ...]:
    """Start what of the platform is not running yet, and wait until it answers.

    Args:
        home: The platform's folder is `home/platform`.
        s3_port: Port of the S3 server (its inner parts take the nine that follow); 0 picks a free block,
            None keeps the running one's or takes 8333.
        model: Also serve this model of the platform's registry, such as `coupons@baseline`; None keeps what
            is served. A server whose alias has moved since is started anew.
        model_port: Port of the model server; 0 picks a free one, None keeps the running one's or takes 8080.
        host: The address to listen on.
        deadline: Seconds that each part has to become ready.

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
            for name in (MODEL_SERVER, S3):
                parts.stop(folder, state, name)
        folder.write(None)
        shutil.rmtree(folder.temporary, ignore_errors=True)
        if delete_data:
            shutil.rmtree(folder.path, ignore_errors=True)
    return running


def status(home: Path) -> tuple[Part, ...]:
    """How every started part does; empty when the platform is down."""
    folder = Folder(Path(home).resolve() / "platform")
    state = folder.read()
    if state is None:
        return ()
    return tuple(parts.look(folder, state, name, running) for name, running in state.parts.items())


def environment(home: Path) -> dict[str, str]:
    """AWS_* and EVERGREEN_STORE for the platform in `home`; empty when it is down."""
    folder = Folder(Path(home).resolve() / "platform")
    state = folder.read()
    return dict(s3.variables(state.endpoint, folder.credentials(), state.bucket)) if state else {}


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
        for name, running in state.parts.items() if state else ():
            if state and kept.get(name) != running:
                parts.stop(folder, state, name)
                state = state.with_part(name, None)
        if state and not any(state.alive(name) for name in state.parts):
            state = None
        folder.write(state)
        if state is None:
            shutil.rmtree(folder.temporary, ignore_errors=True)
        raise


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
    for purpose, number in parts.server(folder, state).ports.items():
        remedy = "Name another one with --s3-port, or 0 for any."
        require_free(host, number, f"the S3 server ({purpose})", remedy)
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
    server, credentials = parts.server(folder, state), folder.credentials()
    server.prepare()
    server.clean()
    folder.temporary.mkdir(exist_ok=True)
    variables = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TZ")}
    variables |= server.environment(credentials, state.bucket, folder.temporary)
    return parts.start(
        folder, state, S3, server.command, variables, deadline,
        lambda: s3.takes_writes(state.endpoint, credentials, state.bucket),
    )  # fmt: skip


def _plan_model(folder: Folder, state: State, model: str | None, port: int | None) -> State:
    """The state with the model to serve; a server of something else is stopped here."""
    model = model or state.model
    if not model:
        return state
    digest = _resolve(folder, state, model)
    wanted = (state.model_port or MODEL_PORT) if port is None else port
    if state.alive(MODEL_SERVER):
        same = (model, digest) == (state.model, state.digest) and wanted in (0, state.model_port)
        if same and parts.is_ready(state):
            return state
        parts.stop(folder, state, MODEL_SERVER)
        state = state.with_part(MODEL_SERVER, None)
        folder.write(state)
    if wanted == 0:
        wanted = _free_block(folder.path / "model", state.host, 1)
    require_free(state.host, wanted, "the model server", "Name another one with --model-port, or 0 for any.")
    return replace(state, model=model, model_port=wanted, digest=digest)


def _resolve(folder: Folder, state: State, model: str) -> str:
    """The digest of the model that a reference names in the platform's own registry."""
    from evergreen.registry import Registry
    from evergreen.storage import open_store

    variables = s3.variables(state.endpoint, folder.credentials(), state.bucket)
    with _environment(variables):
        return Registry(open_store(variables["EVERGREEN_STORE"])).resolve(model).digest


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _start_model(folder: Folder, state: State, deadline: float) -> State:
    variables = s3.variables(state.endpoint, folder.credentials(), state.bucket)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "EVERGREEN_S3"))}
    command = [sys.executable, "-m", "evergreen.serving", state.model, "--host", state.host]
    command += ["--store", variables["EVERGREEN_STORE"], "--port", str(state.model_port)]
    everything = {**inherited, **variables}
    return parts.start(
        folder, state, MODEL_SERVER, command, everything, deadline, lambda: parts.is_ready(state)
    )
