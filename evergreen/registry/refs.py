"""References to models, `name@alias` or `name@3`, and what to say about one that leads nowhere."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from evergreen.errors import InputError, NotFoundError
from evergreen.near import did_you_mean

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_EXPECTED = "a lower-case letter, then up to 62 lower-case letters, digits, _ or -"


@dataclass(frozen=True)
class Ref:
    """A model's name, and either an alias or a version (the other one is empty or 0)."""

    name: str
    alias: str
    version: int


def checked_name(name: str, what: str) -> str:
    """Return `name` when it may name a model or an alias.

    Raises:
        InputError: when it may not.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{what} {name!r}", "not a name", _EXPECTED)
    return name


def parse_ref(ref: str) -> Ref:
    """Read `name@alias` or `name@version`.

    Raises:
        InputError: when it is neither.
    """
    name, at, target = ref.partition("@")
    checked_name(name, "model")
    if not at or not target:
        raise InputError(f"model {ref!r}", "no alias or version", f"such as {name}@baseline or {name}@3")
    if target.isascii() and target.isdigit():
        if int(target) == 0:
            raise InputError(f"model {ref!r}", "version 0", "a version from 1 on")
        return Ref(name, "", int(target))
    return Ref(name, checked_name(target, "alias"), 0)


def unknown(what: str, wanted: str, there: Iterable[str], where: str, remedy: str) -> NotFoundError:
    """The error for a name that does not exist: it lists those that do and guesses which one was meant.

    Args:
        what: `model`, `alias` or `version`.
        wanted: The name asked for.
        there: The names that exist.
        where: Where they were looked for.
        remedy: What to do when there are none.
    """
    names = sorted(there, key=lambda n: (len(n), n) if n.isdigit() else (0, n))
    if not names:
        return NotFoundError(f"{what} {wanted}", f"not in {where}, which has none", remedy=remedy)
    shown = ", ".join(names[-20:]) if len(names) > 20 else ", ".join(names)
    return NotFoundError(
        f"{what} {wanted}", f"not in {where}", f"one of {shown}", did_you_mean(wanted, names)
    )
