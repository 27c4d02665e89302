"""A rollout's record as JSON, and back; what a record is too long for is cut from its oldest end."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from evergreen.errors import StorageError
from evergreen.rollout.record import RolloutRecord

_KEPT_EVENTS = 10


def encode(record: RolloutRecord, limit: int | None = None) -> bytes:
    """A record as UTF-8 JSON: the same record, the same bytes.

    Infinite numbers and NaN are written as Python writes them, so that no number of a test keeps a rollout
    from being recorded.

    Args:
        record: The record.
        limit: The most bytes; the oldest events, then the checks of the last verdict, give way.

    Raises:
        StorageError: when it does not fit all the same.
    """
    data = _dumped(record)
    while limit is not None and len(data) > limit:
        shorter = _shorter(record)
        if shorter is record:
            raise StorageError(
                f"rollout {record.id}",
                f"its record has {len(data)} bytes",
                f"at most {limit}",
                "Keep the state in a folder or a bucket, or watch fewer metrics.",
            )
        record = shorter
        data = _dumped(record)
    return data


def decode(data: bytes, where: str) -> RolloutRecord:
    """The record that `encode` wrote.

    Args:
        data: JSON.
        where: What an error calls it.

    Raises:
        StorageError: when it is not one: damaged, or of another version of Evergreen.
    """
    try:
        return msgspec.convert(json.loads(data), RolloutRecord)
    except (ValueError, msgspec.ValidationError) as error:
        remedy = "Restore it from a backup, or remove it: the routers stay at their last plan."
        raise StorageError(where, f"not a rollout's record ({error})", remedy=remedy) from error


def plain(record: RolloutRecord) -> dict[str, Any]:
    """A record as strict plain data, for JSON that others read: no NaN, nothing infinite."""
    return dict(finite(msgspec.to_builtins(record)))


def finite(value: Any) -> Any:
    """Plain data in which numbers that JSON does not know stand as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def _dumped(record: RolloutRecord) -> bytes:
    text = json.dumps(msgspec.to_builtins(record), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _shorter(record: RolloutRecord) -> RolloutRecord:
    if len(record.events) > _KEPT_EVENTS:
        return replace(record, events=record.events[-max(_KEPT_EVENTS, len(record.events) // 2) :])
    if len(record.outbox) > 1:
        return replace(record, outbox=record.outbox[-(len(record.outbox) // 2) :])
    if record.verdict and record.verdict.checks:
        return replace(record, verdict=replace(record.verdict, checks=()))
    return record
