"""The known word that a wrong one was probably meant to be; every "Did you mean" asks here."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: object, known: Iterable[object], cutoff: float = 0.6) -> str:
    """The known word most like `word`, or nothing.

    Args:
        word: What was written.
        known: What could have been written.
        cutoff: The least similarity, 0 to 1 (Ratcliff and Obershelp's ratio, case apart).
    """
    by_case = {str(k).casefold(): str(k) for k in known}
    found = get_close_matches(str(word).casefold(), by_case, n=1, cutoff=cutoff)
    return by_case[found[0]] if found else ""


def did_you_mean(word: object, known: Iterable[object], otherwise: str = "", cutoff: float = 0.6) -> str:
    """A question that names the nearest known word, or `otherwise`."""
    near = nearest(word, known, cutoff)
    return f"Did you mean {near!r}?" if near else otherwise
