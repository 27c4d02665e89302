"""The serving benchmark: answers are checked first, ratios are of the same round, JSON is JSON."""

import json
import math
import socket
import sys
import threading
from dataclasses import replace

import psutil
import pytest

from benchmarks.serving_contenders import Contender
from benchmarks.serving_load import post
from benchmarks.serving_search import Run, Throughput
from benchmarks.serving_servers import check_answers, cpu_seconds, launched
from benchmarks.serving_table import Found, as_json, number, rates_table, summary, throughput_table

RUN = Run(100, 200, 1.0, 0, 1.0, 4.0, 9.0, 0.5, 80.0, 0.1, 0.0)
POOR = replace(RUN, answered=0.4, p50=math.inf, p99=math.inf, errors=3, others=0.5)


def answering(body: bytes, status: str = "200 OK") -> int:
    """A server of one connection that always says the same."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        opened, _ = listening.accept()
        with opened, listening:
            while opened.recv(65536):
                opened.sendall(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)

    threading.Thread(target=serve, daemon=True).start()
    return listening.getsockname()[1]


def contender(port: int) -> Contender:
    requests = (post("/", b"1"), post("/", b"2"))
    return Contender("demo", (), port, "/", requests, (0.25, 0.25), lambda body: json.loads(body)["p"])


def gone(process: psutil.Process) -> bool:
    """Whether it ended; a child whose parent has gone stays as a zombie where nobody asks for it."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_answers_are_checked_before_anything_is_measured():
    check_answers(contender(answering(b'{"p": 0.25000001}')))
    with pytest.raises(RuntimeError, match=r"answered 0\.3, its model says 0\.25"):
        check_answers(contender(answering(b'{"p": 0.3}')))
    with pytest.raises(RuntimeError, match="answered 503: b'busy'"):
        check_answers(contender(answering(b"busy", "503 Service Unavailable")))


@pytest.mark.slow
def test_a_server_is_ended_with_its_children_and_its_cpu_time_is_known():
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    with launched((sys.executable, "-c", code), min(psutil.Process().cpu_affinity() or [0])) as process:
        root = psutil.Process(process.pid)
        while not (children := root.children(recursive=True)):
            pass
        while cpu_seconds(children) < 0.1:
            pass
        assert cpu_seconds([root, *children]) >= 0.1
    assert all(gone(process) for process in (root, *children))


def test_ratios_are_medians_of_the_same_round():
    found = Found()
    found.runs = {
        ("evergreen", 100.0): [replace(RUN, p99=6.0), replace(RUN, p99=30.0), replace(RUN, p99=8.0)],
        ("limit", 100.0): [replace(RUN, p99=3.0), replace(RUN, p99=20.0), replace(RUN, p99=8.0)],
        ("peer", 100.0): [POOR, None, None],
        ("peer", 200.0): [None, None, None],
    }
    assert math.isnan(found.interval("evergreen", "limit", 200.0, "p99")[0])
    found.throughput = {
        "evergreen": Throughput(3000, 0.3, False, ()),
        "limit": Throughput(6000, 0.1, True, ()),
        "peer": Throughput(500, 2.0, False, (POOR,)),
    }
    ratios = summary(found)
    assert ratios["p99 : limit at 100/s"] == 1.5
    assert (ratios["p99 : limit at 100/s, 95 % from"], ratios["and to"]) == (1.0, 2.0)
    assert (ratios["throughput : best peer"], ratios["throughput : limit"]) == (6.0, 0.5)
    lines = rates_table(found).splitlines()
    assert "| 8.0 |" in lines[2] and "| ∞ | ∞ |" in lines[4] and "1 of 1 runs disturbed" in lines[4]
    assert "not tried" in lines[5]
    assert "| at least 6,000 |" in throughput_table(found)
    document = json.loads(as_json({}, {"demo": found}, None))
    (peer,) = [r for r in document["models"]["demo"]["runs"] if r["contender"] == "peer"]
    assert peer["p99"] is None and peer["disturbed"] is True


def test_numbers_for_tables():
    assert [number(x) for x in (1234.56, math.nan, math.inf)] == ["1,234.6", "-", "∞"]
