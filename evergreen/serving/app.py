"""The model server's HTTP application (RSGI): what becomes of a request. No web framework: eleven routes."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from granian.rsgi import ProtocolClosed, ProtocolError

from evergreen import __version__, log
from evergreen.serving import answers, callers
from evergreen.serving import metrics as measures
from evergreen.serving.answers import Answer, Work
from evergreen.serving.binary import HEADER as JSON_LENGTH
from evergreen.serving.body import Bodies
from evergreen.serving.lines import BoundedLog
from evergreen.serving.model import ServedModel
from evergreen.serving.protocol import Refusal, encode, error_body
from evergreen.serving.routes import Route, find, unknown_version
from evergreen.serving.settings import Limits, Policy
from evergreen.serving.users import user_key

if TYPE_CHECKING:
    from evergreen.serving.predictions.entry import Served
    from evergreen.serving.predictions.logger import PredictionLogger

__all__ = ["App", "Limits", "Policy"]

_log = log.get(__name__)
_CLIENT_GONE = 499  # what nginx calls it; nobody is there to read an answer
_INLINE_SECONDS, _INLINE_BYTES = 0.005, 16_384
_EXTENSIONS = ["binary_tensor_data", "model_repository_index", "rows", "outcomes"]
T = TypeVar("T")


class App:
    """Answers requests for one model; `model` is None until it is loaded, and may be swapped at any time.

    Args:
        name: The model's name.
        limits: What is refused.
        policy: Which header names the user.
        predictions: The prediction log; None for none.
        salt: Of the users' keys.
    """

    def __init__(
        self,
        name: str,
        limits: Limits,
        policy: Policy | None = None,
        predictions: "PredictionLogger | None" = None,
        salt: str = "",
    ) -> None:
        self.name, self.limits = name, limits
        self.model: ServedModel | None = None
        self.draining = False
        self.in_flight = 0
        self.metrics = measures.Metrics(name, lambda: self.in_flight)
        self._user_header, self._salt = (policy or Policy()).user_header, salt
        self._predictions = predictions
        if predictions is not None:
            self.metrics.watch_log(predictions)
        self._bodies = Bodies(limits)
        self._hot = {f"/v2/models/{name}/{action}": Route(action) for action in ("infer", "rows")}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="predict")
        self._accesses = BoundedLog(_log, 0.2)
        self._refusals, self._faults = BoundedLog(_log, 2, burst=10), BoundedLog(_log, 2, burst=10)

    def serve(self, model: ServedModel | None) -> None:
        """Make a loaded and warmed-up model the one that answers; what is at work keeps the old one."""
        self.model = model
        self.metrics.serving(model.identity if model else None)

    @property
    def ready(self) -> bool:
        """Whether predictions are answered, and shall be sent here."""
        return self.model is not None and not self.draining

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request (RSGI entry point)."""
        if scope.proto != "http":
            protocol.close(404)
            return
        route = self._hot.get(scope.path)
        if route is not None and scope.method == "POST":
            await self._prediction(route, scope.headers, protocol)
        else:
            await self._other(scope, protocol)

    async def _prediction(self, route: Route, headers: Any, protocol: Any) -> None:
        """Answer a prediction request, or say why not."""
        begun = time.perf_counter()
        request_id, arm = callers.request_id(headers.get(callers.ID_HEADER)), callers.arm(headers)
        model, work, body, refused = self.model, None, b"", None
        self.in_flight += 1
        try:
            model = self._admit(route)
            body = await self._bodies.read(headers, protocol)
            work = await self._work(model, route.action, body, headers.get(JSON_LENGTH), begun)
            answer = answers.success(work)
        except Refusal as refusal:
            refused, answer = refusal, self._refused(route, refusal, request_id, arm)
        except (ProtocolClosed, ProtocolError):
            self.metrics.answered(route.action, _CLIENT_GONE)
            return
        except Exception:  # noqa: BLE001 - the server must answer, whatever happens; the log has the trace
            answer = self._failed(route, request_id)
        finally:
            self.in_flight -= 1
        sent = [("content-type", answer.content_type), (callers.ID_HEADER, request_id), *answer.headers]
        if model is not None:
            sent.append((answers.MODEL_HEADER, model.ref))
        if work is not None:
            sent.append((answers.FLAGS_HEADER, work.flags))
        closes = refused is not None and await self._bodies.is_left(refused, headers, protocol)
        self._send(protocol, answer, sent, closes)
        seconds = time.perf_counter() - begun
        self._measure(route, model, work, arm, answer.status, seconds)
        if self._predictions is not None and model is not None and answer.status in (200, 400):
            who = (request_id, user_key(headers.get(self._user_header), self._salt), arm)
            self._predictions.record(_served(model, who, work, answer.status, seconds))
        if self._accesses.takes():
            self._accesses.write(
                "request", route=route.action, status=answer.status, request_id=request_id, arm=arm,
                seconds=round(seconds, 6), rows=work.read.rows if work else 0,
            )  # fmt: skip

    async def _work(
        self, model: ServedModel, action: str, body: bytes, json_length: str | None, begun: float
    ) -> Work:
        """Read, predict and write: here when that is quick, else on the worker thread."""
        if len(body) > _INLINE_BYTES:
            return await self._elsewhere(begun, lambda: answers.compute(model, action, body, json_length))
        given = answers.decode(model, action, body, json_length)
        if model.expected_seconds(given.read.rows) <= _INLINE_SECONDS:
            return answers.finish(model, given)
        return await self._elsewhere(begun, lambda: answers.finish(model, given))

    def _admit(self, route: Route) -> ServedModel:
        model = self._loaded()
        self._require_room()
        if route.version and route.version != model.identity.version:
            raise unknown_version(route.version, model.identity.version)
        return model

    def _require_room(self) -> None:
        if self.in_flight > self.limits.in_flight:
            busy = f"{self.limits.in_flight} requests are at work"
            raise Refusal(503, "busy", "server", busy, remedy="Try again soon.")

    def _loaded(self) -> ServedModel:
        if self.model is None:
            found = "is still being loaded"
            raise Refusal(503, "busy", f"model {self.name!r}", found, remedy="Try again soon.")
        return self.model

    async def _elsewhere(self, begun: float, work: Callable[[], T]) -> T:
        """Work on the worker thread, so that other requests are answered; given up when it takes too long."""
        left = self.limits.seconds - (time.perf_counter() - begun)
        future = asyncio.get_running_loop().run_in_executor(self._worker, work)
        try:
            return await asyncio.wait_for(future, left)
        except TimeoutError:
            found = f"no prediction after {self.limits.seconds:g} seconds"
            remedy = "Send fewer rows at a time, or try again when the server has less to do."
            raise Refusal(503, "time", "server", found, remedy=remedy) from None

    def _measure(
        self,
        route: Route,
        model: ServedModel | None,
        work: Work | None,
        arm: str,
        status: int,
        seconds: float,
    ) -> None:
        metrics = self.metrics
        metrics.answered(route.action, status)
        if model is not None:
            metrics.predicted(model.identity.version, arm, status)
        if work is not None:
            metrics.preprocess.observe(work.read_at - work.begun)
            metrics.predict.observe(work.predicted_at - work.read_at)
            metrics.postprocess.observe(work.done_at - work.predicted_at)
            metrics.duration.observe(seconds)
            metrics.rows.observe(work.read.rows)
            metrics.noticed(arm, work.read.tally, work.answered.empty)

    def _refused(self, route: Route, refusal: Refusal, request_id: str = "", arm: str = "") -> Answer:
        self.metrics.refused(refusal.reason, refusal.column)
        if self._refusals.takes():
            self._refusals.write(
                "refused", route=route.action, status=refusal.status, reason=refusal.reason,
                column=refusal.column, request_id=request_id, arm=arm,
            )  # fmt: skip
        return answers.error(refusal)

    def _failed(self, route: Route, request_id: str) -> Answer:
        if self._faults.takes():
            self._faults.write("request failed", failed=True, route=route.action, request_id=request_id)
        return Answer(500, error_body("internal error; the server's log says more"))

    def _send(
        self, protocol: Any, answer: Answer, headers: list[tuple[str, str]], closes: bool = False
    ) -> None:
        if self.draining or closes:
            headers.append(("connection", "close"))
        protocol.response_bytes(answer.status, headers, answer.body)

    async def _other(self, scope: Any, protocol: Any) -> None:
        """Answer what is not a prediction on the usual path."""
        route, closes = Route("other"), False
        try:
            route = find(self.name, scope.method, scope.path)
            if route.action in ("infer", "rows"):
                await self._prediction(route, scope.headers, protocol)
                return
            answer = await self._answer(route, scope.headers, protocol)
        except Refusal as refusal:
            answer = self._refused(route, refusal)
            closes = await self._bodies.is_left(refusal, scope.headers, protocol)
        except (ProtocolClosed, ProtocolError):
            self.metrics.answered(route.label, _CLIENT_GONE)
            return
        except Exception:  # noqa: BLE001 - as in _prediction
            answer = self._failed(route, "")
        self.metrics.answered(route.label, answer.status)
        self._send(protocol, answer, [("content-type", answer.content_type), *answer.headers], closes)

    async def _answer(self, route: Route, headers: Any, protocol: Any) -> Answer:
        if route.action == "outcomes":
            return await self._outcomes(headers, protocol)
        if route.action == "metrics":
            return Answer(200, self.metrics.page(), measures.CONTENT_TYPE)
        if route.action in ("model", "model_ready") and route.version:
            version = self._loaded().identity.version
            if route.version != version:
                raise unknown_version(route.version, version)
        if route.action == "model":
            return Answer(200, self._loaded().metadata)
        return self._about(route.action)

    def _about(self, action: str) -> Answer:
        """What the server says about itself."""
        status = 200 if self.ready else 503
        if action == "live":
            return Answer(200, b'{"live":true}')
        if action == "ready":
            return Answer(status, encode({"ready": self.ready}))
        if action == "model_ready":
            return Answer(status, encode({"name": self.name, "ready": self.ready}))
        if action == "models":
            return Answer(200, encode({"models": [self.name]}))
        if action == "index":
            known: dict[str, str] = {"name": self.name, "state": "READY" if self.ready else "UNAVAILABLE"}
            if self.model is not None:
                known["version"] = self.model.identity.version
            return Answer(200, encode([{**known, "reason": ""}]))
        about = {"name": "evergreen", "version": __version__, "extensions": _EXTENSIONS}
        return Answer(200, encode(about))

    async def _outcomes(self, headers: Any, protocol: Any) -> Answer:
        if self._predictions is None:
            found = "are not kept here: this server writes no prediction log"
            raise Refusal(404, "route", "outcomes", found)
        from evergreen.serving.outcomes import read_outcomes

        self.in_flight += 1
        try:
            self._require_room()
            body = await self._bodies.read(headers, protocol)
        finally:
            self.in_flight -= 1
        user = user_key(headers.get(self._user_header), self._salt)
        outcomes = read_outcomes(body, user, self.limits.rows)
        if not self._predictions.record_outcomes(outcomes):
            full = "the queue is full; none of these outcomes is kept"
            raise Refusal(503, "log", "prediction log", full, remedy="Send them again soon.")
        return Answer(202, encode({"accepted": len(outcomes)}))


def _served(
    model: ServedModel, who: tuple[str, str, str], work: Work | None, status: int, seconds: float
) -> "Served":
    """What the prediction log keeps of a request."""
    from evergreen.serving.predictions.entry import Served

    if work is None:
        return Served(time.time(), *who, model.identity, model.signature, [], 1, None, seconds, status)
    read, answered = work.read, work.answered
    return Served(
        time.time(), *who, model.identity, model.signature, read.arrays, read.rows, work.prediction, seconds,
        status, read.tally.missing, read.tally.imputed, answered.empty, answered.empty_rows,
    )  # fmt: skip
