"""The agent's HTTP side: six routes for a controller and Prometheus, on asyncio's own streams."""

import asyncio
import contextlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from evergreen import log
from evergreen.errors import ConflictError, EvergreenError, InputError
from evergreen.rollout.plan import RoutePlan
from evergreen.rollout.router import metrics
from evergreen.rollout.router.agent import Agent, Refused
from evergreen.rollout.router.checks import Endpoint
from evergreen.rollout.router.token import VARIABLE

_log = log.get(__name__)
_HEAD_BYTES = 16 * 1024
_BODY_BYTES = 1024 * 1024
_IDLE_SECONDS = 60.0
_JSON = "application/json"
_OPEN = ("/metrics", "/ready")  # for Prometheus and the kubelet
_REASONS = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed",
    409: "Conflict", 422: "Unprocessable Content", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    body: bytes
    content_type: str = _JSON


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    query: str
    credentials: str
    body: bytes
    keep: bool


T = TypeVar("T")


class _Heartbeat(msgspec.Struct):
    generation: int


class Api:
    """Answers for an agent.

    Args:
        agent: The agent.
        token: What whoever gives plans or reads evidence must show; empty asks for none.
    """

    def __init__(self, agent: Agent, token: str = "") -> None:
        self._agent = agent
        self._credentials = f"Bearer {token}".encode() if token else b""
        self._routes: dict[str, tuple[str, Callable[[_Request], Awaitable[Reply]]]] = {
            "/plan": ("PUT", self._plan),
            "/heartbeat": ("POST", self._heartbeat),
            "/state": ("GET", self._state),
            "/evidence": ("GET", self._evidence),
            "/metrics": ("GET", self._metrics),
            "/ready": ("GET", self._ready),
        }

    async def listen(self, place: Endpoint) -> asyncio.Server:
        """Listen; the caller closes the server."""
        return await asyncio.start_server(self._connection, place.host, place.port, limit=_HEAD_BYTES)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            keep = True
            while keep:
                async with asyncio.timeout(_IDLE_SECONDS):
                    request = await _read(reader)
                if request is None:
                    break
                keep = request.keep
                await _write(writer, await self._answer(request), keep)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the other side has gone, or says nothing
        except ValueError as error:
            with contextlib.suppress(OSError):
                await _write(writer, _error(400, str(error)), False)
        except asyncio.CancelledError:
            pass  # the agent ends
        finally:
            writer.close()

    async def _answer(self, request: _Request) -> Reply:
        method, handler = self._routes.get(request.path, ("", self._ready))
        if not method:
            return _error(404, f"no such path; there are {', '.join(self._routes)}")
        if request.path not in _OPEN and not self._knows(request):
            return _error(401, f"the token is missing or another one; {VARIABLE} must be the agent's own")
        if method != request.method:
            return _error(405, f"{request.path} takes {method}")
        try:
            return await handler(request)
        except ConflictError as error:
            return _error(409, str(error))
        except Refused as refused:
            return Reply(422, msgspec.json.encode(refused.confirmation))
        except InputError as error:
            return _error(400, str(error))
        except (EvergreenError, OSError) as error:
            _log.warning("request failed", extra={"path": request.path, "error": str(error)})
            return _error(503, str(error))
        except Exception:  # noqa: BLE001 - the agent must answer; its log has the trace
            _log.exception("request failed", extra={"path": request.path})
            return _error(500, "internal error; the agent's log says more")

    def _knows(self, request: _Request) -> bool:
        wanted = self._credentials
        return not wanted or hmac.compare_digest(wanted, request.credentials.encode("latin-1"))

    async def _plan(self, request: _Request) -> Reply:
        confirmation = await self._agent.put(_decoded(request.body, RoutePlan, "plan"))
        return Reply(200 if confirmation.applied else 503, msgspec.json.encode(confirmation))

    async def _heartbeat(self, request: _Request) -> Reply:
        generation = _decoded(request.body, _Heartbeat, "heartbeat").generation
        heard = self._agent.heartbeat(generation)
        return Reply(200, b'{"heard":true}') if heard else _error(409, "another plan, or it was taken back")

    async def _state(self, _: _Request) -> Reply:
        return Reply(200, msgspec.json.encode(await self._agent.state()))

    async def _evidence(self, request: _Request) -> Reply:
        after = (parse_qs(request.query).get("after") or ["0"])[0]
        if not (after.isascii() and after.isdigit() and len(after) < 19):
            raise InputError("after", f"{after[:40]!r} is not the number of a bucket", "0 or more")
        return Reply(200, self._agent.evidence(int(after)))

    async def _metrics(self, _: _Request) -> Reply:
        return Reply(200, self._agent.metrics.page(), metrics.CONTENT_TYPE)

    async def _ready(self, _: _Request) -> Reply:
        ready = self._agent.ready
        return Reply(200 if ready else 503, msgspec.json.encode({"ready": ready}))


def _decoded(body: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$")
        raise InputError(f"{what}{place.rstrip('`')}", problem) from error
    except msgspec.DecodeError as error:
        raise InputError(what, f"is not JSON: {error}") from error


async def _read(reader: asyncio.StreamReader) -> _Request | None:
    """Read a request; None when there is no other one."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *rest = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise ValueError("not an HTTP/1 request")
    headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in rest if line)}
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isdigit() or int(length) > _BODY_BYTES:
        raise ValueError(f"a body needs a content-length of at most {_BODY_BYTES} bytes")
    target = urlsplit(parts[1])
    keep = parts[2] != "HTTP/1.0" and headers.get("connection", "").lower() != "close"
    body = await reader.readexactly(int(length))
    return _Request(parts[0], target.path, target.query, headers.get("authorization", ""), body, keep)


async def _write(writer: asyncio.StreamWriter, reply: Reply, keep: bool) -> None:
    challenge = "www-authenticate: Bearer\r\n" if reply.status == 401 else ""
    head = (
        f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Status')}\r\n"
        f"content-type: {reply.content_type}\r\ncontent-length: {len(reply.body)}\r\n{challenge}"
        f"connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
    )
    writer.write(head.encode("latin-1") + reply.body)
    await writer.drain()


def _error(status: int, text: str) -> Reply:
    return Reply(status, msgspec.json.encode({"error": text}))
