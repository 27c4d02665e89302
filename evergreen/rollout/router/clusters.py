"""Envoy's clusters of a plan: baseline, candidate, the candidate over the baseline, the one of the copies.

Names hold the version, so that routes to a new version never reach servers of an old one. Every cluster bears
a digest of its own content in its metadata: that is how the agent sees in Envoy's dump what is in force.
"""

from hashlib import blake2b
from typing import Any

import msgspec

from evergreen.rollout.plan import RoutePlan, Target
from evergreen.rollout.router.checks import endpoint

METADATA = "evergreen"
_CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
_AGGREGATE = "type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig"
_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_CONNECT = "0.5s"
_MANY = 4096
_COPIES = 128
REFUSALS = (400, 404, 413, 422)
"""What the baseline is asked about too when the candidate says it: a candidate that refuses what the baseline
takes has failed; a request that both refuse is the client's fault."""


def baseline_name(plan: RoutePlan) -> str:
    """The cluster of the baseline's servers."""
    return f"baseline-{plan.baseline.version}"


def candidate_name(target: Target) -> str:
    """The cluster of the candidate's servers."""
    return f"candidate-{target.version}"


def live_name(plan: RoutePlan, candidate: Target) -> str:
    """The candidate, and behind it the baseline: what the candidate's users are routed to."""
    return f"candidate-{candidate.version}-over-{plan.baseline.version}"


def shadow_name(candidate: Target) -> str:
    """The candidate's servers as the ones that copies are sent to: with a limit of their own."""
    return f"shadow-{candidate.version}"


def clusters(plan: RoutePlan) -> dict[str, dict[str, Any]]:
    """Every cluster that the plan's routes may use, by name."""
    found = [_baseline(plan)]
    if plan.candidate is not None:
        found += [_candidate(plan.candidate), _live(plan, plan.candidate), _shadow(plan.candidate)]
    return {cluster["name"]: _sealed(cluster) for cluster in found}


def retries(retry_on: str, codes: tuple[int, ...] = ()) -> dict[str, Any]:
    """A retry policy that goes to another version first, then to another server of the same one."""
    return {
        "retry_on": retry_on,
        "num_retries": 2,
        "retriable_status_codes": list(codes),
        "retry_back_off": {"base_interval": "0.002s", "max_interval": "0.02s"},
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3"
                ".PreviousPrioritiesConfig",
                "update_frequency": 1,
            },
        },
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3"
                    ".PreviousHostsPredicate"
                },
            }
        ],
        "host_selection_retry_max_attempts": 10,
    }


def _baseline(plan: RoutePlan) -> dict[str, Any]:
    """The last resort: when none of its servers seems healthy, all of them are tried."""
    return {
        **_servers(baseline_name(plan), plan.baseline, "baseline"),
        "health_checks": _health(),
        "common_lb_config": {"healthy_panic_threshold": {"value": 1}},
        "outlier_detection": _outliers(errors=10, most=50),
        "circuit_breakers": _breakers(_MANY, {"budget_percent": {"value": 20}, "min_retry_concurrency": 256}),
    }


def _candidate(candidate: Target) -> dict[str, Any]:
    return {
        **_servers(candidate_name(candidate), candidate, "candidate"),
        "health_checks": _health(),
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "outlier_detection": _outliers(errors=5, most=100),
        "circuit_breakers": _breakers(_MANY),
    }


def _live(plan: RoutePlan, candidate: Target) -> dict[str, Any]:
    """The candidate, then the baseline, twice: after the last one Envoy would begin with the first one again.

    A baseline that is busy when a refused request falls back to it is so asked again, and the refusal of the
    candidate never becomes the answer.
    """
    return {
        "@type": _CLUSTER,
        "name": live_name(plan, candidate),
        "connect_timeout": _CONNECT,
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": {
                "@type": _AGGREGATE,
                "clusters": [candidate_name(candidate), baseline_name(plan), baseline_name(plan)],
            },
        },
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": _breakers(_MANY),
        "typed_extension_protocol_options": _http(
            retries("5xx,reset,connect-failure,refused-stream,retriable-status-codes", REFUSALS)
        ),
    }


def _shadow(candidate: Target) -> dict[str, Any]:
    """No health checks and no retries: copies that fail or find no room are evidence, not a problem."""
    return {
        **_servers(shadow_name(candidate), candidate, "shadow"),
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": _breakers(_COPIES),
    }


def _servers(name: str, target: Target, arm: str) -> dict[str, Any]:
    places = [endpoint(text, "endpoints") for text in target.endpoints]
    mark = {"filter_metadata": {METADATA: {"arm": arm}}}
    servers = [
        {
            "endpoint": {"address": {"socket_address": {"address": p.host, "port_value": p.port}}},
            "metadata": mark,
        }
        for p in places
    ]
    static = all(p.numeric for p in places)
    names: dict[str, Any] = {"dns_lookup_family": "ALL", "dns_refresh_rate": "2s", "respect_dns_ttl": False}
    return {
        "@type": _CLUSTER,
        "name": name,
        "type": "STATIC" if static else "STRICT_DNS",
        **({} if static else names),
        "connect_timeout": _CONNECT,
        # Not LEAST_REQUEST: a server that refuses every connection is the one with the fewest requests.
        "lb_policy": "ROUND_ROBIN",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": servers}]},
        "typed_extension_protocol_options": _http(None),
    }


def _http(retry_policy: dict[str, Any] | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "@type": f"type.googleapis.com/{_HTTP}",
        "explicit_http_config": {"http_protocol_options": {}},
        "common_http_protocol_options": {"idle_timeout": "15s"},
    }
    return {_HTTP: {**options, **({"retry_policy": retry_policy} if retry_policy else {})}}


def _health() -> list[dict[str, Any]]:
    return [
        {
            "timeout": "1s",
            "interval": "0.5s",
            "no_traffic_interval": "0.5s",
            "no_traffic_healthy_interval": "0.5s",
            "unhealthy_threshold": 3,
            "healthy_threshold": 1,
            "http_health_check": {"path": "/v2/health/ready"},
        }
    ]


def _outliers(errors: int, most: int) -> dict[str, Any]:
    return {
        "consecutive_5xx": errors,
        "consecutive_gateway_failure": errors,
        "enforcing_consecutive_gateway_failure": 100,
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": errors,
        "enforcing_success_rate": 0,
        "enforcing_local_origin_success_rate": 0,
        "interval": "0.5s",
        "base_ejection_time": "1s",
        "max_ejection_time": "10s",
        "max_ejection_percent": most,
    }


def _breakers(most: int, budget: dict[str, Any] | None = None) -> dict[str, Any]:
    limits: dict[str, Any] = {"max_connections": most, "max_pending_requests": most, "max_requests": most}
    return {"thresholds": [{**limits, **({"retry_budget": budget} if budget else {"max_retries": most})}]}


def _sealed(cluster: dict[str, Any]) -> dict[str, Any]:
    digest = blake2b(msgspec.json.encode(cluster, order="sorted"), digest_size=8).hexdigest()
    return {**cluster, "metadata": {"filter_metadata": {METADATA: {"digest": digest}}}}


def digest_of(cluster: dict[str, Any]) -> str:
    """The digest that a cluster bears; empty for one that is not ours."""
    found = cluster.get("metadata", {}).get("filter_metadata", {}).get(METADATA, {}).get("digest", "")
    return str(found)
