"""Pieces that every part of a rendered project file is made of."""

import textwrap

WIDTH = 106


def comment(text: str, indent: str = "") -> list[str]:
    """A comment, wrapped."""
    start = f"{indent}# "
    return textwrap.wrap(plain(text), WIDTH, initial_indent=start, subsequent_indent=start)


def plain(text: str) -> str:
    """A name or a reason as it can stand in a comment: on one line."""
    return " ".join(text.split())
