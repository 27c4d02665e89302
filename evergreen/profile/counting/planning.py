"""The layout of each column: the reference's where there is one, else from a fixed sample of the rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
from evergreen.profile.counting.moments import Scale
from evergreen.profile.counting.reading import Reader
from evergreen.profile.counting.rows import Rows
from evergreen.profile.counting.shapes import SHAPED_ROWS, frequent_shapes
from evergreen.profile.model import Column, Profile, Role, Scalar

# The sample sees nearly all values of a column with few; such are counted in full to be sure.
_ROOM = 1.2
# Of very many texts, those that make up this share of the sample are listed.
_FREQUENT_SHARE = 0.001
# Columns of the sample that are in memory at once.
_COLUMNS = 4
# Longer texts are not kept in the sample.
_KEPT = 256


@dataclass(frozen=True)
class Plan:
    """How one column is counted.

    Attributes:
        reader: The column.
        role: What it is to the project.
        layout: Its edges, listed values and shapes.
        scale: The frame of its sums; None where no number is expected.
        distinct: About how many distinct values are expected; None where nothing is known.
        counts: By value over the whole table, where all of its values are listed.
    """

    reader: Reader
    role: Role
    layout: ColumnLayout
    scale: Scale | None = None
    distinct: float | None = None
    counts: Mapping[Scalar, int] | None = None


@dataclass(frozen=True)
class _Sampled:
    """What the sample knows of a column: its rows with a value, and their distinct values by frequency.

    Attributes:
        valid: Rows with a value.
        distinct: Distinct values.
        once: Values that occur once.
        twice: Values that occur twice.
        length: Mean length of texts.
        numbers: The values in ascending order, for numbers and times.
    """

    valid: int
    distinct: int
    once: int
    twice: int
    length: float = 0.0
    numbers: NDArray[np.float64] | None = None

    def expected(self, rows: int, sampled: int) -> float:
        """About how many distinct values all `rows` rows hold.

        Chao's estimate, d + f₁²/2(f₂ + 1): "Nonparametric estimation of the number of classes in a
        population", 1984; at most as many as there are rows with a value.
        """
        if sampled >= rows:
            return float(self.distinct)
        most = self.valid * rows / max(1, sampled)
        return min(most, self.distinct + self.once**2 / (2 * (self.twice + 1)))


def plans_for(
    con: duckdb.DuckDBPyConnection, rows: Rows, columns: Sequence[Reader], roles: Mapping[str, Role],
    reference: Profile | None,
) -> list[Plan]:  # fmt: skip
    """One plan for each column, the same in every shard of a table.

    A column that the reference has, of the same family, is counted in its layout, and needs no sample. Of the
    others a sample gives edges and frequent values; columns with few values are counted by value over the
    whole table, so that the list is known to be complete.
    """
    known = {c.name: c for c in reference.columns} if reference else {}
    made: dict[str, Plan] = {}
    fresh = []
    for reader in columns:
        role, old = roles.get(reader.name, "feature"), known.get(reader.name)
        if old and old.family == reader.family:
            made[reader.name] = _like(reader, role, old)
        elif reader.family == "boolean":
            made[reader.name] = Plan(reader, role, ColumnLayout(values=(False, True), complete=True))
        elif reader.family == "other":
            made[reader.name] = Plan(reader, role, ColumnLayout())
        else:
            fresh.append(reader)
    for start in range(0, len(fresh), _COLUMNS):
        batch = _Batch(con, rows, fresh[start : start + _COLUMNS])
        for index, reader in enumerate(batch.columns):
            made[reader.name] = batch.plan(index, roles.get(reader.name, "feature"))
        batch.close()
    return [made[reader.name] for reader in columns]


def _like(reader: Reader, role: Role, old: Column) -> Plan:
    scale = Scale.like(old.numbers) if old.numbers else None
    distinct = float(old.sketch.distinct) if old.sketch else None
    return Plan(reader, role, layout_of(old), scale, distinct)


class _Batch:
    """Some columns of the sample, held in memory while their layouts are made."""

    def __init__(self, con: duckdb.DuckDBPyConnection, rows: Rows, columns: Sequence[Reader]) -> None:
        self.columns = columns
        self._con = con
        self._rows = rows
        picked = ", ".join(_kept(i, r) for i, r in enumerate(columns))
        table = con.sql(f"SELECT {picked} FROM {rows.sample(rows.whole)}").to_arrow_table()
        con.register("sample", table)
        self._size = table.num_rows

    def close(self) -> None:
        """Let go of the sample."""
        self._con.unregister("sample")

    def plan(self, index: int, role: Role) -> Plan:
        """The plan for one of the columns."""
        reader = self.columns[index]
        seen = self._numbers(index) if reader.family in ("number", "time") else self._texts(index)
        counts = self._counted(reader, role, seen)
        layout = self._layout(index, role, seen, counts)
        distinct = len(counts) if counts is not None else seen.expected(self._rows.total, self._size)
        return Plan(reader, role, layout, _scale(seen, layout, counts), float(distinct), counts)

    def _numbers(self, index: int) -> _Sampled:
        found = self._con.execute(f"SELECT c{index} AS v FROM sample").fetchnumpy()["v"]
        values = np.sort(np.ma.compressed(found).astype(np.float64)) + 0.0
        counts = np.unique_counts(values).counts
        once, twice = (int(np.count_nonzero(counts == n)) for n in (1, 2))
        return _Sampled(len(values), len(counts), once, twice, numbers=values)

    def _texts(self, index: int) -> _Sampled:
        query = (
            f"SELECT coalesce(sum(n), 0), count(*), count_if(n = 1), count_if(n = 2) FROM "
            f"(SELECT count(*) AS n FROM sample WHERE l{index} IS NOT NULL GROUP BY c{index})"
        )
        valid, distinct, once, twice = self._con.execute(query).fetchall()[0]
        length = self._con.execute(f"SELECT coalesce(sum(l{index}), 0) FROM sample").fetchall()[0][0]
        return _Sampled(int(valid), distinct, once, twice, length / max(1, int(valid)))

    def _counted(self, reader: Reader, role: Role, seen: _Sampled) -> dict[Scalar, int] | None:
        """Counts by value over the whole table, where the sample shows few values and it is so."""
        limit = {"number": DISCRETE, "text": LISTED}.get(reader.family)
        if limit is None or role in ("key", "time") or seen.length > LONGEST or seen.distinct > limit * _ROOM:
            return None
        found = value_counts(self._con, self._rows.whole, reader).get(None, {})
        return found if len(found) <= limit else None

    def _layout(
        self, index: int, role: Role, seen: _Sampled, counts: Mapping[Scalar, int] | None
    ) -> ColumnLayout:
        if self.columns[index].family == "text":
            return self._text_layout(index, role, seen, counts)
        if counts:
            return number_layout(np.empty(0), False, sorted(counts))
        sample = seen.numbers if seen.numbers is not None else np.empty(0)
        return number_layout(sample, bool(np.all(sample == np.floor(sample))), None)

    def _text_layout(
        self, index: int, role: Role, seen: _Sampled, counts: Mapping[Scalar, int] | None
    ) -> ColumnLayout:
        if counts is not None:
            return ColumnLayout(values=tuple(sorted(map(str, counts))), complete=True)
        if not seen.valid or seen.length > LONGEST:
            return ColumnLayout()
        shapes = frequent_shapes(self._con, f"SELECT c{index} AS v FROM sample LIMIT {SHAPED_ROWS}")
        if role in ("key", "time"):
            return ColumnLayout(shapes=shapes)
        least = max(2, round(self._size * _FREQUENT_SHARE))
        query = (
            f"SELECT c{index} AS v, count(*) AS n FROM sample WHERE c{index} IS NOT NULL "
            f"GROUP BY v HAVING n >= {least}"
        )
        found = ranked(dict(self._con.execute(query).fetchall()))
        return ColumnLayout(values=tuple(v for v, _ in found[:FREQUENT]), complete=False, shapes=shapes)


def _kept(index: int, reader: Reader) -> str:
    if reader.family in ("number", "time"):
        return f"{reader.double} AS c{index}"
    short = f"CASE WHEN length({reader.value}) <= {_KEPT} THEN {reader.value} END"
    return f"{short} AS c{index}, length({reader.value}) AS l{index}"


def _scale(seen: _Sampled, layout: ColumnLayout, counts: Mapping[Scalar, int] | None) -> Scale | None:
    if seen.numbers is None or (not len(seen.numbers) and not counts):
        return None
    values = sorted(float(v) for v in counts) if counts else seen.numbers
    low, high = float(values[0]), float(values[-1])
    middle = layout.edges[len(layout.edges) // 2] if layout.edges else low / 2 + high / 2
    return Scale.of(low, high, middle)


def replanned(plan: Plan, minimum: float, maximum: float) -> Plan:
    """The plan with a frame for values that lie outside of the old one."""
    return replace(plan, scale=Scale.of(minimum, maximum, minimum / 2 + maximum / 2, room=0))
