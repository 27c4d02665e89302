"""What callers report after a prediction: `POST /v2/models/{name}/outcomes`."""

import time
from datetime import datetime
from typing import Annotated

import msgspec

from evergreen.serving.predictions.entry import Outcome
from evergreen.serving.protocol import Refusal, decoded, schema_error

RequestId = Annotated[str, msgspec.Meta(max_length=128)]
Event = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+\Z")]
_MOST = 1e15
Value = Annotated[float, msgspec.Meta(ge=-_MOST, le=_MOST)]  # squares of it must add up over all users
_EXPECTED = 'a request such as {"outcomes": [{"request_id": "…", "event": "click", "value": 1}]}'


class ReportedOutcome(msgspec.Struct):
    """An outcome as it is reported: a value of at most 1e15 in size; a time with a zone, or none for now."""

    event: Event
    request_id: RequestId = ""
    value: Value = 1.0
    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class OutcomesRequest(msgspec.Struct):
    """The body of `POST …/outcomes`."""

    outcomes: list[ReportedOutcome]


_decoder = msgspec.json.Decoder(OutcomesRequest)


def read_outcomes(body: bytes, user: str, most: int) -> list[Outcome]:
    """The outcomes of a request.

    Args:
        body: The request's body.
        user: The key of the user that the request's header names; empty for none.
        most: How many a request may have.

    Raises:
        Refusal: with status 400 for what is no such request, or an outcome that belongs to neither a request
            nor a user; 413 for too many.
    """
    reported = decoded(_decoder, body, _EXPECTED).outcomes
    if not reported:
        raise schema_error("body", "no outcomes", _EXPECTED)
    if len(reported) > most:
        raise Refusal(413, "size", "body", f"{len(reported)} outcomes", f"at most {most}", "Send fewer.")
    now = time.time()
    for place, one in enumerate(reported):
        if not (user or one.request_id):
            found = "belongs to no request and no user"
            raise schema_error(f"outcome {place}", found, "a request_id, or the header with the user")
        if not one.request_id.isprintable():
            raise schema_error(f"outcome {place}", "a request_id that is not printable", "one from an answer")
    return [
        Outcome(now if o.time is None else o.time.timestamp(), o.request_id, user, o.event, o.value)
        for o in reported
    ]
