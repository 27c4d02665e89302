"""How a rollout, or a deployment, is begun: by a person, a pipeline, or the way back."""

import time
from collections.abc import Callable, Mapping

from evergreen import log
from evergreen.errors import ConflictError, InputError, NotFoundError
from evergreen.project.model import Rollout, Serving
from evergreen.registry import Registry
from evergreen.registry.aliases import BASELINE, PREVIOUS, require_blessed
from evergreen.registry.records import ModelVersion, actor
from evergreen.rollout.opening import Opening, opened, settings_like
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.stores.interface import StateStore

_log = log.get(__name__)
_ATTEMPTS = 50
_REFUSED = frozenset({"aborted", "rolled_back"})
RUN = "run"
"""The key in `metadata` that names a pipeline's run: the same run finds its rollout again, ended or not."""


def start(
    registry: Registry,
    state: StateStore,
    model: str,
    candidate: int | str = "candidate",
    *,
    settings: Rollout,
    serving: Serving,
    by: str = "",
    why: str = "",
    metadata: Mapping[str, str] | None = None,
    again: bool = False,
    clock: Callable[[], float] = time.time,
) -> RolloutRecord:
    """Begin the rollout of a version, or find the one of it that is under way.

    Args:
        registry: Of the models.
        state: The records.
        model: The model's name.
        candidate: A version, or an alias.
        settings: The project's `rollout` section.
        serving: The project's `serving` section.
        by: Who begins it; default: the user.
        why: The reason, for people.
        metadata: What a pipeline wants to find again; `run` makes a retried run find its own rollout.
        again: Begin it even though a rollout of the same content was rolled back or aborted.
        clock: Seconds since 1970.

    Raises:
        InputError: no baseline, no blessing, the baseline itself, a version that was rolled back before, or
            another rollout is under way and `settings.supersede` is off.
    """
    version = registry.resolve(f"{model}@{candidate}")
    metadata = dict(metadata or {})
    for _ in range(_ATTEMPTS):
        found = [kept.record for kept in state.list(model)]
        mine = _mine(found, version.version, metadata)
        if mine is not None:
            return mine
        aliases = registry.aliases(model)
        _require_startable(registry, version, aliases.get(BASELINE, 0), found, again)
        _require_room(found, settings)
        opening = Opening(
            model, version.version, aliases[BASELINE], aliases.get(PREVIOUS, 0), by or actor(), why,
            metadata=metadata,
        )  # fmt: skip
        record = opened(opening, settings, serving, clock(), _newest(found))
        try:
            state.write_if(record, None)
        except ConflictError:
            continue
        return record
    raise ConflictError(f"model {model}: others kept beginning rollouts")


def deploy(
    registry: Registry,
    state: StateStore,
    model: str,
    version: int | str = BASELINE,
    *,
    settings: Rollout | None = None,
    serving: Serving | None = None,
    by: str = "",
    why: str = "",
    metadata: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
) -> RolloutRecord:
    """Serve a version as the baseline, without stages: the first one, or one that is known to be good.

    Its servers come up first; then the alias `baseline` moves, then the routers follow.

    Args:
        registry: Of the models.
        state: The records.
        model: The model's name.
        version: A version, or an alias.
        settings: The project's `rollout` section; default: of the model's last rollout, else the version's.
        serving: The project's `serving` section; default: likewise.
        by: Who asks; default: the user.
        why: The reason, for people.
        metadata: What a pipeline wants to find again.
        clock: Seconds since 1970.

    Returns:
        The deployment's record; the last one when the routers have this version already.

    Raises:
        InputError: no such version, or a rollout is under way.
    """
    asked = registry.resolve(f"{model}@{version}")
    wanted = asked.version
    for _ in range(_ATTEMPTS):
        found = [kept.record for kept in state.list(model)]
        busy = next((r for r in reversed(found) if not r.ended), None)
        if busy is not None and busy.direct and busy.candidate == wanted:
            return busy
        if busy is not None:
            remedy = f"Abort it first, or promote it: `evergreen rollout abort {model}`."
            raise InputError(f"model {model}", f"rollout {busy.id} is under way", remedy=remedy)
        aliases = registry.aliases(model)
        owner = max((r for r in found if r.plan.generation), key=lambda r: r.plan.generation, default=None)
        standing = aliases.get(BASELINE, 0)
        served = owner.plan.baseline.version if owner else 0
        if owner is not None and served == standing == wanted and owner.phase != "failed":
            if serving is not None and serving.model_dump(mode="json") != owner.serving:
                # Servers keep what they began with, or a rollout could change its own baseline.
                extra = {"model": model, "version": wanted, "remedy": "they come with the next version"}
                _log.warning("is served already, by other settings", extra=extra)
            return owner
        last = settings_like(_newest(found), asked)
        before = standing if standing != wanted else served
        opening = Opening(
            model, wanted, before, aliases.get(PREVIOUS, 0), by or actor(),
            why or f"version {wanted} is to be the baseline", True, dict(metadata or {}),
        )  # fmt: skip
        record = opened(opening, settings or last[0], serving or last[1], clock(), _newest(found))
        try:
            state.write_if(record, None)
        except ConflictError:
            continue
        return record
    raise ConflictError(f"model {model}: others kept beginning rollouts")


def _newest(found: list[RolloutRecord]) -> RolloutRecord | None:
    return max(found, key=lambda r: (r.created, r.id), default=None)


def _mine(found: list[RolloutRecord], version: int, metadata: Mapping[str, str]) -> RolloutRecord | None:
    """The rollout that this one would double: of the same version and under way, or begun by the same run."""
    for record in reversed(found):
        same_run = bool(metadata.get(RUN)) and record.metadata.get(RUN) == metadata.get(RUN)
        if record.candidate == version and not record.direct and (same_run or not record.ended):
            return record
    return None


def _require_startable(
    registry: Registry, version: ModelVersion, baseline: int, found: list[RolloutRecord], again: bool
) -> None:
    where = f"{version.name}@{version.version}"
    if not baseline:
        remedy = f"Deploy a first version: `evergreen rollout deploy {where}`."
        raise InputError(where, "the model has no baseline to compare it with", remedy=remedy)
    if baseline == version.version:
        raise InputError(where, "is the baseline already", "a newer version")
    require_blessed(version)
    for record in reversed(found):
        if again or record.phase not in _REFUSED:
            continue
        if record.candidate == version.version or _digest(registry, record) == version.digest:
            reason = record.events[-1].reason if record.events else ""
            found_ = f"was {record.phase.replace('_', ' ')} before (rollout {record.id})"
            remedy = "Train a better one, or say --again to try it once more."
            raise InputError(where, f"{found_}: {_why_ended(record) or reason}", remedy=remedy)


def _why_ended(record: RolloutRecord) -> str:
    """Why a rollout was taken back: the reason of the event that began it."""
    for event in reversed(record.events):
        if event.what == "rolling back":
            return event.reason
    return ""


def _digest(registry: Registry, record: RolloutRecord) -> str:
    try:
        return registry.version(record.model, record.candidate).digest
    except NotFoundError:
        return ""


def _require_room(found: list[RolloutRecord], settings: Rollout) -> None:
    busy = next((r for r in reversed(found) if not r.ended), None)
    if busy is not None and not settings.supersede:
        found_ = f"rollout {busy.id} is under way"
        remedy = "Wait until it has ended, abort it, or let newer ones supersede (rollout.supersede)."
        raise InputError(f"model {busy.model}", found_, remedy=remedy)
