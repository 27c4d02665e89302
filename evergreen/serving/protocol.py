"""The Open Inference Protocol v2 over REST: what requests and answers look like, and what is refused how.

https://github.com/kserve/open-inference-protocol (REST) with the extension for binary tensors
(https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md). One tensor per
input column, `data` flat or nested, null for a missing value. Our extension `rows`:
`POST /v2/models/{name}/rows` with `{"rows": [{column: value}]}`.
"""

from typing import Any, Literal, TypeVar

import msgspec

from evergreen.errors import InputError

Reason = Literal["json", "schema", "size", "busy", "time", "route", "model", "method", "encoding", "log"]
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
        column: The column of the model that is at fault, if it is one.
    """

    def __init__(
        self,
        status: int,
        reason: Reason,
        where: str,
        found: str,
        expected: str = "",
        remedy: str = "",
        *,
        column: str = "",
    ) -> None:
        super().__init__(where, found, expected, remedy)
        self.status, self.reason, self.column = status, reason, column


class TensorParameters(msgspec.Struct, gc=False):
    """What a request says about an input, beside its values."""

    binary_data_size: int | None = None


class Tensor(msgspec.Struct):
    """One input: a column's values, or a table's when every input is a number."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: TensorParameters | None = None

    @property
    def binary_size(self) -> int | None:
        """How many bytes behind the JSON are its values; None when they stand in `data`."""
        return None if self.parameters is None else self.parameters.binary_data_size


class OutputParameters(msgspec.Struct, gc=False):
    """How a request wants an output."""

    binary_data: bool | None = None


class OutputWish(msgspec.Struct):
    """An output that the request asks for."""

    name: str
    parameters: OutputParameters | None = None


class RequestParameters(msgspec.Struct, gc=False):
    """What a request says about itself; parameters that we do not know are ignored, as the protocol says."""

    binary_data_output: bool | None = None


class InferRequest(msgspec.Struct):
    """The body of `POST …/infer`."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: RequestParameters | None = None
    outputs: list[OutputWish] | None = None


class RowsRequest(msgspec.Struct):
    """The body of `POST …/rows`: column and value, row by row."""

    rows: list[dict[str, Any]]
    id: str | None = None


class OutputTensor(msgspec.Struct, omit_defaults=True):
    """One output, flat and row by row, or as so many bytes behind the JSON."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, int] | None = None


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


def decode_infer(body: bytes | memoryview) -> InferRequest:
    """Read the body of `POST …/infer`, or the JSON that stands before its binary tensors.

    Raises:
        Refusal: with status 400 when it is not JSON, or not such a request.
    """
    return decoded(_infer, body, "a request of the Open Inference Protocol")


def decode_rows(body: bytes) -> RowsRequest:
    """Read the body of `POST …/rows`.

    Raises:
        Refusal: with status 400 when it is not JSON, or not such a request.
    """
    return decoded(_rows, body, 'a request such as {"rows": [{"column": 1}]}')


def decoded(decoder: msgspec.json.Decoder[T], body: bytes | memoryview, expected: str) -> T:
    """The typed request that a JSON body holds.

    Raises:
        Refusal: with status 400 when it is not JSON, or not such a request.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        found = str(error).replace("`", "'").replace("at '$", "at 'body")
        raise Refusal(400, "schema", "body", found, expected) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Refusal(400, "json", "body", str(error)[:200], "a JSON object") from None


def schema_error(where: str, found: str, expected: str, remedy: str = "", column: str = "") -> Refusal:
    """A request that does not fit the model's schema: status 400."""
    return Refusal(400, "schema", where, found, expected, remedy, column=column)


def error_body(message: str) -> bytes:
    """The protocol's form of an error."""
    return encode({"error": message})
