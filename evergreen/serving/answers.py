"""HTTP answers, and the work that makes one of a prediction request."""

import time
from dataclasses import dataclass

from evergreen.bundle.signature import Prediction
from evergreen.serving import binary
from evergreen.serving.columns import Read
from evergreen.serving.model import ServedModel
from evergreen.serving.outputs import Answered
from evergreen.serving.protocol import InferRequest, Refusal, RowsRequest, error_body

JSON = "application/json"
MODEL_HEADER, FLAGS_HEADER = "x-evergreen-model", "x-evergreen-flags"
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Headers = ()


@dataclass(slots=True)
class Work:
    """A prediction request that was computed, and when each step of it was done (`time.perf_counter`)."""

    read: Read
    prediction: Prediction
    answered: Answered
    begun: float
    read_at: float
    predicted_at: float
    done_at: float

    @property
    def flags(self) -> str:
        """The value of the header x-evergreen-flags."""
        tally = self.read.tally
        return (
            f"rows={self.read.rows},missing={tally.missing},imputed={tally.imputed},"
            f"empty={self.answered.empty}"
        )


@dataclass(slots=True)
class Decoded:
    """A prediction request that was read."""

    request: InferRequest | RowsRequest
    read: Read
    begun: float
    read_at: float


def decode(model: ServedModel, action: str, body: bytes, json_length: str | None) -> Decoded:
    """Read a prediction request.

    Raises:
        Refusal: when it does not fit the model.
    """
    begun = time.perf_counter()
    reader = model.read_infer if action == "infer" else model.read_rows
    request, read = reader(body, json_length)
    return Decoded(request, read, begun, time.perf_counter())


def finish(model: ServedModel, given: Decoded) -> Work:
    """Predict what was read, and write the answer.

    Raises:
        Refusal: when the model's own steps refuse the values.
    """
    prediction = model.predict(given.read)
    predicted_at = time.perf_counter()
    answered = model.answer(given.request, prediction)
    return Work(
        given.read, prediction, answered, given.begun, given.read_at, predicted_at, time.perf_counter()
    )


def compute(model: ServedModel, action: str, body: bytes, json_length: str | None) -> Work:
    """`decode` and `finish`."""
    return finish(model, decode(model, action, body, json_length))


def success(work: Work) -> Answer:
    """The answer of a computed prediction, without the headers that say who answered."""
    length = work.answered.json_length
    if length is None:
        return Answer(200, work.answered.body)
    return Answer(200, work.answered.body, binary.CONTENT_TYPE, ((binary.HEADER, str(length)),))


def error(refusal: Refusal) -> Answer:
    """The protocol's form of a refusal."""
    headers: Headers = ()
    if refusal.status == 503:
        headers = (("retry-after", "1"),)
    elif refusal.status == 405:
        headers = (("allow", refusal.expected),)
    return Answer(refusal.status, error_body(str(refusal)), headers=headers)
