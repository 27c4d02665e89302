"""What happens to a rollout goes into its record: an event for people, a decision for the object store."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from evergreen.rollout.plans import stage_name
from evergreen.rollout.record import Event, RolloutRecord
from evergreen.rollout.seen import Seen

_EVENTS = 200
_OUTBOX = 40
CONTROLLER = "controller"


def noted(
    record: RolloutRecord, at: float, what: str, reason: str, *, who: str = CONTROLLER, **changes: Any
) -> RolloutRecord:
    """The record with these changes, and with the event and the decision that say why.

    Args:
        record: As it stands.
        at: When, seconds since 1970.
        what: What happened, in a word or two.
        reason: Why, as one sentence for people.
        who: The controller, or a person.
        changes: Fields of the record.
    """
    before = record
    record = replace(record, **changes)
    generation = record.plan.generation
    event = Event(at, what, stage_name(record), record.plan.share, who, reason, generation)
    number = record.decided + 1
    verdict = record.verdict or before.verdict
    decision: Mapping[str, Any] = {
        "number": number,
        "rollout": record.id,
        "model": record.model,
        "baseline": record.baseline,
        "candidate": record.candidate,
        **msgspec.to_builtins(event),
        "phase": record.phase,
        "mirror": record.plan.mirror,
        "verdict": msgspec.to_builtins(verdict) if verdict else None,
    }
    return replace(
        record,
        decided=number,
        events=(*record.events, event)[-_EVENTS:],
        outbox=(*record.outbox, decision)[-_OUTBOX:],
    )


def next_generation(record: RolloutRecord, seen: Seen) -> int:
    """A generation that no plan of the model has had."""
    return max(record.plan.generation, seen.top) + 1
