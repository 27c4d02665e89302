"""Parquet read and written by DuckDB: streamed, ordered, and the same bytes for the same rows."""

import re
from collections.abc import Sequence
from pathlib import Path

import duckdb

from evergreen.errors import DataError
from evergreen.files import aside
from evergreen.tables.connection import explained
from evergreen.tables.sql import identifier, literal

# One setting for every file that Evergreen writes: it is part of what makes bytes repeatable. A row group is
# held in memory until it is written, so a wide table has smaller ones.
_ROW_GROUP_ROWS, _ROW_GROUP_CELLS, _VECTOR = 122_880, 122_880 * 48, 2_048


def parts(path: Path) -> list[Path]:
    """The Parquet files at `path` in order of their names: itself, or a folder's own or those in its `data/`.

    Raises:
        DataError: when there is none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    found = sorted(path.glob("*.parquet")) or sorted(path.glob("data/*.parquet"))
    if not found:
        found_text = "it holds no Parquet file" if path.is_dir() else "no such file or folder"
        raise DataError(str(path), found_text)
    return found


def scan(path: Path) -> str:
    """The SQL table function that reads a Parquet file or a folder of part files, columns as stored."""
    return file_scan(parts(path))


def file_scan(files: Sequence[Path], *, by_name: bool = False) -> str:
    """The SQL table function that reads Parquet files; `by_name` where their columns differ."""
    listing = literal([escaped(str(file)) for file in files])
    return f"read_parquet({listing}, hive_partitioning = false{', union_by_name = true' if by_name else ''})"


def escaped(path: str) -> str:
    """A path whose own `*`, `?` and `[` are not taken as patterns."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


def relation(source: str | Path) -> str:
    """What can stand after FROM: a path as a scan, a query in brackets, a name or function as it is."""
    if isinstance(source, Path):
        return scan(source)
    bare = re.sub(r"^(\s+|--[^\n]*\n|/\*.*?\*/)*", "", source, flags=re.DOTALL)
    query = re.match(r"(SELECT|WITH|FROM|VALUES|PIVOT|UNPIVOT|DESCRIBE|SUMMARIZE)\b", bare, re.IGNORECASE)
    return f"({source}\n)" if query else source


def columns(con: duckdb.DuckDBPyConnection, source: str | Path) -> dict[str, str]:
    """The columns of a query or of a Parquet path, in order: name to DuckDB type.

    Args:
        con: An open connection.
        source: SQL text (a query, a table's name or a table function), or a `Path`.
    """
    where = str(source) if isinstance(source, Path) else "query"
    with explained(where):
        rows = con.execute(f"DESCRIBE SELECT * FROM {relation(source)}").fetchall()
    return {row[0]: row[1] for row in rows}


def count(con: duckdb.DuckDBPyConnection, source: str | Path) -> int:
    """The number of rows of a query or of a Parquet path."""
    row = con.execute(f"SELECT count(*) FROM {relation(source)}").fetchone()
    return int(row[0]) if row else 0


def write_query(
    con: duckdb.DuckDBPyConnection,
    sql: str,
    path: Path,
    *,
    order_by: Sequence[str] | None = None,
    where: str = "",
) -> int:
    """Write a query's rows as one Parquet file (zstd), whole or not at all; returns the number of rows.

    The same rows in the same order give the same bytes, whatever the number of threads.

    Args:
        con: An open connection.
        sql: The query.
        path: The file to write.
        order_by: Columns to sort by, NULLs last; default: the order of the query. Rows that tie in all of
            them may change places, so name enough columns.
        where: What to name in an error about the query; default: the path.

    Raises:
        StorageError: when the disk is full or read-only.
        DataError: when the query fails.
    """
    order = f" ORDER BY {', '.join(f'{identifier(c)} NULLS LAST' for c in order_by)}" if order_by else ""
    with aside(Path(path)) as temporary, explained(where or str(path)):
        wide = len(con.execute(f"DESCRIBE SELECT * FROM {relation(sql)}").fetchall())
        rows = min(_ROW_GROUP_ROWS, max(_VECTOR, _ROW_GROUP_CELLS // wide // _VECTOR * _VECTOR))
        how = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {rows}"
        statement = f"COPY (SELECT * FROM {relation(sql)}{order}) TO {literal(str(temporary))} ({how})"
        row = con.execute(statement).fetchone()
    return int(row[0]) if row else 0
