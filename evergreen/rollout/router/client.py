"""What the controller says to a router's agent, over HTTP."""

import http.client
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from evergreen.errors import ConflictError, Fault, InputError
from evergreen.rollout.evidence import Bucket
from evergreen.rollout.plan import RoutePlan

T = TypeVar("T")


class RouterUnreachable(Fault):
    """A router's agent does not answer, or answers what no agent says."""


@dataclass(frozen=True)
class Confirmation:
    """What a router made of a plan.

    Attributes:
        router: The router's id.
        generation: Of the plan.
        applied: Whether Envoy routes by it.
        reason: Why not; empty when it does.
    """

    router: str
    generation: int
    applied: bool
    reason: str = ""


@dataclass(frozen=True)
class RouterState:
    """How a router does.

    Attributes:
        router: The router's id.
        generation: Of its plan; 0 for none.
        plan: Its plan.
        dead_man_fired: Whether it took the plan back because the controller was silent.
        envoy_up: Whether Envoy is live.
        applied: Whether Envoy routes by the plan, or by the dead man's routes when that fired.
        reason: Why not.
        silence: Seconds since the controller was heard.
    """

    router: str
    generation: int
    plan: RoutePlan | None
    dead_man_fired: bool
    envoy_up: bool
    applied: bool = False
    reason: str = ""
    silence: float = 0.0


@dataclass(frozen=True)
class Evidence:
    """Buckets of a router, and which ones it has: with a `first` past the one asked for some are gone."""

    router: str
    first: int
    last: int
    buckets: list[Bucket]


class RouterClient:
    """A router's agent.

    Args:
        url: Such as `http://127.0.0.1:8091`.
        timeout: Seconds that an answer may take; a plan may take Envoy three seconds more.
        token: What the agent knows its controller by; empty where it asks for none.

    Raises:
        InputError: the URL is none.
    """

    def __init__(self, url: str, timeout: float = 2.0, token: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise InputError(f"router {url!r}", "is not a URL of a router's agent", "http://host:port")
        self.url, self._timeout = url.rstrip("/"), timeout
        self._host, self._port = parts.hostname, parts.port or 80
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    def put_plan(self, plan: RoutePlan) -> Confirmation:
        """Give the router a plan; the same one may be given again.

        Raises:
            ConflictError: the router has a newer one.
            InputError: the plan cannot be routed by.
            RouterUnreachable: no answer; the router may have it or not.
        """
        patience = self._timeout + 6.0
        status, body = self._ask("PUT", "/plan", msgspec.json.encode(plan), patience)
        if status == 409:
            raise ConflictError(f"{self.url}: {self._error(body)}")
        if status == 400:
            raise InputError(self.url, self._error(body))
        if status not in (200, 422, 503):
            raise self._odd(status, body)
        return self._read(body, Confirmation)

    def heartbeat(self, generation: int) -> bool:
        """Say that the controller lives; False where the router has another plan or has taken it back.

        Raises:
            RouterUnreachable: no answer.
        """
        status, body = self._ask("POST", "/heartbeat", msgspec.json.encode({"generation": generation}))
        if status not in (200, 409):
            raise self._odd(status, body)
        return status == 200

    def state(self) -> RouterState:
        """How the router does.

        Raises:
            RouterUnreachable: no answer.
        """
        return self._read(self._good("/state"), RouterState)

    def buckets(self, after: int) -> list[Bucket]:
        """The buckets after number `after`, oldest first, at most 5,000.

        Raises:
            RouterUnreachable: no answer.
        """
        return self.evidence(after).buckets

    def evidence(self, after: int) -> Evidence:
        """The same, with the numbers of the oldest and the newest bucket that the router has.

        Raises:
            RouterUnreachable: no answer.
        """
        return self._read(self._good(f"/evidence?after={after:d}"), Evidence)

    def _good(self, path: str) -> bytes:
        status, body = self._ask("GET", path)
        if status != 200:
            raise self._odd(status, body)
        return body

    def _ask(
        self, method: str, path: str, body: bytes | None = None, timeout: float | None = None
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout or self._timeout)
        try:
            kind = {"content-type": "application/json"} if body else {}
            connection.request(method, path, body, kind | self._headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise RouterUnreachable(
                f"router {self.url} does not answer: {error or type(error).__name__}"
            ) from error
        finally:
            connection.close()

    def _read(self, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise RouterUnreachable(f"router {self.url} answers what no agent says: {error}") from error

    def _error(self, body: bytes) -> str:
        try:
            return str(msgspec.json.decode(body, type=dict[str, str])["error"])
        except (msgspec.ValidationError, msgspec.DecodeError, KeyError):
            return body[:200].decode("utf-8", "replace")

    def _odd(self, status: int, body: bytes) -> RouterUnreachable:
        return RouterUnreachable(f"router {self.url} answers {status}: {self._error(body)}")
