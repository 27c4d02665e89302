"""A DuckDB connection with a bound on its memory, and DuckDB's errors in words that say what to do."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from evergreen.errors import DataError, EvergreenError, Fault, StorageError
from evergreen.project.model import Resources, memory_bytes
from evergreen.tables.sql import literal

# What Python, Arrow and the Parquet writer hold beside DuckDB's own buffers.
_SHARE_OF_MEMORY = 0.6


@contextmanager
def connect(resources: Resources | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB: `with connect(project.resources) as con: …`.

    It spills to a scratch folder of its own (under TMPDIR) once it holds 60 % of `resources.memory`, keeps
    the order of rows, counts time in UTC, and never loads an extension from the network.

    Args:
        resources: Memory and threads that it may use; default: `Resources()` (1 GiB, all cores).

    Raises:
        DataError, StorageError, Fault: in place of DuckDB's own errors (see `explained`).
    """
    resources = resources or Resources()
    scratch = tempfile.mkdtemp(prefix="evergreen-duckdb-")
    settings = {
        "memory_limit": f"{int(memory_bytes(resources.memory) * _SHARE_OF_MEMORY) // 2**20}MiB",
        "threads": resources.threads or len(os.sched_getaffinity(0)),
        "temp_directory": scratch,
        "preserve_insertion_order": True,
        "autoinstall_known_extensions": False,
        "allow_community_extensions": False,
        # The cache of file blocks is of no use to one pass over a file, and it lives in the same memory.
        "enable_external_file_cache": False,
    }
    con = duckdb.connect()
    try:
        for name, value in settings.items():
            con.execute(f"SET {name} = {literal(value)}")
        con.execute("SET TimeZone = 'UTC'")
        with explained(""):
            yield con
    finally:
        con.close()
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def explained(where: str, remedy: str = "") -> Iterator[None]:
    """Turn DuckDB's errors into Evergreen's: bad data `DataError`, no disk `StorageError`, no memory `Fault`.

    Args:
        where: The file, source or column that was being worked on; names the error.
        remedy: What to do about a `DataError`; default: nothing is added.
    """
    try:
        yield
    except duckdb.Error as error:
        raise translate(error, where, remedy) from error


def translate(error: duckdb.Error, where: str, remedy: str = "") -> EvergreenError:
    """The Evergreen error for a DuckDB error; see `explained`."""
    text = first_sentence(str(error))
    where = where or "table"
    if isinstance(error, duckdb.OutOfMemoryException):
        if "temp" in text.lower() and "space" in text.lower():
            return StorageError(
                where, "no space left for temporary files", remedy="Free some space, or set TMPDIR."
            )
        return Fault(f"{where}: not enough memory: {text}. Raise `resources.memory` in the project file.")
    if "No space left on device" in str(error):
        return StorageError(
            where, "no space left on the disk", remedy="Free some space, or name another folder."
        )
    if isinstance(error, duckdb.InternalException | duckdb.FatalException | duckdb.InterruptException):
        return Fault(f"{where}: DuckDB failed: {text}")
    return DataError(where, text, remedy=remedy)


def first_sentence(message: str) -> str:
    """DuckDB's message without its hints, its quoted SQL and its line breaks."""
    head = re.split(r"\n\s*\n|\nLINE \d|\nPossible |\nCandidate ", message.strip())[0]
    return " ".join(head.split()).rstrip(".")
