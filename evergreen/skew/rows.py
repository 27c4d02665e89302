"""Which serving row belongs to which training row: the same key at the same time, or shortly after it."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb

from evergreen.history.joins.join import EVENT, numbered
from evergreen.history.joins.spine import microseconds
from evergreen.skew.shift import Shift, find_shift
from evergreen.skew.tables import SkewTables, key_sql, moment_sql
from evergreen.tables.parquet import write_query
from evergreen.tables.sql import identifier

# The narrow tables of keys that rows are matched by: key texts are not copied past this step.
TRAINING, SERVING, MATCHED = "evergreen_training", "evergreen_serving", "evergreen_matched"
# Keys that match only once case, spaces and leading zeros are set aside count from this share of the rows.
_SPELLED = 0.01
_FEWEST = 5


@dataclass(frozen=True)
class Rows:
    """How the rows of the two tables were matched.

    Attributes:
        training: Rows of the training set.
        serving: Rows of the serving table.
        matched: Serving rows whose training row was found.
        close: Those among them that lie within the tolerance after their training row, not at its time.
        spelled: Those whose key is spelled otherwise (case, spaces, leading zeros).
        shift: By how much the serving table's clock is off, where it is; its rows are matched all the same.
        repeated: Serving rows beyond the one that the training set has for their key and time.
        ambiguous: Serving rows left out because the training set has several rows of their key and time.
        keyless: Serving rows without a key or time.
        known: Serving rows whose key the training set has, at any time.
    """

    training: int
    serving: int
    matched: int = 0
    close: int = 0
    spelled: int = 0
    shift: Shift | None = None
    repeated: int = 0
    ambiguous: int = 0
    keyless: int = 0
    known: int = 0

    @property
    def share(self) -> float:
        """The share of serving rows that were matched; 0 without rows."""
        return self.matched / self.serving if self.serving else 0.0


def match_rows(con: duckdb.DuckDBPyConnection, tables: SkewTables, tolerance: timedelta) -> Rows:
    """Match rows, and leave the numbers of those that belong together in the table `MATCHED`.

    Only keys, times and row numbers are held; DuckDB spills them past its memory. A key that stands in more
    than one training row at one time is left out: nobody can tell which of them is meant.

    Args:
        con: An open connection.
        tables: The two tables; with a key.
        tolerance: How much later than its training row a serving row may be.
    """
    _index(con, tables, TRAINING, tables.training)
    _index(con, tables, SERVING, tables.serving)
    keys = [f"k{i}" for i in range(len(tables.key))]
    same = ", ".join([*keys, *(["ts"] if tables.time else [])])
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {MATCHED} AS SELECT t.r AS tr, s.r AS sr FROM {TRAINING} AS t "
        f"JOIN {SERVING} AS s USING ({same}) WHERE t.n = 1"
    )
    close = _close(con, keys, microseconds(tolerance)) if tables.time and tolerance else 0
    shift = find_shift(con, keys, TRAINING, SERVING, MATCHED) if tables.time else None
    if shift is not None:
        _shifted(con, keys, shift)
    spelled = _spelled(con, tables, keys)
    return _counted(con, tables, keys, close, spelled, shift)


def _index(con: duckdb.DuckDBPyConnection, tables: SkewTables, name: str, path: Path) -> None:
    """Keys, time and row number; of the training set one row a key and time, with how many there are."""
    mine, other = tables.training_types, tables.serving_types
    if name == SERVING:
        mine, other = other, mine
    items = [f"{key_sql(c, mine[c], other[c])} AS k{i}" for i, c in enumerate(tables.key)]
    if tables.time:
        items.append(f"{moment_sql(tables.time)} AS ts")
    names = [*(f"k{i}" for i in range(len(tables.key))), *(["ts"] if tables.time else [])]
    groups, present = ", ".join(names), " AND ".join(f"{n} IS NOT NULL" for n in names)
    rows = f"SELECT {', '.join(items)}, {EVENT} AS r FROM {numbered(path)}"
    query = f"SELECT {groups}, r FROM ({rows}) WHERE {present}"
    if name == TRAINING:
        query = f"SELECT {groups}, count(*) AS n, min(r) AS r FROM ({query}) GROUP BY {groups}"
    con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")


def _equal(keys: list[str]) -> str:
    return " AND ".join(f"t.{k} = s.{k}" for k in keys)


def _take(con: duckdb.DuckDBPyConnection, condition: str) -> int:
    """Also match the rows that meet a condition, and no other serving row's; returns how many came."""
    row = con.execute(
        f"INSERT INTO {MATCHED} SELECT min(t.r), s.r FROM {TRAINING} AS t JOIN {_rest()} AS s "
        f"ON {condition} WHERE t.n = 1 GROUP BY s.r HAVING count(*) = 1"
    ).fetchall()[0]
    return int(row[0])


def _rest() -> str:
    """The serving rows that are not matched yet."""
    return f"(SELECT * FROM {SERVING} AS o WHERE NOT EXISTS (SELECT 1 FROM {MATCHED} AS m WHERE m.sr = o.r))"


def _shifted(con: duckdb.DuckDBPyConnection, keys: list[str], shift: Shift) -> None:
    """Match rows across a shifted clock; where most are off, those that met by chance part again."""
    before = con.execute(f"SELECT count(*) FROM {MATCHED}").fetchall()[0][0]
    condition = f"t.ts + {shift.microseconds} = s.ts AND {_equal(keys)}"
    if _take(con, condition) > before:
        con.execute(f"DELETE FROM {MATCHED}")
        _take(con, condition)


def _close(con: duckdb.DuckDBPyConnection, keys: list[str], tolerance: int) -> int:
    """Match each remaining serving row with the latest training row at most so long before it."""
    row = con.execute(
        f"INSERT INTO {MATCHED} SELECT t.r, s.r FROM {_rest()} AS s ASOF JOIN "
        f"(SELECT * FROM {TRAINING} WHERE n = 1) AS t ON {_equal(keys)} AND s.ts >= t.ts "
        f"WHERE s.ts - t.ts <= {tolerance}"
    ).fetchall()[0]
    return int(row[0])


def _spelled(con: duckdb.DuckDBPyConnection, tables: SkewTables, keys: list[str]) -> int:
    """Match rows whose key is the same but for case, spaces around it and leading zeros."""
    texts = [i for i, c in enumerate(tables.key) if tables.serving_types[c] == "VARCHAR"
             or tables.training_types[c] == "VARCHAR"]  # fmt: skip
    if not texts:
        return 0
    rest = con.execute(f"SELECT count(*) FROM {_rest()}").fetchall()[0][0]
    every = con.execute(f"SELECT count(*) FROM {SERVING}").fetchall()[0][0]
    least = max(_FEWEST, _SPELLED * every)
    if rest < least:
        return 0
    equal = [_plain(f"t.{k}") + " = " + _plain(f"s.{k}") if i in texts else f"t.{k} = s.{k}"
             for i, k in enumerate(keys)]  # fmt: skip
    equal += ["t.ts = s.ts"] if tables.time else []
    condition = " AND ".join(equal)
    found = con.execute(
        f"SELECT count(*) FROM (SELECT s.r FROM {TRAINING} AS t JOIN {_rest()} AS s ON {condition} "
        "WHERE t.n = 1 GROUP BY s.r HAVING count(*) = 1)"
    ).fetchall()[0][0]
    return _take(con, condition) if found >= least else 0


def _plain(value: str) -> str:
    return f"ltrim(lower(trim(CAST({value} AS VARCHAR))), '0')"


def _counted(
    con: duckdb.DuckDBPyConnection,
    tables: SkewTables,
    keys: list[str],
    close: int,
    spelled: int,
    shift: Shift | None,
) -> Rows:
    totals = [con.execute(f"SELECT count(*) FROM {numbered(p)}").fetchall()[0][0]
              for p in (tables.training, tables.serving)]  # fmt: skip
    keyed, most = con.execute(
        f"SELECT (SELECT count(*) FROM {SERVING}), (SELECT coalesce(max(n), 0) FROM {TRAINING})"
    ).fetchall()[0]
    same = ", ".join([*keys, *(["ts"] if tables.time else [])])
    several = f"SELECT {same} FROM {TRAINING} WHERE n > 1"
    ambiguous = con.execute(
        f"SELECT count(*) FROM {SERVING} SEMI JOIN ({several}) USING ({same})"
    ).fetchall()[0][0]
    repeated = 0
    if most == 1:
        distinct = f"SELECT DISTINCT {same} FROM {SERVING}"
        repeated = keyed - con.execute(f"SELECT count(*) FROM ({distinct})").fetchall()[0][0]
    matched = con.execute(f"SELECT count(*) FROM {MATCHED}").fetchall()[0][0]
    known = con.execute(
        f"SELECT count(*) FROM {SERVING} AS s SEMI JOIN {TRAINING} AS t ON {_equal(keys)}"
    ).fetchall()[0][0]
    return Rows(
        training=int(totals[0]), serving=int(totals[1]), matched=int(matched), close=close, spelled=spelled,
        shift=shift, repeated=int(repeated), ambiguous=int(ambiguous), keyless=int(totals[1]) - int(keyed),
        known=int(known),
    )  # fmt: skip


def write_pairs(con: duckdb.DuckDBPyConnection, tables: SkewTables, target: Path) -> int:
    """Write the matched rows side by side: k0… (key), t (serving time), tr, a0… (training), b0… (serving)."""
    left = ", ".join(f"{identifier(f.name)} AS a{f.index}" for f in tables.features)
    right = ", ".join(f"{identifier(f.name)} AS b{f.index}" for f in tables.features)
    names = [f"{identifier(c)} AS k{i}" for i, c in enumerate(tables.key)]
    names += [f"{identifier(tables.time)} AS t"] if tables.time else []
    query = (
        f"SELECT s.* EXCLUDE (sr), m.tr, t.* EXCLUDE (tr) FROM {MATCHED} AS m "
        f"JOIN (SELECT {EVENT} AS sr, {', '.join(names)}, {right} FROM {numbered(tables.serving)}) AS s "
        f"USING (sr) JOIN (SELECT {EVENT} AS tr, {left} FROM {numbered(tables.training)}) AS t USING (tr)"
    )
    return write_query(con, query, target, where=str(tables.serving))


def write_unmatched(con: duckdb.DuckDBPyConnection, tables: SkewTables, target: Path) -> int:
    """Write the serving rows that have no training row, with their key, time and features."""
    names = dict.fromkeys([*tables.key, *([tables.time] if tables.time else [])])
    wanted = [*names, *(f.name for f in tables.features if not f.other_type)]
    matched = f"ANTI JOIN {MATCHED} AS m ON m.sr = s.{EVENT}" if tables.key else ""
    items = ", ".join(f"s.{identifier(c)}" for c in wanted)
    query = f"SELECT {items} FROM {numbered(tables.serving)} AS s {matched}"
    return write_query(con, query, target, where=str(tables.serving))
