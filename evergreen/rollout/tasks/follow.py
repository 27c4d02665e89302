"""Wait in a pipeline for a rollout: for a stage to be passed, or for its end."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from evergreen import log
from evergreen.decisions import Decision
from evergreen.errors import Fault, GateStopped, InputError
from evergreen.near import did_you_mean
from evergreen.rollout import plans
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.report.archive import decisions_of
from evergreen.rollout.report.page import rollout_page
from evergreen.rollout.tasks.places import Places
from evergreen.rollout.view.facts import REFUSED, facts_of, phase_words, reason_of
from evergreen.rollout.view.lines import face, routers_words
from evergreen.rollout.view.watch import Show, follow

_log = log.get(__name__)
_SAY = 60.0
LAUNCHED, EXPERIMENT = "launched", "experiment"


@dataclass(frozen=True)
class Followed:
    """A rollout after the wait.

    Attributes:
        record: As it stands; None where there was none to wait for.
        reached: Whether it is past what was waited for, or has ended.
        decisions: The verdict's checks, and one record about the whole.
        page: The report.
        at: When it was looked at last; seconds since 1970.
    """

    record: RolloutRecord | None
    reached: bool
    decisions: tuple[Decision, ...]
    page: str
    at: float = 0.0

    @property
    def phase(self) -> str:
        """The phase; `unchanged` without a rollout."""
        return self.record.phase if self.record else "unchanged"

    @property
    def verdict(self) -> str:
        """The last verdict's kind; empty for none."""
        return self.record.verdict.kind if self.record and self.record.verdict else ""

    def stop_if_taken_back(self) -> None:
        """End the task when the rollout did not come to what was waited for; to be called last.

        Raises:
            GateStopped: it was rolled back, aborted or superseded.
            Fault: its servers did not come up, or the time was over: then it goes on without the task.
        """
        record = self.record
        if record is None:
            return
        if record.phase in REFUSED:
            raise GateStopped(f"rollout {record.id} was {phase_words(record)}: {reason_of(record)}")
        if record.phase == "failed":
            raise Fault(f"rollout {record.id} failed: {reason_of(record)}")
        if not self.reached:
            words = routers_words(facts_of(record, self.at))
            where = f"{phase_words(record)} in {plans.stage_name(record)} ({words})"
            again = f"Run the task again to go on waiting, or look: evergreen rollout watch {record.id}"
            raise Fault(
                f"rollout {record.id} goes on without this task; it is {where}: {reason_of(record)}. {again}"
            )


def await_rollout(
    places: Places,
    rollout: str,
    until: str = LAUNCHED,
    timeout: float | None = None,
    *,
    every: float = 2.0,
    clock: Callable[[], float] = time.time,
) -> Followed:
    """Wait until a rollout has passed a stage, or has ended; it goes on whatever becomes of the task.

    Args:
        places: The project's.
        rollout: Its id; empty for none: then there is nothing to wait for.
        until: `launched`, or the stage that must be passed: its kind, such as `experiment` (the last stage
            of that kind), or its name, such as `canary 5 %`. Without any experiment that means `launched`.
        timeout: Seconds; None: for ever.
        every: Seconds between two looks.
        clock: Seconds since 1970.

    Raises:
        InputError: no such stage.
        NotFoundError: no such rollout.
    """
    if not rollout:
        reason = "there is nothing to roll out: users have this version already"
        return Followed(None, True, (Decision("rollout", "rollout", "skip", reason),), _nothing(places))
    record = places.state.read(rollout).record
    stage = _stage(record, until)
    record = follow(
        places.state, record, _logged(), every=every, timeout=timeout, clock=clock,
        done=lambda r: r.ended or (stage is not None and r.stage > stage and r.phase != "rolling_back"),
    )  # fmt: skip
    reached = record.ended or (stage is not None and record.stage > stage)
    page = rollout_page(record, decisions_of(places.store, record), clock())
    return Followed(record, reached, (*_checks(record), _whole(record, reached)), page, clock())


def _logged() -> Show:
    """Logs where it stands, whenever that has changed, and once a minute."""
    last: list[tuple[object, float]] = []

    def show(record: RolloutRecord, now: float) -> None:
        new = face(record)
        if last and last[0][0] == new and now - last[0][1] < _SAY:
            return
        last[:] = [(new, now)]
        verdict = record.verdict.kind if record.verdict else ""
        extra = {"rollout": record.id, "phase": record.phase, "stage": plans.stage_name(record),
                 "share": record.plan.share, "verdict": verdict, "reason": reason_of(record)}  # fmt: skip
        _log.info("rollout", extra=extra)

    return show


def _stage(record: RolloutRecord, until: str) -> int | None:
    """The index of the stage that must be passed; None for the end.

    Raises:
        InputError: there is none.
    """
    if until == LAUNCHED:
        return None
    stages = plans.settings_of(record).stages
    names = [f"{s.kind} {s.percent:g} %" for s in stages]
    found = [i for i, s in enumerate(stages) if until in (names[i], s.kind)]
    if found:
        return found[-1]
    if until == EXPERIMENT:
        return None
    known = [LAUNCHED, *names]
    raise InputError("until", f"{until!r}", f"one of {', '.join(known)}", did_you_mean(until, known))


def _checks(record: RolloutRecord) -> tuple[Decision, ...]:
    return record.verdict.checks if record.verdict else ()


def _whole(record: RolloutRecord, reached: bool) -> Decision:
    """The record about the whole rollout."""
    reason = f"rollout {record.id} is {phase_words(record)}: {reason_of(record)}"
    if record.phase in REFUSED or record.phase == "failed":
        return Decision("rollout", "rollout", "fail", reason, evidence=record.id)
    persons = sorted({e.who for e in record.events if e.what == "promoted" and e.who != "controller"})
    if persons:
        by = f"{reason}; {', '.join(persons)} promoted it by hand"
        return Decision("rollout", "rollout", "warn", by, evidence=record.id)
    return Decision("rollout", "rollout", "pass" if reached else "skip", reason, evidence=record.id)


def _nothing(places: Places) -> str:
    from evergreen.reports.page import Section, note, page

    words = f"Users have this version of {places.project.name} already; no rollout was begun."
    return page(f"Rollout of {places.project.name}", [Section("Nothing to do", [note(words)])])
