"""Which part a row belongs to: one SQL condition a part, over the row and a few cut values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from evergreen.errors import DataError, InputError
from evergreen.modeling.task import Target
from evergreen.project.model import Project, Split
from evergreen.tables import identifier, literal

PARTS = ("train", "validation", "test")
_SPACE = 2**64


@dataclass(frozen=True)
class Assignment:
    """How rows are assigned.

    Attributes:
        method: `time`, `entity`, `stratified` or `hash`.
        where: The SQL condition of `train`, `validation` and `test`; every row meets exactly one.
        by: The columns that they read, besides the label of a stratified split.
        boundaries: For `time`: the first time of validation and of test.
        note: Why `auto` did not take the method it looks for first; else empty.
    """

    method: str
    where: dict[str, str]
    by: tuple[str, ...]
    boundaries: dict[str, str] = field(default_factory=dict)
    note: str = ""


def assign(
    con: duckdb.DuckDBPyConnection,
    source: str,
    types: Mapping[str, str],
    project: Project,
    meta: Mapping[str, Any],
    target: Target,
) -> Assignment:
    """Choose the method and its cut values for a table.

    `auto` is by time where the rows have three times or more, else by entity where entities have several
    rows, else stratified by class, else by a hash of the row's key.

    Raises:
        InputError: when the method needs a time or an entity that the training set does not have.
        DataError: when there are too few distinct times.
    """
    split = project.split
    time, by = meta.get("time"), tuple(split.by or meta.get("entity") or ())
    unknown = [c for c in by if c not in types]
    if unknown:
        raise InputError(
            "split.by", f"the training set has no column {unknown[0]!r}", f"one of {', '.join(sorted(types))}"
        )
    method: str = split.method
    note = ""
    if method == "auto":
        method, note = _automatic(con, source, time, by, target, bool(split.by))
    if method == "time":
        if not time:
            raise InputError(
                "split.method", "`time`, but the project names no time column", remedy="Set `time`."
            )
        return _by_time(con, source, time, split, note)
    if method == "entity":
        if not by:
            raise InputError(
                "split.method", "`entity`, but the project names none", remedy="Set `entity` or `split.by`."
            )
        return Assignment("entity", _by_hash(hash_of(by, split.seed), split), by, note=note)
    if split.method == "stratified" and target.classes is None:
        raise InputError(
            "split.method",
            "`stratified`, but the label is a number",
            remedy="Choose `auto`, `time` or `entity`.",
        )
    keys = key_columns(meta, types)
    if target.classes is None or method == "hash":
        return Assignment("hash", _by_hash(hash_of(keys, split.seed), split), keys, note=note)
    return _stratified(con, source, keys, meta["label"], split, note)


def key_columns(meta: Mapping[str, Any], types: Mapping[str, str]) -> tuple[str, ...]:
    """The columns that tell rows apart: the table's key, else every column."""
    keys = tuple(c for c in meta.get("key") or () if c in types)
    return keys or tuple(types)


def hash_of(names: Sequence[str], seed: int) -> str:
    """A SQL expression: 64 bits of the MD5 of the columns' text and a seed; the same in every DuckDB."""
    texts = ", ".join(f"coalesce({identifier(c)}::VARCHAR, chr(30))" for c in names)
    return f"md5_number_lower(concat_ws(chr(31), {literal(str(seed))}, {texts}))"


def _automatic(
    con: duckdb.DuckDBPyConnection,
    source: str,
    time: str | None,
    by: Sequence[str],
    target: Target,
    by_is_given: bool,
) -> tuple[str, str]:
    note = ""
    if time and not by_is_given:
        (times,) = con.execute(f"SELECT count(DISTINCT {identifier(time)}) FROM {source}").fetchall()[0]
        if times >= len(PARTS):
            return "time", ""
        note = f"not by time: the column {time!r} has {times} different values"
    if by:
        names = ", ".join(identifier(c) for c in by)
        entities, rows = con.execute(
            f"SELECT count(*), sum(n) FROM (SELECT count(*) AS n FROM {source} GROUP BY {names})"
        ).fetchall()[0]
        if by_is_given or entities < rows:
            return "entity", note
    return ("stratified" if target.classes is not None else "hash"), note


def _by_time(con: duckdb.DuckDBPyConnection, source: str, time: str, split: Split, note: str) -> Assignment:
    """Cut at the times that come nearest to the fractions; a time is never on both sides."""
    column = identifier(time)
    missing = con.execute(f"SELECT count(*) FROM {source} WHERE {column} IS NULL").fetchall()[0][0]
    if missing:
        raise DataError(f"time column {time!r}", f"no value in {missing} rows", "a time in every row")
    counted = f"""
        SELECT t, sum(n) OVER (ORDER BY t DESC) AS newer, sum(n) OVER () AS total,
            row_number() OVER (ORDER BY t) AS k
        FROM (SELECT {column} AS t, count(*) AS n FROM {source} GROUP BY 1)"""
    nearest = (
        "SELECT t::VARCHAR, k FROM ({}) WHERE k > {} AND k < {} "
        "ORDER BY abs(newer - {} * total), t DESC LIMIT 1"
    )
    last = con.execute(f"SELECT count(DISTINCT {column}) FROM {source}").fetchall()[0][0]
    if last < len(PARTS):
        raise DataError(
            f"time column {time!r}",
            f"{last} different values",
            "three or more to split by time",
            "Choose another `split.method`.",
        )
    test, k = con.execute(nearest.format(counted, 2, last + 1, split.test)).fetchall()[0]
    both = split.test + split.validation
    validation, _ = con.execute(nearest.format(counted, 1, k, both)).fetchall()[0]
    first, second = _cast(validation, column), _cast(test, column)
    where = {
        "train": f"{column} < {first}",
        "validation": f"{column} >= {first} AND {column} < {second}",
        "test": f"{column} >= {second}",
    }
    return Assignment("time", where, (time,), {"validation": validation, "test": test}, note)


def _cast(text: str, column: str) -> str:
    """A value of the column's own type from its text."""
    return f"cast_to_type({literal(text)}, {column})"


def _by_hash(hash_sql: str, split: Split) -> dict[str, str]:
    test = int(split.test * _SPACE)
    both = int((split.test + split.validation) * _SPACE)
    return _between(hash_sql, {"test": (0, test), "validation": (test, both), "train": (both, _SPACE)})


def _between(hash_sql: str, ranges: Mapping[str, tuple[int | str, int | str]]) -> dict[str, str]:
    """Conditions on a hash from `low` to just under `high`; BETWEEN, so that the hash is taken once a row.

    Everything is HUGEINT: a comparison that mixes it with an unsigned type would be made in DOUBLE.
    """
    hashed = f"{hash_sql}::HUGEINT"
    return {part: f"{hashed} BETWEEN {low} AND ({high}) - 1" for part, (low, high) in ranges.items()}


def _stratified(
    con: duckdb.DuckDBPyConnection,
    source: str,
    keys: Sequence[str],
    label: str,
    split: Split,
    note: str,
) -> Assignment:
    """Within each class the rows of the lowest hashes are test, the next validation: exact shares."""
    column, hash_sql = identifier(label), hash_of(keys, split.seed)
    rows = con.execute(
        f"""
        WITH ranked AS (
            SELECT {column} AS label, {hash_sql} AS h,
                row_number() OVER (PARTITION BY {column} ORDER BY {hash_sql}) AS k,
                count(*) OVER (PARTITION BY {column}) AS n
            FROM {source})
        SELECT label,
            coalesce(max(h) FILTER (WHERE k <= tests)::HUGEINT + 1, 0),
            coalesce(max(h) FILTER (WHERE k <= tests + validations)::HUGEINT + 1, 0)
        FROM (
            SELECT *, floor(n * {split.test} + 0.5) AS tests,
                floor(n * {split.validation} + 0.5) AS validations
            FROM ranked)
        GROUP BY label ORDER BY label"""
    ).fetchall()
    test, both = (f"(CASE {column} {_cases(rows, k)} END)" for k in (1, 2))
    where = _between(hash_sql, {"test": (0, test), "validation": (test, both), "train": (both, _SPACE)})
    return Assignment("stratified", where, tuple(keys), note=note)


def _cases(rows: Sequence[tuple[Any, ...]], place: int) -> str:
    return " ".join(f"WHEN {literal(row[0])} THEN {row[place]}::HUGEINT" for row in rows)
