"""Bring each of a source's files to local Parquet: fetched, parsed, nothing decided about its types yet."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from evergreen.errors import DataError, InputError
from evergreen.ingest.csvfiles import csv_error, csv_relation
from evergreen.ingest.encodings import as_utf8
from evergreen.ingest.locate import Found, is_remote
from evergreen.near import did_you_mean
from evergreen.project.model import Source
from evergreen.storage import delta_options, open_store
from evergreen.tables.connection import explained, translate
from evergreen.tables.names import listed
from evergreen.tables.parquet import file_scan, write_query
from evergreen.tables.sql import literal

_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".jsonlines": "jsonl",
    ".parquet": "parquet",
    ".parq": "parquet",
    ".pq": "parquet",
}
_PACKED = (".gz", ".zst", ".bz2", ".xz")
_JSON_OPTIONS = ("compression", "dateformat", "timestampformat", "maximum_object_size", "records")


@dataclass(frozen=True)
class Staged:
    """One file of a source as local Parquet.

    Attributes:
        uri: Where it came from.
        path: The local Parquet file; None for a file with no content at all, not even columns.
        format: csv, jsonl, parquet, delta, images or texts.
        size: Bytes of the original.
    """

    uri: str
    path: Path | None
    format: str
    size: int


def stage(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    found: Sequence[Found],
    scratch: Path,
    endpoint: str | None = None,
) -> Iterator[Staged]:
    """Fetch and parse a source's files one by one.

    Args:
        con: An open connection.
        source: The source's section of the project file.
        found: Its files, from `evergreen.ingest.locate`.
        scratch: An empty local folder.
        endpoint: Of the S3 server; default: from the environment.

    Raises:
        DataError: for a file that is corrupt, truncated, not in its format, or not UTF-8.
        StorageError: when the object store refuses, or the disk is full.
    """
    if source.format in ("images", "texts"):
        from evergreen.media.stage import stage_media  # image decoders, which no other source needs

        yield stage_media(source, found, scratch / "00000.parquet", endpoint)
        return
    for index, file in enumerate(found):
        target = scratch / f"{index:05d}.parquet"
        if file.delta or source.format == "delta":
            size = _stage_delta(con, source, file.uri, target, endpoint)
            yield Staged(file.uri, target, "delta", size)
            continue
        local = _fetched(file, scratch, index, endpoint)
        kind = format_of(file.uri, local) if source.format == "auto" else source.format
        size = local.stat().st_size
        if kind == "parquet":
            _check_parquet(con, file.uri, local, source)
            yield Staged(file.uri, local, kind, size)
            continue
        staged = _stage_text(con, kind, source, file.uri, local, target)
        if local.parent == scratch:
            local.unlink()
        yield Staged(file.uri, staged, kind, size)


def format_of(uri: str, path: Path) -> str:
    """The format of a file: by its suffix, else by how its content begins."""
    suffixes = [s.lower() for s in Path(uri).suffixes if s.lower() not in _PACKED]
    if suffixes and suffixes[-1] in _SUFFIXES:
        return _SUFFIXES[suffixes[-1]]
    with path.open("rb") as handle:
        head = handle.read(512)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        raise DataError(uri, "a zip or Excel file", "CSV, JSON lines, Parquet or Delta", "Export it as CSV.")
    return "jsonl" if head.lstrip()[:1] in (b"{", b"[") else "csv"


def _fetched(file: Found, scratch: Path, index: int, endpoint: str | None) -> Path:
    if not is_remote(file.uri):
        return Path(file.uri)
    scheme, _, rest = file.uri.partition("://")
    bucket, _, key = rest.partition("/")
    local = scratch / f"{index:05d}-{Path(key).name}"
    open_store(f"{scheme}://{bucket}", endpoint=endpoint).download(key, local)
    return local


def _check_parquet(con: duckdb.DuckDBPyConnection, uri: str, path: Path, source: Source) -> None:
    known = ("hive_partitioning",)
    for option in source.options:
        if option not in known:
            raise DataError(
                uri, f"unknown Parquet option {option!r}", listed(known), did_you_mean(option, known)
            )
    if path.stat().st_size == 0:
        raise DataError(uri, "an empty file (0 bytes)", "Parquet", "Write it again.")
    with _parquet_faults(uri):
        con.execute(f"DESCRIBE SELECT * FROM {file_scan([path])}")


@contextmanager
def _parquet_faults(uri: str) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        if "magic bytes" in str(error) or "too small" in str(error):
            found = "not a Parquet file, or one that was cut off"
            raise DataError(uri, found, "Parquet", "Write it again, or correct `format`.") from error
        raise translate(error, uri, "The file seems to be corrupt: write it again.") from error


def _stage_text(
    con: duckdb.DuckDBPyConnection, kind: str, source: Source, uri: str, local: Path, target: Path
) -> Path | None:
    if local.stat().st_size == 0:
        return None
    if kind == "csv":
        given, (local, options) = local, as_utf8(uri, local, source.options, target)
        relation = csv_relation(uri, local, options, Path(uri).name)
        if relation is None:
            return None
        try:
            con.execute(f"COPY (SELECT * FROM {relation}) TO {literal(str(target))} (FORMAT parquet)")
        except duckdb.Error as error:
            raise csv_error(uri, error) from error
        finally:
            if local != given:
                local.unlink()
        return target
    relation = _json_relation(uri, local, source)
    with explained(uri, "Each line must be one JSON object; write the file again."):
        names = [row[0] for row in con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]
        if names == ["json"]:
            row = con.execute(f"SELECT count(*) FROM {relation}").fetchone()
            if not row or not row[0]:
                return None
            raise DataError(uri, "values that are no JSON objects", "one object a line: {…}")
        con.execute(f"COPY (SELECT * FROM {relation}) TO {literal(str(target))} (FORMAT parquet)")
    return target


def _json_relation(uri: str, local: Path, source: Source) -> str:
    for option in source.options:
        if option not in _JSON_OPTIONS:
            remedy = did_you_mean(option, _JSON_OPTIONS)
            raise DataError(uri, f"unknown JSON option {option!r}", listed(_JSON_OPTIONS), remedy)
    listing = "".join(f", {k} = {literal(v)}" for k, v in source.options.items())
    return f"read_json({literal(str(local))}, format = 'auto', sample_size = -1{listing})"


def _stage_delta(
    con: duckdb.DuckDBPyConnection, source: Source, uri: str, target: Path, endpoint: str | None
) -> int:
    """Stream a Delta table's rows to one Parquet file; returns the bytes of its data files."""
    version = source.options.get("version")
    try:
        table = DeltaTable(uri, version=version, storage_options=delta_options(uri, endpoint))
        size = sum(int(n) for n in table.get_add_actions(flatten=True).column("size_bytes").to_pylist())
        dataset = table.to_pyarrow_dataset()
    except InputError:
        raise
    except (DeltaError, OSError, ValueError) as error:
        remedy = "Check the path" + ("" if version is None else " and `options.version`") + "."
        raise DataError(
            uri, f"no Delta table that can be read ({type(error).__name__})", remedy=remedy
        ) from error
    con.register("evergreen_delta", dataset)
    try:
        write_query(con, "SELECT * FROM evergreen_delta", target)
    finally:
        con.unregister("evergreen_delta")
    return size
