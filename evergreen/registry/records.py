"""What the registry keeps: versions, moves of aliases, and how they are written as JSON."""

import getpass
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from evergreen.decisions import Decision
from evergreen.errors import StorageError


@dataclass(frozen=True)
class ModelVersion:
    """One version of a model; it never changes.

    Attributes:
        name: The model's name.
        version: Counts from 1.
        digest: The bundle's digest.
        created: UTC time of the push, ISO 8601.
        by: Who pushed it.
        blessed: Whether a gate looked at it and said no to nothing.
        snapshot: Digest of the training set it comes from; empty when not told.
        evaluation: Task, primary metric, and the test set's metrics with their intervals.
        decisions: The records of the gates.
        uri: The folder of the bundle's files.
        settings: The project's sections `serving` and `rollout` as they were then, as plain data: they hold
            where nobody says otherwise. Empty when not told.
    """

    name: str
    version: int
    digest: str
    created: str
    by: str
    blessed: bool
    snapshot: str
    evaluation: Mapping[str, Any]
    decisions: tuple[Decision, ...]
    uri: str = ""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Move:
    """An alias set to another version; `previous` is where it stood, 0 when it is new."""

    alias: str
    version: int
    previous: int
    when: str
    who: str
    why: str
    evidence: str


@dataclass(frozen=True)
class Model:
    """A model's versions, oldest first, and where its aliases stand."""

    name: str
    versions: tuple[int, ...]
    aliases: Mapping[str, int]


@dataclass(frozen=True)
class Aliases:
    """The content of `aliases.json`: where the aliases stand and every move that led there, oldest first."""

    aliases: Mapping[str, int]
    history: tuple[Move, ...]

    def moved(self, moves: Sequence[Move]) -> "Aliases":
        """The content after these moves."""
        now = {**self.aliases, **{move.alias: move.version for move in moves}}
        return replace(self, aliases=now, history=(*self.history, *moves))


def now() -> str:
    """The time now, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def actor() -> str:
    """Who acts: EVERGREEN_ACTOR, or the user's name, or the number of a user without one."""
    named = os.environ.get("EVERGREEN_ACTOR")
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def summary(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """What a version keeps of its evaluation: task, primary metric, and the metrics of the whole test set."""
    overall = evaluation.get("datasets", {}).get("test", {}).get("overall", {})
    return {
        "task": evaluation.get("task", ""),
        "primary": evaluation.get("primary", ""),
        "rows": overall.get("rows", 0),
        "metrics": overall.get("metrics", {}),
    }


def encode(record: Mapping[str, Any]) -> bytes:
    """A record as JSON: the same record, the same bytes."""
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False, default=str)
    return (text + "\n").encode()


def decode(uri: str, data: bytes) -> dict[str, Any]:
    """A record from JSON.

    Raises:
        StorageError: when the object was damaged.
    """
    try:
        record = json.loads(data)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise StorageError(uri, "not a record of the registry", "JSON", "Restore the object from a backup.")
    return record


def encode_version(version: ModelVersion) -> bytes:
    """The content of `version.json`; the URI is where it stands, not what it says."""
    record = asdict(version)
    del record["uri"]
    return encode(record)


def decode_version(where: str, uri: str, data: bytes) -> ModelVersion:
    """The version that `version.json` at `where` holds, its bundle being at `uri`."""
    record = decode(where, data)
    try:
        decisions = tuple(
            Decision(**{**d, "interval": tuple(d["interval"]) if d["interval"] else None})
            for d in record.pop("decisions")
        )
        return ModelVersion(**record, decisions=decisions, uri=uri)
    except (TypeError, KeyError) as error:
        raise _foreign(where, error) from error


def encode_aliases(aliases: Aliases) -> bytes:
    """The content of `aliases.json`."""
    return encode(asdict(aliases))


def decode_aliases(uri: str, data: bytes) -> Aliases:
    """The aliases that `aliases.json` at `uri` holds."""
    record = decode(uri, data)
    try:
        return Aliases(record["aliases"], tuple(Move(**move) for move in record["history"]))
    except (TypeError, KeyError) as error:
        raise _foreign(uri, error) from error


def _foreign(uri: str, error: Exception) -> StorageError:
    return StorageError(uri, f"a record this version of Evergreen does not read ({error})")
