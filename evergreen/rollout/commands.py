"""What the command line and components do with rollouts: begin, order, look, wait.

They only write records; the controller acts on them. So each of them may be repeated, and a pipeline's task
that is retried finds the rollout that it began.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from evergreen.errors import ConflictError, Fault, InputError, NotFoundError, StorageError
from evergreen.registry import Registry
from evergreen.registry.aliases import BASELINE, PREVIOUS
from evergreen.registry.records import actor
from evergreen.rollout import wishes
from evergreen.rollout.begin import RUN, deploy, start
from evergreen.rollout.record import Order, RolloutRecord, Wish
from evergreen.rollout.stores.interface import Kept, StateStore

__all__ = ["RUN", "deploy", "history", "order", "restore_previous", "start", "status", "wait"]

_ATTEMPTS = 50
_TAKEN_BACK = frozenset({"rolling_back", "aborted", "rolled_back"})
_SILENT = 30.0
_PATIENCE = 60.0


def restore_previous(
    registry: Registry,
    state: StateStore,
    model: str,
    *,
    by: str = "",
    why: str = "",
    clock: Callable[[], float] = time.time,
) -> RolloutRecord:
    """Back to the version that users had before: one command, whatever is under way.

    A rollout under way is aborted, so that everybody has the baseline again. Otherwise `baseline` and
    `previous` change places, and the routers follow.

    Raises:
        InputError: there is nothing to go back to.
    """
    why = why or "back to the previous version"
    under_way = [kept.record for kept in state.list(model) if not kept.record.ended]
    aborted = [
        order(state, r.id, "abort", by=by, why=why, clock=clock)
        for r in reversed(under_way)  # first what waits: else it would begin
        if r.phase == "rolling_back" or not wishes.refusal(r, "abort")
    ]
    if aborted:
        return aborted[-1]
    if under_way:
        remedy = "Wait until it has ended, then ask again."
        raise InputError(f"rollout {under_way[0].id}", wishes.refusal(under_way[0], "abort"), remedy=remedy)
    aliases = registry.aliases(model)
    previous, baseline = aliases.get(PREVIOUS, 0), aliases.get(BASELINE, 0)
    if not previous or previous == baseline:
        found = "has no `previous` version" if not previous else "`previous` is the baseline itself"
        raise InputError(f"model {model}", found, remedy="Deploy a version by its number.")
    return deploy(registry, state, model, previous, by=by, why=why, clock=clock)


def order(
    state: StateStore,
    rollout: str,
    order: Order,
    *,
    by: str = "",
    why: str = "",
    clock: Callable[[], float] = time.time,
) -> RolloutRecord:
    """Ask the controller for something; a later order replaces one that it has not carried out yet.

    Args:
        state: The records.
        rollout: A rollout's id, or a model's name.
        order: What is asked for.
        by: Who asks; default: the user.
        why: The reason, for people.
        clock: Seconds since 1970.

    Raises:
        InputError: the order makes no sense as the rollout stands.
        NotFoundError: there is no such rollout.
    """
    for _ in range(_ATTEMPTS):
        kept = _find(state, rollout)
        refused = wishes.refusal(kept.record, order)
        if refused:
            if order in ("abort", "roll_back") and kept.record.phase in _TAKEN_BACK:
                return kept.record  # it is what was asked for
            raise InputError(f"rollout {kept.record.id}", f"{order.replace('_', ' ')}: {refused}")
        wish = Wish(order, by or actor(), why, clock())
        try:
            state.write_if(replace(kept.record, wish=wish), kept.tag)
        except ConflictError:
            time.sleep(0.01)
            continue
        return replace(kept.record, wish=wish)
    raise ConflictError(f"rollout {rollout}: others kept changing it")


def status(state: StateStore, rollout: str) -> RolloutRecord:
    """A rollout by its id; or by its model: the one under way, else the last one.

    Raises:
        NotFoundError: there is none.
    """
    return _find(state, rollout).record


def history(state: StateStore, model: str | None = None) -> list[RolloutRecord]:
    """The rollouts of a model, or of all, newest first."""
    return [kept.record for kept in reversed(state.list(model))]


def wait(
    state: StateStore,
    rollout: str,
    timeout: float | None = None,
    on_change: Callable[[RolloutRecord], None] | None = None,
    *,
    every: float = 1.0,
    clock: Callable[[], float] = time.time,
) -> RolloutRecord:
    """Wait until a rollout has ended; whoever was interrupted may wait again.

    Args:
        state: The records.
        rollout: A rollout's id, or a model's name: the rollout that this means now.
        timeout: Seconds; None: for ever.
        on_change: Called with the record at first, and whenever phase, stage, share or verdict has changed.
        every: Seconds between two looks.
        clock: Seconds since 1970.

    Raises:
        NotFoundError: there is none.
        Fault: it has not ended in time; the message says whether a controller looks after it.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    record, shown = status(state, rollout), None
    while True:
        face = _face(record)
        if on_change is not None and face != shown:
            on_change(record)
        shown = face
        if record.ended:
            return record
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise Fault(_late(record, timeout or 0.0, clock()))
        time.sleep(every if left is None else min(every, left))
        record = _reread(state, record, every)


def _reread(state: StateStore, record: RolloutRecord, every: float) -> RolloutRecord:
    """The record as it is now; a store that cannot be reached for a moment is asked again."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return state.read(record.id).record
        except NotFoundError:
            raise
        except StorageError:
            if time.monotonic() > deadline:
                raise
            time.sleep(every)


def _face(record: RolloutRecord) -> tuple[object, ...]:
    kind = record.verdict.kind if record.verdict else ""
    return record.phase, record.stage, record.plan.share, record.plan.mirror, kind


def _late(record: RolloutRecord, timeout: float, now: float) -> str:
    text = f"rollout {record.id} has not ended within {timeout:g} s; it is {record.phase.replace('_', ' ')}"
    if not record.heartbeat:
        return f"{text}, and no controller has looked at it. Is one running, with the same state?"
    silent = now - record.heartbeat
    if silent > _SILENT:
        return f"{text}, and no controller has looked at it for {silent:.0f} s"
    return f"{text}: {record.verdict.reason}" if record.verdict else text


def _find(state: StateStore, rollout: str) -> Kept:
    """By id, or by the model's name."""
    tail = rollout.rpartition("-")[2]
    if len(tail) == 6 and set(tail) <= set("0123456789abcdef") and rollout.count("-") >= 2:
        try:
            return state.read(rollout)
        except (NotFoundError, InputError):
            pass  # a model's name may look like an id
    kept = state.current(rollout)
    if kept is None:
        remedy = "`evergreen rollout history` lists them; `evergreen rollout start` begins one."
        raise NotFoundError(f"rollout {rollout}", f"none of that id or model in {state.uri}", remedy=remedy)
    return kept
