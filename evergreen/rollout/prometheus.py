"""One number from a Prometheus server, or none: https://prometheus.io/docs/prometheus/latest/querying/api/.

Whatever goes wrong is no number, never an exception: a rollout that waits for a number then holds. Counters
that begin anew are PromQL's business: `rate()` and `increase()` allow for them.
"""

import base64
import http.client
import json
import math
import time
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from evergreen import log

_log = log.get(__name__)
_LARGEST = 1 << 20
_BLOCK = 1 << 16
_SHOWN = 200
_REMEMBERED = 256
_told: dict[tuple[str, str], str] = {}


class _NoNumberError(Exception):
    """Why there is none."""


def query(url: str, promql: str, timeout: float = 2.0) -> float | None:
    """Ask for the present value of an expression.

    Args:
        url: The server, such as `http://prometheus:9090`; a path in front of `/api` and a user with password
            are understood.
        promql: An expression whose result is a scalar or a vector of one element.
        timeout: Seconds for all of it.

    Returns:
        The number; None for NaN, an infinity, no or several elements, an error, a redirect, an answer of more
        than 1 MiB, and a server that is not reached or does not answer in time. Why is logged, once for as
        long as the reason stays the same.
    """
    try:
        number = _number(_answer(url, promql, timeout))
    except _NoNumberError as error:
        _tell(url, promql, str(error))
        return None
    except (OSError, http.client.HTTPException) as error:
        _tell(url, promql, f"{type(error).__name__}: {error}")
        return None
    except ValueError:  # its text may hold a part of a password
        _tell(url, promql, "not a URL such as http://prometheus:9090")
        return None
    _told.pop((url, promql), None)
    return number


def _answer(url: str, promql: str, timeout: float) -> bytes:
    end = time.monotonic() + timeout
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _NoNumberError("not a URL such as http://prometheus:9090")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout)
    try:
        parameters = urlencode({"query": promql, "timeout": f"{max(1, round(1000 * timeout))}ms"})
        connection.request(
            "GET", f"{parts.path.rstrip('/')}/api/v1/query?{parameters}", headers=_headers(parts)
        )
        response = connection.getresponse()
        content = _content(connection, response, end)
    finally:
        connection.close()
    if response.status != 200:
        raise _NoNumberError(f"status {response.status}{_why(content)}")
    return content


def _headers(parts: Any) -> dict[str, str]:
    headers = {"Accept": "application/json"}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return headers


def _content(connection: http.client.HTTPConnection, response: http.client.HTTPResponse, end: float) -> bytes:
    """The body; a server that sends it drop by drop does not get more time for that."""
    content = b""
    while True:
        left = end - time.monotonic()
        if left <= 0:
            raise _NoNumberError("no whole answer in time")
        if connection.sock is not None:
            connection.sock.settimeout(left)
        block = response.read1(_BLOCK)
        if not block:
            return content
        content += block
        if len(content) > _LARGEST:
            raise _NoNumberError(f"an answer of more than {_LARGEST} bytes")


def _number(content: bytes) -> float:
    try:
        data = json.loads(content)["data"]
        kind, result = data["resultType"], data["result"]
        if kind == "vector":
            if len(result) != 1:
                raise _NoNumberError(f"{len(result)} elements" if result else "no data")
            (element,) = result
            if "value" not in element:
                raise _NoNumberError("a histogram")
            text = element["value"][1]
        elif kind == "scalar":
            text = result[1]
        else:
            raise _NoNumberError(f"a {kind}"[:_SHOWN])
        number = float(text)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise _NoNumberError("not an answer of Prometheus") from error
    if not math.isfinite(number):
        raise _NoNumberError("not a finite number")
    return number


def _why(content: bytes) -> str:
    try:
        return f": {json.loads(content)['error']}"[:_SHOWN]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _tell(url: str, promql: str, reason: str) -> None:
    key, reason = (url, promql), reason[:_SHOWN]
    if _told.get(key) == reason:
        return
    if len(_told) >= _REMEMBERED:
        _told.clear()
    _told[key] = reason
    server = url.rpartition("@")[2][:_SHOWN]  # what stands before it may be a password
    _log.warning(
        "no number from Prometheus", extra={"server": server, "query": promql[:_SHOWN], "why": reason}
    )
