"""From a Parquet table to its profile: a sample for the layout, one pass over all rows, few small queries."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from evergreen.profile.counting.aggregates import ranked
from evergreen.profile.counting.assembly import count_columns, count_groups
from evergreen.profile.counting.extras import with_extras
from evergreen.profile.counting.hashes import hashing
from evergreen.profile.counting.planning import Plan, plans_for
from evergreen.profile.counting.reading import Reader, readers
from evergreen.profile.counting.rows import Rows, rows_of
from evergreen.profile.counting.slicing import group_sql
from evergreen.profile.counting.unique import all_different, ascending
from evergreen.profile.model import Column, Profile, Role, Slice
from evergreen.profile.source import Source
from evergreen.project.model import Resources, SliceBy
from evergreen.tables import connect, explained, identifier

# Below this share of distinct values (by the sketch, which errs by some per cent) a column is not unique.
_NEARLY_UNIQUE = 0.8
_SMALL_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


def profile_table(
    path: Path,
    roles: Mapping[str, Role] | None = None,
    *,
    edges_from: Profile | None = None,
    slices: Sequence[SliceBy] = (),
    resources: Resources | None = None,
    shard: tuple[int, int] | None = None,
) -> Profile:
    """Profile a Parquet file, a folder of part files, or a training set; all of it, or one shard.

    A fixed sample gives the layout (a reference's layout needs none), one pass over all columns the counts,
    and small queries over single columns what a pass cannot give. Memory is bounded by `resources`, and does
    not grow with the rows. The same files give the same profile, on any number of threads.

    Args:
        path: The table; beside its files may stand the `meta.json` of a training set.
        roles: Column name to role; default: from `meta.json`, and `feature` for the rest.
        edges_from: A reference: its edges and listed values are used, so that the two can be compared and
            merged. Values outside fall into the outer bins, unlisted ones into `other`. A column that the
            reference does not have, or has with another family, gets a layout of its own.
        slices: Also profile the rows by value or range of these columns.
        resources: Memory and threads.
        shard: (i, n), i from 0: only the i-th of n parts of the row groups. Every shard makes the same layout
            (from the whole table's sample, and its columns of few values), so that `merge` of all the shards
            is the profile of the whole: counts, sums, bins and sketches exactly. Whether values are unique is
            left open, except where a shard repeats one.

    Raises:
        DataError: when there is no table, a file is corrupt, or a slice's column is not in it.
        InputError: for a shard that there is not.
    """
    source = Source.of(path)
    own_roles = {**source.roles, **(roles or {})}
    with connect(resources) as con, explained(str(path)):
        con.execute("SET parquet_metadata_cache = true")
        columns = readers(con, source.relation)
        rows = rows_of(con, source.files, [r.name for r in columns], shard)
        every = rows.own == rows.whole
        plans = plans_for(con, rows, columns, own_roles, edges_from)
        share = 1 if every or shard is None else shard[1]
        counted = count_columns(con, rows.own, plans, rows.total // share, every_row=every)
        counted = with_extras(con, rows, plans, counted, edges_from)
        checked = tuple(
            _with_unique(con, rows, reader, column, every)
            for reader, column in zip(columns, counted, strict=True)
        )
        key = _unique_key(con, rows, checked) if every else ()
        profile = Profile(checked[0].rows, checked, hashing(con), key=key)
        frozen = edges_from or _planned(profile, plans)
        parts = [part for by in slices for part in _slices(con, rows.own, by, plans, frozen, profile.hashing)]
    return replace(profile, slices=tuple(parts))


def _with_unique(
    con: duckdb.DuckDBPyConnection, rows: Rows, reader: Reader, column: Column, every: bool
) -> Column:
    """The column with the answer whether no value stands twice; of a shard only a no is an answer."""
    if reader.type not in ("integer", "text") or column.sketch is None:
        return column
    exact = column.sketch.exact
    if exact is not None:
        unique = exact == column.valid
    elif column.sketch.distinct < _NEARLY_UNIQUE * column.valid:
        unique = False
    elif reader.stored in _SMALL_INTEGERS and ascending(con, rows.own, reader.value):
        unique = True
    else:
        unique = all_different(con, rows.own, [reader.value], column.valid)
    return replace(column, unique=unique if every or not unique else None)


def _unique_key(con: duckdb.DuckDBPyConnection, rows: Rows, columns: Sequence[Column]) -> tuple[str, ...]:
    keys = [c for c in columns if c.role == "key"]
    times = [c for c in columns if c.role == "time"]
    for some in (keys, [*keys, *times]) if keys and times else ([keys] if keys else []):
        if len(some) == 1 and some[0].unique is not None:
            different = some[0].unique and some[0].missing <= 1
        else:
            names = [identifier(c.name) for c in some]
            different = all_different(con, rows.own, names, columns[0].rows, skip_null=False)
        if different:
            return tuple(c.name for c in some)
    return ()


def _planned(profile: Profile, plans: Sequence[Plan]) -> Profile:
    """The profile with listed values as planning saw them, by which every shard chooses the same slices."""
    columns = []
    for column, plan in zip(profile.columns, plans, strict=True):
        if column.values:
            items = (
                ranked(plan.counts) if plan.counts is not None else [(v, 1) for v in plan.layout.values or ()]
            )
            column = replace(column, values=replace(column.values, items=tuple(items)))
        columns.append(column)
    return replace(profile, columns=tuple(columns))


def _slices(
    con: duckdb.DuckDBPyConnection, relation: str, by: SliceBy, plans: Sequence[Plan], reference: Profile,
    hash_name: str,
) -> list[Slice]:  # fmt: skip
    group = group_sql(by, [p.reader for p in plans], reference)
    counted = count_groups(con, relation, plans, group)
    return [Slice(name, Profile(c[0].rows, c, hash_name)) for name, c in sorted(counted.items())]
