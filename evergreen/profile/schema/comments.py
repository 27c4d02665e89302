"""A person's comments in a schema's YAML, carried over into the text that a command writes in its place."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class _Place:
    """Where a comment stands: its column (or none), and the line it belongs to, by text and by field."""

    above: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    beside: dict[tuple[str, str], str] = field(default_factory=dict)


def with_comments(text: str, old: str, header: str) -> str:
    """The new text with the comments of the old one.

    A comment on lines of its own stays above the field that it stood above, one behind a value stays behind
    it, also where the value changed; comments of what is gone go with it.

    Args:
        text: What is to be written; begins with `header`.
        old: What a person edited.
        header: Comments that every schema begins with; they are not carried over.
    """
    places = _Place()
    own = {line.strip() for line in header.splitlines()}
    waiting: list[str] = []
    for keys, line, comment in _lines(old):
        if not line:
            waiting += [comment] if comment and comment.strip() not in own else []
            continue
        for key in keys:
            if waiting:
                places.above.setdefault(key, waiting)
            if comment:
                places.beside.setdefault(key, comment)
        waiting = []
    return _written(text, places, waiting)


def _written(text: str, places: _Place, last: list[str]) -> str:
    made = []
    used: set[int] = set()
    for keys, line, comment in _lines(text):
        above = next((places.above[k] for k in keys if k in places.above), [])
        if above and id(above) not in used:
            used.add(id(above))
            indent = line[: len(line) - len(line.lstrip())]
            made += [indent + words.strip() for words in above]
        beside = next((places.beside[k] for k in keys if k in places.beside), "")
        made.append(f"{line}  {beside.strip()}" if beside and line else line or comment)
    return "\n".join([*made, *(words.strip() for words in last)]) + "\n"


def _lines(text: str) -> Iterator[tuple[list[tuple[str, str]], str, str]]:
    """Each line: what names it (its text, then its field), the line without its comment, the comment."""
    column = ""
    inside = False
    for raw in text.splitlines():
        line, comment = _cut(raw)
        bare = line.strip()
        if bare and not line.startswith(" "):
            inside, column = bare.startswith("columns:"), ""
        elif bare and inside and line.startswith("  ") and not line.startswith("   "):
            column = bare.split(":")[0]
        name = bare.split(":")[0] if not bare.startswith("- ") else bare
        yield ([(column, bare), (column, name)] if bare else []), line.rstrip() if bare else "", comment


def _cut(line: str) -> tuple[str, str]:
    """A line's YAML and its comment; a # inside quotes, or not after a blank, is none."""
    quote = ""
    for at, c in enumerate(line):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c if at == 0 or line[at - 1] in " [,:{-" else ""
        elif c == "#" and (at == 0 or line[at - 1].isspace()):
            return line[:at].rstrip(), line[at:]
    return line, ""
