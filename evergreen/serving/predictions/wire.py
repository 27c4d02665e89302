"""What is served as bytes, and back: MessagePack (msgpack.org) around the memory of arrays.

Nothing in them can run: unlike pickle's, they are data only.
"""

import os
import struct
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from evergreen.bundle.signature import Prediction, Signature
from evergreen.serving.model import Identity
from evergreen.serving.predictions.entry import Outcome, Served


def _plain(value: object) -> object:
    """A scalar of NumPy as Python's own."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a {type(value).__name__} cannot be logged")


_ENCODE = msgspec.msgpack.Encoder(enc_hook=_plain).encode
_DECODE = msgspec.msgpack.Decoder().decode
_OUTCOMES = msgspec.msgpack.Decoder(list[Outcome]).decode
_LENGTH = struct.Struct("<I")


def pack_served(served: Served, model: int) -> bytes:
    """One request; `model` is the number of identity and signature in the catalog.

    Raises:
        UnicodeEncodeError: for a text that is not Unicode (a lone surrogate).
        TypeError: for an array of objects that are no texts, numbers or booleans.
    """
    block, made, empty = served.arrays, served.prediction, served.empty_rows
    features = block.tobytes() if isinstance(block, np.ndarray) else [_flat(array) for array in block]
    predicted = None
    if made is not None:
        shares = made.probabilities
        predicted = (_flat(made.values), None if shares is None else _flat(shares))
    return _ENCODE(
        (
            model, served.time, served.request_id, served.user, served.arm, features, served.rows, predicted,
            served.seconds, served.status, served.missing, served.imputed, served.empty,
            None if empty is None else empty.tobytes(),
        )
    )  # fmt: skip


def unpack_served(data: bytes, catalog: "Catalog") -> Served:
    """The request that was packed.

    Raises:
        KeyError: the catalog does not have its model.
    """
    model, when, request_id, user, arm, features, rows, predicted, *rest = _DECODE(data)
    identity, signature = catalog.find(model)
    if isinstance(features, bytes):
        arrays: np.ndarray | list[np.ndarray] = np.frombuffer(features).reshape(-1, rows)
    else:
        arrays = [_array(column) for column in features]
    made = None
    if predicted is not None:
        values, shares = predicted
        made = Prediction(_array(values), None if shares is None else _array(shares).reshape(rows, -1))
    seconds, status, missing, imputed, empty, empty_rows = rest
    where = None if empty_rows is None else np.frombuffer(empty_rows, dtype=bool)
    return Served(
        when, request_id, user, arm, identity, signature, arrays, rows, made, seconds, status, missing,
        imputed, empty, where,
    )  # fmt: skip


def pack_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """Outcomes that arrived together."""
    return _ENCODE(list(outcomes))


def unpack_outcomes(data: bytes) -> list[Outcome]:
    """The outcomes that were packed."""
    return _OUTCOMES(data)


def _flat(array: np.ndarray) -> Any:
    """An array: objects of one dimension as a list, numbers of any as type and memory."""
    return array.tolist() if array.dtype.hasobject else (array.dtype.str, array.tobytes())


def _array(packed: Any) -> np.ndarray:
    if len(packed) == 2 and isinstance(packed[1], bytes):
        return np.frombuffer(packed[1], dtype=np.dtype(packed[0]))
    array = np.empty(len(packed), dtype=object)
    array[:] = packed
    return array


class Catalog:
    """The models that requests were answered by, each one once, in a file that server and writer share.

    It grows by one signature a version that this server process serves.

    Args:
        descriptor: Of the file; only one process adds to it.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._numbers: dict[int, tuple[int, Identity]] = {}
        self._models: list[tuple[Identity, Signature]] = []
        self._read = 0

    def number(self, identity: Identity, signature: Signature) -> int:
        """The number of a model; one that is new is added.

        Raises:
            OSError: when it cannot be written.
        """
        known = self._numbers.get(id(identity))
        if known is None:
            known = (len(self._numbers), identity)  # which keeps it, so that its id is no other one's
            about = (identity.name, identity.version, identity.digest, identity.engine, signature.to_json())
            data = _ENCODE(about)
            os.pwrite(self.descriptor, _LENGTH.pack(len(data)) + data, os.fstat(self.descriptor).st_size)
            self._numbers[id(identity)] = known
        return known[0]

    def find(self, number: int) -> tuple[Identity, Signature]:
        """The model that has a number.

        Raises:
            KeyError: when there is none.
        """
        while number >= len(self._models):
            head = os.pread(self.descriptor, _LENGTH.size, self._read)
            if len(head) < _LENGTH.size:
                raise KeyError(number)
            (length,) = _LENGTH.unpack(head)
            data = os.pread(self.descriptor, length, self._read + _LENGTH.size)
            *identity, signature = _DECODE(data)
            self._models.append((Identity(*identity), Signature.from_json(signature)))
            self._read += _LENGTH.size + length
        return self._models[number]
