"""The profile of a table as plain frozen data: what validation, skew and monitoring all compare with.

A profile's *layout* (bin edges and listed values) is frozen when a reference table is profiled; every later
table is counted into the same layout, so counts are exact and add up across shards (docs/adr/0005).
"""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Literal

import msgspec

from evergreen.errors import DataError
from evergreen.profile.counting.sketch import Sketch
from evergreen.profile.parts import (
    Bins,
    Lengths,
    Numbers,
    Quantile,
    Scalar,
    Shapes,
    Sums,
    Values,
    shape,
)
from evergreen.profile.traits.model import Traits

__all__ = [
    "FAMILIES", "FORMAT", "ROLES", "Bins", "Column", "Family", "Lengths", "Numbers", "Profile", "Quantile",
    "Role", "Scalar", "Shapes", "Slice", "Sums", "Values",
]  # fmt: skip

Family = Literal["number", "boolean", "time", "text", "other"]
Role = Literal["feature", "label", "key", "time"]
ROLES: tuple[Role, ...] = ("feature", "label", "key", "time")
FORMAT = 1

FAMILIES: Mapping[str, Family] = {
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "timestamp": "time",
    "date": "time",
    "text": "text",
}


@dataclass(frozen=True)
class Column:
    """One column of a profile.

    Attributes:
        name: As in the table.
        type: One of `evergreen.tables.kinds`; `nested` columns are only counted.
        role: What the column is to the project.
        rows: All rows.
        missing: Rows with NULL.
        invalid: Rows with NaN or an infinity, told apart in `numbers`.
        numbers: For numbers, timestamps and dates.
        lengths: For text, and for lists.
        values: For booleans, text, and numbers with few values; None where they are not listed (keys, prose).
        sketch: Of the distinct valid values; None where it cannot be told.
        unique: Whether no valid value stands twice; None when it was not looked at.
        shapes: For text whose values are not all listed; see `written`.
        week: For timestamps and dates: rows by hour of the week, from Monday 0:00 (UTC), 168 of them.
        elements: For lists: all their elements together, as a column of their own.
    """

    name: str
    type: str
    role: Role
    rows: int
    missing: int
    invalid: int
    numbers: Numbers | None = None
    lengths: Lengths | None = None
    values: Values | None = None
    sketch: Sketch | None = None
    unique: bool | None = None
    shapes: Shapes | None = None
    week: tuple[int, ...] | None = None
    elements: "Column | None" = None

    @property
    def written(self) -> Shapes | None:
        """The shapes of a text: exact over all rows where all values are listed, else those of the sample."""
        if self.family != "text" or self.shapes or not self.values or not self.values.complete:
            return self.shapes
        counts: Counter[str] = Counter()
        for value, n in self.values.items:
            counts[shape(str(value))] += n
        ranked = sorted(((s, n) for s, n in counts.items() if n), key=lambda item: (-item[1], item[0]))
        return Shapes(self.valid, tuple(ranked), self.values.other)

    @property
    def family(self) -> Family:
        """Which statistics the column has."""
        return FAMILIES.get(self.type, "other")

    @property
    def valid(self) -> int:
        """Rows that are neither missing nor invalid."""
        return self.rows - self.missing - self.invalid

    def quantile(self, share: float) -> Quantile | None:
        """The smallest valid number or time that `share` of them do not exceed, with certain bounds.

        Exact where every value is listed, else see `Numbers.quantile`; None where there is none.
        """
        listed = self.values
        if not self.numbers or not listed or not listed.complete or listed.other or not self.valid:
            found = self.numbers.quantile(share) if self.numbers else None
            whole = found and self.type == "integer" and abs(found.value) < 2**53
            return replace(found, value=float(math.ceil(found.value))) if found and whole else found
        counts = sorted((float(v), n) for v, n in listed.items if n)
        reached = accumulate(n for _, n in counts)
        wanted = min(max(share, 0.0), 1.0) * self.valid
        value = next((v for (v, _), n in zip(counts, reached, strict=True) if n >= wanted), counts[-1][0])
        return Quantile(value, value, value)

    @property
    def missing_share(self) -> float:
        """The share of rows without a value; 0 for an empty table."""
        return self.missing / self.rows if self.rows else 0.0

    @property
    def constant(self) -> bool:
        """Whether all valid rows hold one and the same value, and nothing is missing or invalid."""
        return self.rows == self.valid > 0 and self.sketch is not None and self.sketch.exact == 1


@dataclass(frozen=True)
class Slice:
    """The profile of the rows with one value (or range) of one column, in the whole table's layout."""

    name: str
    profile: "Profile"


@dataclass(frozen=True)
class Profile:
    """A table's frozen profile.

    Attributes:
        rows: All rows.
        columns: In the table's order.
        hashing: Names the hash function of the sketches; empty when sketches of several were put together.
        slices: Profiles of parts of the table.
        key: Columns found to be unique together: those of role key, with the time where it takes that.
        format: The version of this structure.
        traits: How values are written and what goes with what, on a sample; None where it was not observed.
    """

    rows: int
    columns: tuple[Column, ...]
    hashing: str = ""
    slices: tuple[Slice, ...] = ()
    key: tuple[str, ...] = ()
    format: Literal[1] = 1
    traits: Traits | None = None

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by their names."""
        return {c.name: c for c in self.columns}

    @property
    def label(self) -> Column | None:
        """The label's column, where there is one."""
        return next((c for c in self.columns if c.role == "label"), None)

    @cached_property
    def layout(self) -> str:
        """A digest of all edges and listed values; profiles of one layout can be merged."""
        return hashlib.sha256(repr([_layout(c) for c in self.columns]).encode()).hexdigest()

    def to_json(self) -> str:
        """Canonical text: the same profile gives the same bytes."""
        return msgspec.json.encode(self, order="deterministic").decode() + "\n"

    @staticmethod
    def from_json(text: str | bytes, where: str = "profile.json") -> "Profile":
        """Read what `to_json` wrote.

        Raises:
            DataError: when the text is no profile, or one of another format.
        """
        try:
            return msgspec.json.decode(text, type=Profile)
        except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
            remedy = "Make the profile again with this version of Evergreen."
            raise DataError(where, f"not a profile ({error})", f"format {FORMAT}", remedy) from error

    @staticmethod
    def read(path: Path) -> "Profile":
        """Read a profile from a file, or from `profile.json` in a folder.

        Raises:
            DataError: when there is none, or it cannot be read.
        """
        file = path / "profile.json" if path.is_dir() else path
        try:
            return Profile.from_json(file.read_bytes(), str(file))
        except FileNotFoundError:
            raise DataError(str(file), "no such file", "a profile") from None


def _layout(column: Column) -> tuple[object, ...]:
    numbers, values = column.numbers, column.values
    edges = (numbers.bins.edges, numbers.histogram.edges) if numbers else None
    listed = sorted(repr(v) for v, _ in values.items) if values else None
    own: tuple[object, ...] = (
        column.name,
        column.type,
        column.role,
        edges,
        listed,
        values.complete if values else None,
    )
    if column.shapes:
        own = (*own, sorted(s for s, _ in column.shapes.items))
    return (*own, _layout(column.elements)) if column.elements else own
