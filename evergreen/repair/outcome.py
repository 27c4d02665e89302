"""What became of one value."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol

from evergreen.project.model import ColumnType

Value = bool | int | float | str | datetime | date | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One value, read.

    Attributes:
        value: What it is; None for a missing one, and for one that cannot be repaired.
        rule: What was done; empty when it stands as it was written.
        reason: Why it cannot be repaired; empty when it can.
        face: What the way it is written says on its own (a number in the column's unit, seconds since 1970,
            or a text); None when it takes a word, a synonym or the meaning of "empty" to know. The
            distribution of these is what the repaired one is held to.
    """

    value: Value = None
    rule: str = ""
    reason: str = ""
    face: float | str | None = None


MISSING = Outcome(rule="empty")


class Reader(Protocol):
    """Reads the values of one column.

    Attributes:
        type: What it makes of them.
        words: Whether the usual spellings of "no value" are known to be no words of this column.
    """

    @property
    def type(self) -> ColumnType:
        """What it makes of a value."""
        ...

    @property
    def words(self) -> bool:
        """Whether the usual spellings of "no value" are known."""
        ...

    def read(self, text: str) -> Outcome:
        """One value that is not empty."""
        ...

    def fast(self, text_sql: str) -> str:
        """SQL for the value of a text that stands as it should, NULL for every other; empty: none does."""
        ...


@dataclass(frozen=True)
class Doubt:
    """What the column leaves open.

    Attributes:
        rule: Such as `decimal sign`.
        reason: One sentence with the remedy.
        count: Rows in doubt.
        severe: Whether values were not read for it; else it was settled as the reason says.
        examples: Some of the values.
    """

    rule: str
    reason: str
    count: int = 0
    severe: bool = True
    examples: tuple[str, ...] = ()


Counts = Mapping[str, int]
Sign = Literal[".", ","]
