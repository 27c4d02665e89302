"""Bring a candidate's servers up beside the baseline's, before anybody asks them."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from evergreen import log
from evergreen.decisions import Decision
from evergreen.errors import EvergreenError, Fault, InputError, NotFoundError
from evergreen.registry.aliases import BASELINE, require_blessed
from evergreen.registry.records import ModelVersion
from evergreen.rollout.fleet import Fleet
from evergreen.rollout.tasks.places import Places
from evergreen.rollout.view.facts import reason_of
from evergreen.rollout.view.lines import served

_log = log.get(__name__)
_EVERY = 0.5
_SAY = 30.0


@dataclass(frozen=True)
class Deployed:
    """Servers that are ready.

    Attributes:
        version: That they serve.
        endpoints: `host:port` of each.
        serves: Who gets what now, for people; servers alone give nobody anything.
        decision: The record of it.
    """

    version: int
    endpoints: tuple[str, ...]
    serves: str
    decision: Decision


def deploy_model(
    places: Places,
    fleet: Fleet,
    version: int,
    timeout: float,
    *,
    again: bool = False,
    wait: Callable[[float], None] = time.sleep,
) -> Deployed:
    """Ask the fleet for a version's servers until all are ready; servers that are there are taken.

    What the controller will ask for is the same, so that it finds them. When they cannot come up they are
    removed again, unless the version is in use.

    Args:
        places: The project's.
        fleet: Who runs servers.
        version: In the registry.
        timeout: Seconds until they must be ready.
        again: Even though the same content was rolled back before; else no rollout would use the servers.
        wait: Waits so many seconds.

    Raises:
        InputError: no such version, no gate blessed it, it was rolled back before, or it cannot be served.
        Fault: the servers were not ready in time.
    """
    name, serving = places.project.name, places.project.serving
    found = places.registry.version(name, version)
    require_blessed(found)
    if not again:
        _require_untried(places, found)
    settings = serving.model_dump(mode="json")
    deadline, said, trouble = time.monotonic() + timeout, time.monotonic(), ""
    while True:
        try:
            endpoints = fleet.ensure(name, version, serving.replicas, settings)
            trouble = ""
        except InputError:
            _undone(places, fleet, version)
            raise
        except EvergreenError as error:  # what cannot be now may be in a moment
            endpoints, trouble = None, str(error)
        if endpoints:
            break
        now = time.monotonic()
        if now > deadline:
            _undone(places, fleet, version)
            why = f": {trouble}" if trouble else ""
            raise Fault(f"{name}@{version}: its servers were not ready within {timeout:g} s{why}")
        if now - said > _SAY:
            said = now
            _log.info("servers come up", extra={"model": name, "version": version, "trouble": trouble})
        wait(_EVERY)
    return _deployed(places, version, endpoints)


def _require_untried(places: Places, version: ModelVersion) -> None:
    """Refuse what a rollout would refuse, before servers come up that nobody would use."""
    records = [kept.record for kept in places.state.list(version.name)]
    if any(r.candidate == version.version and not r.ended for r in records):
        return  # a rollout of it is under way: the run attaches to it
    for record in records:
        if record.phase in ("rolled_back", "aborted") and _same(places, record.candidate, version):
            found = f"was {record.phase.replace('_', ' ')} before (rollout {record.id}): {reason_of(record)}"
            remedy = "Train a better one, or say `again` to try it once more."
            raise InputError(f"{version.name}@{version.version}", found, remedy=remedy)


def _same(places: Places, number: int, version: ModelVersion) -> bool:
    if number == version.version:
        return True
    try:
        return places.registry.version(version.name, number).digest == version.digest
    except NotFoundError:
        return False


def _deployed(places: Places, version: int, endpoints: tuple[str, ...]) -> Deployed:
    name = places.project.name
    current = places.state.current(name)
    baseline = places.registry.aliases(name).get(BASELINE, 0)
    serves = served(current.record.plan) if current else f"everybody version {baseline}, by no router"
    reason = f"{len(endpoints)} of {len(endpoints)} servers of version {version} are ready; {serves}"
    return Deployed(version, endpoints, serves, Decision("rollout", "servers", "pass", reason))


def _undone(places: Places, fleet: Fleet, version: int) -> None:
    """Remove servers that did not come up; not those of a version that somebody needs."""
    name = places.project.name
    needed = {places.registry.aliases(name).get(BASELINE, 0)}
    for kept in places.state.list(name):
        record = kept.record
        targets = {t.version for t in (record.plan.baseline, record.plan.candidate) if t}
        needed |= targets | ({record.candidate, record.baseline} if not record.ended else set())
    if version in needed:
        return
    try:
        fleet.remove(name, version)
    except EvergreenError as error:  # the reason why they did not come up matters more
        _log.warning("servers not removed", extra={"version": version, "error": str(error)})
