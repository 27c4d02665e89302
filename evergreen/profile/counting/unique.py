"""Whether rows repeat, exactly, for any number of rows, in the memory of two million of them.

The rows' 64-bit hashes are parted by their first bits into files, and each part is sorted. Where two hashes
are equal the rows themselves decide. One scan, 8 bytes of disk for each row.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

_PART = 2**21
_BATCH = 2**17
_PARTS = 512
_HASH = "hash"
# Chance makes one pair of equal hashes in four billion rows: so many are no chance.
_CHECKED = 64


def all_different(
    con: duckdb.DuckDBPyConnection, relation: str, values: Sequence[str], rows: int, *, skip_null: bool = True
) -> bool:
    """Whether no two rows have the same values.

    Args:
        con: An open connection.
        relation: What can stand after FROM.
        values: SQL of what is compared, together.
        rows: About how many rows there are.
        skip_null: Leave out rows of which any value is NULL; else NULL equals NULL.
    """
    where = " AND ".join(f"{v} IS NOT NULL" for v in values) if skip_null else "TRUE"
    hashed = f"CAST({_HASH}({', '.join(values)}) AS UBIGINT)"
    parts = min(_PARTS, 2 ** max(0, (rows - 1) // _PART).bit_length())
    with tempfile.TemporaryDirectory(prefix="evergreen-unique-") as folder:
        query = f"SELECT {hashed} AS h FROM {relation} WHERE {where}"
        for part in _parted(con, query, parts, Path(folder)):
            part.sort()
            twice = np.unique(part[1:][part[1:] == part[:-1]])
            if len(twice) > _CHECKED:
                return False
            if len(twice):
                same = " OR ".join(f"{hashed} = {int(h)}::UBIGINT" for h in twice)
                if _repeat(con, f"{relation} WHERE {where} AND ({same})", values):
                    return False
    return True


def ascending(con: duckdb.DuckDBPyConnection, relation: str, value: str) -> bool:
    """Whether the values of an integer column rise from row to row, as those of a key often do.

    A False says nothing: the rows may come in another order than they are stored in.
    """
    last = None
    query = f"SELECT CAST({value} AS BIGINT) AS v FROM {relation} WHERE {value} IS NOT NULL"
    for batch in con.sql(query).to_arrow_reader(_BATCH):
        values = batch.column(0).to_numpy()
        if not len(values):
            continue
        if (last is not None and values[0] <= last) or not bool(np.all(values[1:] > values[:-1])):
            return False
        last = values[-1]
    return True


def _repeat(con: duckdb.DuckDBPyConnection, rows: str, values: Sequence[str]) -> bool:
    """Whether rows with the same hash are the same."""
    picked = ", ".join(f"{v} AS c{i}" for i, v in enumerate(values))
    names = ", ".join(f"c{i}" for i in range(len(values)))
    counts = f"SELECT count(*) AS n FROM (SELECT {picked} FROM {rows}) GROUP BY {names}"
    return bool(con.execute(f"SELECT coalesce(max(n), 0) > 1 FROM ({counts})").fetchall()[0][0])


def _parted(
    con: duckdb.DuckDBPyConnection, query: str, parts: int, folder: Path
) -> Iterator[NDArray[np.uint64]]:
    """The hashes, in parts that hold all the equal ones of each."""
    batches = (batch.column(0).to_numpy() for batch in con.sql(query).to_arrow_reader(_BATCH))
    if parts == 1:
        found = list(batches)
        yield np.concatenate(found) if found else np.empty(0, np.uint64)
        return
    shift = np.uint64(64 - (parts.bit_length() - 1))
    with ExitStack() as stack:
        files = [stack.enter_context((folder / f"{i:03d}").open("wb")) for i in range(parts)]
        for hashes in batches:
            own = (hashes >> shift).astype(np.uint8)
            order = np.argsort(own, kind="stable")
            cuts = np.searchsorted(own[order], np.arange(1, parts))
            for file, piece in zip(files, np.split(hashes[order], cuts), strict=True):
                file.write(piece.tobytes())
    for i in range(parts):
        yield np.fromfile(folder / f"{i:03d}", np.uint64)
