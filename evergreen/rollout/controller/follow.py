"""While no rollout is under way the routers follow the registry: where `baseline` stands, that is served."""

from collections.abc import Callable

from evergreen import log
from evergreen.errors import ConflictError
from evergreen.registry import Registry
from evergreen.registry.aliases import BASELINE, PREVIOUS
from evergreen.rollout.opening import Opening, opened, settings_like
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.stores.interface import StateStore

_log = log.get(__name__)
_AGAIN = 300.0


def follow(
    states: StateStore,
    registry: Registry,
    current: RolloutRecord | None,
    model: str,
    clock: Callable[[], float],
) -> None:
    """Begin the deployment of the version that somebody moved `baseline` to, in the name of who did it.

    Args:
        states: The records.
        registry: Of the models.
        current: The record whose plan the routers have.
        model: The model's name.
        clock: Seconds since 1970.
    """
    moves = [m for m in registry.history(model) if m.alias == BASELINE]
    if not moves:
        return
    move = moves[-1]
    before = current.plan.baseline.version if current else 0
    why = f"the alias baseline was moved to version {move.version}: {move.why}"
    previous = registry.aliases(model).get(PREVIOUS, 0)
    opening = Opening(model, move.version, before, previous, move.who, why, direct=True)
    last = max((k.record for k in states.list(model)), key=lambda r: r.created, default=None)
    if last is not None and (not last.ended or _failed_lately(last, move.version, clock())):
        return
    version = registry.version(model, move.version)
    settings, serving = settings_like(current, version)
    if current is None and not version.settings:
        _log.warning("nobody said how to serve it: by the defaults", extra={"version": move.version})
    record = opened(opening, settings, serving, clock(), last)
    try:
        states.write_if(record, None)
    except ConflictError:
        return  # another controller was faster
    _log.info("following the registry", extra={"rollout": record.id, "version": move.version})


def _failed_lately(last: RolloutRecord, version: int, now: float) -> bool:
    """Whether this very version could not be deployed a short time ago."""
    failed = last.direct and last.candidate == version and last.phase in ("failed", "aborted")
    return failed and 0 <= now - last.since < _AGAIN
