"""Envoy's access log: the format we ask for, and what one line says about a request."""

import re

import msgspec

from evergreen.rollout.plan import ARM_HEADER, FLAGS_HEADER, MODEL_HEADER
from evergreen.rollout.router.checks import USER_HEADER
from evergreen.rollout.router.clusters import METADATA

_NOTES = {name: re.compile(rf"(?:^|,) *{name}=([0-9]{{1,9}})(?![0-9])") for name in ("missing", "empty")}
_FIRST = b'{"arm":'
FORMAT = {
    "arm": f"%REQ({ARM_HEADER.upper()}):16%",
    "by": f"%UPSTREAM_METADATA({METADATA}:arm)%",
    "flags": "%RESPONSE_FLAGS%",
    "host": "%UPSTREAM_HOST%",
    "id": "%REQ(X-REQUEST-ID):128%",
    "model": f"%RESP({MODEL_HEADER.upper()}):256%",
    "ms": "%DURATION%",
    "notes": f"%RESP({FLAGS_HEADER.upper()}):256%",
    "plan": f"%METADATA(ROUTE:{METADATA})%",
    "status": "%RESPONSE_CODE%",
    "time": "%START_TIME(%s.%6f)%",
    "tries": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "us": "%COMMON_DURATION(DS_RX_END:DS_TX_END:us)%",
    "user": f"%REQ({USER_HEADER.upper()}):256%",
}
"""One JSON object a line; Envoy writes the keys in their order, so that every line begins with the arm."""


class Mark(msgspec.Struct, frozen=True):
    """What the route said about the plan: see `evergreen.rollout.router.routes`."""

    rollout: str
    generation: float
    slo: float
    window: float
    copied: bool


class Line(msgspec.Struct, frozen=True):
    """One request that users waited for.

    Attributes:
        arm: That the request was routed to: `baseline` or `candidate`.
        plan: What routed it.
        time: When it came, seconds since 1970, as text.
        by: The arm whose server answered, or was asked last.
        flags: Envoy's response flags: why there was no answer.
        host: The server's address.
        id: The request id.
        model: `name@version` of the answer.
        ms: Milliseconds from the first byte of the request to the last of the answer.
        notes: What the server said about rows: `rows=1,missing=2,imputed=0,empty=0`.
        status: The HTTP status; 0 for no answer.
        tries: How many servers were asked.
        us: Microseconds from the last byte of the request to the last of the answer.
        user: As the request names them.
    """

    arm: str
    plan: Mark
    time: str
    by: str | None = None
    flags: str | None = None
    host: str | None = None
    id: str | None = None
    model: str | None = None
    ms: float | None = None
    notes: str | None = None
    status: int = 0
    tries: int | None = None
    us: float | None = None
    user: str | None = None

    @property
    def at(self) -> float:
        """When it came."""
        return float(self.time)

    @property
    def seconds(self) -> float:
        """What the user waited for; for a request that never came in whole, all the time that it took."""
        return self.us / 1e6 if self.us is not None else (self.ms or 0.0) / 1e3

    @property
    def fallback(self) -> bool:
        """Whether the baseline answered what the candidate should have, or was never asked."""
        instead = self.arm == "candidate" and self.by == "baseline" and 0 < self.status < 500
        return instead and (self.status < 400 or self.tries == 1)

    @property
    def failed(self) -> bool:
        """Whether the arm's first server gave no good answer.

        The same rule for both arms, or an A/A comparison would favour the baseline: no answer, a 5xx, an
        answer by another version, or a good one only after another server was asked too. A 4xx in the end
        is the client's fault, whoever was asked.
        """
        if self.status == 0 or self.status >= 500 or self.fallback:
            return True
        return self.status < 400 and (self.tries or 1) > 1

    def count(self, name: str) -> int:
        """A number of the server's notes, 0 where it is not there."""
        found = _NOTES[name].search(self.notes) if self.notes else None
        return int(found[1]) if found else 0


_decoder = msgspec.json.Decoder(Line)


def read_line(text: bytes) -> Line | None:
    """Read a line; None for one that counts for nobody, or that a killed Envoy left torn.

    A line that begins inside a torn one is found again.
    """
    begin = text.rfind(_FIRST)
    if begin < 0:
        return None
    try:
        line = _decoder.decode(text[begin:])
    except (msgspec.ValidationError, msgspec.DecodeError):
        return None
    return line if line.arm in ("baseline", "candidate") else None
