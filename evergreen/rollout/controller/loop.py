"""The loop: read → observe → decide → write the intent → apply → confirm → write what was observed.

It may be killed between any two of these: whoever goes on reads a record in which evidence, offsets and plan
belong together, and does again what was not confirmed. It may run twice at once: every write is a
compare-and-swap, and a router refuses an older generation.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event

from evergreen import log
from evergreen.errors import ConflictError, EvergreenError
from evergreen.rollout import advance, machine, plans
from evergreen.rollout.controller import effects
from evergreen.rollout.controller.errands import Errands
from evergreen.rollout.controller.follow import follow
from evergreen.rollout.controller.links import Heard, Links, Router, hear, tell
from evergreen.rollout.controller.observer import Family, Observer
from evergreen.rollout.controller.page import Page
from evergreen.rollout.controller.sources import Sources
from evergreen.rollout.lease import Lease
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.seen import Timing
from evergreen.rollout.stores.interface import Kept, StateStore

_log = log.get(__name__)
_ATTEMPTS = 3
_PRUNE_SECONDS = 300.0
_INTERVAL = 0.5
_ALERT = 0.15
"""Seconds between two looks while the candidate errs: harm shows as soon as there is enough of it."""


def _nothing(_: str) -> None:
    pass


@dataclass(frozen=True)
class Parts:
    """What a controller is made of.

    Attributes:
        states: The records.
        sources: Where it looks.
        routers: The routers of a model, by address; asked in every look.
        models: The models whose routers follow the registry while there is no rollout.
        holder: The controller's name.
        lease: Who leads; None: this one does.
        clock: Seconds since 1970.
        timing: Of the state machine.
        commit: Seconds between two writes of evidence that decided nothing.
        apply_within: Seconds that a router may take for a plan before it counts as not reached.
        on_step: Called between two steps with the name of the one that is done; for tests of crashes.
    """

    states: StateStore
    sources: Sources
    routers: Callable[[str], Mapping[str, Router]]
    models: tuple[str, ...] = ()
    holder: str = "controller"
    lease: Lease | None = None
    clock: Callable[[], float] = time.time
    timing: Timing = field(default_factory=Timing)
    commit: float = 1.0
    apply_within: float = 2.0
    on_step: Callable[[str], None] = _nothing


class Controller:
    """One controller; `look` once or `run` until told to stop.

    Args:
        parts: What it is made of.
        errands: Who does what is slow.
        links: Who speaks to routers.
        page: Its metrics.
    """

    def __init__(
        self, parts: Parts, *, errands: Errands | None = None, links: Links | None = None,
        page: Page | None = None,
    ) -> None:  # fmt: skip
        self._parts = parts
        self._errands = errands or Errands()
        self._links = links or Links()
        self._observer = Observer(parts.sources, self._errands, parts.timing)
        self._written: dict[str, float] = {}
        self.page = page or Page()

    def run(self, stop: Event) -> None:
        """Look again and again until `stop` is set; no error ends it."""
        while not stop.is_set():
            begun = time.monotonic()
            interval = _INTERVAL
            try:
                interval = self.look()
            except Exception as error:  # noqa: BLE001 - routers fall back when nobody speaks to them
                self.page.failed(type(error).__name__)
                if isinstance(error, EvergreenError):
                    _log.error("look failed", extra={"error": str(error)})
                else:
                    _log.exception("look failed")
            taken = time.monotonic() - begun
            self.page.looked(taken, self._parts.clock())
            stop.wait(max(0.01, interval - taken))
        self.close()

    def close(self) -> None:
        """Let another one lead, and start nothing more."""
        if self._parts.lease:
            self._parts.lease.release()
        self._errands.stop()
        self._links.stop()

    def look(self) -> float:
        """Look at every model once; returns the seconds until the next look.

        Raises:
            EvergreenError: the state store cannot be read. What fails for one model only is logged.
        """
        leads = self._parts.lease is None or self._parts.lease.held()
        self.page.leads(leads)
        if not leads:
            return _INTERVAL
        by_model: dict[str, list[Kept]] = {model: [] for model in self._parts.models}
        for kept in self._parts.states.list(closed=False):
            by_model.setdefault(kept.record.model, []).append(kept)
        interval = _INTERVAL
        for model, found in by_model.items():
            try:
                interval = min(interval, self._model(model, found))
            except ConflictError as error:
                self.page.failed("ConflictError")
                _log.info("somebody was faster", extra={"model": model, "error": str(error)})
            except Exception as error:  # noqa: BLE001 - the other models go on
                self.page.failed(type(error).__name__)
                _log.exception("model failed", extra={"model": model})
        return interval

    def _model(self, model: str, found: Sequence[Kept]) -> float:
        """One look at one model, begun anew when somebody else wrote meanwhile."""
        for attempt in range(_ATTEMPTS):
            self._parts.on_step("read")
            try:
                return self._pass(model, list(found))
            except ConflictError:
                self.page.failed("ConflictError")
                if attempt == _ATTEMPTS - 1:
                    raise
                found = self._parts.states.list(model, closed=False)
        raise AssertionError("not reached")

    def _pass(self, model: str, found: list[Kept]) -> float:
        routers = self._parts.routers(model)
        owner = _owner(found)
        under_way = owner is not None and not owner.record.ended
        offsets = owner.record.evidence.offsets if owner and under_way else None
        heard = hear(self._links, routers, offsets)
        self._parts.on_step("observed")
        for index, kept in enumerate(found):
            family = Family(tuple(k.record for k in found), heard)
            found[index] = self._decided(kept, family, kept is owner)
        owner = _owner(found)
        if owner is not None:
            self._applied(owner, routers, heard)
            self.page.shows(owner.record, [h.seen for h in heard.values()])
        self._between_rollouts(model, found, bool(routers))
        intervals = [
            plans.settings_of(k.record).interval.total_seconds() for k in found if not k.record.ended
        ]
        interval = min(intervals, default=_INTERVAL)
        return min(interval, _ALERT) if _failing(heard) else interval

    def _decided(self, kept: Kept, family: Family, owns: bool) -> Kept:
        """Decide about one record; an intent is written at once, evidence alone when it is time."""
        now, before = self._parts.clock(), kept.record
        record = self._observer.evidence(before, family.heard if owns else {})
        record, verdict = self._observer.judgement(record, now)
        seen = self._observer.seen(record, family, now)
        seen = replace(seen, verdict=verdict, holder=self._parts.holder)
        record = machine.step(record, seen, now, self._parts.timing)
        self._parts.on_step("decided")
        intent = _intent(record) != _intent(before)
        if not intent and (record == before or not self._due(record)) and not self._heartbeat_due(record):
            return kept
        return self._write(record, kept.tag, "intent", before)

    def _write(self, record: RolloutRecord, tag: str, what: str, before: RolloutRecord) -> Kept:
        record = replace(record, heartbeat=self._parts.clock(), holder=self._parts.holder)
        tag = self._parts.states.write_if(record, tag)
        self._written[record.id] = time.monotonic()
        for event in record.events[len(record.events) - (record.decided - before.decided) :]:
            extra = {"rollout": record.id, "what": event.what, "stage": event.stage, "share": event.share,
                     "reason": event.reason, "generation": event.generation, "who": event.who}  # fmt: skip
            _log.info("rollout", extra=extra)
            self.page.happened(record.model, event.what)
        self._parts.on_step(what)
        return Kept(record, tag)

    def _due(self, record: RolloutRecord) -> bool:
        return time.monotonic() - self._written.get(record.id, 0.0) >= self._parts.commit

    def _heartbeat_due(self, record: RolloutRecord) -> bool:
        patience = max(2.0, 2 * self._parts.commit)
        return not record.ended and time.monotonic() - self._written.get(record.id, 0.0) >= patience

    def _applied(self, kept: Kept, routers: Mapping[str, Router], heard: Mapping[str, Heard]) -> None:
        """Every router gets the plan or a heartbeat; what they confirm is written when it is news."""
        record = kept.record
        confirmed = tell(self._links, routers, heard, record.plan, self._parts.apply_within)
        self._parts.on_step("applied")
        everywhere = bool(routers) and len(confirmed) == len(routers)
        first = everywhere and record.carried < record.plan.generation
        if not first and not confirmed.items() - record.confirmed.items():
            return
        known = {h.seen.name for h in heard.values()} | confirmed.keys()
        news = {r: g for r, g in {**record.confirmed, **confirmed}.items() if r in known}
        self._parts.on_step("confirmed")
        after = advance.carried_out(record, news, everywhere, self._parts.clock())
        self._write(after, kept.tag, "written", record)

    def _between_rollouts(self, model: str, found: Sequence[Kept], routed: bool) -> None:
        """While no rollout is under way: routers follow the alias, and old records go."""
        states = self._parts.states
        self._errands.ask(("prune", model), lambda: effects.prune(states, model), _PRUNE_SECONDS)
        if not routed or any(not kept.record.ended for kept in found):
            return
        owner = _owner(list(found))
        current = owner.record if owner else None
        standing = self._observer.standing(model, current)
        if standing and (current is None or current.plan.baseline.version != standing):
            follow(self._parts.states, self._parts.sources.registry, current, model, self._parts.clock)


def _failing(heard: Mapping[str, Heard]) -> bool:
    """Whether a router just saw the candidate err."""
    arms = (b.arms.get("candidate") for one in heard.values() for b in one.buckets)
    return any(counts.events.get("errors", 0) > 0 for counts in arms if counts)


def _owner(found: Sequence[Kept]) -> Kept | None:
    """The record whose plan the routers have."""
    return max(
        (k for k in found if k.record.plan.generation), key=lambda k: k.record.plan.generation, default=None
    )


def _intent(record: RolloutRecord) -> tuple[object, ...]:
    """What must be written before anything is done about it."""
    return (
        record.phase, record.stage, record.plan, record.wish, record.decided, record.replaced, record.settled,
        record.waits, record.ends, record.baseline,
    )  # fmt: skip
