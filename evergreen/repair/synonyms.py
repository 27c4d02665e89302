"""Category synonyms: spellings of one value that differ by case, or by a slip of the keyboard."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from rapidfuzz.distance import OSA

from evergreen.project.model import TextRepair
from evergreen.repair.words import tidied

_RARE = 0.05
_LEAST = 5
_MOST = 400


def by_case(values: Sequence[tuple[str, int]], given: TextRepair) -> dict[str, tuple[str, int]]:
    """Each group of values that differ only by case: its key to its most frequent spelling and its rows.

    Args:
        values: Different values with their rows.
        given: How white space and Unicode form are made one first.
    """
    groups: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for text, rows in values:
        one = tidied(text, given)
        groups[one.casefold()][one] += rows
    found = {}
    for key, spellings in groups.items():
        best = max(sorted(spellings), key=lambda s: spellings[s])
        found[key] = (best, sum(spellings.values()))
    return found


def common_case(groups: Mapping[str, tuple[str, int]]) -> str | None:
    """The case that every group's most frequent spelling has; None when they differ."""
    for case in ("lower", "upper", "title"):
        given = TextRepair.model_validate({"case": case})
        if all(tidied(best, given) == best for best, _ in groups.values()):
            return case
    return None


def slips(groups: Mapping[str, tuple[str, int]]) -> tuple[dict[str, str], dict[str, str]]:
    """Rare values that are a slip away from a frequent one: those that are sure, and those that are not.

    Sure is one letter added, lost, changed or swapped (optimal string alignment distance 1, Boytsov 2011)
    with the first letter kept, in a word of five letters or more, at most a twentieth as frequent. Two slips
    in a longer word, or one in the first letter, may be another word (Austria, Australia): a person decides.
    """
    ranked = sorted(groups.items(), key=lambda item: (-item[1][1], item[0]))[:_MOST]
    sure: dict[str, str] = {}
    unsure: dict[str, str] = {}
    for key, (spelling, rows) in ranked:
        if len(key) < _LEAST or re.search(r"\d", key):
            continue
        near = [
            (OSA.distance(key, other, score_cutoff=2), best)
            for other, (best, many) in ranked
            if rows <= _RARE * many and len(other) >= _LEAST and not re.search(r"\d", other)
        ]
        distance, best = min(near, default=(3, ""), key=lambda pair: pair[0])
        tied = sum(d == distance for d, _ in near) > 1
        if distance == 1 and not tied and key[0] == best.casefold()[0]:
            sure[spelling] = best
        elif distance <= 2 and len(key) >= _LEAST + distance:
            unsure[spelling] = best
    return sure, unsure
