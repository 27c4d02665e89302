"""Prometheus metrics of the model server; `request_*_seconds` bear KServe's names.

Labels are bounded: the served model's name, versions and columns, our routes, arms, HTTP statuses, kinds of
refusals. Never a value, a user or a name that a caller made up.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.process_collector import ProcessCollector

from evergreen.serving.counters import Collected, Counts, Spread, Watched
from evergreen.serving.model import Identity
from evergreen.serving.values import Tally

if TYPE_CHECKING:
    from evergreen.serving.predictions.logger import PredictionLogger

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_ROWS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
_REASONS = dict.fromkeys(("queue", "disk", "closed", "encode", "killed"), 0)
P = TypeVar("P", Counts, Spread, Watched)


class Metrics:
    """The metrics of one server, on a registry of their own.

    Args:
        model: The name of the model that is, or will be, served.
        in_flight: Says how many prediction requests are at work.
    """

    def __init__(self, model: str, in_flight: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._collected, self._model = Collected(), model
        self._identity: Identity | None = None
        # KServe's names (kserve.metrics), so that its dashboards work unchanged.
        self.preprocess = self._spread("request_preprocess_seconds", "Decoding and checking a request")
        self.predict = self._spread("request_predict_seconds", "The model's own work")
        self.postprocess = self._spread("request_postprocess_seconds", "Encoding the answer")
        self.duration = self._spread("evergreen_request_seconds", "A prediction request as a whole")
        self.rows = self._spread("evergreen_request_rows", "Rows of a prediction request", _ROWS)
        self._requests = self._counts("requests", "Answered requests", "route", "code")
        by_arm = ("model_name", "arm")
        self._predictions = self._counts(
            "predictions", "Answered prediction requests", "model_name", "version", "arm", "code"
        )
        self._missing = self._counts("missing_values", "Values that were missing", *by_arm)
        self._imputed = self._counts("imputed_values", "Values imputed, or ignored, by policy", *by_arm)
        self._empty = self._counts("empty_outputs", "Rows with an empty output", *by_arm)
        self._refusals = self._counts("refusals", "Refused requests by kind", "model_name", "reason")
        self._violations = self._counts(
            "violations", "Values that did not fit a column", "model_name", "column", "action"
        )
        self._swaps = self._counts("model_swaps", "Changes of the version", "model_name", "result")
        self._own("requests_in_flight", "Prediction requests at work", lambda: {(model,): in_flight()})
        self._own("model_ready", "1 while the model is served", lambda: {(model,): float(self.is_serving)})
        self._add(
            Watched(
                "evergreen_model_info", "The served version; always 1",
                ("model_name", "version", "digest", "engine"), self._info,
            )
        )  # fmt: skip
        self.registry.register(self._collected)

    @property
    def is_serving(self) -> bool:
        """Whether a model is served."""
        return self._identity is not None

    def _add(self, part: P) -> P:
        self._collected.parts.append(part)
        return part

    def _spread(self, name: str, text: str, bounds: tuple[float, ...] = _BUCKETS) -> Spread:
        return self._add(Spread(name, text, {"model_name": self._model}, bounds))

    def _counts(self, name: str, text: str, *labels: str) -> Counts:
        return self._add(Counts(f"evergreen_{name}", text, labels))

    def _own(self, name: str, text: str, read: Callable[[], dict[tuple[str, ...], float]]) -> None:
        self._add(Watched(f"evergreen_{name}", text, ("model_name",), read))

    def _info(self) -> dict[tuple[str, ...], float]:
        i = self._identity
        return {} if i is None else {(i.name, i.version, i.digest, i.engine): 1}

    def answered(self, route: str, status: int) -> None:
        """Count an answered request."""
        self._requests.add((route, _CODES.get(status) or str(status)))

    def predicted(self, version: str, arm: str, status: int) -> None:
        """Count an answered prediction request of an arm."""
        self._predictions.add((self._model, version, arm, _CODES.get(status) or str(status)))

    def noticed(self, arm: str, tally: Tally, empty: int) -> None:
        """Count what was missing, imputed and empty in a request that was answered."""
        key = (self._model, arm)
        if tally.missing:
            self._missing.add(key, tally.missing)
        if tally.imputed:
            self._imputed.add(key, tally.imputed)
            for column, count in tally.violations.items():
                self._violations.add((self._model, column, "imputed"), count)
        if empty:
            self._empty.add(key, empty)

    def refused(self, reason: str, column: str = "") -> None:
        """Count a refused request; `column` is the model's column that is at fault, if one is."""
        self._refusals.add((self._model, reason))
        if column:
            self._violations.add((self._model, column, "refused"))

    def swapped(self, result: str) -> None:
        """Count a change of the version: `swapped`, or `failed` when the old one stayed."""
        self._swaps.add((self._model, result))

    def serving(self, identity: Identity | None) -> None:
        """Say which version is served now; None for none."""
        self._identity = identity

    def watch_log(self, log: "PredictionLogger") -> None:
        """Show how the prediction log does, whenever the metrics are asked for."""
        numbers: dict[str, tuple[str, Callable[[], float], bool]] = {
            "log_rows": ("Rows written by the prediction log", lambda: log.written, True),
            "log_segments": ("Segments shipped by the prediction log", lambda: log.shipped, True),
            "log_waiting": ("What waits to be written", lambda: log.waiting, False),
            "log_spooled_bytes": ("On the local disk, not shipped yet", lambda: log.spooled, False),
        }
        for name, (text, read, grows) in numbers.items():
            self._add(Watched(f"evergreen_{name}", text, ("model_name",), self._alone(read), grows))
        self._add(
            Watched(
                "evergreen_log_dropped", "Requests and outcomes that the prediction log had to drop",
                ("model_name", "reason"),
                lambda: {(self._model, k): n for k, n in (_REASONS | log.dropped_by_reason).items()}, True,
            )
        )  # fmt: skip

    def _alone(self, read: Callable[[], float]) -> Callable[[], dict[tuple[str, ...], float]]:
        return lambda: {(self._model,): read()}

    def page(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)


_CODES = {status: str(status) for status in (200, 202, 400, 404, 405, 408, 413, 415, 499, 500, 503)}
