"""What the controller tells Prometheus and probes: /metrics, /healthz, /readyz.

Labels are models, phases and words of ours; never a rollout's id or a reason, of which there is no end.
"""

import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.seen import RouterSeen

_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LOOKS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PHASES = (
    "starting", "running", "paused", "held", "launching", "soaking",
    "launched", "rolling_back", "rolled_back", "aborted", "superseded", "failed",
)  # fmt: skip
_SILENT = 30.0


class Page:
    """The metrics of one controller, on a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        prefix, model = "evergreen_rollout_", ["model"]

        def gauge(name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
            return Gauge(prefix + name, text, labels, registry=registry)

        self._stage = gauge("stage", "Index of the stage; past the last one it is the launch", model)
        self._share = gauge("share_percent", "Users who get the candidate", model)
        self._mirror = gauge("mirror_percent", "Requests that are copied to the candidate", model)
        self._phase = gauge("phase", "1 for the phase that the rollout is in", [*model, "phase"])
        self._generation = gauge("generation", "Of the plan", model)
        self._routers = gauge("routers", "Routers by what they do", [*model, "state"])
        self._heartbeat = gauge("controller_heartbeat_timestamp_seconds", "The end of the last look")
        self._leads = gauge("controller_leads", "1 for the controller that acts")
        self._look = Histogram(
            prefix + "controller_look_seconds", "One look at all models", registry=registry, buckets=_LOOKS
        )
        self._events = Counter(
            prefix + "events", "What happened to rollouts", [*model, "what"], registry=registry
        )
        self._verdicts = Gauge(
            prefix + "verdict", "1 for the last verdict", [*model, "kind"], registry=registry
        )
        self._errors = Counter(
            prefix + "controller_errors", "Looks that failed, by kind", ["kind"], registry=registry
        )
        self._last = time.monotonic()

    def shows(self, record: RolloutRecord, routers: Sequence[RouterSeen]) -> None:
        """Show a rollout as it stands."""
        model, plan = record.model, record.plan
        self._stage.labels(model).set(record.stage)
        self._share.labels(model).set(plan.share)
        self._mirror.labels(model).set(plan.mirror)
        self._generation.labels(model).set(plan.generation)
        for phase in _PHASES:
            self._phase.labels(model, phase).set(phase == record.phase)
        for kind in ("promote", "hold", "stop", "roll_back"):
            self._verdicts.labels(model, kind).set(record.verdict is not None and record.verdict.kind == kind)
        states = [_state(router, plan.generation) for router in routers]
        for state in ("confirmed", "behind", "dead_man", "unreachable"):
            self._routers.labels(model, state).set(states.count(state))

    def happened(self, model: str, what: str) -> None:
        """Count an event."""
        self._events.labels(model, what).inc()

    def failed(self, kind: str) -> None:
        """Count a failure."""
        self._errors.labels(kind).inc()

    def looked(self, seconds: float, now: float) -> None:
        """Count a look that ended."""
        self._look.observe(seconds)
        self._heartbeat.set(now)
        self._last = time.monotonic()

    def leads(self, leads: bool) -> None:
        """Say whether this controller acts."""
        self._leads.set(leads)

    @property
    def alive(self) -> bool:
        """Whether the loop has come round lately."""
        return time.monotonic() - self._last < _SILENT

    def text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def serve(self, host: str, port: int) -> ThreadingHTTPServer:
        """Serve the page in a thread; the port is in `server_address`, 0 takes any free one."""
        server = ThreadingHTTPServer((host, port), _handler(self))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="page", daemon=True).start()
        return server


def _state(router: RouterSeen, generation: int) -> str:
    if router.generation is None:
        return "unreachable"
    if router.dead_man:
        return "dead_man"
    return "confirmed" if router.generation == generation else "behind"


def _handler(page: Page) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            status, body, kind = 404, b"not found\n", _TYPE
            if self.path == "/metrics":
                status, body = 200, page.text()
            elif self.path in ("/healthz", "/readyz"):
                status, body = (200, b"ok\n") if page.alive else (503, b"the loop stands still\n")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
