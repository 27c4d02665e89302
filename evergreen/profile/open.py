"""Any table that a person names, as Parquet: CSV, JSON lines, Parquet, folders of them."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb

from evergreen.errors import DataError
from evergreen.ingest.checks import unify
from evergreen.ingest.locate import Found
from evergreen.ingest.shape import Asked, plan_columns, staged_rows
from evergreen.ingest.stage import Staged, stage
from evergreen.near import did_you_mean
from evergreen.project.model import Resources, Source
from evergreen.tables import connect, explained, identifier, kind, parts, write_query

_EXPECTED = "CSV, JSON lines or Parquet, or a folder of such files"


@contextmanager
def opened(path: Path, resources: Resources | None = None) -> Iterator[Path]:
    """A path at which the table's Parquet is, as long as the context lasts.

    Parquet is left where it is. CSV and JSON lines (plain or .gz) and Delta tables are typed by the same
    reader that ingestion uses, and written to a temporary file, streamed in bounded memory.

    Args:
        path: A file, a folder of files (those that begin with `_` or `.` are left out), a training set, or a
            Delta table.
        resources: Memory and threads.

    Yields:
        A Parquet file, or a folder of part files, for `profile_table`, `Source.of` and `scan`.

    Raises:
        DataError: when it is missing, empty, corrupt, or of an unknown format.
        StorageError: when the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="evergreen-open-") as scratch:
        yield _prepared(Path(path), Path(scratch), resources)


def _prepared(path: Path, scratch: Path, resources: Resources | None) -> Path:
    source = Source(path=str(path))
    with connect(resources) as con:
        staged = [s for s in stage(con, source, _found(path), scratch) if s.path]
        if not staged:
            raise DataError(str(path), "nothing in it (0 bytes)", _EXPECTED, "Check what writes it.")
        if all(s.format == "parquet" for s in staged) and _is_parquet(path, staged):
            return path
        target = scratch / "table.parquet"
        _write(con, str(path), staged, source, target)
    for one in staged:
        if one.path and one.path.parent == scratch:
            one.path.unlink()
    return target


def _found(path: Path) -> list[Found]:
    """The files to read; not by `locate`, which takes `*` and `{DD}` in a name as patterns."""
    if path.is_file():
        return [Found(str(path), path.stat().st_size)]
    if not path.is_dir():
        beside = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
        raise DataError(str(path), "no such file or folder", _EXPECTED, did_you_mean(path.name, beside))
    if (path / "_delta_log").is_dir():
        return [Found(str(path), 0, delta=True)]
    if (path / "meta.json").is_file():
        return [Found(str(p), p.stat().st_size) for p in parts(path)]
    inner = sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p.relative_to(path)))
    if not inner:
        raise DataError(str(path), "an empty folder", _EXPECTED)
    return [Found(str(p), p.stat().st_size) for p in inner]


def _hidden(inside: Path) -> bool:
    return any(part.startswith(("_", ".")) for part in inside.parts)


def _is_parquet(path: Path, staged: Sequence[Staged]) -> bool:
    """Whether `scan` reads the very files that were found: it does not go down into folders."""
    files = [s.path for s in staged]
    return files == [path] if path.is_file() else path.is_dir() and bool(files) and _parts(path) == files


def _parts(path: Path) -> list[Path]:
    try:
        return parts(path)
    except DataError:
        return []


def _write(
    con: duckdb.DuckDBPyConnection, where: str, staged: Sequence[Staged], source: Source, target: Path
) -> None:
    """Type the staged rows and write them; JSON values of changing type become text, lists stay lists."""
    types, _ = unify(con, where, staged)
    files = [s.path for s in staged if s.path]
    raw = staged_rows(where, files, types, all_text=any(s.format == "csv" for s in staged))
    flat = {c: t for c, t in raw.types.items() if kind(t) != "nested"}
    with explained(where, "The file seems to be corrupt: write it again."):
        plans = plan_columns(con, replace(raw, types=flat), Asked(source))
        items = {plan.name: plan.item for plan in plans}
        picked = ", ".join(items.get(c) or identifier(c) for c in types)
        write_query(con, f"SELECT {picked} FROM {raw.relation}", target, where=where)
