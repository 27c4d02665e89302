"""Paths and methods as what is to be done."""

from typing import NamedTuple

from evergreen.serving.protocol import Refusal

_FIXED = {
    "v2": "server",
    "v2/models": "models",
    "v2/repository/index": "index",
    "v2/health/live": "live",
    "v2/health/ready": "ready",
    "metrics": "metrics",
}
_OF_MODEL = {"": "model", "ready": "model_ready", "infer": "infer", "rows": "rows", "outcomes": "outcomes"}
_POST = frozenset({"infer", "rows", "outcomes", "index"})
LABELS = {
    "models": "server", "index": "server", "live": "health", "ready": "health", "model_ready": "health",
}  # fmt: skip
_SHOWN = 200


class Route(NamedTuple):
    """What a request wants.

    Attributes:
        action: What is to be done.
        version: The version that the path names; empty when it names none.
    """

    action: str
    version: str = ""

    @property
    def label(self) -> str:
        """The route as the metrics have it."""
        return LABELS.get(self.action, self.action)


def find(model: str, method: str, path: str) -> Route:
    """What a request wants.

    Args:
        model: The name of the model that is served.
        method: The HTTP method.
        path: The path, without the query.

    Raises:
        Refusal: with status 404 or 405.
    """
    parts = path[: 4 * _SHOWN].strip("/").split("/")
    if parts[:2] == ["v2", "models"] and len(parts) > 2:
        route = _of_model(model, parts)
    elif parts[:3] == ["v2", "repository", "models"]:
        raise Refusal(
            403, "route", path[:_SHOWN], "models are not loaded over HTTP",
            remedy="Move the model's alias; a server that was started with --follow then loads the version.",
        )  # fmt: skip
    else:
        action = _FIXED.get("/".join(parts))
        if action is None:
            remedy = "GET /v2 says what this server is."
            raise Refusal(404, "route", path[:_SHOWN], "no such path", remedy=remedy)
        route = Route(action)
    wanted = "POST" if route.action in _POST else "GET"
    if method != wanted:
        raise Refusal(405, "method", f"method {method[:20]!r}", "not allowed here", wanted)
    return route


def _of_model(model: str, parts: list[str]) -> Route:
    name, rest, version = parts[2], parts[3:], ""
    if name != model:
        raise Refusal(404, "model", f"model {name[:80]!r}", "is not served here", repr(model))
    if rest[:1] == ["versions"]:
        version = rest[1] if len(rest) > 1 else ""
        if not version:
            raise unknown_version(version, "a number")
        rest = rest[2:]
    action = _OF_MODEL.get("/".join(rest))
    if action is None:
        known = "infer, rows, outcomes or ready"
        raise Refusal(404, "route", "/".join(rest)[:_SHOWN], "no such path below a model", known)
    return Route(action, version)


def unknown_version(version: str, expected: str) -> Refusal:
    """A version that is not served: status 404."""
    return Refusal(404, "model", f"version {version[:40]!r}", "is not served here", f"version {expected}")
