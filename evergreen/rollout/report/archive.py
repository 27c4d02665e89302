"""Records and decisions of a rollout, wherever they are by now: the state, the object store, the outbox."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from evergreen.errors import NotFoundError, StorageError
from evergreen.rollout.commands import status
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.stores.interface import StateStore
from evergreen.storage import Store

ROOT = "rollouts"
_MOST = 2000


def decisions_of(store: Store, record: RolloutRecord) -> tuple[Mapping[str, Any], ...]:
    """Every decision of a rollout in its order: those that were shipped, and those still in the record.

    At most the first 2,000; one that cannot be read is left out.
    """
    found: dict[int, Mapping[str, Any]] = {}
    keys = sorted(entry.key for entry in store.list(f"{ROOT}/{record.id}/decisions"))
    for key in [k for k in keys if k.endswith(".json")][:_MOST]:
        try:
            decision = json.loads(store.read(key))
            found[int(decision["number"])] = decision
        except (ValueError, KeyError, TypeError, NotFoundError):
            continue
    found |= {int(d["number"]): d for d in record.outbox}
    return tuple(found[number] for number in sorted(found))


def record_of(state: StateStore, store: Store, which: str) -> RolloutRecord:
    """A rollout by id or model; one that the state has forgotten from the object store.

    Raises:
        NotFoundError: there is none.
        StorageError: what the object store has is damaged.
    """
    try:
        return status(state, which)
    except NotFoundError:
        key = f"{ROOT}/{which}/record.json"
        if "/" in which or not store.exists(key):
            raise
        text = store.read(key)
    try:
        # Numbers that JSON does not know stand as text there.
        return msgspec.convert(json.loads(text), RolloutRecord, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        raise StorageError(f"{store.uri}/{key}", f"not a rollout's record ({error})") from error
