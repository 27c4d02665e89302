"""What a person, or a pipeline, asked for: done, kept until it can be done, or refused with the reason."""

from dataclasses import replace

from evergreen.rollout.advance import Cause, launched_already, promoted
from evergreen.rollout.chronicle import noted
from evergreen.rollout.record import Phase, RolloutRecord, Wish
from evergreen.rollout.seen import Seen
from evergreen.rollout.withdrawal import withdraw

_STAGED = frozenset({"running", "paused", "held", "soaking"})
ALLOWED: dict[str, frozenset[str]] = {
    "pause": frozenset({"running", "held", "soaking"}),
    "resume": frozenset({"paused", "held"}),
    "promote": _STAGED,
    "abort": _STAGED | {"starting", "launching"},
    "roll_back": _STAGED | {"starting", "launching"},
}
"""In which phases an order makes sense."""


def refusal(record: RolloutRecord, order: str) -> str:
    """Why an order cannot be carried out as the rollout stands; empty when it can."""
    if record.phase not in ALLOWED[order]:
        return f"the rollout is {record.phase.replace('_', ' ')}"
    if record.direct and (record.phase != "starting" or order not in ("abort", "roll_back")):
        return "a deployment has no stages; it is over in a moment"
    if record.plan.generation and record.plan.candidate is None:
        return "the launch is done; go back with the command for the previous version"
    return ""


def obeyed(record: RolloutRecord, seen: Seen, now: float) -> RolloutRecord:
    """The record with its wish carried out; a promotion waits until every router confirms the plan."""
    wish = record.wish
    if wish is None:
        return record
    why_not = refusal(record, wish.order)
    if why_not:
        what = f"{wish.order.replace('_', ' ')} refused"
        return noted(record, now, what, why_not, who=wish.who, wish=None)
    if wish.order in ("abort", "roll_back"):
        ends: Phase = "aborted" if wish.order == "abort" else "rolled_back"
        return withdraw(replace(record, wish=None), seen, now, ends, _told(wish), wish.who)
    if wish.order == "pause":
        return noted(record, now, "paused", _told(wish), who=wish.who, phase="paused", wish=None)
    if wish.order == "resume":
        phase = "soaking" if launched_already(record) else "running"
        return noted(
            record, now, "resumed", _told(wish), who=wish.who, phase=phase, waits="", since=now, wish=None
        )  # fmt: skip
    if not seen.confirmed(record.plan.generation):
        return record
    cause = Cause("promoted", f"{_told(wish)} (by a person, whatever the evidence says)", wish.who)
    return promoted(replace(record, wish=None), seen, now, cause)


def _told(wish: Wish) -> str:
    return wish.why or f"{wish.who} asked for it"
