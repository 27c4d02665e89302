"""Propose how to make one what reads the same in a column of words."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from evergreen.project.model import RepairPolicy, TextRepair
from evergreen.repair.characters import PLAINLY_EMPTY, spaced
from evergreen.repair.proposal import Proposal, Rest
from evergreen.repair.synonyms import by_case, common_case, slips
from evergreen.repair.words import tidied

_CATEGORIES, _REPEATED = 1_000, 4


def text(found: Rest, where: str) -> tuple[Proposal | None, list[str]]:
    """A policy for white space, Unicode form, case and slips of a column of words; and hints.

    Args:
        found: What the column holds.
        where: Where a policy would stand, for hints.
    """
    every = found.values
    given: dict[str, Any] = {"form": "NFKC"} if _wide(every) else {}
    policy: dict[str, Any] = {}
    case, synonyms, hints = _categories(found, TextRepair.model_validate(given), where)
    if case:
        given["case"] = case
    if synonyms:
        policy["synonyms"] = synonyms
    changed = sum(n for v, n in every if tidied(v, TextRepair()) != v)
    if given or changed:
        policy["text"] = given
    merges = bool(given or changed or synonyms)
    marks = sorted({spaced(v) for v, _ in found.look.values if spaced(v).casefold() in PLAINLY_EMPTY})
    if marks:
        policy |= {"missing": marks, "text": policy.get("text", {})}
    if not policy:
        return None, hints
    one = {tidied(v, TextRepair.model_validate(given)) for v, _ in every}
    proposal = Proposal(
        RepairPolicy.model_validate(policy),
        "one text written in several ways" if merges else "spellings of no value",
        1 - changed / max(1, sum(n for _, n in every)),
        1.0,
        only_empty=not merges,
        merges=len(one) < len(every) or bool(synonyms),
        hints=tuple(hints),
    )
    return proposal, []


def _categories(found: Rest, given: TextRepair, where: str) -> tuple[str | None, dict[str, str], list[str]]:
    """Of few values that repeat: the case they have in common, synonyms for the rest, slips in doubt."""
    seen = found.look
    if not seen.complete or seen.other > _CATEGORIES or found.rows < _REPEATED * seen.other:
        return None, {}, []
    groups = by_case(found.values, given)
    spellings = {tidied(v, given) for v, _ in found.values}
    cased = {v: groups[v.casefold()][0] for v in sorted(spellings) if groups[v.casefold()][0] != v}
    sure, unsure = slips(groups)
    case = common_case({k: v for k, v in groups.items() if v[0] not in sure}) if cased else None
    synonyms = {} if case else cased
    synonyms |= {v: groups[best.casefold()][0] for v, best in sorted(sure.items())}
    hints = [f"{v!r} may be {best!r}: add it to `{where}.synonyms`" for v, best in sorted(unsure.items())[:5]]
    return case, _once(synonyms), hints


def _once(synonyms: Mapping[str, str]) -> dict[str, str]:
    """A mapping without two keys that differ by case, and without chains."""
    done: dict[str, str] = {}
    seen: set[str] = set()
    for word, meaning in synonyms.items():
        if word.casefold() not in seen:
            seen.add(word.casefold())
            done[word] = meaning
    return done


def _wide(values: Sequence[tuple[str, int]]) -> bool:
    """Whether full-width letters or ligatures hide that two values are one, or stand in Latin words."""
    forms: dict[str, set[str]] = {}
    for v, _ in values:
        normal = unicodedata.normalize("NFC", spaced(v))
        forms.setdefault(unicodedata.normalize("NFKC", normal).casefold(), set()).add(normal.casefold())
    return any(len(f) > 1 for f in forms.values())
