"""How error messages name fields, values and alternatives."""

import re
from collections.abc import Iterable

from evergreen.near import nearest

Path = tuple[str | int, ...]

_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")


def dotted(path: Path) -> str:
    """`("features", 0, "source")` as `features[0].source`; the file itself as `(file)`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            plain = re.fullmatch(r"[\w-]+", part) is not None
            text += ("." if text else "") + (part if plain else repr(part))
    return text or "(file)"


def shown(value: object) -> str:
    """A value for an error message: short, of one line, and with no credentials in it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, int | float):
        return f"the number {value}" if abs(value) < 1e15 else f"the number {float(value):g}"
    text = _CREDENTIALS.sub("…@", str(value))
    return repr(text if len(text) <= 60 else text[:57] + "…")


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """`Did you mean `x`?` for the nearest known word, or nothing."""
    near = nearest(word, known)
    return f"Did you mean `{near}`?" if near else ""


def listed(words: list[str], limit: int = 20) -> str:
    """`a, b and c`, cut short after `limit` words."""
    if len(words) > limit:
        return ", ".join(words[:limit]) + f" … ({len(words)} in all)"
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" or {words[-1]}" if words else "none"
