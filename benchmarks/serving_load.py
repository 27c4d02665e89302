"""An open-loop HTTP/1.1 load generator for servers on this machine, one thread, no dependency.

Request k is due at a fixed moment, whatever became of the requests before it, and its latency counts from
that moment: a server that stalls is charged for every request that fell due meanwhile (no coordinated
omission). A request without a good answer counts as slower than any other. The generator measures its own
lateness, for a figure of one that was late itself says nothing about the server.

The serving benchmark and the tests under load both use it: `from benchmarks.serving_load import Load`, with
the repository's root on the path, as under `python -m pytest`.
"""

import select
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

CONNECT_SECONDS = 1.0
LARGEST_REQUEST = 32 * 1024  # fits an empty socket buffer, so that one `send` takes all of it


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request, for a `watch` function.

    Attributes:
        number: Which request, counted from 0.
        due: When it was due, by `time.perf_counter`.
        seconds: From then to the whole answer, or to the loss of the connection.
        status: The HTTP status; 0 for a connection that was lost or refused.
        head: Status line and headers; empty without an answer.
    """

    number: int
    due: float
    seconds: float
    status: int
    head: bytes


@dataclass
class Result:
    """What one run found.

    Attributes:
        sent: Requests that fell due.
        latencies: Seconds from due to answered, of the answers with status 200.
        errors: Other answers by status.
        lost: Requests whose connection was refused or lost.
        unanswered: Requests without an answer when patience ended.
        lateness: Seconds from due to sent, or to queued for want of a free connection, of every request.
        gave_up: The run ended early, because requests waited longer than `give_up`.
    """

    sent: int = 0
    latencies: list[float] = field(default_factory=list)
    errors: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    unanswered: int = 0
    lateness: list[float] = field(default_factory=list)
    gave_up: bool = False

    @property
    def failed(self) -> int:
        """Requests without an answer of status 200."""
        return self.sent - len(self.latencies)

    @property
    def answered(self) -> float:
        """The share of requests that were answered with status 200."""
        return len(self.latencies) / self.sent if self.sent else 0.0

    def quantile(self, share: float) -> float:
        """Seconds within which this share of ALL requests had a good answer; infinite when fewer had one."""
        return quantile([*self.latencies, *[float("inf")] * self.failed], share)

    def late(self, share: float = 0.99) -> float:
        """Quantile of the generator's own lateness in seconds."""
        return quantile(self.lateness, share)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values do not exceed; NaN for none."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else float("nan")


def post(path: str, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """The bytes of a POST of JSON."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


class _Connection:
    """A kept-alive connection with at most one request at a time."""

    __slots__ = ("buffer", "due", "number", "socket")

    def __init__(self, opened: socket.socket) -> None:
        self.socket, self.buffer, self.due, self.number = opened, b"", 0.0, -1

    def take(self) -> tuple[int, bytes, bool] | None:
        """Status, head, and whether the connection stays open, once the answer is whole."""
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        fields = head.lower()
        _, sized, rest = fields.partition(b"\r\ncontent-length:")
        if sized:
            whole = len(body) >= int(rest.partition(b"\r\n")[0])
        else:
            whole = b"\r\ntransfer-encoding: chunked" not in fields or body.endswith(b"0\r\n\r\n")
        return (int(head[9:12]), head, b"\r\nconnection: close" not in fields) if whole else None


class Load:
    """Sends requests at a fixed rate over as many connections as that takes, up to a limit.

    Args:
        port: Where the server listens on 127.0.0.1.
        requests: Whole requests, sent in turn, or a function from a request's number to its bytes.
        connections: The most connections; a request that is due while all are busy waits for one.
        spin: Never sleep: exact to microseconds, for a generator that has a core of its own.
        watch: Called with every `Answer`, on the generator's thread.
    """

    def __init__(
        self,
        port: int,
        requests: Sequence[bytes] | Callable[[int], bytes],
        *,
        connections: int = 64,
        spin: bool = False,
        watch: Callable[[Answer], None] | None = None,
    ) -> None:
        self._port, self._most, self._spin, self._watch = port, connections, spin, watch
        self._request = requests if callable(requests) else lambda k: requests[k % len(requests)]
        self._poll = select.epoll()
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._open: dict[int, _Connection] = {}
        self._waiting: deque[tuple[int, float]] = deque()
        self._result = Result()
        self._stop = threading.Event()

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        for connection in list(self._open.values()):
            self._drop(connection)
        self._poll.close()

    def stop(self) -> None:
        """Let the run that is under way send no more; may be called from any thread."""
        self._stop.set()

    def run(
        self, rate: float, seconds: float, *, patience: float = 5.0, give_up: float = float("inf")
    ) -> Result:
        """Send `rate` requests a second for so many seconds.

        Args:
            rate: Requests per second, evenly spaced.
            seconds: How long requests fall due.
            patience: Seconds to wait for the last answers.
            give_up: End early once a request has waited so many seconds for a free connection.
        """
        self._result = result = Result()
        self._stop.clear()
        count, begun = max(1, round(rate * seconds)), time.perf_counter() + 0.005
        while True:
            now = time.perf_counter()
            while result.sent < count and begun + result.sent / rate <= now:
                self._dispatch(result.sent, begun + result.sent / rate)
            if self._stop.is_set():
                count = result.sent
            done = result.sent >= count
            if done and not (self._busy or self._waiting):
                break
            if done and now > begun + result.sent / rate + patience:
                break
            if self._waiting and now - self._waiting[0][1] > give_up:
                result.gave_up = True
                break
            self._receive(0.1 if done else begun + result.sent / rate - time.perf_counter())
        self._abandon()
        return result

    def _dispatch(self, number: int, due: float) -> None:
        """A request is due: send it, or queue it while every connection is busy."""
        self._result.sent += 1
        self._result.lateness.append(time.perf_counter() - due)
        self._waiting.append((number, due))
        self._feed()

    def _feed(self) -> None:
        """Send what waits, as far as there are connections."""
        while self._waiting and (self._idle or len(self._open) < self._most):
            number, due = self._waiting.popleft()
            try:
                connection = self._idle.pop() if self._idle else self._connect()
            except OSError:
                self._lose(number, due)
                continue
            connection.number, connection.due, connection.buffer = number, due, b""
            self._busy.add(connection)
            request = self._request(number)
            if len(request) > LARGEST_REQUEST:
                raise ValueError(f"a request of {len(request)} bytes; at most {LARGEST_REQUEST}")
            try:
                connection.socket.send(request)
            except OSError:
                self._drop(connection)
                self._lose(number, due)

    def _connect(self) -> _Connection:
        opened = socket.create_connection(("127.0.0.1", self._port), timeout=CONNECT_SECONDS)
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = self._open[opened.fileno()] = _Connection(opened)
        self._poll.register(opened.fileno(), select.EPOLLIN)
        return connection

    def _receive(self, seconds: float) -> None:
        """Handle what arrived, after waiting at most so long for it."""
        if not self._spin and seconds > 0:
            select.select([self._poll.fileno()], [], [], seconds)  # epoll itself only counts milliseconds
        for file, _ in self._poll.poll(0):
            connection = self._open[file]
            try:
                data = connection.socket.recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                connection.buffer += data
                if taken := connection.take():
                    self._answered(connection, *taken)
            else:
                self._drop(connection)
                if connection.number >= 0:
                    self._lose(connection.number, connection.due)
        self._feed()

    def _answered(self, connection: _Connection, status: int, head: bytes, stays: bool) -> None:
        seconds = time.perf_counter() - connection.due
        if connection.number < 0:  # an answer that nobody asked for: what follows on it cannot be trusted
            self._drop(connection)
            return
        if status == 200:
            self._result.latencies.append(seconds)
        else:
            self._result.errors[status] += 1
        if self._watch:
            self._watch(Answer(connection.number, connection.due, seconds, status, head))
        connection.number = -1
        self._busy.discard(connection)
        if stays:
            self._idle.append(connection)
        else:
            self._drop(connection)

    def _lose(self, number: int, due: float) -> None:
        self._result.lost += 1
        if self._watch:
            self._watch(Answer(number, due, time.perf_counter() - due, 0, b""))

    def _drop(self, connection: _Connection) -> None:
        self._poll.unregister(connection.socket.fileno())
        del self._open[connection.socket.fileno()]
        connection.socket.close()
        self._busy.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _abandon(self) -> None:
        """Forget what is still without an answer."""
        self._result.unanswered = len(self._busy) + len(self._waiting)
        self._waiting.clear()
        for connection in list(self._busy):
            self._drop(connection)
