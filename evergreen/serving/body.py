"""A request's body: never more of it than the limit, never waited for longer than the limit."""

import asyncio
import zlib
from typing import Any

from granian.rsgi import ProtocolClosed, ProtocolError

from evergreen.serving.protocol import Refusal, schema_error
from evergreen.serving.settings import Limits

_MOST_DIGITS = 15
_SMALL = 65_536
_BEFORE_BODY = frozenset({"route", "model", "method", "busy"})  # refusals for which no body was looked at
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # zlib.h, inflateInit2: 32 finds out which of the two it is
_ENCODINGS = ("gzip", "deflate", "identity")


class Deadlines:
    """Cancels tasks that wait for longer than a time which is the same for all of them.

    One timer serves every task, so that a task which does not wait long costs two changes of a dictionary;
    `asyncio.timeout` would set and remove a timer for each.

    Args:
        seconds: How long a task may wait.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[asyncio.Task[Any], float] = {}  # the oldest first, as all wait equally long
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def enter(self) -> "asyncio.Task[Any]":
        """The current task waits from now on."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        due = self._waiting[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(due, self._sweep)
        return task

    def leave(self, task: "asyncio.Task[Any]") -> None:
        """A task waits no more."""
        self._waiting.pop(task, None)

    def is_late(self, task: "asyncio.Task[Any]") -> bool:
        """Whether a task was cancelled by us; it then goes on as if it had not been."""
        if task not in self._late:
            return False
        self._late.discard(task)
        task.uncancel()
        return True

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now, self._timer = loop.time(), None
        for task, due in list(self._waiting.items()):
            if due > now:
                self._timer = loop.call_at(due, self._sweep)
                return
            del self._waiting[task]
            self._late.add(task)
            task.cancel()


class Bodies:
    """Reads bodies.

    Args:
        limits: What is refused.
    """

    def __init__(self, limits: Limits) -> None:
        self._most, self._seconds = limits.body, limits.body_seconds
        self._deadlines = Deadlines(limits.body_seconds)

    async def read(self, headers: Any, protocol: Any) -> bytes:
        """The body of a request (RSGI), unpacked when it is compressed.

        Raises:
            Refusal: with status 413 for a larger one, 408 for one that does not arrive, 415 for an encoding
                that we do not know, 400 for one that is not what its header says.
        """
        body = await self._raw(headers, protocol)
        encoding = headers.get("content-encoding")
        return body if encoding is None else self._unpacked(body, encoding.strip().lower())

    async def _raw(self, headers: Any, protocol: Any) -> bytes:
        length = headers.get("content-length")
        known = length is not None and length.isdecimal()
        if known and (len(length) > _MOST_DIGITS or int(length) > self._most):
            raise self._too_large(f"{length[:_MOST_DIGITS]} bytes")
        task = self._deadlines.enter()
        try:
            body: bytes = await protocol() if known else await self._pieces(protocol)
        except asyncio.CancelledError:
            if not self._deadlines.is_late(task):
                raise
            raise Refusal(408, "time", "body", f"has not arrived after {self._seconds:g} seconds") from None
        finally:
            self._deadlines.leave(task)
        return body

    async def is_left(self, refusal: Refusal, headers: Any, protocol: Any) -> bool:
        """Whether a body is still to come when its request is refused: its connection has to be closed then.

        A small one is read instead, so that the connection can be kept.
        """
        if refusal.reason not in _BEFORE_BODY:
            return refusal.status == 408 or (refusal.status == 413 and refusal.where == "body")
        length = headers.get("content-length")
        if length is None:
            return headers.get("transfer-encoding") is not None
        if not length.isdecimal() or len(length) > _MOST_DIGITS or int(length) > _SMALL:
            return True
        try:
            if length != "0":
                await self._raw(headers, protocol)
        except (Refusal, ProtocolClosed, ProtocolError):
            return True
        return False

    async def _pieces(self, protocol: Any) -> bytes:
        body = bytearray()
        async for piece in protocol:
            body += piece
            if len(body) > self._most:
                raise self._too_large(f"more than {self._most} bytes")
        return bytes(body)

    def _unpacked(self, body: bytes, encoding: str) -> bytes:
        if encoding not in _ENCODINGS:
            expected = ", ".join(_ENCODINGS)
            raise Refusal(415, "encoding", "header Content-Encoding", repr(encoding[:40]), expected)
        if encoding == "identity":
            return body
        unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            content = unpacker.decompress(body, self._most + 1)
        except zlib.error as error:
            raise schema_error("body", f"not {encoding} ({error})", "what Content-Encoding says") from None
        if len(content) > self._most:
            raise self._too_large(f"more than {self._most} bytes when unpacked")
        if not unpacker.eof:
            raise schema_error("body", f"{encoding} that is cut off", "what Content-Encoding says")
        return content

    def _too_large(self, found: str) -> Refusal:
        return Refusal(413, "size", "body", found, f"at most {self._most}", "Send fewer rows at a time.")
