"""A bundle in the real model server, as a child process: started, asked, measured, ended."""

import http.client
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from evergreen.errors import InputError
from evergreen.local.process import Process, start, tail
from evergreen.project.model import Serving
from evergreen.serving.ports import free_ports

_HOST = "127.0.0.1"
_POLL_SECONDS = 0.02
_STOP_SECONDS = 20.0
_TIMEOUT = 30.0


class NotServed(InputError):
    """The server did not start with this bundle; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class Answer:
    """What the server answered.

    Attributes:
        status: The HTTP status; 0 when the connection broke.
        body: The answer's body.
        seconds: From sending the request until the whole answer was there.
    """

    status: int
    body: bytes
    seconds: float


class CheckedServer:
    """The real server with a bundle, on a free port of this machine.

    Args:
        bundle: The bundle's folder.
        name: The model's name.
        serving: The project's section `serving`.
    """

    def __init__(self, bundle: Path, name: str, serving: Serving) -> None:
        self.bundle, self.name, self.serving = bundle, name, serving
        self.cold_start = 0.0
        self._folder = tempfile.TemporaryDirectory(prefix="evergreen-check-")
        self._log = Path(self._folder.name) / "server.log"
        self._process: Process | None = None
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        """Start the server and wait until it is ready, twice the cold start that the project allows at most.

        Raises:
            NotServed: it ended, or was not ready in time.
        """
        settings = Path(self._folder.name) / "serving.json"
        settings.write_text(self.serving.model_dump_json())
        (port,) = free_ports(1)
        self._connection = http.client.HTTPConnection(_HOST, port, timeout=_TIMEOUT)
        command = [
            sys.executable,
            "-m",
            "evergreen.serving",
            self.name,
            "--bundle",
            str(self.bundle.resolve()),
        ]
        command += ["--host", _HOST, "--port", str(port), "--settings", str(settings)]
        begun = time.perf_counter()
        try:
            known = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "KFP_"))}
            self._process = start(command, known, self._log)
            self._wait(begun + 2 * self.serving.check.cold_start.total_seconds())
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.cold_start = time.perf_counter() - begun
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the server; what it wrote goes with it."""
        if self._connection:
            self._connection.close()
        if self._process:
            self._process.stop(_STOP_SECONDS)
        self._folder.cleanup()

    def _wait(self, deadline: float) -> None:
        assert self._process is not None
        while True:
            code = self._process.exit_code()
            if code is not None:
                raise NotServed(
                    f"bundle {self.name}", f"the server ended with exit code {code}{tail(self._log, 8)}"
                )
            if self.ask("GET", "/v2/health/ready").status == 200:
                return
            if time.perf_counter() > deadline:
                raise NotServed(
                    f"bundle {self.name}", f"the server was not ready in time{tail(self._log, 8)}"
                )
            time.sleep(_POLL_SECONDS)

    @property
    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._process is not None and self._process.alive()

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request over one kept-alive connection; a broken connection is an answer with status 0."""
        assert self._connection is not None
        begun = time.perf_counter()
        try:
            self._connection.request(method, path, body or None, dict(headers or {}))
            answer = self._connection.getresponse()
            content = answer.read()
            return Answer(answer.status, content, time.perf_counter() - begun)
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return Answer(0, b"", time.perf_counter() - begun)

    def predict(self, route: str, body: bytes) -> Answer:
        """Ask `rows` or `infer` of the model."""
        return self.ask("POST", f"/v2/models/{self.name}/{route}", body, {"content-type": "application/json"})

    def memory(self) -> int:
        """Resident bytes of the server now; 0 where that cannot be seen."""
        assert self._process is not None
        return self._process.resident_bytes()
