"""Begin a rollout from a pipeline: once, however often the task runs."""

from dataclasses import dataclass

from evergreen import log
from evergreen.decisions import Decision
from evergreen.errors import InputError
from evergreen.registry.aliases import BASELINE
from evergreen.rollout.commands import RUN, start
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.tasks.places import Places

_log = log.get(__name__)


@dataclass(frozen=True)
class Begun:
    """A rollout that is under way.

    Attributes:
        rollout: Its id; empty when there is nothing to roll out.
        attached: Whether it was there before.
        decision: The record of it.
    """

    rollout: str
    attached: bool
    decision: Decision


def start_rollout(
    places: Places, version: int, *, why: str = "", run: str = "", again: bool = False
) -> Begun:
    """Begin the rollout of a version, or attach to the one that this run, or anybody, began of it.

    When users have the version already there is nothing to do: the id is empty, and the tasks that follow
    have nothing to do either.

    Args:
        places: The project's.
        version: In the registry.
        why: The reason, for people.
        run: The pipeline run's id: a run that is retried finds its rollout, ended or not.
        again: Even though the same content was rolled back before.

    Raises:
        InputError: no baseline, no blessing, rolled back before, or another one is under way and may not be
            superseded.
    """
    name = places.project.name
    before = {kept.record.id for kept in places.state.list(name)}
    try:
        record = start(
            places.registry, places.state, name, version, settings=places.project.rollout,
            serving=places.project.serving, why=why or f"pipeline run {run}".strip(),
            metadata={RUN: run} if run else {}, again=again,
        )  # fmt: skip
    except InputError:
        if places.registry.aliases(name).get(BASELINE) != version:
            raise
        reason = f"{name}@{version} is the baseline already: there is nothing to roll out"
        _log.info("nothing to roll out", extra={"model": name, "version": version})
        return Begun("", False, Decision("rollout", "start", "skip", reason))
    return _begun(record, record.id in before)


def _begun(record: RolloutRecord, attached: bool) -> Begun:
    word = (
        "is under way already"
        if attached and not record.ended
        else "has ended already"
        if attached
        else "has begun"
    )
    reason = f"rollout {record.id} of version {record.candidate} against {record.baseline} {word}"
    extra = {"rollout": record.id, "attached": attached, "phase": record.phase}
    _log.info("attached" if attached else "begun", extra=extra)
    return Begun(record.id, attached, Decision("rollout", "start", "pass", reason, evidence=record.id))
