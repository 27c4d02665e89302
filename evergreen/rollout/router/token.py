"""The token by which a router's agent knows its controller (RFC 6750), from the environment of both."""

import os

from evergreen.errors import InputError

VARIABLE = "EVERGREEN_ROUTER_TOKEN"
_SHORTEST = 16


def find_token() -> str:
    """The token in EVERGREEN_ROUTER_TOKEN, without white space around it; empty where there is none.

    Raises:
        InputError: it is too short, or holds what no HTTP header can. The message does not show it.
    """
    token = os.environ.get(VARIABLE, "").strip()
    if token and (len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token):
        raise InputError(
            VARIABLE, "is too short, or holds a character that no header can",
            f"{_SHORTEST} or more printable ASCII characters without a space",
            "Make one with `openssl rand -hex 32`; agents and controllers need the same.",
        )  # fmt: skip
    return token
