"""The open-loop load generator that the serving benchmark and the tests under load use."""

import contextlib
import math
import socket
import threading
import time
from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.serving_load import LARGEST_REQUEST, Answer, Load, Result, post, quantile
from benchmarks.serving_search import Run, search

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nCONTENT-LENGTH: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
LOSE = b""
REQUEST = post("/", b"{}")


class Server:
    """Answers the k-th request with what `plan` says of k; one thread for each connection."""

    def __init__(self, plan):
        self.plan, self.count, self.lock = plan, 0, threading.Lock()
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listening.getsockname()[1]
        self.seen = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                opened, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(opened,), daemon=True).start()

    def _serve(self, opened):
        with opened, contextlib.suppress(OSError):  # who asked may have given up
            while data := opened.recv(65536):
                with self.lock:
                    k, self.count = self.count, self.count + 1
                    self.seen.append(data)
                pieces = self.plan(k)
                for piece in pieces if isinstance(pieces, list) else [pieces]:
                    if piece is LOSE:
                        return
                    opened.sendall(piece)


@pytest.fixture
def serve():
    servers = []

    def start(plan):
        servers.append(Server(plan))
        return servers[-1].port

    yield start
    for server in servers:
        server.listening.close()


@pytest.fixture
def closed_port():
    """A port that refuses connections, and that nobody else gets."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def test_everything_answered(serve):
    with Load(serve(lambda k: OK), [REQUEST]) as load:
        result = load.run(200, 0.25)
    assert (result.sent, result.answered, result.failed, result.lost) == (50, 1.0, 0, 0)
    assert 0 < result.quantile(0.5) <= result.quantile(0.99) == max(result.latencies)
    assert len(result.lateness) == 50 and min(result.lateness) >= 0


def test_a_stall_is_charged_to_every_request_that_was_due_meanwhile(serve):
    """A closed loop would send nothing during the stall, and find one slow request of 60."""

    due = []

    def plan(k):
        if k == 10:  # stalls until 30 more are due, 0.3 s later: for the generator goes on
            deadline = time.monotonic() + 20
            while len(load._result.lateness) < 41 and time.monotonic() < deadline:
                time.sleep(0.001)
            due.append(len(load._result.lateness))
        return OK

    with Load(serve(plan), [REQUEST], connections=1) as load:
        result = load.run(100, 0.6)
    assert result.answered == 1.0
    slow = [seconds for seconds in result.latencies if seconds > 0.1]
    assert len(slow) >= 20
    assert max(slow) >= 0.3
    assert due[0] >= 41, "the server was late, not the generator"


def test_latency_counts_from_the_due_time_even_when_the_generator_is_late(serve):
    with Load(serve(lambda k: OK), lambda k: time.sleep(0.05) or REQUEST) as load:
        result = load.run(1000, 0.01)
    assert result.answered == 1.0
    assert max(result.latencies) > 0.3, "10 requests of 50 ms each, all due within 10 ms"
    assert result.late() > 0.3


def test_other_statuses_are_errors_and_slower_than_any_answer(serve):
    with Load(serve(lambda k: BUSY if k % 4 == 0 else OK), [REQUEST], connections=1) as load:
        result = load.run(200, 0.2)
    assert result.errors == Counter({503: 10})
    assert (result.answered, result.failed) == (0.75, 10)
    assert math.isfinite(result.quantile(0.75))
    assert result.quantile(0.76) == math.inf


def test_lost_connections_are_counted_and_others_opened(serve):
    half = [OK[:10], LOSE]
    answers: list[Answer] = []
    port = serve(lambda k: {3: LOSE, 7: half}.get(k, OK))
    with Load(port, [REQUEST], connections=1, watch=answers.append) as load:
        result = load.run(200, 0.1)
    assert (result.sent, result.lost, len(result.latencies)) == (20, 2, 18)
    assert sorted(a.number for a in answers) == list(range(20))
    assert [a.number for a in answers if a.status == 0] == [3, 7]


def test_refused_connections_are_lost_requests(closed_port):
    with Load(closed_port, [REQUEST]) as load:
        result = load.run(100, 0.1)
    assert (result.sent, result.lost, result.answered) == (10, 10, 0.0)
    assert result.quantile(0.5) == math.inf


def test_a_server_that_never_answers_is_given_up(serve):
    over = threading.Event()
    port = serve(lambda k: over.wait(60) and OK)
    with Load(port, [REQUEST], connections=2) as load:
        result = load.run(100, 0.1, patience=0.1)
        assert (result.unanswered, result.failed, result.gave_up) == (10, 10, False)
        result = load.run(100, 60, give_up=0.2)
    over.set()
    assert result.gave_up and 6000 > result.unanswered == result.sent > 10


def test_answers_in_pieces_chunked_or_with_the_end_of_the_connection(serve):
    kinds = [[OK[:20], OK[20:]], CHUNKED, CLOSING, [CHUNKED[:-3], CHUNKED[-3:]]]
    with Load(serve(lambda k: kinds[k % 4]), [REQUEST], connections=1) as load:
        result = load.run(200, 0.2)
    assert (result.sent, result.answered, result.lost) == (40, 1.0, 0)


def test_requests_by_number_and_a_stop_from_another_thread(serve):
    numbers = []

    def request(k):
        numbers.append(k)
        if k == 10:
            threading.Thread(target=load.stop).start()
        return post("/", b"{}", [("x-user-id", f"u{k}")])

    with Load(serve(lambda k: OK), request) as load:
        result = load.run(100, 60)
    assert result.answered == 1.0 and numbers == list(range(result.sent))
    assert 10 < result.sent < 6000
    assert b"\r\nx-user-id: u7\r\nContent-Length: 2\r\n\r\n{}" in request(7)


def test_a_request_that_no_socket_takes_at_once_is_refused(serve):
    with Load(serve(lambda k: OK), [b"x" * (LARGEST_REQUEST + 1)]) as load, pytest.raises(ValueError):
        load.run(100, 0.1)


@pytest.mark.parametrize("count,share,place", [(1, 0.99, 1), (100, 0.99, 99), (101, 0.99, 100), (4, 0.5, 2)])
def test_quantile_is_the_smallest_value_that_the_share_does_not_exceed(count, share, place):
    assert quantile(list(range(count, 0, -1)), share) == place
    assert math.isnan(quantile([], share))
    assert math.isnan(Result().late())


GOOD = Run(0, 100, 1.0, 0, 1.0, 2.0, 3.0, 0.5, 80.0, 0.1, 0.0)


@pytest.mark.parametrize("capacity", [3.0, 40.0, 777.0, 9000.0])
@pytest.mark.parametrize("start", [1.0, 100.0, 5000.0])
def test_the_search_finds_the_capacity_from_either_side(capacity, start):
    def attempt(rate):
        return replace(GOOD, rate=rate, p99=2.0 if rate <= capacity else 51.0)

    found = search(attempt, start, step=1.08)
    assert capacity / 1.08 <= found.rate <= capacity and not found.more
    assert found.cpu == 0.5


def test_the_search_says_when_it_was_not_the_server_that_ended_it():
    assert search(lambda rate: replace(GOOD, rate=rate), 100, highest=1000).more
    noisy = search(lambda rate: replace(GOOD, rate=rate, others=0.5, answered=float(rate < 500)), 100)
    assert noisy.more and 450 < noisy.rate < 500
    assert search(lambda rate: replace(GOOD, rate=rate, answered=0.9), 100).rate == 0
