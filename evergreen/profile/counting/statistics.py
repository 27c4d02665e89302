"""From a Parquet table to its profile: two passes over all columns, then what single columns need."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from evergreen.profile.counting.aggregates import hashing, sketch, value_sketch
from evergreen.profile.counting.assembly import Plan, Survey, count_columns, survey
from evergreen.profile.counting.planning import Planner
from evergreen.profile.counting.reading import Reader, readers
from evergreen.profile.counting.slicing import group_sql
from evergreen.profile.model import Column, Profile, Role, Slice
from evergreen.profile.source import Source
from evergreen.project.model import Resources, SliceBy
from evergreen.tables import connect, explained, identifiers

# Below this share of distinct values (by HyperLogLog, which errs by some per cent) a column is not unique.
_NEARLY_UNIQUE = 0.8


def profile_table(
    path: Path,
    roles: Mapping[str, Role] | None = None,
    *,
    edges_from: Profile | None = None,
    slices: Sequence[SliceBy] = (),
    resources: Resources | None = None,
) -> Profile:
    """Profile a Parquet file, a folder of part files, or a training set.

    Two passes over all columns (counts and extremes; sums and bins), and small queries over single ones for
    listed values and distinct ones; memory is bounded by `resources`, whatever the rows. The same files give
    the same profile.

    Args:
        path: The table; beside its files may stand the `meta.json` of a training set.
        roles: Column name to role; default: from `meta.json`, and `feature` for the rest.
        edges_from: A reference: its edges and listed values are used, so that the two can be compared and
            merged. Values outside fall into the outer bins, unlisted ones into `other`. A column that the
            reference does not have, or has with another family, gets a layout of its own.
        slices: Also profile the rows by value or range of these columns.
        resources: Memory and threads.

    Raises:
        DataError: when there is no table, a file is corrupt, or a slice's column is not in it.
    """
    source = Source.of(path)
    own_roles = {**source.roles, **(roles or {})}
    with connect(resources) as con, explained(str(path)):
        con.execute("SET parquet_metadata_cache = true")
        columns = readers(con, source.relation)
        surveys = survey(con, source.relation, columns)
        plans = _plans(con, source.relation, columns, surveys[None], own_roles, edges_from)
        counted = count_columns(con, source.relation, plans, surveys)[None]
        whole = tuple(
            _with_distinct(con, source.relation, reader, column, seen.get("estimate", 0))
            for reader, column, seen in zip(columns, counted, surveys[None], strict=True)
        )
        key = _unique_key(con, source.relation, whole)
        profile = Profile(whole[0].rows, whole, hashing(con), key=key)
        parts = [
            part
            for by in slices
            for part in _slices(con, source.relation, by, plans, edges_from or profile, profile.hashing)
        ]
    return replace(profile, slices=tuple(parts))


def _plans(
    con: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[Reader], seen: Sequence[Survey],
    roles: Mapping[str, Role], reference: Profile | None,
) -> list[Plan]:  # fmt: skip
    planner = Planner(con, relation, seen[0]["rows"], roles)
    layouts = planner.layouts(columns, seen, reference)
    return [
        replace(
            Plan.of(reader, roles.get(reader.name, "feature"), layout, own),
            counts=planner.counted.get(reader.name),
        )
        for reader, layout, own in zip(columns, layouts, seen, strict=True)
    ]


def _with_distinct(
    con: duckdb.DuckDBPyConnection, relation: str, reader: Reader, column: Column, estimate: int
) -> Column:
    if reader.family == "other":
        return column
    values = column.values
    if values and values.complete and not values.other:
        known = value_sketch(con, reader, [v for v, n in values.items if n])
    else:
        known = sketch(con, relation, reader, estimate)
    made = replace(column, sketch=known)
    if reader.type not in ("integer", "text"):
        return made
    if estimate < _NEARLY_UNIQUE * column.valid:
        return replace(made, unique=False)
    row = con.execute(f"SELECT count(DISTINCT {reader.value}) FROM {relation}").fetchone()
    return replace(made, unique=bool(row and row[0] == column.valid))


def _unique_key(con: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[Column]) -> tuple[str, ...]:
    keys = [c.name for c in columns if c.role == "key"]
    times = [c.name for c in columns if c.role == "time"]
    for names in (keys, [*keys, *times]) if keys and times else ([keys] if keys else []):
        row = con.execute(
            f"SELECT count(*) FROM (SELECT DISTINCT {identifiers(names)} FROM {relation})"
        ).fetchone()
        if row and row[0] == columns[0].rows:
            return tuple(names)
    return ()


def _slices(
    con: duckdb.DuckDBPyConnection, relation: str, by: SliceBy, plans: Sequence[Plan], reference: Profile,
    hash_name: str,
) -> list[Slice]:  # fmt: skip
    columns = [p.reader for p in plans]
    group = group_sql(by, columns, reference)
    counted = count_columns(con, relation, plans, survey(con, relation, columns, group), group)
    return [
        Slice(str(name), Profile(c[0].rows, c, hash_name)) for name, c in sorted(counted.items(), key=str)
    ]
