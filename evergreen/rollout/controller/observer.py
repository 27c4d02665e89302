"""From routers, servers, logs, Prometheus and the registry to what the state machine sees of one rollout."""

import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evergreen import log
from evergreen.errors import InputError, NotFoundError, StorageError
from evergreen.rollout import machine, plans, tally, withdrawal
from evergreen.rollout.controller import effects
from evergreen.rollout.controller.errands import Answer, Errands
from evergreen.rollout.controller.links import Heard
from evergreen.rollout.controller.sources import Reader, Sources
from evergreen.rollout.evidence import Evidence
from evergreen.rollout.record import RolloutRecord, Verdict
from evergreen.rollout.seen import Endpoints, Seen, Timing
from evergreen.storage import Store

_log = log.get(__name__)
_STALE = 30.0


@dataclass(frozen=True)
class Family:
    """The records of one model as they were read together, and what its routers said."""

    records: tuple[RolloutRecord, ...]
    heard: Mapping[str, Heard]

    @property
    def current(self) -> RolloutRecord | None:
        """The record whose plan the routers have: that of the highest generation."""
        return max(
            (r for r in self.records if r.plan.generation), key=lambda r: r.plan.generation, default=None
        )

    @property
    def top(self) -> int:
        """The highest generation that anyone knows."""
        heard = (h.seen.generation or 0 for h in self.heard.values())
        return max((*(r.plan.generation for r in self.records), *heard), default=0)


class Observer:
    """Looks at rollouts without ever waiting for anything slow.

    Args:
        sources: Where it looks.
        errands: Who does what is slow.
        timing: Of the state machine.
    """

    def __init__(self, sources: Sources, errands: Errands, timing: Timing) -> None:
        self._sources, self._errands, self._timing = sources, errands, timing
        self._readers: dict[str, Reader | None] = {}

    def evidence(self, record: RolloutRecord, heard: Mapping[str, Heard]) -> RolloutRecord:
        """The record with all evidence there is by now, with its offsets; and the looks of an experiment."""
        buckets = [bucket for one in heard.values() for bucket in one.buckets]
        evidence = tally.counted(record, buckets)
        if machine.judged(record) or (record.phase == "starting" and not record.direct):
            evidence = self._with_users(record, evidence)
        if machine.judged(record):
            evidence = replace(evidence, queries=self._queries(record))
        return record if evidence == record.evidence else replace(record, evidence=evidence)

    def judgement(self, record: RolloutRecord, now: float) -> tuple[RolloutRecord, Verdict | None]:
        """The record with the looks that were taken, and the verdict; a judge that fails holds it there."""
        if not machine.judged(record):
            return record, None
        settings = plans.settings_of(record)
        try:
            found = self._sources.judge(settings, record.stage, record.evidence, now - record.since)
        except Exception as error:  # noqa: BLE001 - what cannot be judged must not go on, nor end the loop
            _log.exception("judge failed", extra={"rollout": record.id})
            reason = f"the evidence could not be judged ({type(error).__name__}: {error})"
            return record, Verdict("stop", reason)
        if tuple(found.looks) != record.evidence.looks:
            record = replace(record, evidence=replace(record.evidence, looks=tuple(found.looks)))
        return record, found.verdict

    def seen(self, record: RolloutRecord, family: Family, now: float) -> Seen:
        """Everything but the verdict."""
        servers, trouble = self._servers(record)
        others = [r for r in family.records if r.id != record.id]
        current = family.current
        newer = self._newer(record, others)
        seen = Seen(
            routers=tuple(h.seen for h in family.heard.values()),
            servers=servers,
            trouble=trouble,
            aliases=self._aliases(record.model, _face(current)) if record.phase == "starting" else None,
            top=family.top,
            current=current is not None and current.id == record.id,
            newer=newer.id if newer else "",
            older=_older(record, others),
            overtaken=any(r.plan.generation > record.plan.generation for r in others),
            released=_released(record, others),
            in_use=_in_use(others, current),
        )
        alias, why = self._moved(record)
        return replace(self._done(record, seen, now), alias=alias, alias_why=why)

    def _servers(self, record: RolloutRecord) -> tuple[dict[int, Endpoints | None], str]:
        servers: dict[int, Endpoints | None] = {}
        trouble = ""
        for version in machine.needed(record):
            answer = self._ensured(record, version)
            servers[version] = answer.value if answer else None
            if answer and _final(answer.error):
                trouble = str(answer.error)
        return servers, trouble

    def _ensured(self, record: RolloutRecord, version: int) -> Answer | None:
        replicas = int(record.serving.get("replicas", 1))

        def ensure() -> Endpoints | None:
            found = self._sources.fleet.ensure(record.model, version, replicas, record.serving)
            return tuple(found) if found else None

        return self._errands.ask(("servers", record.model, version), ensure, self._sources.pace.servers)

    def _aliases(self, model: str, basis: Hashable) -> Mapping[str, int] | None:
        """Where the aliases stand, looked at since the plan's owner is as it is: a launch moves them."""
        registry, pace = self._sources.registry, self._sources.pace.registry
        answer = self._errands.ask(("aliases", model), lambda: registry.aliases(model), pace, basis)
        return answer.value if answer else None

    def standing(self, model: str, current: RolloutRecord | None) -> int:
        """Where `baseline` stands, looked at since the current record is as it is; 0 for not known."""
        return (self._aliases(model, _face(current)) or {}).get("baseline", 0)

    def _moved(self, record: RolloutRecord) -> tuple[str, str]:
        goal = machine.alias_goal(record)
        if not goal:
            return "", ""
        registry = self._sources.registry
        answer = self._errands.ask(
            ("alias", record.id, goal), lambda: effects.move_alias(registry, record, goal),
            self._sources.pace.registry, (record.baseline, record.candidate),
        )  # fmt: skip
        if answer is None or answer.error is not None:
            return "", ""
        return ("refused", answer.value) if answer.value else ("done", "")

    def _newer(self, record: RolloutRecord, others: Sequence[RolloutRecord]) -> RolloutRecord | None:
        """The newest rollout that waits behind this one, with all of its servers ready."""
        waiting = [
            r for r in others
            if r.phase == "starting" and _age(r) > _age(record)
            and (record.ended or plans.settings_of(r).supersede)
        ]  # fmt: skip
        newest = max(waiting, key=_age, default=None)
        if newest is None or not all(self._servers(newest)[0].values()):
            return None
        return newest

    def _with_users(self, record: RolloutRecord, evidence: Evidence) -> Evidence:
        if record.model not in self._readers:
            self._readers[record.model] = self._sources.readers(record.model)
        reader = self._readers[record.model]
        if reader is None:
            return evidence
        read = sorted(item for item in record.evidence.offsets.items() if not item[0].startswith("router/"))
        basis = (record.id, record.stage, record.evidence.state, tuple(read))
        pace = self._sources.pace.users
        answer = self._errands.ask(("users", record.id), lambda: reader.read(record), pace, basis)
        if answer is None or answer.value is None:
            return evidence
        reading = answer.value
        return tally.with_users(evidence, reading.users, reading.offsets, reading.state)

    def _queries(self, record: RolloutRecord) -> dict[str, float | None]:
        guardrails = plans.settings_of(record).guardrails
        if not guardrails.queries:
            return {}
        query = self._sources.query

        def ask() -> dict[str, float | None]:
            return {q.name: query(guardrails.prometheus, q.query) for q in guardrails.queries}

        answer = self._errands.ask(("queries", record.id), ask, self._sources.pace.queries)
        none: dict[str, float | None] = {q.name: None for q in guardrails.queries}
        fresh = answer is not None and answer.error is None and time.monotonic() - answer.at < _STALE
        return {**none, **answer.value} if answer is not None and fresh else none

    def _done(self, record: RolloutRecord, seen: Seen, now: float) -> Seen:
        """With what was shipped and removed so far."""
        store = self._sources.store
        changes: dict[str, Any] = {"sent": record.decided, "shipped": True}
        if store is not None:
            changes = {"sent": self._sent(store, record), "shipped": self._shipped(store, record)}
        leftover = withdrawal.leftover(record, seen, now, self._timing)
        return replace(seen, **changes, removed=leftover is not None and self._removed(record, leftover))

    def _sent(self, store: Store, record: RolloutRecord) -> int:
        if not record.outbox:
            return 0
        basis = record.outbox[-1]["number"]
        answer = self._errands.ask(("decisions", record.id), lambda: effects.ship(store, record), 2.0, basis)
        return answer.value or 0 if answer else 0

    def _shipped(self, store: Store, record: RolloutRecord) -> bool:
        if not record.ended or record.settled:
            return record.settled
        basis = (record.phase, record.decided)
        answer = self._errands.ask(("record", record.id), lambda: effects.publish(store, record), 60.0, basis)
        return bool(answer and answer.value)

    def _removed(self, record: RolloutRecord, version: int) -> bool:
        if not version:
            return True

        def remove() -> bool:
            self._sources.fleet.remove(record.model, version)
            return True

        answer = self._errands.ask(("remove", record.id, version), remove, 5.0)
        return bool(answer and answer.value)


def _final(error: Exception | None) -> bool:
    """Whether trying again is of no use; a store that cannot be reached may be there in a moment."""
    passing = isinstance(error, StorageError) and not isinstance(error, NotFoundError)
    return isinstance(error, InputError) and not passing


def _face(owner: RolloutRecord | None) -> Hashable:
    return (owner.id, owner.phase, owner.plan.generation, owner.replaced) if owner else None


def _age(record: RolloutRecord) -> tuple[float, str]:
    return record.created, record.id


def _older(record: RolloutRecord, others: Sequence[RolloutRecord]) -> str:
    """Whoever must be out of the way before this rollout may begin: an older one, or the plan's owner."""
    owner = max((r for r in others if r.plan.generation), key=lambda r: r.plan.generation, default=None)
    if owner is not None and owner.replaced != record.id:
        return owner.id
    return next((r.id for r in others if not r.ended and _age(r) < _age(record)), "")


def _released(record: RolloutRecord, others: Sequence[RolloutRecord]) -> bool:
    """Whether the rollout that took over ended before it had any plan, so that the plan has no owner."""
    if not record.replaced or any(r.plan.generation > record.plan.generation for r in others):
        return False
    successor = next((r for r in others if r.id == record.replaced), None)
    return successor is None or (successor.ended and not successor.plan.generation)


def _in_use(others: Sequence[RolloutRecord], current: RolloutRecord | None) -> frozenset[int]:
    versions = {v for r in others if not r.ended for v in (r.baseline, r.candidate)}
    if current and any(r.id == current.id for r in others):
        versions |= {t.version for t in (current.plan.baseline, current.plan.candidate) if t}
    return frozenset(versions)
