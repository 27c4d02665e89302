"""Envoy's routes of a plan: who gets which arm, what is copied, and what is only passed on.

Only predictions take part. What names a version in its path goes to that version, and everything else
(metadata, health, outcomes) to the baseline; neither is counted.
"""

from typing import Any

from evergreen.rollout.plan import ARM_HEADER, RoutePlan, Target
from evergreen.rollout.router import clusters as names
from evergreen.rollout.router.checks import USER_HEADER

ROUTES = "evergreen"
_TYPE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
_WHOLE = 1_000_000
_BODY_BYTES = 17 * 1024 * 1024
_LONGEST_SECONDS = 60.0
_PREDICTION = "/*v2/models/[^/]+/(infer|rows)/*"
_SAFE = "connect-failure,refused-stream,reset-before-request"


def without_plan() -> dict[str, Any]:
    """The routes before the first plan: every answer says what is missing."""
    body = '{"error": "router: there is no plan yet. Start a rollout, or `evergreen up --model`."}'
    answer = {"status": 503, "body": {"inline_string": body}}
    headers = [_overwrite("content-type", "application/json")]
    return _table([{"match": {"prefix": "/"}, "direct_response": answer, "response_headers_to_add": headers}])


def routes(plan: RoutePlan, *, safe: bool = False) -> dict[str, Any]:
    """The routes of a plan.

    Args:
        plan: A checked plan.
        safe: The dead man's routes: the baseline alone, counted for no rollout.
    """
    share = 0.0 if safe else plan.share
    mirror = 0.0 if safe else plan.mirror
    found = [_pinned(plan.baseline, names.baseline_name(plan))]
    if plan.candidate is not None and plan.candidate.version != plan.baseline.version:
        found.append(_pinned(plan.candidate, names.candidate_name(plan.candidate)))
    for copied in (True, False):
        if mirror == 0 and copied:
            continue
        for known in (True, False):
            found.append(_prediction(plan, share, mirror if copied else 0.0, known, safe))
    rest = {"cluster": names.baseline_name(plan), "timeout": f"{_LONGEST_SECONDS:g}s"}
    found.append({"match": {"prefix": "/"}, **_uncounted(rest)})
    return _table(found)


def _table(found: list[dict[str, Any]]) -> dict[str, Any]:
    host = {"name": "all", "domains": ["*"], "routes": found}
    return {"@type": _TYPE, "name": ROUTES, "validate_clusters": True, "virtual_hosts": [host]}


def _uncounted(action: dict[str, Any]) -> dict[str, Any]:
    """What is no prediction may not be repeatable (outcomes): it is tried again only if nobody has got it."""
    action = {**action, "retry_policy": names.retries(_SAFE)}
    return {"route": action, "request_headers_to_remove": [ARM_HEADER]}


def _pinned(target: Target, cluster: str) -> dict[str, Any]:
    path = f"/*v2/models/[^/]+/versions/{target.version}(/.*)?"
    action = {"cluster": cluster, "timeout": f"{_LONGEST_SECONDS:g}s"}
    return {"match": {"safe_regex": {"regex": path}}, **_uncounted(action)}


def _prediction(plan: RoutePlan, share: float, mirror: float, known: bool, safe: bool) -> dict[str, Any]:
    """One route: copied (`mirror` percent of what comes here) or not, users who are known or not."""
    live = share > 0
    match: dict[str, Any] = {
        "safe_regex": {"regex": _PREDICTION},
        "headers": [{"name": ":method", "string_match": {"exact": "POST"}}],
    }
    if known:
        match["headers"].append(
            {"name": plan.user_header, "string_match": {"safe_regex": {"regex": r"(?s).*\S.*"}}}
        )
    if 0 < mirror < 100:
        # A route's own fraction is drawn by request; a mirror policy's would be drawn from x-request-id,
        # which copies all of a client's requests, or none, when its ids are not random.
        parts = {"numerator": round(mirror * _WHOLE / 100), "denominator": "MILLION"}
        match["runtime_fraction"] = {"default_value": parts}
    policy = names.retries("5xx,reset,connect-failure,refused-stream")
    action: dict[str, Any] = {
        "weighted_clusters": {"clusters": _arms(plan, share), "use_hash_policy": known},
        "timeout": f"{max(_LONGEST_SECONDS, 3 * plan.timeout):.3f}s",
        "retry_policy": {**policy, "per_try_timeout": f"{plan.timeout:.3f}s"} if live else policy,
    }
    if known:
        action["hash_policy"] = [_by_user(plan)]
    if live:
        # After per_try_timeout the next server is asked as well, and the first good answer counts: nothing
        # that is merely long fails because a rollout is under way.
        action["hedge_policy"] = {"hedge_on_per_try_timeout": True}
    if mirror > 0 and plan.candidate is not None:
        action["request_mirror_policies"] = [{"cluster": names.shadow_name(plan.candidate)}]
    user = [_overwrite(USER_HEADER, f"%REQ({plan.user_header})%")] if known else []
    return {
        "match": match,
        "route": action,
        "request_headers_to_remove": [USER_HEADER],
        "request_headers_to_add": user,
        "request_body_buffer_limit": _BODY_BYTES,
        "metadata": {"filter_metadata": {names.METADATA: _mark(plan, mirror > 0, safe)}},
    }


def _mark(plan: RoutePlan, copied: bool, safe: bool) -> dict[str, Any]:
    """What the access log says about the plan that routed a request."""
    return {
        "rollout": "" if safe else plan.rollout,
        "generation": plan.generation,
        "slo": plan.slo,
        "window": plan.window,
        "copied": copied,
    }


def _by_user(plan: RoutePlan) -> dict[str, Any]:
    salt = plan.salt.replace("\\", "\\\\")
    rewrite = {"pattern": {"regex": r"(?s)^(.*)$"}, "substitution": f"{salt}:\\1"}
    return {"header": {"header_name": plan.user_header, "regex_rewrite": rewrite}}


def _arms(plan: RoutePlan, share: float) -> list[dict[str, Any]]:
    """The candidate comes first: so a greater share holds every user of a smaller one."""
    weight = round(share * _WHOLE / 100)
    arms = [(names.baseline_name(plan), "baseline", _WHOLE - weight)]
    if plan.candidate is not None:
        arms.insert(0, (names.live_name(plan, plan.candidate), "candidate", weight))
    return [
        {"name": name, "weight": part, "request_headers_to_add": [_overwrite(ARM_HEADER, arm)]}
        for name, arm, part in arms
        if part > 0
    ]


def _overwrite(key: str, value: str) -> dict[str, Any]:
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
