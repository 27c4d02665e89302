"""The model server's HTTP application (RSGI): routes, limits, errors. No web framework: seven routes."""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from granian.rsgi import ProtocolClosed, ProtocolError

from evergreen import __version__, log
from evergreen.bundle.signature import Prediction
from evergreen.errors import InputError
from evergreen.serving import metrics as measures
from evergreen.serving.model import ServedModel
from evergreen.serving.protocol import Refusal, decode_infer, decode_rows, encode, error_body

_log = log.get(__name__)
_JSON = "application/json"
_CLIENT_GONE = 499  # what nginx calls it; nobody is there to read an answer
_INLINE_SECONDS = 0.005


@dataclass(frozen=True)
class Limits:
    """What one server takes.

    Attributes:
        body: Bytes of a request's body.
        rows: Rows of a request.
        in_flight: Prediction requests at the same time; the next one is answered with 503.
        body_seconds: How long a body may take to arrive.
    """

    body: int = 16 * 1024 * 1024
    rows: int = 10_000
    in_flight: int = 256
    body_seconds: float = 20.0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()


class App:
    """Answers requests for one model; `model` is None until it is loaded, and may be swapped at any time.

    Args:
        name: The model's name.
        limits: What is refused.
    """

    def __init__(self, name: str, limits: Limits) -> None:
        self.name, self.limits = name, limits
        self.model: ServedModel | None = None
        self.draining = False
        self.in_flight = 0
        self.metrics = measures.Metrics(name)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="predict")

    def serve(self, model: ServedModel | None) -> None:
        """Make a loaded and warmed-up model the one that answers."""
        self.model = model
        self.metrics.serving(model.identity if model else None)

    @property
    def ready(self) -> bool:
        """Whether predictions are answered."""
        return self.model is not None and not self.draining

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request (RSGI entry point)."""
        if scope.proto != "http":
            protocol.close(404)
            return
        route, request_id = "other", ""
        try:
            route, handler = self._route(scope.method, scope.path)
            if route in ("infer", "rows"):
                request_id = _request_id(scope.headers.get("x-request-id"))
                answer = await self._prediction(route, scope, protocol)
            else:
                answer = handler()
        except Refusal as refusal:
            self.metrics.refused(refusal.reason)
            answer = _error(refusal)
        except (ProtocolClosed, ProtocolError):
            self.metrics.answered(route, _CLIENT_GONE)
            return
        except Exception:  # noqa: BLE001 - the server must answer, whatever happens; the log has the trace
            _log.exception("request failed", extra={"route": route, "request_id": request_id})
            answer = Answer(500, error_body("internal error; the server's log says more"))
        headers = [("content-type", answer.content_type), *answer.headers]
        if request_id:
            headers.append(("x-request-id", request_id))
        if self.draining:
            headers.append(("connection", "close"))
        self.metrics.answered(route, answer.status)
        protocol.response_bytes(answer.status, headers, answer.body)

    def _route(self, method: str, path: str) -> tuple[str, Callable[[], Answer]]:
        """The route's name and what answers it; for `infer` and `rows` only the name counts."""
        parts = path.strip("/").split("/")
        if parts[:2] == ["v2", "models"] and len(parts) > 2:
            return self._model_route(method, parts)
        fixed: dict[str, tuple[str, Callable[[], Answer]]] = {
            "v2": ("server", self._server),
            "v2/models": ("server", self._models),
            "v2/health/live": ("health", lambda: Answer(200, b'{"live":true}')),
            "v2/health/ready": ("health", self._health),
            "metrics": ("metrics", lambda: Answer(200, self.metrics.page(), measures.CONTENT_TYPE)),
        }
        found = fixed.get("/".join(parts))
        if found is None:
            raise Refusal(
                404, "route", path[:200], "no such path", remedy="GET /v2 says what this server is."
            )
        _require(method, "GET")
        return found

    def _model_route(self, method: str, parts: list[str]) -> tuple[str, Callable[[], Answer]]:
        name, rest = parts[2], parts[3:]
        if name != self.name:
            raise Refusal(404, "model", f"model {name[:80]!r}", "is not served here", repr(self.name))
        if rest[:1] == ["versions"]:
            self._check_version(rest[1] if len(rest) > 1 else "")
            rest = rest[2:]
        if rest in (["infer"], ["rows"]):
            _require(method, "POST")
            return rest[0], _never
        _require(method, "GET")
        if rest == []:
            return "model", self._metadata
        if rest == ["ready"]:
            return "health", self._model_ready
        raise Refusal(
            404, "route", "/".join(rest)[:200], "no such path below a model", "infer, rows or ready"
        )

    def _check_version(self, version: str) -> None:
        served = self._loaded().identity.version
        if version != served:
            raise Refusal(
                404, "model", f"version {version[:40]!r}", "is not served here", f"version {served}"
            )

    def _loaded(self) -> ServedModel:
        if self.model is None:
            raise Refusal(
                503, "busy", f"model {self.name!r}", "is still being loaded", remedy="Try again soon."
            )
        return self.model

    def _server(self) -> Answer:
        return Answer(200, encode({"name": "evergreen", "version": __version__, "extensions": ["rows"]}))

    def _models(self) -> Answer:
        return Answer(200, encode({"models": [self.name]}))

    def _health(self) -> Answer:
        return Answer(200 if self.ready else 503, encode({"ready": self.ready}))

    def _model_ready(self) -> Answer:
        return Answer(200 if self.ready else 503, encode({"name": self.name, "ready": self.ready}))

    def _metadata(self) -> Answer:
        return Answer(200, self._loaded().metadata)

    async def _prediction(self, route: str, scope: Any, protocol: Any) -> Answer:
        """Admit a prediction request, or refuse it while too many are at work."""
        begun = time.perf_counter()
        model = self._loaded()
        if self.in_flight >= self.limits.in_flight:
            raise Refusal(
                503, "busy", "server", f"{self.in_flight} requests are at work", remedy="Try again soon."
            )
        self.in_flight += 1
        self.metrics.in_flight.set(self.in_flight)
        try:
            body = await self._body(scope, protocol)
            answer = await (self._infer if route == "infer" else self._rows)(model, body)
            self.metrics.duration.observe(time.perf_counter() - begun)
            return answer
        finally:
            self.in_flight -= 1
            self.metrics.in_flight.set(self.in_flight)

    async def _body(self, scope: Any, protocol: Any) -> bytes:
        """The request's body, never more of it than the limit.

        Raises:
            Refusal: with status 413 for a larger one, 408 for one that does not arrive.
        """
        if scope.headers.get("inference-header-content-length"):
            raise Refusal(400, "schema", "body", "binary tensors", "tensors as JSON")
        length = scope.headers.get("content-length")
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                if length is not None and length.isdecimal():
                    if int(length) > self.limits.body:
                        raise self._too_large(f"{length} bytes")
                    return await protocol()
                body = bytearray()
                async for piece in protocol:
                    body += piece
                    if len(body) > self.limits.body:
                        raise self._too_large(f"more than {self.limits.body} bytes")
                return bytes(body)
        except TimeoutError:
            seconds = f"{self.limits.body_seconds:g} seconds"
            raise Refusal(408, "time", "body", f"has not arrived after {seconds}") from None

    def _too_large(self, found: str) -> Refusal:
        return Refusal(
            413, "size", "body", found, f"at most {self.limits.body}", "Send fewer rows at a time."
        )

    async def _infer(self, model: ServedModel, body: bytes) -> Answer:
        begun = time.perf_counter()
        request = decode_infer(body)
        model.check_outputs(request)
        arrays, rows = model.columns.from_tensors(request)
        prediction = await self._predict(model, arrays, rows, begun)
        return self._timed(lambda: model.infer_answer(request, prediction))

    async def _rows(self, model: ServedModel, body: bytes) -> Answer:
        begun = time.perf_counter()
        request = decode_rows(body)
        arrays, rows = model.columns.from_rows(request)
        prediction = await self._predict(model, arrays, rows, begun)
        return self._timed(lambda: model.rows_answer(prediction, request.id))

    async def _predict(self, model: ServedModel, arrays: list[Any], rows: int, begun: float) -> Prediction:
        """Predict here when that is quick, else on the worker thread, so that health checks are answered."""
        ready = time.perf_counter()
        self.metrics.preprocess.observe(ready - begun)
        self.metrics.rows.observe(rows)
        try:
            if model.expected_seconds(rows) <= _INLINE_SECONDS:
                prediction = model.predict(arrays, rows)
            else:
                loop = asyncio.get_running_loop()
                prediction = await loop.run_in_executor(self._worker, model.predict, arrays, rows)
        except Refusal:
            raise
        except InputError as error:
            raise Refusal(400, "schema", error.where, error.found, error.expected, error.remedy) from None
        self.metrics.predict.observe(time.perf_counter() - ready)
        return prediction

    def _timed(self, make: Callable[[], bytes]) -> Answer:
        begun = time.perf_counter()
        answer = Answer(200, make())
        self.metrics.postprocess.observe(time.perf_counter() - begun)
        return answer


def _never() -> Answer:
    raise AssertionError("prediction routes are answered by App._prediction")


def _require(method: str, wanted: str) -> None:
    if method != wanted:
        raise Refusal(405, "method", f"method {method[:20]!r}", "not allowed here", wanted)


def _error(refusal: Refusal) -> Answer:
    headers = (("retry-after", "1"),) if refusal.status == 503 else ()
    return Answer(refusal.status, error_body(str(refusal)), headers=headers)


def _request_id(given: str | None) -> str:
    """The caller's request id when it is one that may stand in a header and a log, else a new one."""
    if given and len(given) <= 128 and given.isascii() and given.isprintable():
        return given
    return os.urandom(8).hex()
