"""What changed from one version of a table to another: columns, rows by their key, values by column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

from evergreen.history.versions.matching import Pairing, comparable, pairing
from evergreen.tables.connection import explained
from evergreen.tables.names import missing_column
from evergreen.tables.parquet import columns, count, scan
from evergreen.tables.rowkeys import named, shown
from evergreen.tables.sql import identifier

_SAMPLES = 5
# So many columns are compared in one pass: what a pass keeps by column stays small.
_COLUMNS_A_PASS = 60


@dataclass(frozen=True)
class ColumnChange:
    """A column that is only in one of the two, or of another type; the absent side's type is empty."""

    name: str
    before: str
    after: str

    @property
    def change(self) -> Literal["added", "removed", "retyped"]:
        """What happened to it."""
        return "retyped" if self.before and self.after else "added" if self.after else "removed"


@dataclass(frozen=True)
class RowChange:
    """One row that changed, named by its key (or its values); `column` is empty for a whole row."""

    change: Literal["added", "removed", "changed"]
    key: str
    column: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Changes:
    """The difference of two tables.

    Attributes:
        before: Rows of the first.
        after: Rows of the second.
        key: The columns that named the rows; empty: whole rows were compared, and none can be `changed`.
        columns: Columns added, removed and retyped.
        added: Rows that only the second has.
        removed: Rows that only the first has.
        changed: Rows of both whose values differ, in a column that both have.
        by_column: How many rows differ, for each column that does; the most first.
        samples: Some rows of each kind, in order of their keys.
        remark: Why no key was used, where one was asked for or known.
    """

    before: int
    after: int
    key: tuple[str, ...]
    columns: tuple[ColumnChange, ...]
    added: int
    removed: int
    changed: int
    by_column: Mapping[str, int]
    samples: tuple[RowChange, ...]
    remark: str = ""

    @property
    def same(self) -> bool:
        """Whether nothing changed."""
        return not (self.columns or self.added or self.removed or self.changed)

    def record(self) -> dict[str, Any]:
        """The difference as `--json` prints it."""
        return {
            "same": self.same,
            "rows": {"before": self.before, "after": self.after},
            "key": list(self.key),
            "columns": [
                {"name": c.name, "change": c.change, "before": c.before, "after": c.after}
                for c in self.columns
            ],
            "added": self.added,
            "removed": self.removed,
            "changed": self.changed,
            "by_column": dict(self.by_column),
            "samples": [vars(s) for s in self.samples],
            "remark": self.remark,
        }


def compare_tables(
    con: duckdb.DuckDBPyConnection, before: Path, after: Path, key: Sequence[str] = (), *, asked: bool = False
) -> Changes:
    """Compare two tables, streamed: DuckDB joins them by key and spills to disk past its memory.

    Without a key, or with one that repeats, whole rows are counted against each other by a 128-bit hash.

    Args:
        con: An open connection.
        before: The first Parquet file or folder.
        after: The second.
        key: Columns that name a row.
        asked: Whether a person named the key: then one that is missing is an error, not a remark.

    Raises:
        DataError: when a table cannot be read, or lacks a key column that was asked for.
    """
    old, new = columns(con, before), columns(con, after)
    for path, types in ((before, old), (after, new)):
        for name in key:
            if asked and name not in types:
                raise missing_column(str(path), name, types)
    key = tuple(name for name in key if name in old and name in new)
    shared = [c for c in new if c in old and c not in key]
    found = pairing(con, before, after, key, old, new) if key else None
    remark = ""
    if found is not None and found.repeated:
        remark = f"{found.repeated:,} rows repeat a key, so whole rows were compared"
    totals = (count(con, before), count(con, after))
    with explained("diff"):
        if found is None or found.repeated:
            whole = _whole(con, before, after, [*key, *shared], old, new)
            return Changes(*totals, (), _columns(old, new), *whole[:2], 0, {}, whole[2], remark)
        return _keyed(con, found, shared, totals, _columns(old, new))


def _columns(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[ColumnChange, ...]:
    gone = [ColumnChange(c, t, "") for c, t in old.items() if c not in new]
    came = [ColumnChange(c, "", t) for c, t in new.items() if c not in old]
    other = [ColumnChange(c, old[c], t) for c, t in new.items() if c in old and old[c] != t]
    return (*came, *gone, *other)


def _keyed(
    con: duckdb.DuckDBPyConnection,
    pairs: Pairing,
    shared: Sequence[str],
    totals: tuple[int, int],
    changes: tuple[ColumnChange, ...],
) -> Changes:
    by_column: dict[str, int] = {}
    differs = {c: _differs(pairs, c) for c in shared}
    matched = changed = 0
    for start in range(0, max(1, len(shared)), _COLUMNS_A_PASS):
        some = shared[start : start + _COLUMNS_A_PASS]
        rest = shared if start == 0 else ()
        anything = " OR ".join(differs[c] for c in rest) or "FALSE"
        items = [
            "count(*)",
            f"count(*) FILTER ({anything})",
            *(f"count(*) FILTER ({differs[c]})" for c in some),
        ]
        row = con.execute(f"SELECT {', '.join(items)} FROM {pairs.joined}").fetchall()[0]
        if start == 0:
            matched, changed = int(row[0]), int(row[1])
        by_column |= {c: int(n) for c, n in zip(some, row[2:], strict=True) if n}
    ranked = dict(sorted(by_column.items(), key=lambda item: (-item[1], item[0])))
    added, removed = totals[1] - matched, totals[0] - matched
    samples = _samples(con, pairs, ranked, differs, added, removed)
    return Changes(*totals, pairs.key, changes, added, removed, changed, ranked, tuple(samples))


def _differs(pairs: Pairing, column: str) -> str:
    left, right = comparable(column, pairs.before_types[column], pairs.after_types[column])
    return f"({left} IS DISTINCT FROM {right})"


def _samples(
    con: duckdb.DuckDBPyConnection,
    pairs: Pairing,
    by_column: Mapping[str, int],
    differs: Mapping[str, str],
    added: int,
    removed: int,
) -> list[RowChange]:
    found: list[RowChange] = []
    for change, rows, query in (
        ("added", added, pairs.only("after")),
        ("removed", removed, pairs.only("before")),
    ):
        if rows:
            names = pairs.fetch(con, query, _SAMPLES)
            found += [RowChange(change, name) for name, *_ in names]  # type: ignore[arg-type]
    for column in by_column:
        name = identifier(column)
        query = (
            f"SELECT {pairs.key_items('b')}, b.{name}, a.{name} FROM {pairs.joined} WHERE {differs[column]}"
        )
        found += [
            RowChange("changed", key, column, shown(old), shown(new))
            for key, old, new in pairs.fetch(con, query, _SAMPLES)
        ]
    return found


def _whole(
    con: duckdb.DuckDBPyConnection,
    before: Path,
    after: Path,
    shared: Sequence[str],
    old: Mapping[str, str],
    new: Mapping[str, str],
) -> tuple[int, int, tuple[RowChange, ...]]:
    """Rows added and removed when rows have no name: as often as a row stands more often on one side."""
    if not shared:
        return count(con, after), count(con, before), ()
    values = [comparable(c, old[c], new[c]) for c in shared]
    sides = [", ".join(value[i] for value in values) for i in (0, 1)]
    one = (
        f"SELECT hash({sides[0]}) AS h, hash('evergreen', {sides[0]}) AS g, -1 AS n FROM {scan(before)} AS b"
    )
    two = f"SELECT hash({sides[1]}) AS h, hash('evergreen', {sides[1]}) AS g, 1 AS n FROM {scan(after)} AS a"
    con.execute(
        "CREATE OR REPLACE TEMP TABLE evergreen_changed AS SELECT h, g, sum(n)::BIGINT AS n "
        f"FROM ({one} UNION ALL {two}) GROUP BY h, g HAVING sum(n) <> 0"
    )
    total = con.execute(
        "SELECT sum(n) FILTER (n > 0), -sum(n) FILTER (n < 0) FROM evergreen_changed"
    ).fetchall()[0]
    samples: list[RowChange] = []
    names = ", ".join(identifier(c) for c in shared[:8])
    for change, sign, query in (("added", ">", two), ("removed", "<", one)):
        picked = query.replace(" AS n FROM ", f" AS n, {names} FROM ", 1)
        rows = con.execute(
            f"SELECT {names} FROM ({picked}) AS t WHERE EXISTS (SELECT 1 FROM evergreen_changed AS c "
            f"WHERE c.h = t.h AND c.g = t.g AND c.n {sign} 0) ORDER BY ALL LIMIT {_SAMPLES}"
        ).fetchall()
        texts = [named(shared[:8], row) for row in rows]
        samples += [RowChange(change, text) for text in texts]  # type: ignore[arg-type]
    con.execute("DROP TABLE evergreen_changed")
    return int(total[0] or 0), int(total[1] or 0), tuple(samples)
