"""What the controller does besides speaking to routers; every one of these may be done twice."""

import json
from typing import Literal

import msgspec

from evergreen import log
from evergreen.errors import ConflictError, InputError, NotFoundError, StorageError
from evergreen.registry import Registry
from evergreen.registry.aliases import BASELINE, PREVIOUS
from evergreen.rollout import codec
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.stores.interface import StateStore, closed
from evergreen.storage import Store

_log = log.get(__name__)
_ROOT = "rollouts"
_KEPT = 50


def move_alias(registry: Registry, record: RolloutRecord, goal: Literal["forward", "back"]) -> str:
    """Move `baseline` to the candidate, or back; empty, or why it cannot be.

    On the way back `previous` is set to where it stood before; where that was nowhere it is set to the
    baseline itself, so that the version that was rolled back is not what `previous` restores.

    Raises:
        StorageError: the registry cannot be reached; try again.
        ConflictError: on the way back, when somebody moves the alias at this moment; try again.
    """
    evidence = f"{registry.uri}/{_ROOT}/{record.id}/record.json"
    if goal == "back":
        _back(registry, record, evidence)
        return ""
    try:
        _forward(registry, record, evidence)
    except NotFoundError as error:
        return str(error)
    except StorageError:
        raise
    except (ConflictError, InputError) as error:
        return str(error)
    return ""


def _forward(registry: Registry, record: RolloutRecord, evidence: str) -> None:
    if registry.aliases(record.model).get(BASELINE, 0) == record.candidate:
        return
    why = _why(record) if record.direct else f"rollout {record.id} passed every stage"
    registry.move(
        record.model, BASELINE, record.candidate, why=why, evidence=evidence, expected=record.baseline,
        allow_unblessed=record.direct,
    )  # fmt: skip


def _why(record: RolloutRecord) -> str:
    return record.events[0].reason if record.events else f"rollout {record.id}"


def _back(registry: Registry, record: RolloutRecord, evidence: str) -> None:
    standing = registry.aliases(record.model)
    why = f"rollout {record.id} was rolled back"
    if standing.get(BASELINE) == record.candidate:
        registry.move(
            record.model, BASELINE, record.baseline, why=why, evidence=evidence, expected=record.candidate,
            allow_unblessed=True,
        )  # fmt: skip
        standing = registry.aliases(record.model)
    if standing.get(BASELINE) == record.baseline and standing.get(PREVIOUS) == record.candidate:
        before = record.previous or record.baseline
        registry.move(record.model, PREVIOUS, before, why=why, evidence=evidence, expected=record.candidate)


def ship(store: Store, record: RolloutRecord) -> int:
    """Write the decisions of the outbox; returns the number of the last one."""
    for decision in record.outbox:
        name = f"{decision['number']:05d}-{decision['what'].replace(' ', '-')}"
        store.write(f"{_ROOT}/{record.id}/decisions/{name}.json", _json(codec.finite(decision)))
    return int(record.outbox[-1]["number"]) if record.outbox else record.decided


def publish(store: Store, record: RolloutRecord) -> bool:
    """Write the record of a rollout that has ended."""
    store.write(f"{_ROOT}/{record.id}/record.json", _json(codec.plain(record)))
    return True


def _json(value: object) -> bytes:
    text = json.dumps(msgspec.to_builtins(value), indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8", "replace")


def prune(states: StateStore, model: str) -> int:
    """Forget all but the newest of the records that nothing changes any more; the object store has them."""
    old = [kept.record.id for kept in states.list(model) if closed(kept.record)][:-_KEPT]
    for id in old:
        states.remove(id)
    return len(old)
