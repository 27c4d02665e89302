"""The errors of Evergreen, and the exit code that each of them ends a command with.

Exit codes: 0 success, 1 a gate said no (`GateStopped`), 2 bad input (`InputError`), 3 a fault (the rest).
"""

from collections.abc import Sequence
from dataclasses import dataclass


class EvergreenError(Exception):
    """Base of every error that Evergreen raises on purpose."""

    exit_code = 3


class InputError(EvergreenError):
    """What a person or a source gave cannot be used; the message says what to do about it.

    Args:
        where: The file, column, field or URI that is at fault.
        found: What was found there.
        expected: What was expected instead; may be empty when `found` says it all.
        remedy: What to do, as a full sentence; may be empty.
    """

    exit_code = 2

    def __init__(self, where: str, found: str, expected: str = "", remedy: str = "") -> None:
        self.where, self.found, self.expected, self.remedy = where, found, expected, remedy
        text = f"{where}: {found}"
        if expected:
            text += f"; expected {expected}"
        if remedy:
            text += f". {remedy}"
        super().__init__(text)


@dataclass(frozen=True)
class Problem:
    """One fault of a project file: `line` counts from 1 (0 when it has no line of its own)."""

    line: int
    field: str
    found: str
    expected: str
    suggestion: str = ""

    def __str__(self) -> str:
        text = f"line {self.line}: {self.field}: {self.found}; expected {self.expected}"
        return f"{text}. {self.suggestion}" if self.suggestion else text


class ProjectError(InputError):
    """A project file with one or more faults; `problems` holds all of them, in the order of the file."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        many = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__(file, many + "".join(f"\n  {p}" for p in self.problems))


class DataError(InputError):
    """A table that cannot be used as it is: missing, empty, corrupt, or against what the project says."""


class StorageError(InputError):
    """An object store that refuses: wrong credentials, no such bucket, no room, not reachable."""


class NotFoundError(StorageError):
    """Nothing is stored under that key or URI."""


class ConflictError(EvergreenError):
    """A compare-and-swap lost: someone else wrote the object first. Read again and decide anew."""


class BundleError(InputError):
    """A model bundle that must not be loaded: a changed byte, a missing file, a type that is not trusted."""


class GateStopped(EvergreenError):
    """A gate in mode `fail` said no. The message is the reason, on one line."""

    exit_code = 1


class Fault(EvergreenError):
    """Something of ours, or of the platform, failed; not the caller's doing."""
