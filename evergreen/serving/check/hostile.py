"""Requests that no caller should send, and some caller will: none may be a 5xx, or stop the server."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from evergreen.bundle.parity import UNSEEN_TEXT
from evergreen.bundle.signature import Input, Signature
from evergreen.project.model import Serving

_REFUSED = frozenset(range(400, 500))
_ANSWERED = frozenset({200})
_EITHER = _REFUSED | _ANSWERED
_WRONG: Mapping[str, Any] = {"number": "not a number", "boolean": "perhaps", "category": 17.5}


@dataclass(frozen=True)
class Probe:
    """A hostile request.

    Attributes:
        name: What is wrong with it.
        path: Below the model.
        body: As it is sent.
        allowed: The statuses that are an honest answer.
        method: The HTTP method.
        headers: Further headers.
    """

    name: str
    path: str
    body: bytes
    allowed: frozenset[int]
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)


def probes(signature: Signature, row: Mapping[str, Any], serving: Serving) -> list[Probe]:
    """Every hostile request for a model.

    Args:
        signature: What it takes.
        row: A real row that it answers.
        serving: Limits and policies of the server.
    """
    return [
        *_broken_json(),
        *_shapes(signature, row, serving),
        *_values(signature, row, serving),
        *_protocol(),
    ]


def _broken_json() -> Iterator[Probe]:
    for name, body in {
        "no body": b"",
        "not JSON": b"\x00\xff\xfe binary rubbish",
        "half a document": b'{"rows": [{"a": 1',
        "a list": b"[1, 2, 3]",
        "a word": b'"rows"',
        "another object": b'{"instances": [[1, 2]]}',
        "nested 50,000 deep": b'{"rows": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        "half a character": b'{"rows": [{"\xc3": 1}]}',
    }.items():
        yield Probe(f"rows: {name}", "rows", body, _REFUSED)
        yield Probe(f"infer: {name}", "infer", body, _REFUSED)


def _shapes(signature: Signature, row: Mapping[str, Any], serving: Serving) -> Iterator[Probe]:
    ignored = serving.unknown_columns == "ignore"
    yield _rows("no rows", [], _REFUSED)
    yield _rows("a column that the model does not take", [{**row, "no such column ☃": 1}],
                _ANSWERED if ignored else _REFUSED)  # fmt: skip
    yield _rows("an empty row", [{}], _REFUSED if any(i.required for i in signature.inputs) else _EITHER)
    yield _rows("rows that are no objects", [1, None, "x"], _REFUSED)
    yield _rows("one row too many", [{}] * (serving.limits.rows + 1), _REFUSED)
    tensor = {"name": signature.inputs[0].name, "shape": [2], "datatype": "FP64", "data": [1.0]}
    yield _infer("a shape that lies", [tensor])
    yield _infer("a negative shape", [{**tensor, "shape": [-1]}])
    yield _infer("a shape past all bounds", [{**tensor, "shape": [2**62]}])
    yield _infer("an unknown datatype", [{**tensor, "shape": [1], "datatype": "COMPLEX128"}])
    yield _infer("no tensor", [])
    binary = {"Inference-Header-Content-Length": "999999"}
    yield Probe("infer: a binary header that lies", "infer", b'{"inputs": []}', _REFUSED, headers=binary)


def _values(signature: Signature, row: Mapping[str, Any], serving: Serving) -> Iterator[Probe]:
    imputes = serving.violations == "impute"
    wrong = _EITHER if imputes else _REFUSED
    for spec in signature.inputs:
        yield _rows(f"{_named(spec)} of a wrong type", [{**row, spec.name: _WRONG[spec.type]}], wrong)
        yield _rows(f"{_named(spec)} with a list", [{**row, spec.name: [1, 2]}], wrong)
        yield _rows(f"{_named(spec)} null", [{**row, spec.name: None}], _EITHER)
        if spec.type == "category":
            yield _rows(f"{_named(spec)} never seen", [{**row, spec.name: UNSEEN_TEXT}], _EITHER)
            yield _rows(f"{_named(spec)} of 100,000 letters", [{**row, spec.name: "x" * 100_000}], _EITHER)
        elif spec.type == "number":
            for value in ("1e400", "-1e400", "NaN", "Infinity", "9" * 500, "1e-320", "3.4e38", "-3.4e38"):
                allowed = _EITHER if value in ("1e-320", "3.4e38", "-3.4e38") or imputes else _REFUSED
                yield _literal(f"{_named(spec)} is {value[:12]}", row, spec.name, value, allowed)
    yield _rows("all values null", [dict.fromkeys(row)], _EITHER)


def _protocol() -> Iterator[Probe]:
    yield Probe("GET of a prediction", "rows", b"", frozenset({405}), method="GET")
    yield Probe("a path that is none", "rows/../../etc", b"{}", _REFUSED)
    yield Probe("a version that is none", "versions/999999/rows", b'{"rows": []}', _REFUSED)
    long = {"x-request-id": "x" * 4000, "x-user-id": "☃".encode().decode("latin-1") * 500}
    yield Probe("headers of 4,000 letters", "rows", b'{"rows": []}', _REFUSED, headers=long)


def _named(spec: Input) -> str:
    return f"column {spec.name!r}"


def _rows(name: str, rows: list[Any], allowed: frozenset[int]) -> Probe:
    return Probe(f"rows: {name}", "rows", json.dumps({"rows": rows}).encode(), allowed)


def _infer(name: str, inputs: list[Any]) -> Probe:
    return Probe(f"infer: {name}", "infer", json.dumps({"inputs": inputs}).encode(), _REFUSED)


def _literal(name: str, row: Mapping[str, Any], column: str, literal: str, allowed: frozenset[int]) -> Probe:
    """A row with a number that Python's JSON would not write so."""
    others = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in row.items() if k != column]
    body = '{"rows": [{' + ", ".join([*others, f"{json.dumps(column)}: {literal}"]) + "}]}"
    return Probe(f"rows: {name}", "rows", body.encode(), allowed)
