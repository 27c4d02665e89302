"""Items of the log as batches, grouped by the segment that they belong to."""

import time
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple, Protocol, TypeVar

import pyarrow as pa

from evergreen.bundle.signature import Signature
from evergreen.project.model.serving import PredictionLog
from evergreen.serving.model import Identity
from evergreen.serving.predictions.encode import Encoder, encode_outcomes
from evergreen.serving.predictions.entry import Outcome, Served
from evergreen.serving.predictions.layout import OUTCOMES
from evergreen.serving.predictions.privacy import ColumnHash

T_contra = TypeVar("T_contra", contravariant=True)
_DAY = 86_400
_ENCODERS = 8
_IDENTITY = attrgetter("identity")


class Target(NamedTuple):
    """What every row of a segment has in common."""

    model: str
    version: int
    digest: str
    day: int


class Batch(NamedTuple):
    """Rows for one segment, and the number of items that they are made of."""

    target: Target
    items: int
    rows: pa.RecordBatch


class Batches(Protocol[T_contra]):
    """How items of one kind become batches."""

    def schema(self) -> pa.Schema:
        """Of the last batches."""

    def made(self, items: Sequence[T_contra], gap: Mapping[str, int]) -> list[Batch]:
        """Batches of items, in the order of each one's first item; the first one tells of the gap."""


class PredictionBatches:
    """Served requests, by version and day.

    Args:
        settings: `exclude` and `hash` are used.
        salt: Of hashed columns.
    """

    def __init__(self, settings: PredictionLog, salt: str) -> None:
        self._exclude, self._hashed = frozenset(settings.exclude), frozenset(settings.hash)
        self._hash = ColumnHash(salt)
        self._encoders: dict[tuple[str, str, str], Encoder] = {}
        self._schema = OUTCOMES

    def schema(self) -> pa.Schema:
        """Of the last batches."""
        return self._schema

    def made(self, items: Sequence[Served], gap: Mapping[str, int]) -> list[Batch]:
        """One row for each predicted row, by version and day."""
        batches: list[Batch] = []
        for day, group in _grouped(items):
            identity = group[0].identity
            encoder = self._encoder(identity, group[0].signature)
            target = Target(identity.name, encoder.version, identity.digest, day)
            batches.append(Batch(target, len(group), encoder.encode(group, {} if batches else gap)))
            self._schema = encoder.schema
        return batches

    def _encoder(self, identity: Identity, signature: Signature) -> Encoder:
        key = (identity.name, identity.version, identity.digest)
        encoder = self._encoders.get(key)
        if encoder is None:
            if len(self._encoders) >= _ENCODERS:
                self._encoders.pop(next(iter(self._encoders)))
            encoder = Encoder(identity, signature, self._exclude, self._hashed, self._hash)
            self._encoders[key] = encoder
        return encoder


def _grouped(items: Sequence[Served]) -> list[tuple[int, Sequence[Served]]]:
    """Items of one version and day together, with the day."""
    times = [item.time for item in items]
    first, last = int(min(times) // _DAY), int(max(times) // _DAY)
    if first == last and len(set(map(id, map(_IDENTITY, items)))) == 1:
        return [(first, items)]
    groups: dict[tuple[int, int], list[Served]] = {}
    for item in items:
        groups.setdefault((id(item.identity), int(item.time // _DAY)), []).append(item)
    return [(day, group) for (_, day), group in groups.items()]


class OutcomeBatches:
    """Outcomes, by the day of their arrival: their own times are what clients say, and may be any.

    Args:
        model: The served model's name.
    """

    def __init__(self, model: str) -> None:
        self._model = model

    def schema(self) -> pa.Schema:
        """Of every batch."""
        return OUTCOMES

    def made(self, items: Sequence[Outcome], gap: Mapping[str, int]) -> list[Batch]:
        """One row an outcome."""
        target = Target(self._model, 0, "", int(time.time() // _DAY))
        return [Batch(target, len(items), encode_outcomes(items, gap))]
