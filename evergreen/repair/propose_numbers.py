"""Propose how to read a column of numbers; names made of digits are left alone."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import duckdb

from evergreen.project.model import NumberRepair, RepairPolicy
from evergreen.repair.column import number_evidence
from evergreen.repair.numbers import settle_numbers
from evergreen.repair.proposal import ENOUGH, Proposal, Rest
from evergreen.repair.sample import Look
from evergreen.repair.units import dimension
from evergreen.repair.written import Written, number_word, read_body, take_apart


def numbers(
    con: duckdb.DuckDBPyConnection, relation: str, column: str, found: Rest, where: str
) -> tuple[Proposal | None, list[str]]:
    """A policy for a column of numbers, or why it could be one; see `evergreen.repair.propose`.

    Codes (leading zeros, phone numbers, sizes like 4G) and columns of which too little is a number get none.
    """
    seen = found.look
    tagged: Counter[tuple[str, str]] = Counter()
    readable = digits = 0
    parts = [(take_apart(v), v, n) for v, n in found.values]
    for written, value, n in parts:
        if isinstance(written, str):
            readable += n if number_word(value) is not None else 0
        elif read_body(written.body, ".") is not None or read_body(written.body, ",") is not None:
            readable, digits = readable + n, digits + n
            tagged[(written.tag, written.name)] += n
    readable, digits = found.scaled(readable), found.scaled(digits)
    if not readable or seen.codes or _is_code(parts, seen):
        return None, []
    if 2 * (seen.plain + digits) < found.total or seen.plain + readable < 0.5 * found.total:
        return None, []
    given, lost = _measures(tagged)
    lost = found.scaled(lost)
    share = (seen.plain + readable - lost) / found.total
    evidence = number_evidence(con, relation, column, "text", frozenset())
    reader, doubts = settle_numbers(NumberRepair.model_validate(given), "number", evidence, (), where)
    before = seen.plain / found.total
    if share < ENOUGH:
        if share - before < 0.1:
            return None, []
        rest = "in another unit or currency" if lost else "text"
        said = f"{share:.0%} of the values could be read as numbers, the rest is {rest}: "
        return None, [said + f"`number: {_flow(given)}` with `invalid: missing` would do that"]
    severe = [d.reason for d in doubts if d.severe]
    if severe:
        return None, [f"numbers, but in doubt: {reason}" for reason in severe]
    if reader.decimal == ",":
        given["decimal"] = ","
    if any(tag == "percent" for tag, _ in tagged):
        given["percent"] = reader.percent
    if reader.currency and "currency" not in given:
        given["currency"] = reader.currency
    whole = _all_whole(parts, seen, reader.decimal or ".", given)
    policy = RepairPolicy.model_validate({"type": "integer" if whole else "number", "number": given})
    hints = tuple(d.reason for d in doubts)
    return Proposal(
        policy, "numbers that are written in several ways", before, min(1.0, share), hints=hints
    ), []


def _flow(given: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{k}: {v}" for k, v in given.items()) + "}"


def _measures(tagged: Counter[tuple[str, str]]) -> tuple[dict[str, Any], int]:
    """The fields of a policy for what stands beside the numbers, and the rows that they leave unread.

    The most frequent currency, or the most frequent unit of the most frequent dimension.
    """
    groups: Counter[tuple[str, str]] = Counter()
    for (tag, name), n in tagged.items():
        if tag in ("currency", "unit", "scale"):
            groups[(tag, dimension(name) if tag == "unit" else name if tag == "currency" else "")] += n
    if not groups:
        return {}, 0
    (tag, group), most = min(groups.items(), key=lambda item: (-item[1], item[0]))
    lost = sum(groups.values()) - most
    if tag == "scale":
        metres = tagged[("unit", "meter")]
        return {"scale": True}, max(0, lost - metres)
    if tag == "currency":
        return {"currency": group}, lost
    units = Counter({n: c for (t, n), c in tagged.items() if t == "unit" and dimension(n) == group})
    unit = min(units, key=lambda u: (-units[u], u))
    return {"unit": unit}, lost


def _is_code(parts: list[tuple[Written | str, str, int]], seen: Look) -> bool:
    """Whether digits with something beside them are names: 007 A, 4G, 12E4, house 12 B, +49 30 123456."""
    read = [(w, v.strip()) for w, v, _ in parts if isinstance(w, Written)]
    if any(not w.tag and len(w.body) > 1 and w.body[0] == "0" and w.body.isdigit() for w, _ in read):
        return True
    if any(v.startswith("+") and len(w.body) > 7 for w, v in read):
        return True
    lettered = [v.strip()[-1].casefold() for _, v, _ in parts if re.fullmatch(r"\s*\d+\s?[^\W\d_]\s*", v)]
    letters = set(lettered)
    if 2 * len(lettered) > len(parts) and len(letters) > 1 and not letters <= set("kmb"):
        # One letter behind a number, and not always the same: houses, seats, sections.
        return True
    units = [(w, v) for w, v in read if w.tag in ("unit", "scale")]
    if not units:
        return False
    if all(w.tag == "scale" or w.name == "meter" for w, _ in units):
        # 12 K is a name as well as a number; 1.2k is a number.
        return not any("." in w.body or "," in w.body for w, _ in units)
    spelled_out = any(" " in v or "." in w.body or "," in w.body for w, v in units)
    return not spelled_out and not seen.plain and len({w.body for w, _ in units}) < 5


def _all_whole(
    parts: list[tuple[Written | str, str, int]], seen: Look, decimal: str, given: Mapping[str, Any]
) -> bool:
    """Whether every number of the column is whole, and nothing of the policy makes it otherwise."""
    if seen.whole != seen.plain or {"unit", "percent", "scale"} & set(given):
        return False
    for written, _, _ in parts:
        if isinstance(written, str):
            continue
        value = read_body(written.body, "," if decimal == "," else ".")
        if written.fraction or value is None or value != value.to_integral_value() or written.exponent:
            return False
        if decimal in written.body and seen.whole < seen.plain:
            return False
    return seen.complete
