"""A proposed policy, and what it is proposed from."""

from dataclasses import dataclass

from evergreen.project.model import RepairPolicy
from evergreen.repair.sample import Look

ENOUGH = 0.9
"""Share of the rows that a repair must be able to read before it is proposed."""


@dataclass(frozen=True)
class Proposal:
    """A policy for a column, and why.

    Attributes:
        policy: The policy.
        why: One sentence.
        readable_before: Share of the rows (blanks apart) that were readable as the type before.
        readable_after: The share with the policy, estimated from the values looked at.
        only_empty: Whether all it does is to read spellings of "no value", which ingestion does too.
        merges: Whether different spellings become one value, or values change their type.
        hints: What a person may want to decide.
    """

    policy: RepairPolicy
    why: str
    readable_before: float
    readable_after: float
    only_empty: bool = False
    merges: bool = True
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rest:
    """The values that are neither plain numbers nor spellings of "no value".

    Attributes:
        look: What the column holds.
        values: Those that were looked at, with their rows.
        empty: Rows of them that spell "no value".
    """

    look: Look
    values: tuple[tuple[str, int], ...]
    empty: int

    @property
    def unseen(self) -> float:
        """By how much the rows of the values looked at stand for all."""
        seen, look = self.empty + sum(n for _, n in self.values), self.look
        every = look.rows - look.plain - (look.iso if look.iso == look.rows - look.plain else 0)
        return max(1.0, every / seen) if seen else 1.0

    @property
    def rows(self) -> int:
        """Rows with such a value, estimated where not all were looked at."""
        return self.scaled(sum(n for _, n in self.values))

    def scaled(self, rows: int) -> int:
        """Rows of the values looked at, as rows of the table."""
        return round(rows * self.unseen)

    @property
    def total(self) -> int:
        """Those and the plain numbers."""
        return self.look.plain + self.rows
