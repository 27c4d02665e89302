"""What the embedded platform keeps on disk about itself: its state, its credentials, and a lock on both."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from evergreen.errors import InputError
from evergreen.files import aside, explained, write_text
from evergreen.local.process import Process
from evergreen.local.s3 import Credentials, Kind

S3 = "s3"
MODEL_SERVER = "model server"
CONTROLLER = "controller"
SUPERVISOR = "supervisor"
ROUTER = "router"
FORMAT = 2
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Running:
    """A part that was started.

    Attributes:
        pid: Its process.
        born: The system's mark of when that started, so that no other process is taken for it.
        started: Seconds since 1970.
        command: Program and arguments, without secrets, to start it again with.
        variables: What it needs in its environment beside what every part gets; no secrets.
        url: Where it listens; empty for nowhere.
        restarts: How often in a row it has been started again and has not lasted.
        failed: Why it cannot be started; empty when it can.
        ending: It was asked to end, and does its last work.
    """

    pid: int
    born: str
    started: float
    command: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    restarts: int = 0
    failed: str = ""
    ending: bool = False

    @property
    def process(self) -> Process:
        """The process that this part is."""
        return Process(self.pid, self.born)


@dataclass(frozen=True)
class Routing:
    """How a platform with a router was asked for.

    Attributes:
        model: Whose baseline is served, by name.
        port: Where all of its routers listen.
        routers: How many.
        serving: The project's section `serving` as plain data.
        rollout: The project's section `rollout` as plain data.
        drain: Seconds from the last request that a version may have got to the end of its servers.
    """

    model: str
    port: int
    routers: int = 1
    serving: Mapping[str, Any] = field(default_factory=dict)
    rollout: Mapping[str, Any] = field(default_factory=dict)
    drain: float = 30.0


@dataclass(frozen=True)
class State:
    """How a platform was started.

    Attributes:
        host: The address all parts listen on.
        kind: The S3 server, `seaweedfs` or `minio`.
        program: The S3 server's binary.
        bucket: The bucket that is the store's root.
        s3_port: The S3 port.
        model_port: The model server's port; 0 when no model is served without a router.
        model: What is served without a router, such as `coupons@baseline`; empty for none.
        digest: The digest of the bundle of that model.
        parts: The started parts by name.
        routing: How the router was asked for; None for none.
    """

    host: str
    kind: Kind
    program: str
    bucket: str
    s3_port: int
    model_port: int = 0
    model: str = ""
    digest: str = ""
    parts: dict[str, Running] = field(default_factory=dict)
    routing: Routing | None = None

    @property
    def endpoint(self) -> str:
        """The S3 server's URL."""
        return f"http://{self.host}:{self.s3_port}"

    @property
    def model_url(self) -> str:
        """The model server's URL."""
        return f"http://{self.host}:{self.model_port}"

    def alive(self, part: str) -> bool:
        """Whether the part's own process runs."""
        return part in self.parts and self.parts[part].process.alive()

    def with_part(self, name: str, running: Running | None) -> "State":
        """The state with a part added, or taken away."""
        parts = {**self.parts, name: running}  # one that is started again keeps its place
        return replace(self, parts={k: v for k, v in parts.items() if v is not None})


@dataclass(frozen=True)
class Folder:
    """The folder `HOME/platform` and what lies where in it."""

    path: Path

    @property
    def state_file(self) -> Path:
        """What runs; there only while the platform is up."""
        return self.path / "state.json"

    @property
    def data(self) -> Path:
        """The S3 servers' data."""
        return self.path / "data"

    @property
    def spool(self) -> Path:
        """What of the prediction log is not shipped yet; shared by the model servers."""
        return self.path / "spool"

    @property
    def rollouts(self) -> Path:
        """The records of rollouts: beside the platform's folder, where commands look by themselves."""
        return self.path.parent / "rollouts"

    def router(self, number: int) -> Path:
        """The folder of a router, counted from 1."""
        return self.path / "routers" / str(number)

    @property
    def temporary(self) -> Path:
        """Temporary files of the parts; gone after `down`."""
        return self.path / "tmp"

    def log(self, part: str) -> Path:
        """The log file of a part."""
        return self.path / "logs" / f"{part.replace(' #', '-').replace(' ', '-')}.log"

    def read(self) -> State | None:
        """The state, or None when the platform is down.

        Raises:
            InputError: when the file is damaged, or from a later Evergreen.
        """
        try:
            raw = json.loads(self.state_file.read_text())
            found = raw.pop("format", 1)
            if found in range(1, FORMAT + 1):
                return _state(raw)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InputError(
                str(self.state_file), "is damaged",
                remedy="End the platform's processes by hand, remove the file, and run `evergreen up`.",
            ) from None  # fmt: skip
        raise InputError(
            str(self.state_file), f"is of format {found}", f"{FORMAT} or older",
            "Run `evergreen down` with the Evergreen that started it, then `evergreen up`.",
        )  # fmt: skip

    def write(self, state: State | None) -> None:
        """Keep the state; None or a state without parts removes the file."""
        if state is None or not state.parts:
            self.state_file.unlink(missing_ok=True)
        else:
            write_text(self.state_file, json.dumps({"format": FORMAT, **asdict(state)}, indent=1) + "\n")

    def credentials(self) -> Credentials:
        """The platform's own secrets, made at the first call; only this user can read the file."""
        path = self.path / "credentials.json"
        if not path.exists():
            access_key = "EVERGREEN" + secrets.token_hex(6).upper()
            made = Credentials(access_key, secrets.token_urlsafe(30), _secret(), _secret())
            _write_secret(path, made)
            return made
        try:
            found = Credentials(**json.loads(path.read_text()))
        except (ValueError, TypeError):
            raise InputError(
                str(path), "is damaged", remedy="Run `evergreen down --delete-data`, then `evergreen up`."
            ) from None
        if not found.salt or not found.token:  # made by an older Evergreen
            found = replace(found, salt=found.salt or _secret(), token=found.token or _secret())
            _write_secret(path, found)
        return found

    @contextmanager
    def locked(self, patience: float | None = None) -> Iterator[bool]:
        """Hold the platform against everybody else who starts and stops parts.

        Args:
            patience: Seconds to wait for one that is at work; None waits as long as it takes.

        Yields:
            Whether it is held; always so without a limit.
        """
        with explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self.path, os.O_RDONLY)
        try:
            if patience is None:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield True
            else:
                yield _lock_within(handle, patience)
        finally:
            os.close(handle)


def server_name(model: str, version: int, number: int) -> str:
    """The name of one of a version's servers, which are counted from 1."""
    return f"{MODEL_SERVER} {model}@{version} #{number}"


def router_name(number: int) -> str:
    """The name of a router, counted from 1."""
    return f"{ROUTER} #{number}"


def _state(raw: dict[str, Any]) -> State:
    parts = {k: Running(**{**v, "command": tuple(v.get("command", ()))}) for k, v in raw["parts"].items()}
    routing = raw.get("routing")
    return State(**{**raw, "parts": parts, "routing": Routing(**routing) if routing else None})


def _lock_within(handle: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True


def _secret() -> str:
    return secrets.token_hex(32)


def _write_secret(path: Path, made: Credentials) -> None:
    with aside(path) as temporary:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(asdict(made), file)
