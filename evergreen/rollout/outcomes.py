"""Reports what happened after predictions (`POST /v2/models/{name}/outcomes`): for small clients."""

import http.client
from collections.abc import Sequence
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

import msgspec

from evergreen.errors import Fault, InputError
from evergreen.project.model.serving import Serving

_MOST = 1000  # of one request; what one user does in between is far below it


class Happened(msgspec.Struct, frozen=True, omit_defaults=True):
    """One outcome.

    Attributes:
        event: Such as `click`.
        request_id: The `x-request-id` of the prediction's answer; may be empty where the user says it.
        value: What is summed: 1 for a click, or what was paid.
        time: When it happened, in ISO 8601 with a zone; empty for now.
    """

    event: str
    request_id: str = ""
    value: float = 1.0
    time: str = ""


class Reporter:
    """Sends outcomes to a model server, or the router before it: `with Reporter(…) as reporter`.

    Args:
        url: Such as `http://127.0.0.1:8080`.
        model: The model's name.
        user_header: The header that names the user, as in the project's `serving.user_header`.
        timeout: Seconds that an answer may take.
    """

    def __init__(
        self,
        url: str,
        model: str,
        user_header: str = str(Serving.model_fields["user_header"].default),
        timeout: float = 5.0,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise InputError("url", repr(url), "such as http://127.0.0.1:8080")
        self._url, self._header = url, user_header
        self._path = f"{parts.path.rstrip('/')}/v2/models/{quote(model, safe='')}/outcomes"
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)

    def report(self, outcomes: Sequence[Happened], user: str = "") -> int:
        """Send outcomes of one user, all or none at a time; returns how many were taken.

        Args:
            outcomes: What happened.
            user: The user as the requests named them; empty for none: then each must have a request id.

        Raises:
            InputError: when the server refuses them, or keeps none.
            Fault: when it does not answer, or has no room for them now.
        """
        for start in range(0, len(outcomes), _MOST):
            body = msgspec.json.encode({"outcomes": list(outcomes[start : start + _MOST])})
            status, answer = self._post(body, user)
            if status != 202:
                text = f"outcomes: {self._url} answers {status}: {answer[:200].decode('utf-8', 'replace')}"
                raise Fault(text) if status >= 500 else InputError("outcomes", text)
        return len(outcomes)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _post(self, body: bytes, user: str) -> tuple[int, bytes]:
        headers = {"content-type": "application/json"} | ({self._header: user} if user else {})
        try:
            self._connection.request("POST", self._path, body, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()  # the next one opens it again
            raise Fault(f"outcomes: {self._url} does not answer: {error or type(error).__name__}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
