"""What the embedded platform keeps on disk about itself: its state, its credentials, and a lock on both."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from evergreen.errors import InputError
from evergreen.files import explained, write_text
from evergreen.local.process import Process
from evergreen.local.s3 import Credentials, Kind

S3 = "s3"
MODEL_SERVER = "model server"


@dataclass(frozen=True)
class Running:
    """A part that was started: its process, and when (seconds since 1970)."""

    pid: int
    born: str
    started: float

    @property
    def process(self) -> Process:
        """The process that this part is."""
        return Process(self.pid, self.born)


@dataclass(frozen=True)
class State:
    """How a platform was started.

    Attributes:
        host: The address all parts listen on.
        kind: The S3 server, `seaweedfs` or `minio`.
        program: The S3 server's binary.
        bucket: The bucket that is the store's root.
        s3_port: The S3 port.
        model_port: The model server's port; 0 when no model is served.
        model: What is served, such as `coupons@baseline`; empty for none.
        digest: The digest of the served model's bundle.
        parts: The started parts by name.
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
        parts = {k: v for k, v in self.parts.items() if k != name}
        return replace(self, parts={**parts, name: running} if running else parts)


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
    def temporary(self) -> Path:
        """Temporary files of the parts; gone after `down`."""
        return self.path / "tmp"

    def log(self, part: str) -> Path:
        """The log file of a part."""
        return self.path / "logs" / f"{part.replace(' ', '-')}.log"

    def read(self) -> State | None:
        """The state, or None when the platform is down.

        Raises:
            InputError: when the file is damaged.
        """
        try:
            raw = json.loads(self.state_file.read_text())
            return State(**{**raw, "parts": {k: Running(**v) for k, v in raw["parts"].items()}})
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InputError(
                str(self.state_file), "is damaged",
                remedy="End the platform's processes by hand, remove the file, and run `evergreen up`.",
            ) from None  # fmt: skip

    def write(self, state: State | None) -> None:
        """Keep the state; None or a state without parts removes the file."""
        if state is None or not state.parts:
            self.state_file.unlink(missing_ok=True)
        else:
            write_text(self.state_file, json.dumps(asdict(state), indent=1) + "\n")

    def credentials(self) -> Credentials:
        """The platform's own key pair, made at the first call; only this user can read the file."""
        path = self.path / "credentials.json"
        if not path.exists():
            made = Credentials("EVERGREEN" + secrets.token_hex(6).upper(), secrets.token_urlsafe(30))
            with explained(path):
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "w") as file:
                    json.dump(asdict(made), file)
            return made
        try:
            return Credentials(**json.loads(path.read_text()))
        except (ValueError, TypeError):
            raise InputError(
                str(path), "is damaged", remedy="Run `evergreen down --delete-data`, then `evergreen up`."
            ) from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the platform against another `up` or `down`; waits for one that is at work."""
        with explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
