"""From a first look at a table to the layout of each column: a fixed sample of rows gives the edges."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from evergreen.profile.counting.aggregates import ranked, value_counts
from evergreen.profile.counting.layout import (
    DISCRETE,
    FREQUENT,
    LISTED,
    LONGEST,
    ColumnLayout,
    layout_of,
    number_layout,
)
from evergreen.profile.counting.reading import BATCH, Reader
from evergreen.profile.model import Profile, Role, Scalar
from evergreen.tables import identifier

SAMPLE_ROWS = 100_000
# HyperLogLog is off by a few per cent; columns near a limit are counted to be sure.
_ROOM = 1.2
# Of very many texts, those that make up this share of the sample are listed.
_FREQUENT_SHARE = 0.001


class Planner:
    """Makes the layouts of a table's columns; the reference's layout where it has the column.

    The sample is chosen by row number within each file (a Weyl sequence: evenly spread, not periodic), so the
    same files give the same edges on every machine.

    Attributes:
        counted: Exact counts by value that the planning needed, for columns whose layout lists them all.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, relation: str, rows: int, roles: Mapping[str, Role]
    ) -> None:
        self._con = con
        self._relation = relation
        self._rows = rows
        self._roles = roles
        self.counted: dict[str, dict[Scalar, int]] = {}

    def layouts(
        self, columns: Sequence[Reader], surveys: Sequence[Mapping[str, Any]], reference: Profile | None
    ) -> list[ColumnLayout]:
        """One layout for each column."""
        known = {
            r.name: layout_of(reference.by_name[r.name])
            for r in columns
            if reference and r.name in reference.by_name and reference.by_name[r.name].family == r.family
        }
        names = [r.name for r in columns]
        fresh = [(r, s) for r, s in zip(columns, surveys, strict=True) if r.name not in known]
        for reader, survey in fresh:
            if self._may_be_listed(reader, survey):
                self._list(reader, DISCRETE if reader.family == "number" else LISTED)
        numeric = [r for r, _ in fresh if r.family in ("number", "time") and r.name not in self.counted]
        samples = self._samples(numeric, names)
        own = {r.name: self._own(r, s, samples, names) for r, s in fresh}
        return [known[name] if name in known else own[name] for name in names]

    def _watched(self, reader: Reader) -> bool:
        return self._roles.get(reader.name) not in ("key", "time")

    def _may_be_listed(self, reader: Reader, survey: Mapping[str, Any]) -> bool:
        if reader.family not in ("number", "text") or not survey["present"] or not self._watched(reader):
            return False
        limit = DISCRETE if reader.family == "number" else LISTED
        return survey["estimate"] <= limit * _ROOM and not _long(survey)

    def _list(self, reader: Reader, limit: int) -> None:
        found = value_counts(self._con, self._relation, reader).get(None, {})
        if len(found) <= limit:
            self.counted[reader.name] = found

    def _own(
        self, reader: Reader, survey: Mapping[str, Any], samples: Mapping[str, NDArray[np.float64]],
        names: Sequence[str],
    ) -> ColumnLayout:  # fmt: skip
        counts = self.counted.get(reader.name)
        if reader.family == "boolean":
            return ColumnLayout(values=(False, True), complete=True)
        if reader.family == "text":
            if counts is not None:
                return ColumnLayout(values=tuple(sorted(map(str, counts))), complete=True)
            return self._frequent(reader, survey, names)
        if counts:
            return number_layout(np.empty(0), False, sorted(counts))
        if reader.family == "other":
            return ColumnLayout()
        sample = samples.get(reader.name, np.empty(0))
        return number_layout(sample, bool(np.all(sample == np.floor(sample))), None)

    def _frequent(self, reader: Reader, survey: Mapping[str, Any], names: Sequence[str]) -> ColumnLayout:
        """The layout of a text with more values than can be listed, or with none."""
        if not survey["present"]:
            return ColumnLayout(values=(), complete=True)
        if not self._watched(reader) or _long(survey):
            return ColumnLayout()
        sampled = f"(SELECT * FROM {self._sampled(names)})"
        least = max(2, round(min(self._rows, SAMPLE_ROWS) * _FREQUENT_SHARE))
        found = value_counts(self._con, sampled, reader, least=least).get(None, {})
        return ColumnLayout(values=tuple(v for v, _ in ranked(found)[:FREQUENT]), complete=False)

    def _samples(self, columns: Sequence[Reader], names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        samples: dict[str, NDArray[np.float64]] = {}
        for start in range(0, len(columns), BATCH):
            batch = columns[start : start + BATCH]
            inputs = ", ".join(f"{r.double} AS d_{i}" for i, r in enumerate(batch))
            found = self._con.execute(f"SELECT {inputs} FROM {self._sampled(names)}").fetchnumpy()
            for i, reader in enumerate(batch):
                samples[reader.name] = np.sort(np.ma.compressed(found[f"d_{i}"]).astype(np.float64)) + 0.0
        return samples

    def _sampled(self, names: Sequence[str]) -> str:
        """SQL after FROM: the relation restricted to the sample."""
        if self._rows <= SAMPLE_ROWS:
            return self._relation
        number, relation = "file_row_number", self._relation
        if any(n.lower() == number for n in names):
            # The table has a column of that name, which hides Parquet's row number.
            number = next(
                f"row {i}" for i in range(len(names) + 1) if f"row {i}" not in map(str.lower, names)
            )
            relation = f"(SELECT *, row_number() OVER () AS {identifier(number)} FROM {relation})"
        below = 2**32 * SAMPLE_ROWS // self._rows
        return f"{relation} WHERE ({identifier(number)} * 2654435761) % 4294967296 < {below}"


def _long(survey: Mapping[str, Any]) -> bool:
    return bool(survey.get("total", 0) > LONGEST * survey["present"])
