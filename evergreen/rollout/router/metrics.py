"""Prometheus metrics of a router's agent. Labels are bounded: arms, rates, never a user or a value."""

from collections.abc import Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from evergreen.rollout.evidence import LATENCY_EDGES
from evergreen.rollout.plan import RoutePlan
from evergreen.rollout.router.access import Line
from evergreen.rollout.router.admin import Copies

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The metrics of one router.

    Args:
        name: The router's id.
    """

    def __init__(self, name: str) -> None:
        self.registry = CollectorRegistry()
        at = self.registry
        self._requests = Counter(
            "evergreen_router_requests", "Counted predictions", ["arm", "code"], registry=at
        )
        self._harm = Counter(
            "evergreen_router_harm", "Predictions that were bad", ["arm", "rate"], registry=at
        )
        self._fallbacks = Counter(
            "evergreen_router_fallbacks", "Routed to the candidate, answered by the baseline", registry=at
        )
        self._seconds = Histogram(
            "evergreen_router_seconds", "What users waited for", ["arm"], buckets=LATENCY_EDGES, registry=at
        )
        self.unreadable = Counter(
            "evergreen_router_unreadable_lines", "Torn lines of the access log", registry=at
        )
        self.restarts = Counter(
            "evergreen_router_envoy_restarts", "Starts of an Envoy that had died", registry=at
        )
        self._copies = Counter("evergreen_router_copies", "Copies to a candidate", ["result"], registry=at)
        self._generation = Gauge("evergreen_router_generation", "Of the plan; 0 for none", registry=at)
        self._share = Gauge("evergreen_router_share_percent", "Of the users, in force", registry=at)
        self._mirror = Gauge("evergreen_router_mirror_percent", "Of the requests, in force", registry=at)
        self._dead_man = Gauge("evergreen_router_dead_man", "1 when the plan was taken back", registry=at)
        self._applied = Gauge("evergreen_router_applied", "1 when Envoy routes by the plan", registry=at)
        Gauge("evergreen_router_info", "Always 1", ["router"], registry=at).labels(name).set(1)
        self._children: dict[tuple[object, ...], Any] = {}
        self._seen: dict[tuple[str, str], int] = {}

    def request(self, line: Line, bad: Sequence[str]) -> None:
        """Count a request and what was bad about it."""
        self._child(self._requests, line.arm, str(line.status)).inc()
        self._child(self._seconds, line.arm).observe(line.seconds)
        for rate in bad:
            self._child(self._harm, line.arm, rate).inc()
        if line.fallback:
            self._fallbacks.inc()

    def copied(self, copies: Copies) -> None:
        """Take over Envoy's counts of copies; one that fell back to zero begins anew."""
        for result, counts in (("sent", copies.sent), ("dropped", copies.dropped)):
            for cluster, count in counts.items():
                before = self._seen.get((result, cluster), 0)
                self._copies.labels(result).inc(count - before if count >= before else count)
                self._seen[result, cluster] = count

    def _child(self, metric: Counter | Histogram, *labels: str) -> Any:
        """The one of these labels; asking the library takes longer than counting."""
        key = (metric, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def plan(self, plan: RoutePlan | None, dead_man_fired: bool, applied: bool) -> None:
        """Say what the router does."""
        on = plan is not None and not dead_man_fired
        self._generation.set(plan.generation if plan else 0)
        self._share.set(plan.share if plan and on else 0)
        self._mirror.set(plan.mirror if plan and on else 0)
        self._dead_man.set(dead_man_fired)
        self._applied.set(applied)

    def page(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)
