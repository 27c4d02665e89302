"""Words of others, safe for a terminal: reasons and names may hold what moves a cursor or changes a title."""

from dataclasses import replace

from evergreen.rollout.record import RolloutRecord

_INSTEAD = "�"


def words(text: str) -> str:
    """The text with everything that is not to be seen replaced; spaces stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else _INSTEAD for c in text)


def printable(record: RolloutRecord) -> RolloutRecord:
    """The record with printable names, reasons and checks."""
    verdict, wish = record.verdict, record.wish
    if verdict is not None:
        checks = tuple(replace(c, check=words(c.check), reason=words(c.reason)) for c in verdict.checks)
        waits = tuple(words(name) for name in verdict.waits)
        verdict = replace(verdict, reason=words(verdict.reason), checks=checks, waits=waits)
    if wish is not None:
        wish = replace(wish, who=words(wish.who), why=words(wish.why))
    events = tuple(replace(e, who=words(e.who), reason=words(e.reason)) for e in record.events)
    return replace(record, by=words(record.by), verdict=verdict, wish=wish, events=events)
