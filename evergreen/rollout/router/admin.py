"""Envoy's admin page: what is in force, copies, health, logs, drain."""

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from evergreen.errors import Fault
from evergreen.rollout.router.bootstrap import STATS
from evergreen.rollout.router.clusters import digest_of
from evergreen.rollout.router.routes import ROUTES

_RDS = f"http.{STATS}.rds.{ROUTES}"
_CDS = "cluster_manager.cds"
_SUFFIXES = ("version_text", "update_rejected", "update_failure")


class EnvoyDown(Fault):
    """Envoy's admin page does not answer."""


@dataclass(frozen=True)
class Versions:
    """What Envoy has in force.

    Attributes:
        routes: The version of the routes; empty before the first ones.
        refused_routes: How often it refused a file of routes.
        refused_clusters: How often it refused a file of clusters.
    """

    routes: str
    refused_routes: int
    refused_clusters: int


@dataclass(frozen=True)
class Copies:
    """Copies since Envoy started, or since the cluster was made: counters that may fall back to zero.

    Attributes:
        sent: By cluster: copies that left for a server.
        dropped: By cluster: copies that found no room or no server.
    """

    sent: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)


class Admin:
    """Envoy's admin page.

    Args:
        host: Its address.
        port: Its port.
        timeout: Seconds that an answer may take.
    """

    def __init__(self, host: str, port: int, timeout: float = 2.0) -> None:
        self.host, self.port, self._timeout = host, port, timeout

    def ready(self) -> bool:
        """Whether Envoy is live: started, and its first clusters and routes are there."""
        try:
            return self._ask("GET", "/ready").strip() == b"LIVE"
        except EnvoyDown:
            return False

    def versions(self) -> Versions:
        """What is in force.

        Raises:
            EnvoyDown: there is no answer.
        """
        pattern = f"^({_RDS}|{_CDS})\\.({'|'.join(_SUFFIXES)})$".replace(".", r"\.").replace(r"\\.", r"\.")
        found = self._stats(pattern)
        refused = [
            sum(int(found.get(f"{name}.{suffix}", 0)) for suffix in _SUFFIXES[1:]) for name in (_RDS, _CDS)
        ]
        return Versions(str(found.get(f"{_RDS}.{_SUFFIXES[0]}", "")), *refused)

    def clusters(self) -> dict[str, str]:
        """The digests of the clusters that take requests, by name.

        Raises:
            EnvoyDown: there is no answer.
        """
        query = {"resource": "dynamic_active_clusters", "mask": "cluster.name,cluster.metadata"}
        found = json.loads(self._ask("GET", f"/config_dump?{urlencode(query)}"))
        clusters = [entry.get("cluster", {}) for entry in found.get("configs", [])]
        return {cluster["name"]: digest_of(cluster) for cluster in clusters if "name" in cluster}

    def copies(self) -> Copies:
        """Copies by cluster.

        Raises:
            EnvoyDown: there is no answer.
        """
        pattern = (
            r"^cluster\.shadow-[0-9]+\."
            "(upstream_rq_total|upstream_rq_pending_overflow|upstream_rq_pending_failure_eject|upstream_cx_none_healthy)$"
        )
        copies = Copies()
        for name, value in self._stats(pattern).items():
            _, cluster, what = name.split(".")
            kind = copies.sent if what == "upstream_rq_total" else copies.dropped
            kind[cluster] = kind.get(cluster, 0) + int(value)
        return copies

    def connections(self) -> int:
        """Open connections of clients.

        Raises:
            EnvoyDown: there is no answer.
        """
        return sum(int(v) for v in self._stats(rf"^http\.{STATS}\.downstream_(cx|rq)_active$").values())

    def reopen_logs(self) -> None:
        """Have it close the access log and open a new one.

        Raises:
            EnvoyDown: there is no answer.
        """
        self._ask("POST", "/reopen_logs")

    def drain(self) -> None:
        """Have it tell clients to come back elsewhere, and stop listening after its drain time.

        Raises:
            EnvoyDown: there is no answer.
        """
        self._ask("POST", "/drain_listeners?graceful")

    def quit(self) -> None:
        """Have it end.

        Raises:
            EnvoyDown: there is no answer.
        """
        self._ask("POST", "/quitquitquit")

    def _stats(self, pattern: str) -> dict[str, Any]:
        found = json.loads(self._ask("GET", f"/stats?format=json&filter={quote(pattern, safe='')}"))
        return {s["name"]: s["value"] for s in found.get("stats", []) if "name" in s}

    def _ask(self, method: str, path: str) -> bytes:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self._timeout)
        try:
            connection.request(method, path)
            return connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            place = f"{self.host}:{self.port}"
            raise EnvoyDown(f"Envoy's admin page at {place} does not answer: {error}") from error
        finally:
            connection.close()
