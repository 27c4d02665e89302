"""The columns of the log as Arrow types, and what a segment says about itself in its metadata."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import pyarrow as pa

from evergreen.bundle.signature import Signature

Kind = Literal["predictions", "outcomes"]
KINDS: tuple[Kind, ...] = ("predictions", "outcomes")
METADATA = b"evergreen"
GAP = "gap"  # only in open segments: what was dropped before this row, as JSON
TIME = pa.timestamp("us", tz="UTC")
_OWN = (
    ("time", TIME),
    ("request_id", pa.string()),
    ("row", pa.int32()),
    ("user", pa.string()),
    ("arm", pa.string()),
    ("model", pa.string()),
    ("version", pa.int32()),
    ("status", pa.int16()),
    ("seconds", pa.float64()),
    ("prediction", pa.string()),
    ("score", pa.float64()),
    ("empty", pa.bool_()),
    ("missing", pa.int32()),
    ("imputed", pa.int32()),
)
PREDICTION_COLUMNS = tuple(name for name, _ in _OWN)
OUTCOMES = pa.schema(
    [
        ("time", TIME),
        ("request_id", pa.string()),
        ("user", pa.string()),
        ("event", pa.string()),
        ("value", pa.float64()),
        (GAP, pa.string()),
    ]
)
_TYPES = {"number": pa.float64(), "boolean": pa.bool_(), "category": pa.string()}


@dataclass(frozen=True)
class Feature:
    """A column of the model that is logged: its place in the signature, its name, its type, hashed or not."""

    index: int
    name: str
    type: str
    hashed: bool


def logged_features(
    signature: Signature, exclude: Collection[str], hashed: Collection[str]
) -> tuple[Feature, ...]:
    """The columns of a model that reach the log, in the order of the signature."""
    return tuple(
        Feature(index, spec.name, spec.type, spec.name in hashed)
        for index, spec in enumerate(signature.inputs)
        if spec.name not in exclude
    )


def struct_of(features: Collection[Feature]) -> pa.StructType:
    """The type of the column `features`."""
    return pa.struct([(f.name, pa.string() if f.hashed else _TYPES[f.type]) for f in features])


def predictions_schema(features: Collection[Feature]) -> pa.Schema:
    """The columns of an open segment; no `features` where none is logged: Parquet has no empty struct."""
    own = [*_OWN, *([("features", struct_of(features))] if features else []), (GAP, pa.string())]
    return pa.schema(own)


@dataclass(frozen=True)
class About:
    """What a segment says about itself.

    Attributes:
        kind: `predictions` or `outcomes`.
        model: The model's name.
        version: Its version; 0 for outcomes.
        digest: Of its bundle; empty for outcomes.
        day: Of every prediction's time, or of the outcomes' arrival: days since 1970 in UTC.
        writer: The server process that wrote it.
        seq: Its number among the writer's segments of this kind, from 1.
        dropped: What the writer dropped since its segment before: counts by reason.
        torn: Bytes at the end that a killed server had not written whole; they are left out.
    """

    kind: Kind
    model: str
    version: int
    digest: str
    day: int
    writer: str
    seq: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    torn: int = 0

    @property
    def key(self) -> str:
        """Its key in the store."""
        day = datetime.fromtimestamp(self.day * 86400, UTC).date().isoformat()
        return f"{self.kind}/{self.model}/{day}/{self.writer}-{self.seq:010d}.parquet"

    def metadata(self) -> dict[bytes, bytes]:
        """What stands in the file's metadata."""
        return {METADATA: json.dumps(asdict(self), ensure_ascii=False).encode()}

    @classmethod
    def read(cls, metadata: Mapping[bytes, bytes] | None) -> "About | None":
        """Read it back from a file's metadata; None for a file of someone else's."""
        if not metadata or METADATA not in metadata:
            return None
        content: dict[str, Any] = json.loads(metadata[METADATA])
        return cls(**content)
