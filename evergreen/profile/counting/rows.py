"""Which rows are counted: the whole table or one shard of it, and the fixed sample that layouts come from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import duckdb

from evergreen.errors import InputError
from evergreen.tables import identifier
from evergreen.tables.parquet import escaped, file_scan

SAMPLE_ROWS = 100_000
NUMBER = "file_row_number"


@dataclass(frozen=True)
class Rows:
    """The rows of a table.

    Attributes:
        whole: What can stand after FROM to read the table; it has the column `number`.
        own: The same for the rows that are counted: all, or a shard's.
        total: Rows of the whole table.
        number: The column with a row's number in its file.
    """

    whole: str
    own: str
    total: int
    number: str = NUMBER

    @property
    def sampled(self) -> bool:
        """Whether the sample is less than all rows."""
        return self.total > SAMPLE_ROWS

    def sample(self, relation: str, size: int = SAMPLE_ROWS) -> str:
        """SQL after FROM: those rows of `whole` or `own` that are in the fixed sample of the whole table.

        The sample goes by row number within each file (a Weyl sequence: evenly spread, not periodic): the
        same files give the same sample on every machine and in every shard.
        """
        if self.total <= size:
            return relation
        below = 2**32 * size // self.total
        number = identifier(self.number)
        return f"(SELECT * FROM {relation} WHERE ({number} * 2654435761) % 4294967296 < {below})"

    def elements(self, list_column: str) -> "Rows":
        """The elements of a list column as rows of one column, `element`; all elements of a sampled row."""
        number = identifier(self.number)
        whole, own = (
            f"(SELECT unnest({list_column}) AS element, {number} FROM {relation})"
            for relation in (self.whole, self.own)
        )
        return replace(self, whole=whole, own=own)


def rows_of(
    con: duckdb.DuckDBPyConnection, files: Sequence[Path], names: Sequence[str],
    shard: tuple[int, int] | None = None,
) -> Rows:  # fmt: skip
    """The rows of Parquet files.

    Args:
        con: An open connection.
        files: In order.
        names: The columns: one of them may be called as the row number is.
        shard: (i, n): only the i-th of n parts, i from 0. A part is a run of row groups, so that nothing of
            the other parts is read; with fewer row groups than shards, some parts are empty.

    Raises:
        InputError: for a shard that there is not.
    """
    number = _free(names)
    whole = file_scan(files) if number == NUMBER else f"({_numbered(files, number)})"
    if shard is None or shard == (0, 1):
        total = con.execute(f"SELECT count(*) FROM {file_scan(files)}").fetchall()[0][0]
        return Rows(whole, whole, total, number)
    index, count = shard
    if not 0 <= index < count:
        expected = f"a shard from 0 to {count - 1}" if count > 0 else "at least one shard"
        raise InputError("shard", f"{index} of {count}", expected)
    groups = [_row_groups(con, file) for file in files]
    total = sum(map(sum, groups))
    full, pieces = [], []
    for file, sizes, first, last in _runs(
        files, groups, total * index // count, total * (index + 1) // count
    ):
        if (first, last) == (0, sum(sizes)):
            full.append(file)
        else:
            pieces.append(_piece(file, first, last, number))
    if full:
        pieces.append(_numbered(full, number))
    if not pieces:
        pieces = [f"SELECT * FROM ({_numbered(files[:1], number)}) WHERE FALSE"]
    return Rows(whole, f"({' UNION ALL '.join(pieces)})", total, number)


def _row_groups(con: duckdb.DuckDBPyConnection, file: Path) -> list[int]:
    query = (
        "SELECT any_value(row_group_num_rows) FROM parquet_metadata(?) "
        "GROUP BY row_group_id ORDER BY row_group_id"
    )
    return [n for (n,) in con.execute(query, [escaped(str(file))]).fetchall()]


def _runs(
    files: Sequence[Path], groups: Sequence[Sequence[int]], start: int, stop: int
) -> Iterator[tuple[Path, Sequence[int], int, int]]:
    """Runs of rows (file, groups, first, past the last) of the groups whose middle is in [start, stop)."""
    before = 0
    for file, sizes in zip(files, groups, strict=True):
        ends = list(accumulate(sizes))
        own = [
            (end - size, end)
            for size, end in zip(sizes, ends, strict=True)
            if size and start <= before + end - size + size // 2 < stop
        ]
        if own:
            yield file, sizes, own[0][0], own[-1][1]
        before += sum(sizes)


def _piece(file: Path, first: int, last: int, number: str) -> str:
    name = identifier(number)
    return f"SELECT * FROM ({_numbered([file], number)}) WHERE {name} >= {first} AND {name} < {last}"


def _numbered(files: Sequence[Path], number: str) -> str:
    if number == NUMBER:
        return f"SELECT *, {NUMBER} FROM {file_scan(files)}"
    # The table has a column of that name, which hides Parquet's row number.
    one_by_one = [
        f"SELECT *, row_number() OVER () - 1 AS {identifier(number)} FROM {file_scan([file])}"
        for file in files
    ]
    return " UNION ALL ".join(one_by_one)


def _free(names: Sequence[str]) -> str:
    taken = {name.lower() for name in names}
    return next(n for n in (NUMBER, *(f"row {i}" for i in range(len(names) + 1))) if n not in taken)
