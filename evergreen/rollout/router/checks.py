"""What a plan must be before Envoy sees it; errors name the field, what was found, and what to do."""

import math
import re
from dataclasses import dataclass
from ipaddress import ip_address

from evergreen.errors import InputError
from evergreen.rollout.plan import ARM_HEADER, FLAGS_HEADER, MODEL_HEADER, RoutePlan, Target

USER_HEADER = "x-evergreen-user"
"""The user as the access log sees them: routes copy the plan's user header there."""
_HEADER = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?")
_TAKEN = frozenset(
    {
        ARM_HEADER, MODEL_HEADER, FLAGS_HEADER, USER_HEADER, "host", "content-length", "transfer-encoding",
        "connection", "x-request-id",
    }
)  # fmt: skip
_MOST_ENDPOINTS = 500
_LONGEST = 100 * 366 * 86400.0


@dataclass(frozen=True)
class Endpoint:
    """Where one server listens; `numeric` says whether `host` is an IP address."""

    host: str
    port: int
    numeric: bool

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return ip_address(self.host).is_loopback if self.numeric else self.host == "localhost"


def endpoint(text: str, field: str) -> Endpoint:
    """Read `host:port`, where the host is a name, an IPv4 address, or an IPv6 address in brackets.

    Raises:
        InputError: naming `field`.
    """
    host, colon, port = text.rpartition(":")
    numeric = _is_ipv4(host)
    if host.startswith("[") and host.endswith("]") and _is_ipv6(host[1:-1]):
        host, numeric = host[1:-1], True
    elif not numeric and not _HOST.fullmatch(host):
        colon = ""
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(field, f"{text[:200]!r} is not an address", "host:port, such as 10.0.0.7:8080")
    return Endpoint(host, int(port), numeric)


def check(plan: RoutePlan) -> None:
    """Refuse a plan that cannot be routed by.

    Raises:
        InputError: naming the field of the plan.
    """
    if not plan.model:
        raise InputError("plan.model", "is empty", "the model's name")
    if any(character in plan.salt for character in "\0\r\n"):
        raise InputError("plan.salt", "holds a line break or a zero byte, which Envoy refuses", "plain text")
    if plan.generation < 1:
        raise InputError("plan.generation", f"is {plan.generation}", "1 or more")
    _check_target(plan.baseline, "plan.baseline")
    if plan.candidate is not None:
        _check_target(plan.candidate, "plan.candidate")
    for name in ("share", "mirror"):
        value = getattr(plan, name)
        _within(f"plan.{name}", value, 0, 100, "a percentage from 0 to 100")
        if value > 0 and plan.candidate is None:
            raise InputError(
                f"plan.{name}", f"is {value:g}, but there is no candidate", "0",
                "Name the candidate's servers in plan.candidate, or set it to 0.",
            )  # fmt: skip
    for name in ("slo", "window", "timeout"):
        _within(f"plan.{name}", getattr(plan, name), 0.001, _LONGEST, "seconds, at least 0.001")
    _within("plan.dead_man", plan.dead_man, 0, _LONGEST, "seconds, or 0 for never")
    if not _HEADER.fullmatch(plan.user_header) or plan.user_header in _TAKEN:
        raise InputError(
            "plan.user_header", f"{plan.user_header[:80]!r} cannot name the user",
            "a header of the client's own in lower case, such as x-user-id",
        )  # fmt: skip


def _check_target(target: Target, field: str) -> None:
    if target.version < 0:
        raise InputError(f"{field}.version", f"is {target.version}", "a version of the registry")
    if not 0 < len(target.endpoints) <= _MOST_ENDPOINTS:
        raise InputError(
            f"{field}.endpoints", f"has {len(target.endpoints)} entries", f"1 to {_MOST_ENDPOINTS}",
            "Give the host:port of each server of this version.",
        )  # fmt: skip
    for i, text in enumerate(target.endpoints):
        endpoint(text, f"{field}.endpoints[{i}]")
    if len(set(target.endpoints)) < len(target.endpoints):
        raise InputError(f"{field}.endpoints", "names a server twice", "each one once")


def _within(field: str, value: float, least: float, most: float, expected: str) -> None:
    if not math.isfinite(value) or not least <= value <= most:
        raise InputError(field, f"is {value:g}", expected)


def _is_ipv4(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and all(p.isascii() and p.isdigit() and len(p) < 4 and int(p) < 256 for p in parts)


def _is_ipv6(host: str) -> bool:
    from ipaddress import AddressValueError, IPv6Address

    try:
        return IPv6Address(host).scope_id is None
    except AddressValueError:
        return False
