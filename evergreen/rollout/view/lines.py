"""A rollout as plain lines, for logs and for output that is no terminal."""

import time
from collections.abc import Sequence

from evergreen.rollout import plans
from evergreen.rollout.plan import RoutePlan
from evergreen.rollout.record import Event, RolloutRecord
from evergreen.rollout.view.facts import Facts, phase_words, reason_of
from evergreen.rollout.view.printable import words
from evergreen.rollout.view.units import bounds, name_of, shown, span, unit_of


def clock(at: float) -> str:
    """The time of day, here."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def moment(at: float) -> str:
    """Date and time, here."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def served(plan: RoutePlan) -> str:
    """Who gets what by a plan: `version 3`, `95 % version 3, 5 % version 4`."""
    baseline = f"version {plan.baseline.version}"
    if not plan.generation:
        return "no plan yet"
    if plan.candidate is None:
        return f"everybody {baseline}"
    candidate = f"version {plan.candidate.version}"
    if plan.mirror:
        return f"everybody {baseline}; {plan.mirror:g} % of the requests are copied to {candidate}"
    if not plan.share:
        return f"everybody {baseline}"
    if plan.share >= 100:
        return f"everybody {candidate}"
    return f"{100 - plan.share:g} % {baseline}, {plan.share:g} % {candidate}"


def line_of(record: RolloutRecord, at: float) -> str:
    """Where it stands, in one line."""
    verdict = f"{record.verdict.kind.replace('_', ' ')}: " if record.verdict and not record.ended else ""
    stage = f"{plans.stage_name(record)}, " if not record.ended else ""
    return words(f"{clock(at)}  {stage}{phase_words(record)}  {verdict}{reason_of(record)}".rstrip())


def event_line(event: Event) -> str:
    """One event."""
    who = f" by {event.who}" if event.who not in ("", "controller") else ""
    return f"{clock(event.at)}  {event.what}{who} ({event.stage}, {event.share:g} %): {event.reason}"


def history_line(record: RolloutRecord) -> str:
    """One rollout of many."""
    stage = "" if record.ended else f", {plans.stage_name(record)}"
    what = f"{record.baseline or '-'} → {record.candidate}"
    head = f"{moment(record.created)}  {record.id:<28} {what:<9} {record.phase.replace('_', ' ')}{stage}"
    return words(f"{head}  by {record.by}  {reason_of(record)}".rstrip())


def face(record: RolloutRecord) -> tuple[object, ...]:
    """What a line is worth writing for: phase, stage, shares, the verdict's kind, a wish."""
    kind = record.verdict.kind if record.verdict else ""
    return record.phase, record.stage, record.plan.share, record.plan.mirror, kind, record.wish


def status_lines(facts: Facts) -> Sequence[str]:
    """All of it for a plain stream."""
    record = facts.record
    lines = [
        f"{record.id}: version {record.candidate} against version {record.baseline}",
        f"phase     {phase_words(record)}",
        f"stage     {facts.stage}, for {span(facts.elapsed)}{_least(facts)}",
        f"serves    {served(record.plan)}",
    ]
    if facts.stages:
        lines.append("stages    " + ", ".join(f"{s.name} ({s.place})" for s in facts.stages))
    for check in facts.checks:
        d = check.decision
        unit = unit_of(d.check)
        arms = f"baseline {check.baseline}, candidate {check.candidate}" if check.candidate else ""
        text = f"{shown(d.observed, unit)} {f'[{bounds(d.interval, unit)}]' if d.interval else ''}"
        word = "waits" if check.waits else d.verdict
        lines.append(f"{word:<9} {name_of(d.check)}: {text.strip()}  {arms}".rstrip())
    verdict = record.verdict.kind.replace("_", " ") if record.verdict and not record.ended else "why"
    lines.append(f"{verdict:<9} {reason_of(record)}")
    lines += [f"missing   {sentence}" for sentence in facts.missing]
    if record.wish:
        lines.append(
            f"asked for {record.wish.order.replace('_', ' ')} by {record.wish.who}: {record.wish.why}"
        )
    lines.append(f"routers   {routers_words(facts)}")
    return [words(line) for line in (*lines, *(event_line(e) for e in record.events[-5:]))]


def routers_words(facts: Facts) -> str:
    """How many routers have the plan, and when a controller last looked."""
    generation = facts.record.plan.generation
    have = sum(r.confirmed for r in facts.routers)
    known = f"{have} of {len(facts.routers)} confirmed generation {generation}"
    routers = known if facts.routers and generation else "none has a plan yet"
    if facts.record.ended:
        return routers
    if facts.silent is None:
        return f"{routers}; no controller has looked at it yet: is one running?"
    return f"{routers}; a controller looked {max(0.0, facts.silent):.1f} s ago"


def _least(facts: Facts) -> str:
    return f" of at least {span(facts.least)}" if facts.least and not facts.record.ended else ""
