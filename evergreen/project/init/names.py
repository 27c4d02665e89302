"""Names for sources and projects, from the names of files and folders."""

import os
import re
from collections.abc import Sequence
from pathlib import Path


def source_name(path: str, taken: Sequence[str]) -> str:
    """A source's name from a file's: letters, digits and `_`, not taken yet."""
    stem = Path(path.rstrip("/*")).name.split(".")[0]
    name = re.sub(r"[^A-Za-z0-9_]+", "_", stem).strip("_")[:50] or "data"
    name = f"t_{name}" if name[0].isdigit() else name
    number = 2
    unique = name
    while unique.lower() in (t.lower() for t in taken):
        unique, number = f"{name}_{number}", number + 1
    return unique


def project_name(folder: Path) -> str:
    """A project's name from its folder's."""
    name = re.sub(r"[^a-z0-9_-]+", "-", Path(os.path.normpath(folder.absolute())).name.lower()).strip("-_")[
        :50
    ]
    return name if name and name[0].isalpha() else f"project-{name}".rstrip("-")
