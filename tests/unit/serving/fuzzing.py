"""Requests that nobody should send: valid ones with a part changed, random JSON, binary tensors that lie."""

import json
import random
import struct
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

SCALARS = [
    None, True, False, 0, -1, 1.5, 1e300, -1e300, 5e-324, 2**63, 2**70, -(10**400), "", "a", "\u0000",
    "ü" * 50, "\\ud800", [], {}, [[1]], [[[]]], {"a": {}}, "x" * 500, "NaN", "Infinity",
]  # fmt: skip
KEYS = ["name", "shape", "datatype", "data", "parameters", "binary_data_size", "binary_data_output", "rows",
        "inputs", "outputs", "id", "outcomes", "request_id", "event", "value", "time"]  # fmt: skip
DATATYPES = ["BOOL", "INT8", "UINT64", "FP16", "FP32", "FP64", "BYTES", "BF16", ""]
ACTIONS = {"infer": b'"inputs"', "rows": b'"rows"', "outcomes": b'"outcomes"'}
SIZES = [-1, 0, 1, 3, 4, 8, 10**6, 2**40, 10**30]


class Fuzz:
    """An endless stream of requests.

    Args:
        row: A valid row.
        seed: The stream's seed.
    """

    def __init__(self, row: dict[str, Any], seed: int) -> None:
        self.row, self.random = row, random.Random(seed)
        self.keys = [*KEYS, *row]

    def requests(self, count: int) -> Iterator[tuple[str, bytes, dict[str, str]]]:
        """Action, body and headers of so many requests."""
        others = [self.random_json, self.cut, self.flipped, self.deep, self.valid]
        for _ in range(count):
            body, headers = self.random.choice([self.mutated, self.mutated, self.binary, *others])()
            action = next((a for a, key in ACTIONS.items() if key in body[:30]), "infer")
            if self.random.random() < 0.1:
                action = self.random.choice(list(ACTIONS))
            if self.random.random() < 0.1:
                headers = headers | self.odd_headers()
            yield action, body, headers

    def value(self, depth: int) -> Any:
        kind = self.random.random()
        if depth == 0 or kind < 0.5:
            return deepcopy(self.random.choice(SCALARS))
        if kind < 0.75:
            return [self.value(depth - 1) for _ in range(self.random.randrange(4))]
        return {self.random.choice(self.keys): self.value(depth - 1) for _ in range(self.random.randrange(4))}

    def infer(self) -> dict[str, Any]:
        rows = self.random.choice([1, 1, 2, 5])
        kinds = {str: "BYTES", bool: "BOOL", float: "FP64", int: "FP32"}
        inputs = [
            {"name": name, "datatype": kinds[type(value)], "shape": [rows], "data": [value] * rows}
            for name, value in self.row.items()
        ]
        return {"inputs": inputs, "id": "a"}

    def valid(self) -> tuple[bytes, dict[str, str]]:
        outcome = {"request_id": "r", "event": "click"}
        body = self.random.choice([self.infer(), {"rows": [self.row] * 2}, {"outcomes": [outcome]}])
        return json.dumps(body).encode(), {}

    def mutated(self) -> tuple[bytes, dict[str, str]]:
        outcome = {"request_id": "r", "event": "click", "value": 1.0, "time": "2026-01-02T03:04:05Z"}
        rows = {"rows": [dict(self.row) for _ in range(2)]}
        body = self.random.choice([self.infer(), self.infer(), rows, {"outcomes": [outcome]}])
        for _ in range(self.random.randrange(1, 4)):
            part: Any = body
            while True:
                places = list(part) if isinstance(part, dict) else list(range(len(part)))
                if not places:
                    break
                place = self.random.choice(places)
                if isinstance(part[place], dict | list) and part[place] and self.random.random() < 0.95:
                    part = part[place]
                    continue
                part[place] = self.random.choice([self.value(2), self.random.choice(DATATYPES)])
                break
        return json.dumps(body).encode(), {}

    def random_json(self) -> tuple[bytes, dict[str, str]]:
        return json.dumps(self.value(5)).encode(), {}

    def cut(self) -> tuple[bytes, dict[str, str]]:
        body, headers = self.valid()
        return body[: self.random.randrange(len(body))], headers

    def flipped(self) -> tuple[bytes, dict[str, str]]:
        body = bytearray(self.valid()[0])
        for _ in range(self.random.randrange(1, 6)):
            body[self.random.randrange(len(body))] = self.random.randrange(256)
        return bytes(body), {}

    def deep(self) -> tuple[bytes, dict[str, str]]:
        depth = self.random.choice([10, 500, 2000])
        opening = self.random.choice([b"[", b'{"inputs":', b'{"rows":[', b'{"inputs":[{"data":['])
        return opening * depth, {}

    def binary(self) -> tuple[bytes, dict[str, str]]:
        body, blob = self.infer(), b""
        for tensor in body["inputs"]:
            if self.random.random() < 0.7:
                values = tensor.pop("data")
                if tensor["datatype"] == "BYTES":
                    raw = b"".join(struct.pack("<I", len(v.encode())) + v.encode() for v in values)
                else:
                    code = {"FP64": "d", "FP32": "f", "BOOL": "?"}[tensor["datatype"]]
                    raw = struct.pack(f"<{len(values)}{code}", *values)
                if self.random.random() < 0.2:
                    raw = self.random.randbytes(len(raw))
                size = len(raw) if self.random.random() < 0.8 else self.random.choice(SIZES)
                tensor["parameters"] = {"binary_data_size": size}
                if self.random.random() < 0.1:
                    tensor["shape"] = [self.random.choice(SIZES) for _ in range(self.random.randrange(4))]
                if self.random.random() < 0.1:
                    tensor["datatype"] = self.random.choice(DATATYPES)
                blob += raw
        if self.random.random() < 0.5:
            body["parameters"] = {"binary_data_output": self.random.choice([True, False, None, "yes"])}
        head = json.dumps(body).encode()
        length = str(len(head)) if self.random.random() < 0.8 else str(self.random.choice([*SIZES, "", "x"]))
        return head + blob, {"inference-header-content-length": length}

    def odd_headers(self) -> dict[str, str]:
        names = ["x-request-id", "x-user-id", "x-evergreen-arm", "host", "content-encoding",
                 "inference-header-content-length", "content-type"]  # fmt: skip
        values = ["", "x" * 3000, "gzip", "deflate", "0", "a-shadow", "candidate", "\t", "-1", "é"]
        return {self.random.choice(names): self.random.choice(values)}
