"""A router with a real Envoy, small model servers whose faults are set from outside, and a constant load."""

import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from server_processes import free_port

from evergreen.rollout.evidence import ArmCounts, Bucket, added
from evergreen.rollout.plan import RoutePlan, Target
from evergreen.rollout.router.client import RouterClient, RouterUnreachable

SERVER = """
import asyncio, json, sys
port, model = int(sys.argv[1]), sys.argv[2]
does, seen = {"delay": 0.0, "status": 200, "every": 1, "flags": ""}, []
count = 0

async def body(reader, headers):
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    data = b""
    while "transfer-encoding" in headers:
        size = int(await reader.readline(), 16)
        data += (await reader.readexactly(size + 2))[:size]
        if not size:
            break
    return data

async def answer(first, headers, data):
    global count
    if first.startswith("POST /does"):
        does.update(json.loads(data))
        return 200, b"{}"
    if first.startswith("GET /seen"):
        return 200, json.dumps(seen).encode()
    if "/v2/health" in first:
        return 200, b"{}"
    count += 1
    seen.append([headers.get("x-request-id"), headers.get("host"), headers.get("x-evergreen-arm"),
                 headers.get("x-user-id"), first.split()[1], len(data)])
    if count % does["every"] == 0:
        await asyncio.sleep(does["delay"])
        return does["status"], b'{"model": "%s"}' % model.encode()
    return 200, b"{}"

async def talk(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode("latin-1").split("\\r\\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
            status, data = await answer(head[0], headers, await body(reader, headers))
            flags = does["flags"] or "rows=1,missing=0,imputed=0,empty=0"
            head = f"HTTP/1.1 {status} x\\r\\nx-evergreen-model: {model}\\r\\ncontent-length: {len(data)}"
            writer.write(f"{head}\\r\\nx-evergreen-flags: {flags}\\r\\n\\r\\n".encode() + data)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    async with await asyncio.start_server(talk, "127.0.0.1", port, backlog=512) as server:
        await server.serve_forever()

asyncio.run(main())
"""
MODEL = "demo"


def ask(port: int, method: str, path: str, body: bytes | None = None, headers: dict | None = None):
    """One request on a connection of its own: status, body, headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def until(what, seconds: float = 30.0, pause: float = 0.02):
    """Wait for something to be true, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            found = what()
            if found:
                return found
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s: {what}")


class Server:
    """A model server as a process of its own."""

    def __init__(self, version: int, port: int = 0):
        self.version, self.port = version, port or free_port()
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-c", SERVER, str(self.port), f"{MODEL}@{self.version}"]
        self.process = subprocess.Popen(command)
        until(lambda: ask(self.port, "GET", "/v2/health/ready")[0] == 200)

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def does(self, **what) -> None:
        assert ask(self.port, "POST", "/does", json.dumps(what).encode())[0] == 200

    def seen(self) -> list[list]:
        return json.loads(ask(self.port, "GET", "/seen")[1])

    def kill(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()


class RealServer(Server):
    """Evergreen's own model server with a bundle."""

    def __init__(self, bundle: Path, folder: Path):
        self.bundle, self.folder = bundle, folder
        super().__init__(0)

    def start(self) -> None:
        command = [sys.executable, "-m", "evergreen.serving", MODEL, "--bundle", str(self.bundle)]
        with (self.folder / "server.log").open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)], stdout=output, stderr=output
            )
        until(lambda: ask(self.port, "GET", "/v2/health/ready")[0] == 200, 30)


class Router:
    """An agent with its Envoy."""

    def __init__(
        self, folder: Path, port: int = 0, more: tuple[str, ...] = (), envoy: bool = True, token: str = ""
    ):
        self.folder, self.port, self.agent_port = folder, port or free_port(), free_port()
        self.client = RouterClient(f"http://127.0.0.1:{self.agent_port}", timeout=5.0, token=token)
        self.environment = {**os.environ, "EVERGREEN_USER_SALT": "salt", "EVERGREEN_ROUTER_TOKEN": token}
        self.log = folder.with_name(f"{folder.name}.log")
        self.more = [*(("--envoy",) if envoy else ()), *more]
        self.start()

    def start(self) -> "Router":
        command = [
            sys.executable, "-m", "evergreen.rollout.router", "--listen", f"127.0.0.1:{self.port}",
            "--agent", f"127.0.0.1:{self.agent_port}", "--folder", str(self.folder), *self.more,
        ]  # fmt: skip
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, env=self.environment)
        try:
            until(lambda: self.process.poll() is not None or self._is_up(), 20)
        except AssertionError:
            self.process.kill()
            raise AssertionError(self.log.read_text()) from None
        assert self.process.poll() is None, self.log.read_text()
        return self

    def _is_up(self) -> bool:
        with contextlib.suppress(RouterUnreachable):
            return self.client.state().envoy_up or "--envoy" not in self.more
        return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    @property
    def envoy_pid(self) -> int:
        return json.loads((self.folder / "envoy.json").read_text())["pid"]

    @property
    def rotations(self) -> int:
        """How often a log was set aside."""
        lines = (self.folder / "evidence.jsonl").read_bytes().rpartition(b"\n")[0].splitlines()
        return json.loads(lines[-1])["rotations"] if lines else 0

    def buckets(self, seconds: float = 1.0, of: int = 0) -> list[Bucket]:
        """All buckets, once they count `of` requests or more, and nothing new has come for a while."""
        until(lambda: sum(a.requests for b in self.client.buckets(0) for a in b.arms.values()) >= of)
        found, quiet = self.client.buckets(0), time.monotonic()
        while time.monotonic() - quiet < seconds:
            time.sleep(0.1)
            now = self.client.buckets(0)
            if len(now) != len(found):
                found, quiet = now, time.monotonic()
        return found

    def totals(self, of: int = 0, rollout: str = "r1") -> dict[str, ArmCounts]:
        arms: dict[str, ArmCounts] = {}
        for bucket in self.buckets(of=of):
            for arm, counts in bucket.arms.items():
                if bucket.rollout == rollout:
                    arms[arm] = added(arms[arm], counts) if arm in arms else counts
        return arms

    def close(self) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
            self.process.kill()
        with contextlib.suppress(OSError, ValueError, ProcessLookupError):
            os.kill(self.envoy_pid, signal.SIGKILL)


@dataclass
class Answer:
    at: float
    user: str
    id: str
    status: int
    model: str
    seconds: float


@dataclass
class Load:
    """Constant load from several keep-alive connections; a request that gets no answer has status 0."""

    ports: list[int]
    users: int = 200
    rate: float = 200.0
    threads: int = 4
    body: bytes = b"{}"
    answers: list[Answer] = field(default_factory=list)
    retry: bool = False

    def __enter__(self) -> "Load":
        self._stop = threading.Event()
        self._workers = [threading.Thread(target=self._work, args=(i,)) for i in range(self.threads)]
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for worker in self._workers:
            worker.join(30)

    def _work(self, number: int) -> None:
        dice, count = random.Random(number), 0
        connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=10) for port in self.ports]
        while not self._stop.is_set():
            begun = time.perf_counter()
            user, identity = f"u{dice.randrange(self.users)}", f"{number}-{count}-{dice.randrange(10**9)}"
            count += 1
            for attempt in range(20 if self.retry else 1):
                connection = connections[(count + attempt) % len(connections)]
                if self._one(connection, user, identity, keep=not self.retry):
                    break
                time.sleep(0.01)
            self._stop.wait(max(0.0, self.threads / self.rate - (time.perf_counter() - begun)))

    def _one(self, connection, user: str, identity: str, keep: bool) -> bool:
        begun, headers = time.perf_counter(), {"x-user-id": user, "x-request-id": identity}
        try:
            connection.request("POST", f"/v2/models/{MODEL}/infer", self.body, headers)
            answer = connection.getresponse()
            answer.read()
            status, model = answer.status, answer.headers.get("x-evergreen-model", "")
        except (OSError, http.client.HTTPException):
            connection.close()
            status, model = 0, ""
        if status or keep:
            taken = time.perf_counter() - begun
            self.answers.append(Answer(time.time(), user, identity, status, model, taken))
        return bool(status)

    def more(self, count: int) -> None:
        """Wait until so many more requests have ended."""
        wanted = len(self.answers) + count
        until(lambda: len(self.answers) >= wanted, 60)

    @property
    def statuses(self) -> Counter:
        return Counter(a.status for a in self.answers)

    def models(self, since: float = 0.0) -> Counter:
        return Counter(a.model for a in self.answers if a.at >= since)


def send(port: int, users: list[str], **headers: str) -> list[Answer]:
    """One request for each user, one after the other."""
    load = Load([port])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for i, user in enumerate(users):
        load._one(connection, user, f"{i}-{random.randrange(10**9)}", keep=True)
    connection.close()
    return load.answers


def plan(generation: int, baseline: list[Server], candidate: list[Server] | None = None, **more) -> RoutePlan:
    def target(servers: list[Server]) -> Target:
        return Target(servers[0].version, tuple(s.endpoint for s in servers))

    return RoutePlan(
        MODEL, "r1", generation, target(baseline), target(candidate) if candidate else None,
        **{"salt": "s1", "dead_man": 0.0, **more},
    )  # fmt: skip
