"""A rollout on a terminal: everything that matters on one screen, from 80 columns on."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from evergreen.rollout.view.facts import (
    REFUSED,
    CheckFact,
    Facts,
    facts_of,
    phase_words,
    present_step,
    reason_of,
)
from evergreen.rollout.view.figures import p99
from evergreen.rollout.view.lines import clock, routers_words, served
from evergreen.rollout.view.printable import printable
from evergreen.rollout.view.units import bounds, name_of, shown, span, unit_of

_COLOURS = {"promote": "green", "hold": "yellow", "stop": "bold yellow", "roll_back": "bold red"}
_MARKS = {"pass": ("✓", "green"), "fail": ("✕", "bold red"), "warn": ("!", "yellow"), "skip": ("–", "dim")}
_WAITS = ("…", "yellow")
_PLACES = {
    "passed": ("✓ ", "green"),
    "present": ("▶ ", "bold"),
    "ahead": ("", "dim"),
    "skipped": ("", "dim strike"),
}
_TOLD = frozenset({"time", "requests", "baseline requests", "experiment", "at_most"})
_EVENTS = 5
_OTHER_LINES = 17
_SILENT = 15.0


def screen(facts: Facts, width: int = 80, height: int = 50) -> RenderableType:
    """The whole view.

    Args:
        facts: Of the rollout.
        width: Columns there are.
        height: Lines there are; where they are few, fewer events are shown.
    """
    facts = facts_of(printable(facts.record), facts.now)
    parts: list[RenderableType] = [_head(facts, width)]
    if facts.stages:
        parts.append(_stages(facts, width))
    parts += [_weights(facts, min(width, 100)), _progress(facts, min(width, 100))]
    rows = [c for c in facts.checks if c.decision.check not in _TOLD]
    if rows:
        parts += [Rule(style="dim"), _checks(facts, rows, width)]
    room = height - _OTHER_LINES - len(rows)
    parts += [Rule(style="dim"), *_verdict(facts), Rule(style="dim"), _routers(facts)]
    parts.append(_events(facts, max(0, min(_EVENTS, room))))
    return Group(*parts)


def _head(facts: Facts, width: int) -> RenderableType:
    record = facts.record
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1)
    grid.add_column(justify="right")
    title = Text.assemble((record.id, "bold"), f"  version {record.candidate} against {record.baseline}")
    grid.add_row(title, Text(phase_words(record), _phase_style(facts)))
    begun = f"begun {clock(record.created)} by {record.by}, {span(facts.now - record.created)} ago"
    grid.add_row(Text(begun, "dim"), Text(clock(facts.now), "dim"))
    return grid


def _phase_style(facts: Facts) -> str:
    phase = facts.record.phase
    if phase in REFUSED or phase in ("failed", "rolling_back"):
        return "bold red"
    if phase == "launched":
        return "bold green"
    return "bold yellow" if phase in ("held", "paused") else "bold"


def _stages(facts: Facts, width: int) -> Text:
    """All stages with their marks; a stage's name stays on one line."""
    text, used = Text(), 0
    for number, stage in enumerate(facts.stages):
        mark, style = _PLACES[stage.place]
        label = f"{mark}{stage.name}"
        last = number == len(facts.stages) - 1
        if used and used + len(label) + (0 if last else 2) > width:
            text.append("\n")
            used = 0
        text.append(label, style)
        text.append("" if last else " · ", "dim")
        used += len(label) + 3
    return text


def _weights(facts: Facts, width: int) -> RenderableType:
    plan = facts.record.plan
    room = max(10, width - 34)
    launched = plan.candidate is None and plan.baseline.version == facts.record.candidate
    share = 100.0 if launched else plan.share if plan.live else 0.0
    filled = round(room * share / 100) or (1 if share else 0)
    bar = Text("█" * filled, "cyan") + Text("░" * (room - filled), "dim")
    label = f"{share:g} % candidate" if not plan.mirror else f"{plan.mirror:g} % copied, hidden"
    return Text.assemble(("users    ", "dim"), bar, f"  {label}") + Text(f"\n         {served(plan)}", "dim")


def _progress(facts: Facts, width: int) -> Text:
    """The time in the stage against its least time, and the requests against what it needs."""
    text = Text.assemble(("stage    ", "dim"), f"{facts.stage}, {span(facts.elapsed)}")
    if facts.least and not facts.record.ended:
        part = min(1.0, facts.elapsed / facts.least)
        cells = max(5, width // 6)
        filled = int(cells * part)
        text.append(f" of at least {span(facts.least)} ")
        text.append("█" * filled, "cyan")
        text.append("░" * (cells - filled), "dim")
    for check in facts.checks:
        d = check.decision
        if d.check in ("requests", "baseline requests", "experiment"):
            style = "yellow" if check.waits else "green" if d.verdict == "pass" else "dim"
            text.append("\n         ")
            text.append(d.reason, style)
    return text


def _checks(facts: Facts, rows: Sequence[CheckFact], width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), expand=False, header_style="dim")
    table.add_column("", width=1)
    table.add_column("check", no_wrap=True, max_width=19 if width < 100 else 30)
    for name in ("baseline", "candidate", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("interval", justify="right", no_wrap=True)
    table.add_column("limit", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_row(row))
    slow = p99(present_step(facts.record))
    if any(slow):
        table.add_row(Text("·", "dim"), "p99 latency", slow[0] or "–", slow[1] or "–", "", "", "")
    return table


def _row(fact: CheckFact) -> list[Any]:
    d = fact.decision
    unit = unit_of(d.check)
    mark, style = _WAITS if fact.waits else _MARKS[d.verdict]
    limit = "" if d.threshold is None else shown(d.threshold, unit)
    return [
        Text(mark, style), Text(name_of(d.check), style), fact.baseline, fact.candidate,
        Text("" if d.observed is None else shown(d.observed, unit), style),
        Text(bounds(d.interval, unit), "dim"), Text(limit, "dim"),
    ]  # fmt: skip


def _verdict(facts: Facts) -> list[RenderableType]:
    record = facts.record
    if record.ended:
        return [Text.assemble((phase_words(record), _phase_style(facts)), ": ", reason_of(record))]
    kind = record.verdict.kind if record.verdict else ""
    style = _COLOURS.get(kind, "dim")
    lines: list[RenderableType] = [
        Text.assemble((kind.replace("_", " ") or "no verdict yet", style), ": ", reason_of(record))
    ]
    others = [m for m in facts.missing if m != reason_of(record)]
    lines += [Text.assemble(("  also     ", "dim"), sentence) for sentence in others[:4]]
    if len(others) > 4:
        lines.append(Text(f"  and {len(others) - 4} more", "dim"))
    if record.wish:
        asked = f"{record.wish.who} asked to {record.wish.order.replace('_', ' ')}: {record.wish.why}"
        lines.append(Text(asked, "bold cyan"))
    return lines


def _events(facts: Facts, count: int) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="ellipsis", no_wrap=True)
    for event in facts.record.events[-count:] if count else ():
        who = f" by {event.who}" if event.who not in ("", "controller") else ""
        grid.add_row(
            clock(event.at), Text(f"{event.what}{who}"), Text(f"{event.stage}: {event.reason}", "dim")
        )
    return grid


def _routers(facts: Facts) -> Text:
    bad = facts.silent is None or facts.silent > _SILENT or any(not r.confirmed for r in facts.routers)
    return Text(f"routers  {routers_words(facts)}", "yellow" if bad and not facts.record.ended else "dim")
