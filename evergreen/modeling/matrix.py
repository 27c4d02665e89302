"""Rows of a part as the arrays that a model reads, loaded one column at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from evergreen.bundle.encode import MISSING_TEXT
from evergreen.bundle.signature import Input
from evergreen.errors import DataError
from evergreen.modeling.splitting.assign import hash_of, key_columns
from evergreen.modeling.task import Target
from evergreen.tables import columns, identifier, scan


@dataclass(frozen=True)
class Matrix:
    """Rows of a part.

    Attributes:
        table: [rows, inputs], columns numbered from 0; doubles, and objects of text for categories.
        target: [rows]; the place in `Target.classes`, or the number.
    """

    table: pd.DataFrame
    target: np.ndarray

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.target)


def sampled(
    con: duckdb.DuckDBPyConnection, part: Path, meta: Mapping[str, Any], max_rows: int | None, seed: int
) -> str:
    """A part as SQL after FROM; at most `max_rows` of its rows, those whose keys have the lowest hashes.

    Rows of the same key stay together, so that a few more may come.
    """
    source = scan(part)
    (total,) = con.execute(f"SELECT count(*) FROM {source}").fetchall()[0]
    if max_rows is None or max_rows >= total:
        return source
    hash_sql = hash_of(key_columns(meta, columns(con, source)), seed)
    (cut,) = con.execute(
        f"SELECT h FROM (SELECT {hash_sql} AS h FROM {source}) ORDER BY h LIMIT 1 OFFSET {max_rows - 1}"
    ).fetchall()[0]
    return f"{source} WHERE {hash_sql} <= {cut}"


def load_matrix(
    con: duckdb.DuckDBPyConnection, relation: str, inputs: Sequence[Input], target: Target, label: str
) -> Matrix:
    """Load the inputs and the label of some rows; no other column is read.

    Args:
        con: An open connection.
        relation: SQL after FROM, such as `sampled` gives.
        inputs: The columns.
        target: The task and its classes.
        label: The label's column.

    Raises:
        DataError: when a column's type does not fit its input.
    """
    arrays = [load_column(con, relation, i) for i in inputs]
    return Matrix(pd.DataFrame(dict(enumerate(arrays)), copy=False), _label(con, relation, label, target))


def load_column(con: duckdb.DuckDBPyConnection, relation: str, spec: Input) -> np.ndarray:
    """One column as `evergreen.bundle.encode` would encode it, [rows].

    Raises:
        DataError: when a number column holds something else.
    """
    column = identifier(spec.name)
    if spec.type != "category":
        values = _arrow(con, f"SELECT {column}::DOUBLE FROM {relation}")
        return np.array(pc.fill_null(values, np.nan).to_numpy(), dtype=np.float64)
    values = pc.fill_null(_arrow(con, f"SELECT {column}::VARCHAR FROM {relation}"), MISSING_TEXT)
    encoded = values.dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    words = np.array(encoded.dictionary.to_pylist(), dtype=object)
    return words[encoded.indices.to_numpy()] if len(words) else np.empty(0, dtype=object)


def _arrow(con: duckdb.DuckDBPyConnection, query: str) -> Any:
    return con.sql(query).to_arrow_table().column(0)


def _label(con: duckdb.DuckDBPyConnection, relation: str, label: str, target: Target) -> np.ndarray:
    column = identifier(label)
    if target.classes is None:
        return np.asarray(
            _arrow(con, f"SELECT {column}::DOUBLE FROM {relation}").to_numpy(), dtype=np.float64
        )
    place = {value: k for k, value in enumerate(target.classes)}
    values = _arrow(con, f"SELECT {column} FROM {relation}").dictionary_encode().combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0)
    words = [
        w if isinstance(w, str | int | float | bool) else float(w) for w in values.dictionary.to_pylist()
    ]
    unknown = [w for w in words if w not in place]
    if unknown:
        raise DataError(f"label column {label!r}", f"the class {unknown[0]!r}, unknown to the split")
    return np.array([place[w] for w in words], dtype=np.int64)[values.indices.to_numpy()]
