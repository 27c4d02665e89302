"""Latency of the model server under an open-loop load: server on one core, load from the other.

    python benchmarks/serving.py [--model logistic|forest] [--rate 500 --rate 1000] [--seconds 10]

Requests leave at fixed times whatever the answers do, and latency counts from the moment a request was due
(no coordinated omission). `limit` is a bare granian + ONNX Runtime handler without validation, metrics or
limits: what the parts can do at best. Both targets get each rate in turn.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

COLUMNS = 10
HEADERS = (
    "server", "requests/s", "answered", "errors", "p50 ms", "p99 ms", "max ms", "CPU ms/request", "RSS MiB",
)  # fmt: skip


def make_bundle(folder: Path, model: str) -> None:
    """Imputer, scaler and a classifier over ten numeric columns, saved as a real bundle."""
    import numpy as np
    import pandas as pd
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from evergreen.bundle import Input, Signature, save_bundle
    from evergreen.bundle.save import Companions

    rng = np.random.default_rng(17)
    table = pd.DataFrame(rng.normal(size=(2000, COLUMNS)), columns=range(COLUMNS))
    label = (table.sum(axis=1) + rng.normal(size=len(table)) > 0).astype(int)
    estimators = {
        "logistic": LogisticRegression(),
        "forest": RandomForestClassifier(100, max_depth=8, random_state=17),
    }
    fitted = make_pipeline(SimpleImputer(), StandardScaler(), estimators[model]).fit(table, label)
    inputs = tuple(Input(f"f{k}", "number") for k in range(COLUMNS))
    signature = Signature("binary", inputs, classes=("no", "yes"), positive="yes")
    columns = {f"f{k}": table[k].to_numpy() for k in range(COLUMNS)}
    saved = save_bundle(folder, fitted, signature, Companions("A benchmark.", None, None, {}), columns)
    if saved.engine != "onnx":
        raise SystemExit(f"the graph did not pass the parity gate: {saved.parity.reason}")


def run_limit(bundle: Path, port: int) -> None:
    """The bare handler."""
    import msgspec
    import numpy as np
    import onnxruntime
    from granian.server.embed import Server

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession((bundle / "model.onnx").read_bytes(), options)
    output = session.get_outputs()[-1].name

    async def app(scope, protocol):
        request = msgspec.json.decode(await protocol()) if scope.method == "POST" else {"inputs": []}
        feed = {
            f"c{k}": np.array(t["data"], dtype=np.float32).reshape(-1, 1)
            for k, t in enumerate(request["inputs"])
        }
        answer = session.run([output], feed)[0].tolist() if feed else []
        protocol.response_bytes(200, [("content-type", "application/json")], msgspec.json.encode(answer))

    server = Server(app, "127.0.0.1", port, interface="rsgi", http="1", websockets=False, backpressure=8192)
    asyncio.run(server.serve())


@dataclass
class Result:
    """Latencies in seconds by the moment a request was due; errors are answers other than 200."""

    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    sent: int = 0


class Connection(asyncio.Protocol):
    """A kept-alive HTTP/1.1 connection with one request at a time."""

    def __init__(self, load: "Load") -> None:
        self.load, self.buffer, self.due = load, b"", 0.0

    def connection_made(self, transport):
        self.transport = transport

    def send(self, due: float) -> None:
        self.due, self.buffer = due, b""
        self.transport.write(self.load.request)

    def data_received(self, data):
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) >= length:
            self.load.answered(self, head.startswith(b"HTTP/1.1 200"))

    def connection_lost(self, error):
        self.load.lost(self)


class Load:
    """Sends one request at a fixed rate, over as many connections as that takes."""

    def __init__(self, port: int, request: bytes) -> None:
        self.port, self.request = port, request
        self.idle: list[Connection] = []
        self.busy: set[Connection] = set()
        self.waiting: list[float] = []
        self.result = Result()

    async def connect(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port)
            self.idle.append(connection)

    def answered(self, connection: Connection, good: bool) -> None:
        self.result.latencies.append(time.perf_counter() - connection.due)
        self.result.errors += not good
        if self.waiting:
            connection.send(self.waiting.pop(0))
        else:
            self.busy.discard(connection)
            self.idle.append(connection)

    def lost(self, connection: Connection) -> None:
        self.result.errors += connection in self.busy
        self.busy.discard(connection)

    async def run(self, rate: int, seconds: float) -> Result:
        self.result = Result()
        begun = time.perf_counter() + 0.05
        for k in range(int(rate * seconds)):
            due = begun + k / rate
            while time.perf_counter() < due:
                await asyncio.sleep(0)
            self.result.sent += 1
            if self.idle:
                connection = self.idle.pop()
                self.busy.add(connection)
                connection.send(due)
            else:
                self.waiting.append(due)
        deadline = time.perf_counter() + 5
        while (self.busy or self.waiting) and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
        return self.result


def http_request(path: str, body: bytes) -> bytes:
    """The bytes of a POST."""
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def measure(name: str, pid: int, port: int, path: str, rates: list[int], seconds: float) -> None:
    tensors = [{"name": f"f{k}", "shape": [1], "datatype": "FP32", "data": [0.1 * k]} for k in range(COLUMNS)]
    load = Load(port, http_request(path, json.dumps({"inputs": tensors}).encode()))
    await load.connect(64)
    await load.run(200, 1)
    for rate in rates:
        before = cpu_seconds(pid)
        result = await load.run(rate, seconds)
        used = cpu_seconds(pid) - before
        ordered = sorted(result.latencies) or [float("nan")]
        share = len(ordered) / result.sent
        p50, p99 = (1000 * ordered[min(len(ordered) - 1, int(len(ordered) * q))] for q in (0.5, 0.99))
        cells = [
            name, rate, f"{share:.1%}", result.errors,
            f"{p50:.2f}", f"{p99:.2f}", f"{1000 * ordered[-1]:.1f}",
            f"{1000 * used / max(1, result.sent):.2f}", f"{resident(pid):.0f}",
        ]  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Resident memory in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def wait_ready(process: subprocess.Popen, port: int) -> None:
    import http.client

    deadline = time.time() + 60
    while time.time() < deadline and process.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/v2/health/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server did not become ready")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=["logistic", "forest"], default="logistic")
    parser.add_argument("--rate", type=int, action="append")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--port", type=int, default=21080)
    parser.add_argument("--limit", nargs=2, metavar=("BUNDLE", "PORT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.limit:
        run_limit(Path(given.limit[0]), int(given.limit[1]))
        return
    with tempfile.TemporaryDirectory() as temporary:
        bundle = Path(temporary) / "bundle"
        make_bundle(bundle, given.model)
        ours = ["-m", "evergreen.serving", "bench", "--bundle", str(bundle), "--port", str(given.port)]
        limit = [__file__, "--limit", str(bundle), str(given.port + 1)]
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[0]})
        quiet = subprocess.DEVNULL
        servers = [subprocess.Popen([sys.executable, *c], stdout=quiet, stderr=quiet) for c in (ours, limit)]
        os.sched_setaffinity(0, {cores[-1]})
        try:
            print(f"| {' | '.join(HEADERS)} |\n|{'---|' * len(HEADERS)}", flush=True)
            names, ports = (f"evergreen, {given.model}", "limit"), (given.port, given.port + 1)
            targets = list(zip(names, servers, ports, strict=True))
            for _, process, port in targets:
                wait_ready(process, port)
            for rate in given.rate or [500, 1000]:
                for name, process, port in targets:
                    asyncio.run(
                        measure(name, process.pid, port, "/v2/models/bench/infer", [rate], given.seconds)
                    )
        finally:
            for process in servers:
                process.terminate()
            for process in servers:
                process.wait(30)


if __name__ == "__main__":
    main()
