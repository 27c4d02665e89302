"""The section about answering requests: limits, what does not fit, the prediction log, infra validation."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from evergreen.project.model.values import Columns, Duration, Memory, Mode, Section

HeaderName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$",
        description="an HTTP header's name in lower case, such as x-user-id",
    ),
]


class ServingLimits(Section):
    """What one server takes; what is more is refused with an honest status.

    Attributes:
        body: Of a request; more is answered with 413.
        rows: Of a request; more is answered with 413.
        in_flight: Prediction requests at work at the same time; the next one is answered with 503.
        time: How long a request may wait for its prediction; then it is answered with 503.
    """

    body: Memory = "16MiB"
    rows: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    in_flight: Annotated[int, Field(ge=1, le=100_000)] = 256
    time: Duration = timedelta(seconds=20)


class PredictionLog(Section):
    """What is kept of the requests that were answered.

    Attributes:
        enabled: Whether anything is.
        exclude: Features that never reach the log.
        hash: Features of which only a salted hash does.
        sample: The share of the requests that is logged, chosen by request id, the same ones on every server.
        rotate: A segment is closed and shipped after this time at the latest.
        segment: Or when it has this size.
        queue: Requests that may wait to be written; what comes on top is dropped, and counted as dropped.
        flush: What waits is written so often: the most that is lost with the whole container or machine.
            kill -9 of the server loses nothing.
        spool: What may wait on the server's disk for a store that cannot be reached; past it nothing more is
            recorded, and counted as dropped.
    """

    enabled: bool = True
    exclude: Columns = Field(default_factory=list)
    hash: Columns = Field(default_factory=list)
    sample: Annotated[float, Field(gt=0, le=1)] = 1.0
    rotate: Duration = timedelta(seconds=10)
    segment: Memory = "16MiB"
    queue: Annotated[int, Field(ge=1, le=10_000_000)] = 20_000
    flush: Duration = timedelta(seconds=1)
    spool: Memory = "1GiB"


class ServingCheck(Section):
    """Infra validation: what a bundle must show in the real server before it is pushed.

    Attributes:
        mode: What a no does: `fail` stops the run, `warn` reports, `off` records only.
        rows: Real rows that are sent, and compared with the trained pipeline's own answers.
        p99: The 99th percentile of the latency of single rows, one after the other.
        memory: Resident memory of the server after the check.
        cold_start: From the start of the process until it is ready.
        tolerance: The largest difference of a probability, or of a number in units of the predictions'
            spread.
        share: Of the answers, so many may be further off (at least one row may): 32-bit floats fall on the
            other side of a tree's threshold now and then, on measurements of few digits a few percent.
    """

    mode: Mode = "fail"
    rows: Annotated[int, Field(ge=1, le=100_000)] = 500
    p99: Duration = timedelta(milliseconds=250)
    memory: Memory = "1GiB"
    cold_start: Duration = timedelta(seconds=60)
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 1e-4
    share: Annotated[float, Field(ge=0, lt=1)] = 0.05


class Serving(Section):
    """How the model is served.

    Attributes:
        violations: A value of a wrong type, one that is out of range, or a required column that is not given:
            `refuse` answers 400 and names it, `impute` takes it for missing and counts it. Never a 500. A row
            without any of the columns is refused all the same, and so is a gap where the model takes none.
        unknown_columns: Columns that the model does not take: `refuse` (400), or `ignore` and count.
        user_header: The request header that says whom an answer is for. It makes the router sticky, and is
            kept in the log as a salted hash only. Requests without it take no part in experiments.
        empty_outputs: Predictions that stand for "no answer", besides null, NaN and the empty text.
        replicas: Servers of each version.
        limits: What one server takes.
        log: The prediction log.
        check: Infra validation.
    """

    violations: Literal["refuse", "impute"] = "refuse"
    unknown_columns: Literal["refuse", "ignore"] = "refuse"
    user_header: HeaderName = "x-user-id"
    empty_outputs: list[str | bool | int | float] = Field(default_factory=list)
    replicas: Annotated[int, Field(ge=1, le=100)] = 1
    limits: ServingLimits = Field(default_factory=ServingLimits)
    log: PredictionLog = Field(default_factory=PredictionLog)
    check: ServingCheck = Field(default_factory=ServingCheck)
