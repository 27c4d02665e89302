"""The model server as a process of its own, asked over HTTP."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
from model_server import FUZZ, GOOD, HELP, ODD, Server, script
from server_processes import free_port

from evergreen.bundle import load_bundle

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    root = tmp_path_factory.mktemp("bundles")
    return {
        kind: HELP["make_bundle"](root / kind, kind)
        for kind in ("binary", "multiclass", "regression", "native")
    }


@pytest.fixture(scope="module")
def server(bundles, tmp_path_factory):
    started = Server(bundles["binary"], tmp_path_factory.mktemp("log") / "server.log").until(
        "/v2/health/ready"
    )
    yield started
    assert started.stop() == 0


def tensor(name, datatype, data, shape=None):
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


def columns(rows: int):
    """A request's tensors and the same columns for the bundle."""
    table = HELP["make_table"](rows, 9)
    age = [None if np.isnan(v) else v for v in table["age"]]
    inputs = [
        tensor("age", "FP64", age),
        tensor(ODD, "FP32", [[float(v)] for v in table[ODD]], [rows, 1]),
        tensor("city", "BYTES", table["city"].tolist()),
        tensor("vip", "BOOL", table["vip"].tolist()),
    ]
    return inputs, table


def test_server_and_model_describe_themselves(server):
    status, about, _ = server.ask("GET", "/v2")
    assert (status, about["name"], about["extensions"]) == (
        200,
        "evergreen",
        ["binary_tensor_data", "model_repository_index", "rows", "outcomes"],
    )
    assert server.ask("GET", "/v2/models")[1] == {"models": ["demo"]}
    assert server.ask("GET", "/v2/health/live")[:2] == (200, {"live": True})
    assert server.ask("GET", "/v2/health/ready")[:2] == (200, {"ready": True})
    assert server.ask("GET", "/v2/models/demo/ready")[:2] == (200, {"name": "demo", "ready": True})
    assert server.ask("GET", "/v2/models/demo/versions/0/ready")[0] == 200
    model = server.ask("GET", "/v2/models/demo")[1]
    assert model["versions"] == ["0"]
    assert [(i["name"], i["datatype"]) for i in model["inputs"]] == [
        ("age", "FP64"), (ODD, "FP64"), ("city", "BYTES"), ("vip", "BOOL"),
    ]  # fmt: skip
    assert [(o["name"], o["datatype"], o["shape"]) for o in model["outputs"]] == [
        ("prediction", "BYTES", [-1]), ("probabilities", "FP64", [-1, 2]),
    ]  # fmt: skip
    assert model["parameters"]["classes"] == ["no", "yes"]


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "native"])
def test_answers_are_the_bundle_s_own(bundles, tmp_path, kind):
    server = Server(bundles[kind], tmp_path / "log").until("/v2/health/ready")
    try:
        inputs, table = columns(50)
        expected = load_bundle(bundles[kind], threads=1).predict(table)
        status, answer, _ = server.infer(inputs, id="a7")
        assert (status, answer["id"], answer["model_name"], answer["model_version"]) == (
            200,
            "a7",
            "demo",
            "0",
        )
        outputs = {o["name"]: o for o in answer["outputs"]}
        datatype = {"binary": "BYTES", "multiclass": "INT64", "regression": "FP64", "native": "BOOL"}[kind]
        assert (outputs["prediction"]["datatype"], outputs["prediction"]["shape"]) == (datatype, [50])
        if kind == "regression":
            np.testing.assert_allclose(outputs["prediction"]["data"], expected.values, rtol=1e-6)
            assert list(outputs) == ["prediction"]
        else:
            assert outputs["prediction"]["data"] == expected.values.tolist()
            got = np.reshape(outputs["probabilities"]["data"], outputs["probabilities"]["shape"])
            np.testing.assert_allclose(got, expected.probabilities, atol=1e-6)
        rows = [
            dict(zip(("age", ODD, "city", "vip"), r, strict=True))
            for r in zip(
                inputs[0]["data"],
                table[ODD].tolist(),
                table["city"].tolist(),
                table["vip"].tolist(),
                strict=True,
            )
        ]
        by_row = server.rows(*rows)[1]["predictions"]
        tolerance = {"rel": 1e-5} if kind == "regression" else {}
        wanted = (
            pytest.approx(expected.values.tolist(), **tolerance) if tolerance else expected.values.tolist()
        )
        assert [p["prediction"] for p in by_row] == wanted
        if kind == "native":
            assert list(by_row[0]["probabilities"]) == ["false", "true"]
    finally:
        assert server.stop() == 0


def test_a_request_may_choose_outputs_and_leave_optional_columns_out(server):
    inputs, _ = columns(2)
    status, answer, _ = server.infer(inputs[:3], outputs=[{"name": "probabilities"}])
    assert status == 200
    assert [o["name"] for o in answer["outputs"]] == ["probabilities"]
    assert server.ask("POST", "/v2/models/demo/versions/0/infer", {"inputs": inputs})[0] == 200


BAD_ROWS = [
    ({**GOOD, "age": "30"}, "column 'age', row 0: found \"30\"; expected a number"),
    ({**GOOD, "age": True}, "column 'age', row 0: found true; expected a number"),
    ({**GOOD, "age": 1e39}, "column 'age', row 0: found 1e39; expected a number"),
    ({**GOOD, "age": 10**60}, "column 'age', row 0"),
    ({**GOOD, "city": 7}, "column 'city', row 0: found 7; expected text"),
    ({**GOOD, "vip": 2}, "column 'vip', row 0: found 2; expected true, false"),
    ({**GOOD, "vip": {"a": [1]}}, "column 'vip', row 0: found {\"a\":[1]}"),
    ({k: v for k, v in GOOD.items() if k != "age"}, "column 'age': not given"),
    ({**GOOD, "agee": 1}, "column 'agee': not one of the model's.*Did you mean 'age'"),
    (7, "Expected 'object', got 'int' - at 'body.rows[0]'"),
]


@pytest.mark.parametrize("row,message", BAD_ROWS, ids=[m[:30] for _, m in BAD_ROWS])
def test_a_row_against_the_schema_is_a_400_that_names_the_column(server, row, message):
    status, answer, _ = server.rows(row)
    assert status == 400 and list(answer) == ["error"]
    assert all(part in answer["error"] for part in message.split(".*")), answer


def one(**changes):
    inputs, _ = columns(1)
    return [{**i, **changes.get(i["name"], {})} for i in inputs]


BAD_TENSORS = [
    (one(age={"datatype": "BYTES", "data": ["30"]}), "column 'age', row 0: found \"30\"; expected a number"),
    (one(age={"data": ["30"]}), "column 'age', row 0: found \"30\"; expected a number"),
    (one(age={"data": [1, 2]}), "column 'age': 2 values for shape [1]; expected 1"),
    (one(city={"shape": [3]}), "column 'city': shape [3]; expected [1]"),
    (one(city={"shape": []}), "column 'city': shape []"),
    (one(age={"shape": [-1]}), "no rows"),
    (one(age={"datatype": "FP128"}), "column 'age': datatype 'FP128'; expected FP64"),
    (one(age={"name": "aeg"}), "column 'aeg': not one of the model's"),
    (one(vip={"name": "age"}), "column 'age': given twice"),
    (one()[1:], "column 'age': not given"),
    ([], "inputs: no tensor"),
    (one(age={"data": None}), "column 'age': no data"),
    (one(age={"data": [[[1]]]}), "column 'age', row 0: found [1]; expected a number"),
    (one(age={"data": [[1, 2]]}), "column 'age': rows of other lengths in `data`; expected 1"),
    (one(age={"shape": "x"}), "Expected 'array', got 'str'"),
]


@pytest.mark.parametrize("inputs,message", BAD_TENSORS, ids=[m[:30] for _, m in BAD_TENSORS])
def test_a_tensor_against_the_schema_is_a_400_that_names_the_column(server, inputs, message):
    status, answer, _ = server.infer(inputs)
    assert status == 400 and message in answer["error"], answer


@pytest.mark.parametrize("method,path,status,message", [
    ("GET", "/nope", 404, "/nope: no such path"),
    ("GET", "/v2/models/other", 404, "model 'other': is not served here; expected 'demo'"),
    ("POST", "/v2/models/other/infer", 404, "model 'other'"),
    ("GET", "/v2/models/demo/versions/9", 404, "version '9': is not served here; expected version 0"),
    ("GET", "/v2/models/demo/versions", 404, "version ''"),
    ("GET", "/v2/models/demo/foo", 404, "foo: no such path below a model"),
    ("GET", "/v2/models/demo/infer", 405, "expected POST"),
    ("POST", "/v2/health/live", 405, "expected GET"),
])  # fmt: skip
def test_other_refusals_are_honest(server, method, path, status, message):
    got, answer, _ = server.ask(method, path)
    assert (got, message in answer["error"]) == (status, True), answer


@pytest.mark.parametrize(
    "body", [b"", b"[1", b"{", b"\xff\xfe", b'{"rows": [NaN]}', b"[" * 100_000, b'{"inputs": 3}']
)
@pytest.mark.parametrize("route", ["infer", "rows"])
def test_a_body_that_is_no_request_is_a_400(server, body, route):
    status, answer, _ = server.ask("POST", f"/v2/models/demo/{route}", body)
    assert status == 400 and answer["error"].startswith("body: ")


def test_rows_and_bytes_are_limited(server):
    assert server.rows()[0] == 400
    status, answer, _ = server.rows(*[GOOD] * 10_001)
    assert status == 413 and "10001 rows; expected at most 10000" in answer["error"]
    assert server.rows(*[GOOD] * 10_000)[0] == 200
    large = b" " * (16 * 2**20 + 1)
    for headers in ({}, {"Transfer-Encoding": "chunked"}):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            body = large if not headers else b"%x\r\n%s\r\n0\r\n\r\n" % (len(large), large)
            status, answer, _ = server.ask("POST", "/v2/models/demo/rows", body, headers)
            assert status == 413 and "at most 16777216" in answer["error"]


def test_the_request_id_is_echoed_or_made(server):
    body = {"rows": [GOOD], "id": "r-1"}
    _, answer, headers = server.ask("POST", "/v2/models/demo/rows", body, {"x-request-id": "abc-1"})
    assert (answer["id"], headers["x-request-id"]) == ("r-1", "abc-1")
    _, answer, headers = server.rows(GOOD)
    assert "id" not in answer and re.fullmatch(r"[0-9a-f]{16}", headers["x-request-id"])
    _, _, headers = server.ask("POST", "/v2/models/demo/rows", body, {"x-request-id": "x" * 300})
    assert len(headers["x-request-id"]) == 16


def test_metrics_count_what_happened(server):
    before = server.metrics()
    server.rows(GOOD, GOOD)
    server.rows({**GOOD, "age": "x"})
    after = server.metrics()

    def grown(name):
        return after.get(name, 0) - before.get(name, 0)

    label = '{model_name="demo"}'
    assert grown('evergreen_requests_total{code="200",route="rows"}') == 1
    assert grown('evergreen_requests_total{code="400",route="rows"}') == 1
    assert grown('evergreen_refusals_total{model_name="demo",reason="schema"}') == 1
    assert grown(f"request_predict_seconds_count{label}") == 1
    assert grown(f"evergreen_request_seconds_count{label}") == 1
    assert grown(f"evergreen_request_rows_sum{label}") == 2
    assert after[f"evergreen_requests_in_flight{label}"] == 0
    assert after["process_resident_memory_bytes"] > 0
    (info,) = [name for name in after if name.startswith("evergreen_model_info")]
    digest = server.ask("GET", "/v2/models/demo")[1]["parameters"]["digest"]
    assert f'digest="{digest}"' in info and 'version="0"' in info


def test_many_clients_at_once_each_get_their_own_answer(server):
    def work(seed: int) -> None:
        inputs, table = columns(1 + seed % 40)
        expected = bundle.predict(table).values.tolist()
        connection = server.connect()
        for _ in range(20):
            connection.request(
                "POST", "/v2/models/demo/infer", json.dumps({"inputs": inputs, "id": str(seed)})
            )
            answer = json.loads(connection.getresponse().read())
            assert (answer["id"], answer["outputs"][0]["data"]) == (str(seed), expected)
        connection.close()

    bundle = load_bundle(Path(server.process.args[5]), threads=1)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(32)))


def test_fuzzed_requests_give_no_5xx_and_no_leak(server):
    fuzz = FUZZ(GOOD, 3)
    connection = server.connect()
    statuses = set()

    def burst(count: int) -> None:
        for action, body, headers in fuzz.requests(count):
            connection.request("POST", f"/v2/models/demo/{action}", body, headers)
            answer = connection.getresponse()
            raw = answer.read()
            assert answer.status < 500, (action, body, headers, raw)
            binary = answer.headers["inference-header-content-length"]
            content = json.loads(raw[: int(binary)] if binary else raw)
            assert (answer.status == 200) == ("error" not in content)
            statuses.add(answer.status)

    process = psutil.Process(server.process.pid)
    sizes = []
    for _ in range(5):
        burst(1000)
        sizes.append(process.memory_info().rss)
    assert statuses >= {200, 400, 404, 415}
    # A leak grows in every burst; the allocator takes its arenas now and then.
    assert min(after - before for before, after in pairwise(sizes)) < 2**19, sizes
    assert server.rows(GOOD)[0] == 200


def test_a_worker_thread_keeps_health_answered_during_a_long_prediction(bundles, tmp_path):
    gate = tmp_path / "gate"
    slow = f"""import evergreen.bundle.native as n
    run, gate = n.NativeEngine.run, pathlib.Path({str(gate)!r})
    def slow(engine, arrays, rows):
        while True:
            time.sleep(0.05)
            if rows != 3 or gate.exists():
                return run(engine, arrays, rows)
    n.NativeEngine.run = slow"""
    limits = "Limits(seconds=600)"
    server = Server(bundles["native"], tmp_path / "log", script(limits, slow)).until("/v2/health/ready")
    try:
        with ThreadPoolExecutor(1) as pool:
            try:
                waiting = pool.submit(server.rows, GOOD, GOOD, GOOD)
                server.until_at_work(1)
                assert server.ask("GET", "/v2/health/live")[0] == 200
                assert not waiting.done()
            finally:
                gate.touch()
            assert waiting.result()[0] == 200
    finally:
        assert server.stop() == 0


def half(server: Server) -> tuple[socket.socket, bytes]:
    """A connection on which the head and half of a good body were sent, and the other half."""
    body = json.dumps({"rows": [GOOD]}).encode()
    link = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    link.sendall(
        b"POST /v2/models/demo/rows HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:9]
    )
    return link, body[9:]


def test_more_requests_than_the_limit_are_a_503_with_retry_after(bundles, tmp_path):
    server = Server(bundles["binary"], tmp_path / "log", script("Limits(in_flight=2)")).until(
        "/v2/health/ready"
    )
    try:
        links = [half(server) for _ in range(2)]
        server.until_at_work(2)
        status, answer, headers = server.rows(GOOD)
        assert (status, headers["retry-after"]) == (503, "1")
        assert "2 requests are at work" in answer["error"]
        for link, rest in links:
            link.sendall(rest)
            assert link.recv(100).startswith(b"HTTP/1.1 200")
            link.close()
        assert server.rows(GOOD)[0] == 200
    finally:
        assert server.stop() == 0


def test_a_body_that_does_not_arrive_is_a_408_and_frees_its_place(bundles, tmp_path):
    limits = "Limits(in_flight=1, body_seconds=0.3)"
    server = Server(bundles["binary"], tmp_path / "log", script(limits)).until("/v2/health/ready")
    try:
        link, _ = half(server)
        assert link.recv(100).startswith(b"HTTP/1.1 408")
        link.close()
        link, _ = half(server)
        link.close()
        deadline = time.monotonic() + 30
        while server.rows(GOOD)[0] != 200:
            assert time.monotonic() < deadline
        assert "Traceback" not in server.log.read_text()
    finally:
        assert server.stop() == 0


def test_hundreds_of_idle_connections_do_not_shut_others_out(server):
    links = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(600)]
    for link in links:
        link.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        link.recv(1000)
    assert server.rows(GOOD)[0] == 200
    for link in links:
        link.close()


def test_readiness_is_false_and_liveness_true_until_the_model_is_loaded(bundles, tmp_path):
    gate = tmp_path / "gate"
    wait = f"[time.sleep(0.01) for _ in iter(pathlib.Path({str(gate)!r}).exists, True)]"
    server = Server(bundles["binary"], tmp_path / "log", script(before=wait)).until("/v2/health/live")
    try:
        assert server.ask("GET", "/v2/health/ready")[:2] == (503, {"ready": False})
        assert server.ask("GET", "/v2/models/demo/ready")[:2] == (503, {"name": "demo", "ready": False})
        assert server.rows(GOOD)[0] == 503
        assert server.metrics()['evergreen_model_ready{model_name="demo"}'] == 0
        gate.touch()
        server.until("/v2/health/ready")
        assert server.ask("GET", "/v2/models/demo")[1]["versions"] == ["4"]
    finally:
        assert server.stop() == 0


def test_sigterm_while_loading_ends_at_once(bundles, tmp_path):
    server = Server(bundles["binary"], tmp_path / "log", script(before="time.sleep(1000)")).until(
        "/v2/health/live"
    )
    assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_at_work_is_answered_before_the_server_ends(bundles, tmp_path, number):
    server = Server(bundles["binary"], tmp_path / "log").until("/v2/health/ready")
    link, rest = half(server)
    server.until_at_work(1)
    server.process.send_signal(number)
    deadline = time.monotonic() + 30
    with pytest.raises(ConnectionError):  # refused, or reset while the listener is being closed
        while time.monotonic() < deadline:
            socket.create_connection(("127.0.0.1", server.port)).close()
    link.sendall(rest)
    assert link.recv(100).startswith(b"HTTP/1.1 200")
    assert server.process.wait(20) == 0
    assert "panicked" not in server.log.read_text()


def test_stopping_again_and_again_under_load_ends_well(bundles, tmp_path):
    for k in range(3):
        server = Server(bundles["binary"], tmp_path / f"log{k}").until("/v2/health/ready")
        stop = threading.Event()
        good, bad = [], []

        def load(server=server, stop=stop, good=good, bad=bad):
            connection = server.connect()
            while not stop.is_set():
                try:
                    connection.request("POST", "/v2/models/demo/rows", json.dumps({"rows": [GOOD]}))
                    status = connection.getresponse()
                    status.read()
                    (good if status.status == 200 else bad).append(status.status)
                except (OSError, http.client.HTTPException):
                    return

        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        try:
            deadline = time.monotonic() + 30
            while len(good) < 100:
                assert time.monotonic() < deadline, (bad, server.log.read_text())
                time.sleep(0.005)
            code = server.stop()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert (code, bad) == (0, []), server.log.read_text()


def test_a_taken_port_is_an_exit_2_that_names_port_and_holder(server, bundles, tmp_path):
    command = [sys.executable, "-m", "evergreen.serving", "demo", "--bundle", str(bundles["binary"])]
    done = subprocess.run([*command, "--port", str(server.port)], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"port {server.port} for the model server: is taken by process {server.process.pid}" in done.stderr
    assert "Traceback" not in done.stderr
    assert server.rows(GOOD)[0] == 200


@pytest.mark.parametrize("name", ["model.onnx", "model.skops", "signature.json", "manifest.json", "card.md"])
def test_a_bundle_with_a_changed_byte_is_not_served(bundles, tmp_path, name):
    import shutil

    copy = tmp_path / "bundle"
    shutil.copytree(bundles["binary"], copy)
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    command = [
        sys.executable,
        "-m",
        "evergreen.serving",
        "demo",
        "--bundle",
        str(copy),
        "--port",
        str(free_port()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert name in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


def test_logs_are_structured_and_hold_no_values(server):
    server.rows({**GOOD, "city": "secret-value-in-a-row", "age": "x"})
    server.until("/v2/health/live")  # the line of a request is written after its answer
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert {"listening", "model loaded", "ready"} <= {line["event"] for line in lines}
    assert "secret-value-in-a-row" not in server.log.read_text()


def test_the_server_runs_on_one_worker_with_few_threads(server):
    assert psutil.Process(server.process.pid).num_threads() <= 8
    assert os.getpgid(server.process.pid) == os.getpgid(0)
