"""The parts of the embedded platform: start one and wait for it, look at one, stop one."""

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evergreen import log
from evergreen.errors import EvergreenError, Fault, InputError
from evergreen.local import process, s3
from evergreen.local.state import MODEL_SERVER, S3, Folder, Running, State

_log = log.get(__name__)
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Part:
    """How one part of the platform does.

    Attributes:
        name: `s3` or `model server`.
        state: `up`; `unwell` when the process runs but does not answer as it should; `down` when it died.
        url: Where it listens.
        pid: Its process.
        log: Its log file.
        memory: Resident bytes.
        seconds: How long it has been running.
        detail: What it serves.
    """

    name: str
    state: str
    url: str
    pid: int
    log: Path
    memory: int = 0
    seconds: float = 0.0
    detail: str = ""


def start(
    folder: Folder,
    state: State,
    name: str,
    command: list[str],
    variables: Mapping[str, str],
    deadline: float,
    ready: Callable[[], bool],
) -> State:
    """Start a part, keep it in the state at once, and wait until it is ready.

    Args:
        folder: The platform's folder.
        state: What runs so far.
        name: The part.
        command: Program and arguments, without secrets.
        variables: Its whole environment.
        deadline: Seconds it has to become ready.
        ready: Says whether it is.

    Raises:
        InputError: the model server ended with exit code 2: what it was given is at fault.
        Fault: a part ended otherwise, or was not ready in time. Both end with the log's last lines.
    """
    path, begun = folder.log(name), time.time()
    offset = path.stat().st_size if path.exists() else 0
    started = process.start(command, variables, path)
    state = state.with_part(name, Running(started.pid, started.born, begun))
    folder.write(state)
    while not ready():
        if not started.alive():
            code = started.exit_code()
            raise _failed(name, f"ended at its start with exit code {code}", path, offset, code)
        if time.time() - begun > deadline:
            raise _failed(name, f"was not ready after {deadline:g} seconds", path, offset)
        time.sleep(_POLL_SECONDS)
    _log.info("part up", extra={"part": name, "pid": started.pid, "seconds": round(time.time() - begun, 2)})
    return state


def _failed(name: str, what: str, path: Path, offset: int, code: int | None = None) -> EvergreenError:
    """Exit code 2 of our own server means bad input; another program's means nothing (Go panics with 2)."""
    text = f"{what}; the end of its log {path}:{process.tail(path, start=offset)}"
    return InputError(name, text) if code == 2 and name == MODEL_SERVER else Fault(f"{name}: {text}")


def stop(folder: Folder, state: State, name: str) -> None:
    """End a part, if it was started, and remove what its program leaves lying about."""
    if name not in state.parts:
        return
    state.parts[name].process.stop()
    if name == S3:
        server(folder, state).clean()


def look(folder: Folder, state: State, name: str, running: Running) -> Part:
    """How a part does now."""
    url = state.endpoint if name == S3 else state.model_url
    detail = f"{state.kind}, bucket {state.bucket}" if name == S3 else f"{state.model} {state.digest[:12]}"
    if not running.process.alive():
        return Part(name, "down", url, running.pid, folder.log(name), detail=detail)
    credentials = folder.credentials()
    well = s3.answers(state.endpoint, credentials, state.bucket) if name == S3 else is_ready(state)
    return Part(
        name, "up" if well else "unwell", url, running.pid, folder.log(name),
        running.process.resident_bytes(), time.time() - running.started, detail,
    )  # fmt: skip


def is_ready(state: State) -> bool:
    """Whether the model server says that it is ready to serve our model."""
    connection = http.client.HTTPConnection(state.host, state.model_port, timeout=2)
    name = state.model.partition("@")[0]
    try:
        connection.request("GET", f"/v2/models/{name}/ready")
        answer = connection.getresponse()
        return answer.status == 200 and json.loads(answer.read()).get("name") == name
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def server(folder: Folder, state: State) -> s3.Server:
    """The S3 server that a state describes."""
    return s3.Server(state.kind, state.program, folder.data / state.kind, state.host, state.s3_port)
