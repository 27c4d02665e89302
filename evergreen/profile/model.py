"""The profile of a table as plain frozen data: what validation, skew and monitoring all compare with.

A profile's *layout* (bin edges and listed values) is frozen when a reference table is profiled; every later
table is counted into the same layout, so counts are exact and add up across shards (docs/adr/0005).
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

from evergreen.errors import DataError
from evergreen.profile.counting.sketch import Sketch

Family = Literal["number", "boolean", "time", "text", "other"]
Role = Literal["feature", "label", "key", "time"]
Scalar = bool | int | float | str
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
class Bins:
    """Exact counts between ascending edges: `counts[i]` rows lie in (edges[i-1], edges[i]].

    The first and the last bin are open; `numpy.searchsorted(edges, x)` gives the bin of x.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Numbers:
    """The finite values of a column; of a timestamp or date, its seconds since 1970 (UTC).

    `m2` is the sum of squared deviations from the mean; None past the range of a double. `bins` have at most
    20 edges, at the reference's quantiles, and serve the distances; `histogram` has edges of equal
    width and serves the eye.
    """

    count: int
    zeros: int
    negative: int
    nan: int
    positive_infinite: int
    negative_infinite: int
    minimum: int | float | None
    maximum: int | float | None
    mean: float | None
    m2: float | None
    bins: Bins
    histogram: Bins

    @property
    def std(self) -> float | None:
        """The population standard deviation; None for no rows or where it cannot be told."""
        if not self.count or self.m2 is None:
            return None
        return math.sqrt(max(self.m2, 0.0) / self.count)


@dataclass(frozen=True)
class Values:
    """Exact counts of the listed values, most frequent first, and of all others together.

    `complete`: the list held every value of the reference, so `other` counts values the reference never had.
    """

    items: tuple[tuple[Scalar, int], ...]
    other: int
    complete: bool


@dataclass(frozen=True)
class Lengths:
    """Lengths of texts in characters; `total` over all rows, `empty` counts texts of length zero."""

    minimum: int | None
    maximum: int | None
    total: int
    empty: int


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
        lengths: For text.
        values: For booleans, text, and numbers with few values; None where they are not listed (keys, prose).
        sketch: Of the distinct valid values; None where it cannot be told.
        unique: Whether no valid value stands twice; None when it was not looked at.
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

    @property
    def family(self) -> Family:
        """Which statistics the column has."""
        return FAMILIES.get(self.type, "other")

    @property
    def valid(self) -> int:
        """Rows that are neither missing nor invalid."""
        return self.rows - self.missing - self.invalid

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
    """

    rows: int
    columns: tuple[Column, ...]
    hashing: str = ""
    slices: tuple[Slice, ...] = ()
    key: tuple[str, ...] = ()
    format: Literal[1] = 1

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
    return (column.name, column.type, column.role, edges, listed, values.complete if values else None)
