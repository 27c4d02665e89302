"""Who asks: the request's id, the arm of the rollout that it belongs to, and the user."""

import os
from typing import Any

ARM_HEADER = "x-evergreen-arm"
ID_HEADER = "x-request-id"
_ARMS = frozenset({"baseline", "candidate", "shadow"})
_SHADOW = "-shadow"
_LONGEST_ID = 128


def request_id(given: str | None) -> str:
    """The caller's request id when it is one that may stand in a header and a log, else a new one."""
    if given and len(given) <= _LONGEST_ID and given.isascii() and given.isprintable():
        return given
    return os.urandom(8).hex()


def arm(headers: Any) -> str:
    """The arm of a request: `shadow` for a copy, else what the router says; empty without a router.

    Envoy's copies have a Host that ends with `-shadow`, before the port if there is one.
    """
    host = headers.get("host")
    if host is not None and _SHADOW in host and host.partition(":")[0].endswith(_SHADOW):
        return "shadow"
    given = headers.get(ARM_HEADER)
    return given if given is not None and given in _ARMS else ""
