"""Who takes part in the serving benchmark: how each is installed, started, asked and understood.

Each peer serves the same scikit-learn pipeline in the way its documentation shows, with one worker, from a
joblib file that the benchmark made in the peer's own environment. Where a setting makes a peer faster on one
core, it is used: no lines per request in the log (MLServer, KServe, uvicorn), MLServer without its process
pool, the row as one tensor where Evergreen gets ten named ones, FastAPI's handler on the event loop.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving_load import post
from benchmarks.serving_world import COLUMNS, HERE, World
from evergreen.threads import thread_limits

OURS, LIMIT = "evergreen", "limit"


@dataclass(frozen=True)
class Contender:
    """One server to measure.

    Attributes:
        name: As the tables show it.
        command: Starts it on `port`.
        port: Where it listens, on 127.0.0.1.
        ready: The path that is answered with 200 once it is ready.
        requests: One whole request for each probe row.
        expected: The positive class's probability for each probe row, by the model that it serves.
        probability: Finds that probability in an answer's body.
        environment: Variables to start it with.
        folder: Its working directory.
    """

    name: str
    command: tuple[str, ...]
    port: int
    ready: str
    requests: tuple[bytes, ...]
    expected: tuple[float, ...]
    probability: Callable[[bytes], float]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = HERE


def _tensors(row: Sequence[float]) -> bytes:
    tensors = [
        {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
        for name, value in zip(COLUMNS, row, strict=True)
    ]
    return json.dumps({"inputs": tensors}).encode()


def _matrix(row: Sequence[float], **more: object) -> bytes:
    tensor = {"name": "rows", "shape": [1, len(row)], "datatype": "FP64", "data": list(row)}
    return json.dumps({"inputs": [tensor], **more}).encode()


def _by_user(path: str, bodies: Sequence[bytes]) -> tuple[bytes, ...]:
    return tuple(post(path, body, [("x-user-id", f"user-{k}")]) for k, body in enumerate(bodies))


def _last_output(body: bytes) -> float:
    return float(json.loads(body)["outputs"][-1]["data"][1])


def _matrix_cell(body: bytes) -> float:
    return float(json.loads(body)[0][1])


def ours(world: World, model: str, port: int, log: Path | None) -> Contender:
    """Evergreen's model server with validation and metrics; with the prediction log when it has a folder."""
    bundle = world.folder / f"bundle-{model}"
    command = [
        sys.executable,
        "-m",
        "evergreen.serving",
        "bench",
        "--bundle",
        str(bundle),
        "--port",
        str(port),
    ]
    command += ["--log-spool", str(log)] if log else []
    rows = world.probes.tolist()
    return Contender(
        OURS, tuple(command), port, "/v2/health/ready",
        _by_user("/v2/models/bench/infer", [_tensors(row) for row in rows]),
        tuple(world.expected[model]), _last_output, {"EVERGREEN_USER_SALT": "benchmark"},
    )  # fmt: skip


def has_log() -> bool:
    """Whether the model server of this tree can log predictions."""
    command = [sys.executable, "-m", "evergreen.serving", "--help"]
    return (
        "--log-spool" in subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE).stdout
    )


def limit(world: World, model: str, port: int) -> Contender:
    """The bare granian + ONNX Runtime handler on the same graph, asked in the same way."""
    graph = world.folder / f"bundle-{model}" / "model.onnx"
    command = (sys.executable, str(HERE / "limit.py"), str(graph), str(port))
    bodies = [_tensors(row) for row in world.probes.tolist()]
    return Contender(
        LIMIT, command, port, "/", _by_user("/v2/models/bench/infer", bodies),
        tuple(world.expected[model]), _matrix_cell,
    )  # fmt: skip


def peer(
    name: str, python: Path, world: World, model: str, ports: Sequence[int], expected: Sequence[float]
) -> Contender:
    """A peer with one worker; `ports` are three free ones, for those that insist on more than HTTP."""
    build = {"mlserver": _mlserver, "kserve": _kserve, "bentoml": _bentoml, "fastapi": _fastapi}[name]
    return build(python, world, model, ports, tuple(expected))


def _rows(world: World) -> list[list[float]]:
    return world.probes.tolist()


def _file(world: World, name: str, model: str) -> dict[str, str]:
    return {"BENCH_MODEL": str(world.folder / name / model / "model.joblib")}


def _mlserver(
    python: Path, world: World, model: str, ports: Sequence[int], expected: tuple[float, ...]
) -> Contender:
    folder = world.folder / "mlserver" / model
    about = {
        "name": "bench",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib"},
    }
    (folder / "model-settings.json").write_text(json.dumps(about))
    settings = {
        "debug": False, "parallel_workers": 0, "host": "127.0.0.1",
        "http_port": ports[0], "grpc_port": ports[1], "metrics_port": ports[2],
    }  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(settings))
    bodies = [_matrix(row, outputs=[{"name": "predict_proba"}]) for row in _rows(world)]
    return Contender(
        "mlserver", (str(python.parent / "mlserver"), "start", str(folder)), ports[0],
        "/v2/models/bench/ready", _by_user("/v2/models/bench/infer", bodies), expected, _last_output,
        folder=folder,
    )  # fmt: skip


def _kserve(
    python: Path, world: World, model: str, ports: Sequence[int], expected: tuple[float, ...]
) -> Contender:
    quiet = {"kserve": {"level": "WARNING"}, "kserve.trace": {"level": "WARNING"}}
    quiet |= {"uvicorn": {"level": "WARNING"}, "uvicorn.access": {"level": "WARNING"}}
    log = world.folder / "kserve" / "log.json"
    log.write_text(json.dumps({"version": 1, "disable_existing_loggers": False, "loggers": quiet}))
    flags = (
        "--http_port", str(ports[0]), "--grpc_port", str(ports[1]), "--enable_latency_logging", "false",
        "--log_config_file", str(log),
    )  # fmt: skip
    return Contender(
        "kserve", (str(python), str(HERE / "kserve_server.py"), *flags), ports[0],
        "/v2/models/bench/ready",
        _by_user("/v2/models/bench/infer", [_matrix(row) for row in _rows(world)]),
        expected, _last_output, _file(world, "kserve", model),
    )  # fmt: skip


def _bentoml(
    python: Path, world: World, model: str, ports: Sequence[int], expected: tuple[float, ...]
) -> Contender:
    flags = ("--host", "127.0.0.1", "--port", str(ports[0]), "--quiet")
    home = world.folder / "bentoml" / "home"
    home.mkdir(exist_ok=True)
    variables = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True", **_file(world, "bentoml", model)}
    bodies = [json.dumps({"rows": [row]}).encode() for row in _rows(world)]
    return Contender(
        "bentoml", (str(python.parent / "bentoml"), "serve", "bentoml_service:Classifier", *flags), ports[0],
        "/readyz", _by_user("/predict", bodies), expected, _matrix_cell, variables,
    )  # fmt: skip


def _fastapi(
    python: Path, world: World, model: str, ports: Sequence[int], expected: tuple[float, ...]
) -> Contender:
    flags = ("--host", "127.0.0.1", "--port", str(ports[0]), "--workers", "1", "--no-access-log")
    bodies = [json.dumps(dict(zip(COLUMNS, row, strict=True))).encode() for row in _rows(world)]
    return Contender(
        "fastapi", (str(python), "-m", "uvicorn", "fastapi_app:app", *flags), ports[0], "/ready",
        _by_user("/predict", bodies), expected, lambda body: float(json.loads(body)["probability"]),
        _file(world, "fastapi", model),
    )  # fmt: skip


def environment() -> dict[str, str]:
    """The environment of every server: one thread for the one core, no warnings, nobody calls home."""
    return {**os.environ, **thread_limits(1), "DO_NOT_TRACK": "1", "PYTHONWARNINGS": "ignore"}
