"""The Open Inference Protocol v2 over REST: what requests and answers look like, and what is refused how.

https://github.com/kserve/open-inference-protocol (REST). One tensor per input column, `data` flat or nested,
null for a missing value. Extension `rows`: `POST /v2/models/{name}/rows` with `{"rows": [{column: value}]}`.
"""

from typing import Any, Literal, TypeVar

import msgspec

from evergreen.errors import InputError

Reason = Literal["json", "schema", "size", "busy", "time", "route", "model", "method"]
T = TypeVar("T")


class Refusal(InputError):
    """A request that is answered with an error, by its own fault or by our limits.

    Args:
        status: The HTTP status.
        reason: Its kind, a label of the metrics.
        where: As for `InputError`.
        found: As for `InputError`.
        expected: As for `InputError`.
        remedy: As for `InputError`.
    """

    def __init__(
        self, status: int, reason: Reason, where: str, found: str, expected: str = "", remedy: str = ""
    ) -> None:
        super().__init__(where, found, expected, remedy)
        self.status, self.reason = status, reason


class Tensor(msgspec.Struct):
    """One input: a column's values."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = msgspec.Raw()
    parameters: dict[str, Any] | None = None


class OutputWish(msgspec.Struct):
    """An output that the request asks for."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct):
    """The body of `POST …/infer`."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[OutputWish] | None = None


class RowsRequest(msgspec.Struct):
    """The body of `POST …/rows`: column and value, row by row."""

    rows: list[dict[str, Any]]
    id: str | None = None


class OutputTensor(msgspec.Struct):
    """One output, flat and row by row."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class InferAnswer(msgspec.Struct, omit_defaults=True):
    """The answer to `POST …/infer`."""

    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str | None = None


class RowAnswer(msgspec.Struct, omit_defaults=True):
    """The prediction for one row; probabilities by class."""

    prediction: Any
    probabilities: dict[str, float] | None = None


class RowsAnswer(msgspec.Struct, omit_defaults=True):
    """The answer to `POST …/rows`, in the order of the rows."""

    model_name: str
    model_version: str
    predictions: list[RowAnswer]
    id: str | None = None


class TensorMetadata(msgspec.Struct):
    """Name, datatype and shape of an input or an output."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(msgspec.Struct):
    """The answer to `GET /v2/models/{name}`; class names stand in the parameters."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: dict[str, Any]


encode = msgspec.json.encode
_infer = msgspec.json.Decoder(InferRequest)
_rows = msgspec.json.Decoder(RowsRequest)


def decode_infer(body: bytes) -> InferRequest:
    """Read the body of `POST …/infer`.

    Raises:
        Refusal: with status 400 when it is not JSON, or not such a request.
    """
    return _decoded(_infer, body)


def decode_rows(body: bytes) -> RowsRequest:
    """Read the body of `POST …/rows`.

    Raises:
        Refusal: with status 400 when it is not JSON, or not such a request.
    """
    return _decoded(_rows, body)


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        found = str(error).replace("`", "'").replace("at '$", "at 'body")
        raise Refusal(400, "schema", "body", found, "a request of the Open Inference Protocol") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refusal(400, "json", "body", str(error), "a JSON object") from None


def error_body(message: str) -> bytes:
    """The protocol's form of an error."""
    return encode({"error": message})
