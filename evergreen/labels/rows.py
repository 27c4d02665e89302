"""The rows whose labels are looked at: the three parts of a split as one relation, and a bounded sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from evergreen.modeling.splitting.assign import PARTS, hash_of
from evergreen.modeling.splitting.split import read_target
from evergreen.modeling.task import Target
from evergreen.tables import columns, identifier, kind, literal, read_meta, scan

PART = "evergreen_part"
ROW = "evergreen_row"


@dataclass(frozen=True)
class Rows:
    """The rows of a split.

    Attributes:
        con: An open connection.
        relation: Every row and the name of its part, as SQL after FROM.
        types: Column to DuckDB type, without the part.
        meta: `meta.json` of the split.
        target: The task and its classes.
        parts: Rows by part.
    """

    con: duckdb.DuckDBPyConnection
    relation: str
    types: Mapping[str, str]
    meta: Mapping[str, Any]
    target: Target
    parts: Mapping[str, int]

    @property
    def count(self) -> int:
        """Rows of all parts."""
        return sum(self.parts.values())

    @property
    def label(self) -> str:
        """The label's column."""
        return str(self.meta["label"])

    @property
    def features(self) -> list[str]:
        """The names of the features that are there."""
        return [f["name"] for f in self.meta["features"] if f["name"] in self.types]

    def of_kind(self, *kinds: str) -> list[str]:
        """The features of some kinds of `evergreen.tables.kinds`."""
        return [name for name in self.features if kind(self.types[name]) in kinds]

    def key_sql(self) -> str:
        """SQL for a row's key as people read it: `id=7, day=2024-01-01`."""
        names = identity(self.meta, self.types)
        if names == (ROW,):
            return f"concat('row=', {row_digest(list(self.types))})"
        shown = [f"{literal(n + '=')}, coalesce({identifier(n)}::VARCHAR, 'NULL')" for n in names]
        return f"concat({', {} '.format(literal(', ') + ',').join(shown)})"


def open_rows(con: duckdb.DuckDBPyConnection, splits: Path) -> Rows:
    """The rows of the folder that `split_training_set` wrote.

    Raises:
        DataError: when a file is missing.
    """
    meta = read_meta(splits)
    files = {part: scan(Path(splits) / f"{part}.parquet") for part in PARTS}
    each = [f"SELECT *, {literal(part)} AS {PART} FROM {source}" for part, source in files.items()]
    counts = {p: con.execute(f"SELECT count(*) FROM {s}").fetchall()[0][0] for p, s in files.items()}
    types = columns(con, files["train"])
    return Rows(con, f"({' UNION ALL '.join(each)})", types, meta, read_target(meta), counts)


def identity(meta: Mapping[str, Any], types: Mapping[str, str]) -> tuple[str, ...]:
    """The columns that name a row; `evergreen_row`, a digest of the whole row, where the table has no key."""
    names = tuple(c for c in meta.get("key") or () if c in types)
    return names or (ROW,)


def row_digest(names: Sequence[str]) -> str:
    """SQL for a digest of a row's columns, 16 hex digits; it does not depend on their order."""
    return f"lower(hex({hash_of(sorted(names), 0)}))"


def sample(rows: Rows, most: int, seed: int) -> str:
    """At most `most` rows as SQL after FROM, those whose content hashes lowest; all rows where they fit.

    The relation has a stable order: by that hash.
    """
    hashed = hash_of(sorted(rows.types), seed)
    cut = f"SELECT *, {hashed} AS {ROW} FROM {rows.relation} ORDER BY {ROW}, {PART} LIMIT {int(most)}"
    name = f"evergreen_sample_{seed}_{most}"
    rows.con.execute(f"CREATE OR REPLACE TEMP TABLE {identifier(name)} AS {cut}")
    return identifier(name)


def column_of(con: duckdb.DuckDBPyConnection, relation: str, sql: str) -> np.ndarray:
    """One expression over a relation as an array, [rows]; text as objects."""
    found = con.sql(f"SELECT {sql} FROM {relation}").to_arrow_table().column(0)
    return np.asarray(found.to_numpy(zero_copy_only=False))


def feature_hash(names: Sequence[str]) -> str:
    """SQL for 64 bits of a row's features; equal features give equal bits."""
    return f"hash({', '.join(identifier(n) for n in names)})"
