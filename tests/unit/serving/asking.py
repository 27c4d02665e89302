"""Ask the server's application without a socket: a request and a protocol as granian would hand them over."""

import asyncio
import json
import selectors
from dataclasses import dataclass
from typing import Any

from evergreen.bundle import load_bundle
from evergreen.serving.app import App
from evergreen.serving.model import ServedModel
from evergreen.serving.settings import Limits, Policy


class Headers:
    def __init__(self, given: dict[str, str]) -> None:
        self.given = given

    def get(self, key: str, default: Any = None) -> Any:
        return self.given.get(key, default)


@dataclass
class Scope:
    method: str
    path: str
    headers: Headers
    proto: str = "http"


class Protocol:
    """Takes the answer; `wait` is how long the body takes to arrive."""

    def __init__(self, body: bytes, wait: float = 0.0) -> None:
        self.body, self.wait = body, wait
        self.answer: tuple[int, dict[str, str], bytes] | None = None

    async def __call__(self) -> bytes:
        if self.wait:
            await asyncio.sleep(self.wait)
        return self.body

    async def __aiter__(self):
        for k in range(0, len(self.body), 1000):
            yield self.body[k : k + 1000]

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        assert self.answer is None
        for name, value in headers:  # what HTTP takes
            assert name == name.lower() and value.isascii() and value.isprintable(), (name, value)
        self.answer = (status, dict(headers), body)


@dataclass
class Got:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        assert list(self.json) == ["error"]
        return self.json["error"]


class Skips(selectors.DefaultSelector):
    """Does not wait, and counts how long it would have."""

    waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.waited += timeout or 0.0
        return super().select(timeout and 0)


class Skipping(asyncio.SelectorEventLoop):
    """A loop whose clock stands still while something is to be done, and then jumps to the next timer.

    What is to happen after 0.1 s comes before what is to after 0.2 s, however slow the machine is.
    """

    def __init__(self) -> None:
        self.skips = Skips()
        super().__init__(self.skips)

    def time(self) -> float:
        return self.skips.waited


class Asker:
    """An application and an event loop to ask it in."""

    def __init__(self, app: App, loop: type[asyncio.AbstractEventLoop] | None = None) -> None:
        self.app, self.runner = app, asyncio.Runner(loop_factory=loop)

    def ask(self, method: str, path: str, body: Any = b"", headers: dict | None = None, wait=0.0) -> Got:
        return self.runner.run(self.asked(method, path, body, headers or {}, wait))

    async def asked(self, method: str, path: str, body: Any, headers: dict, wait: float = 0.0) -> Got:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        protocol = Protocol(content, wait)
        given = {"host": "x", "content-length": str(len(content)), **headers}
        await self.app.__rsgi__(Scope(method, path, Headers(given)), protocol)
        assert protocol.answer is not None
        return Got(*protocol.answer)

    def rows(self, *rows: dict, **headers: str) -> Got:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", f"/v2/models/{self.app.name}/rows", {"rows": list(rows)}, names)

    def infer(self, body: Any, **headers: str) -> Got:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", f"/v2/models/{self.app.name}/infer", body, names)

    def metrics(self) -> dict[str, float]:
        text = self.ask("GET", "/metrics").body.decode()
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


def app_of(folder, limits: Limits | None = None, policy: Policy | None = None, version=3, **more) -> App:
    """An application that serves a bundle as `demo`."""
    limits = limits or Limits()
    app = App("demo", limits, policy, **more)
    model = ServedModel("demo", version, load_bundle(folder, threads=1), limits.rows, policy)
    model.warm_up()
    app.serve(model)
    return app
