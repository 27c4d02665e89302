"""Sketches of distinct values by DuckDB's hash function: within the main pass, or by a query of their own."""

from collections.abc import Sequence

import duckdb

from evergreen.profile.counting.reading import Reader
from evergreen.profile.counting.sketch import SIZE, TOP, Sketch
from evergreen.profile.model import Scalar
from evergreen.tables import literal

# More hashes than these are not gathered within a pass: a column with them has few values that repeat.
_GATHERED = 20_000
_AIM = 2 * SIZE


def limit_for(distinct: float) -> int:
    """The hash below which about 1,024 of so many distinct values lie; all, where there are fewer."""
    return TOP if distinct <= _AIM else int(TOP * (_AIM / distinct))


def gathered(rows: int, distinct: float | None) -> int | None:
    """The limit with which a pass over `rows` rows may gather hashes as it goes; None where it may not."""
    if distinct is None or distinct <= _AIM:
        return None
    return limit_for(distinct) if rows * (_AIM / distinct) <= _GATHERED else None


def hash_outputs(limit: int | None, value: str) -> dict[str, str]:
    """The aggregate that gathers hashes, or that estimates the number of distinct values (HyperLogLog)."""
    if limit is None:
        return {"estimate": f"approx_count_distinct({value})"}
    return {"hashes": f"list(hash({value})) FILTER (hash({value}) <= {limit} AND {value} IS NOT NULL)"}


def sketch(con: duckdb.DuckDBPyConnection, relation: str, reader: Reader, estimate: float) -> Sketch:
    """The sketch of a column's distinct values; `estimate`, however wrong, says which hashes to fetch."""
    limit = limit_for(estimate)
    while True:
        inner = f"SELECT hash({reader.value}) AS h FROM {relation} WHERE {reader.value} IS NOT NULL"
        rows = con.execute(f"SELECT DISTINCT h FROM ({inner}) WHERE h <= {limit}::UBIGINT").fetchall()
        if limit == TOP or len(rows) > SIZE:
            return Sketch.of((row[0] for row in rows), limit)
        limit = min(TOP, limit * max(2, _AIM // max(1, len(rows))))


def sketch_of(hashes: Sequence[int], limit: int) -> Sketch | None:
    """The sketch of what a pass gathered; None where that is less than all rows would give."""
    return Sketch.of(hashes, limit) if len(set(hashes)) > SIZE else None


def value_sketch(con: duckdb.DuckDBPyConnection, reader: Reader, values: Sequence[Scalar]) -> Sketch:
    """The sketch of a column whose distinct valid values are known; the same as `sketch` makes."""
    stored = {"integer": reader.stored, "number": "DOUBLE", "boolean": "BOOLEAN"}.get(reader.type, "VARCHAR")
    query = f"SELECT hash(v) FROM (SELECT unnest({literal(list(values))}::{stored}[]) AS v)"
    return Sketch.of((row[0] for row in con.execute(query).fetchall()), TOP)


def hashing(con: duckdb.DuckDBPyConnection) -> str:
    """A name for DuckDB's hash function, which may change with its version: what it makes of known values."""
    row = con.execute("SELECT hash('evergreen'), hash(1), hash(1.5::DOUBLE), hash(TRUE)").fetchall()[0]
    return "duckdb:" + "-".join(f"{h:016x}" for h in row)
