"""Prometheus metrics of the model server; `request_*_seconds` bear KServe's names.

Labels are bounded: the served model's name, our routes, HTTP statuses, kinds of refusals. Never a value, a
user or a name that a caller made up.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.process_collector import ProcessCollector

from evergreen.serving.model import Identity

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_ROWS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
ROUTES = ("infer", "rows", "model", "server", "health", "metrics", "other")


disable_created_metrics()  # a second line for every counter and histogram that nobody asked for


class Metrics:
    """The metrics of one server, on a registry of their own.

    Args:
        model: The name of the model that is, or will be, served.
    """

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._model = model
        by_model = ["model_name"]
        # KServe's names (kserve.metrics), so that its dashboards work unchanged.
        self.preprocess = self._histogram(
            "request_preprocess_seconds", "Decoding and checking a request", by_model
        )
        self.predict = self._histogram("request_predict_seconds", "The model's own work", by_model)
        self.postprocess = self._histogram("request_postprocess_seconds", "Encoding the answer", by_model)
        self.duration = self._histogram(
            "evergreen_request_seconds", "A prediction request as a whole", by_model
        )
        self.rows = Histogram(
            "evergreen_request_rows",
            "Rows of a prediction request",
            by_model,
            registry=self.registry,
            buckets=_ROWS,
        ).labels(model)
        self._requests = Counter(
            "evergreen_requests", "Answered requests", ["route", "code"], registry=self.registry
        )
        self._refusals = Counter(
            "evergreen_refusals", "Refused requests by kind", [*by_model, "reason"], registry=self.registry
        )
        self.in_flight = Gauge(
            "evergreen_requests_in_flight", "Prediction requests at work", by_model, registry=self.registry
        ).labels(model)
        self.ready = Gauge(
            "evergreen_model_ready", "1 while the model is served", by_model, registry=self.registry
        )
        self.ready.labels(model).set(0)
        self._info = Gauge(
            "evergreen_model_info", "The served version; always 1",
            [*by_model, "version", "digest", "engine"], registry=self.registry,
        )  # fmt: skip
        self._answered: dict[tuple[str, int], Counter] = {}

    def _histogram(self, name: str, text: str, labels: list[str]) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry, buckets=_BUCKETS).labels(self._model)

    def answered(self, route: str, status: int) -> None:
        """Count an answered request."""
        key = (route, status)
        counter = self._answered.get(key)
        if counter is None:
            counter = self._answered[key] = self._requests.labels(route, str(status))
        counter.inc()

    def refused(self, reason: str) -> None:
        """Count a refused request."""
        self._refusals.labels(self._model, reason).inc()

    def serving(self, identity: Identity | None) -> None:
        """Say which version is served now; None for none."""
        self._info.clear()
        self.ready.labels(self._model).set(0 if identity is None else 1)
        if identity is not None:
            self._info.labels(identity.name, identity.version, identity.digest, identity.engine).set(1)

    def page(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)
