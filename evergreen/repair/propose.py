"""Propose a repair policy for a column from what it holds; real text is never turned into numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb

from evergreen.project.model import RepairPolicy, TimeRepair
from evergreen.repair.characters import is_empty, plain, spaced
from evergreen.repair.column import time_evidence
from evergreen.repair.moments import take_apart as moment_of
from evergreen.repair.proposal import ENOUGH, Proposal, Rest
from evergreen.repair.propose_numbers import numbers
from evergreen.repair.propose_text import text
from evergreen.repair.sample import Look, look
from evergreen.repair.times import settle_times
from evergreen.repair.words import FALSE, TRUE
from evergreen.tables.kinds import kind


@dataclass
class Proposed:
    """Proposals by column, and hints about columns for which none is made."""

    proposals: dict[str, Proposal] = field(default_factory=dict)
    hints: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def policies(self) -> dict[str, RepairPolicy]:
        """The policies by column."""
        return {name: p.policy for name, p in self.proposals.items()}


def propose(con: duckdb.DuckDBPyConnection, relation: str, types: Mapping[str, str], name: str) -> Proposed:
    """Propose policies for the text columns of a relation.

    Args:
        con: An open connection.
        relation: SQL that can stand after FROM.
        types: Its columns with their DuckDB types; only text is looked at.
        name: The table's, for hints.
    """
    found = Proposed()
    for column, duckdb_type in types.items():
        if kind(duckdb_type) != "text":
            continue
        proposal, hints = _column(con, relation, column, f"repair.{name}.{column}")
        if proposal:
            found.proposals[column] = proposal
        if hints:
            found.hints[column] = tuple(hints)
    return found


def _column(
    con: duckdb.DuckDBPyConnection, relation: str, column: str, where: str
) -> tuple[Proposal | None, list[str]]:
    seen = look(con, relation, column)
    if not seen.rows:
        return None, []
    rest = tuple((v, n) for v, n in seen.values if not is_empty(v))
    found = Rest(seen, rest, sum(n for v, n in seen.values if is_empty(v)))
    if not rest and seen.iso and not seen.plain:
        return (_markers({"time": {}}, seen, "times"), []) if found.empty else (None, [])
    if not rest:
        return (_markers(_plain_numbers(seen), seen, "numbers"), []) if _numeric(found) else (None, [])
    boolean = _boolean(found)
    if boolean:
        return boolean, []
    hints: list[str] = []
    for attempt in (_time, numbers):
        proposal, said = attempt(con, relation, column, found, where)
        hints += said
        if proposal:
            return proposal, hints
    proposal, said = text(found, where)
    return proposal, [*hints, *said]


def _numeric(found: Rest) -> bool:
    return bool(found.empty and found.look.plain and not found.look.codes)


def _plain_numbers(seen: Look) -> dict[str, Any]:
    return {"number": {}, **({"type": "integer"} if seen.whole == seen.plain else {})}


def _markers(policy: dict[str, Any], seen: Look, words: str) -> Proposal:
    share = (seen.plain + seen.iso) / max(1, seen.rows)
    why = f"{words}, and spellings of no value"
    return Proposal(RepairPolicy.model_validate(policy), why, share, 1.0, only_empty=True)


def _boolean(found: Rest) -> Proposal | None:
    seen = found.look
    words = {plain(v).casefold() for v, _ in found.values}
    if not words <= TRUE | FALSE or seen.plain != seen.bits:
        return None
    spellings = {spaced(v) for v, _ in found.values}
    sides = [bool(words & TRUE), bool(words & FALSE)]
    if seen.bits and not all(sides):
        sides = [True, True]
    if not all(sides) or (len(spellings) + (2 if seen.bits else 0)) <= 2:
        return None
    before = seen.bits / max(1, found.total)
    why = f"yes and no in {len(spellings) + (2 if seen.bits else 0)} spellings"
    return Proposal(RepairPolicy.model_validate({"boolean": {}}), why, before, 1.0)


def _time(
    con: duckdb.DuckDBPyConnection, relation: str, column: str, found: Rest, where: str
) -> tuple[Proposal | None, list[str]]:
    seen = found.look
    times = found.scaled(sum(n for v, n in found.values if moment_of(v) is not None))
    if not times or times < ENOUGH * found.rows or times < seen.plain:
        return None, []
    total = found.total + (seen.iso if seen.iso == seen.rows - seen.plain else 0)
    if (times + seen.dates) < ENOUGH * total:
        return None, []
    evidence = time_evidence(con, relation, column, "text", frozenset())
    reader, doubts = settle_times(TimeRepair(), None, evidence, (), where)
    severe = [d.reason for d in doubts if d.severe]
    if severe:
        return None, [f"dates and times, but in doubt: {reason}" for reason in severe]
    given: dict[str, Any] = {} if reader.day_first is None else {"day_first": reader.day_first}
    policy = RepairPolicy.model_validate({"type": reader.type, "time": given})
    why = "dates and times that are not all written as ISO 8601"
    hints = tuple(d.reason for d in doubts)
    return Proposal(policy, why, seen.iso / total, min(1.0, (times + seen.dates) / total), hints=hints), []
