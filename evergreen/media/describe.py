"""A folder of images or texts as a Parquet table, one row a file, in bounded memory."""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from evergreen import log
from evergreen.errors import DataError
from evergreen.files import aside
from evergreen.media import images, texts
from evergreen.media.files import Origin
from evergreen.media.limits import Limits, Unusable
from evergreen.media.nearness import hamming_groups, jaccard_groups
from evergreen.project.model import Media

_log = log.get(__name__)
Kind = Literal["images", "texts"]
Progress = Callable[[int, int], None]
"""Gets the files done and the files to do."""
_BATCH = 256
_SAID_EVERY = 5_000
_WIDTHS = {"images": 16, "texts": 256}
_COMMON = {"path": "string", "extension": "string", "bytes": "int64"}
_ENDING = {"sha256": "string", "duplicate_of": "string", "near_duplicate_of": "string",
           "near_group": "int64", "error": "string"}  # fmt: skip


@dataclass(frozen=True)
class Described:
    """What came of a folder.

    Attributes:
        rows: Files.
        failed: Files with an `error`.
        bytes: Read from all files.
    """

    rows: int
    failed: int
    bytes: int


def arrow_columns(kind: Kind, *, label: bool = False, span: bool = False) -> dict[str, str]:
    """The columns of the table, in order, with their Arrow types.

    `path`, `extension`, `bytes`, then those of `images.COLUMNS` or `texts.COLUMNS`, then `sha256`,
    `duplicate_of` (the first file with the same bytes), `near_duplicate_of` (the first file of its group of
    near duplicates), `near_group` (the group's number), `error`. Empty in every row that they do not concern.
    """
    own = images.COLUMNS if kind == "images" else texts.COLUMNS
    extra = {**({"label": "string"} if label else {}), **({"span": "string"} if span else {})}
    return {"path": "string", **extra, **_COMMON, **own, **_ENDING}


def describe_files(
    files: Origin, kind: Kind, media: Media, target: Path, *, threads: int | None = None,
    progress: Progress | None = None,
) -> Described:  # fmt: skip
    """Write the table of a source's files as one Parquet file.

    A batch of files is in memory at a time, beside 16 bytes (images) or 256 bytes (texts) and the digest of
    every file; rows are in the order of `files`, and do not depend on `threads`.

    Args:
        files: The files.
        kind: What they hold.
        media: How to read and compare them.
        target: The Parquet file to write.
        threads: Files described at once; default: every core. Texts are described one by one, since
            Python's own work on them cannot run side by side.
        progress: Called now and then.

    Raises:
        DataError: when not one of the files can be described.
        StorageError: when the object store or the disk refuses.
    """
    columns = arrow_columns(
        kind, label=media.label_from is not None, span=any(map(files.span, range(len(files.names))))
    )
    with (
        aside(Path(target)) as temporary,
        tempfile.TemporaryDirectory(prefix="evergreen-media-") as scratch,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # held to `max_pixels` instead
        raw = Path(scratch) / "raw.parquet"
        seen = _Seen(_WIDTHS[kind], Path(scratch) / "signatures")
        with pq.ParquetWriter(raw, _schema(columns), compression="zstd") as writer:
            for rows in _described(files, kind, media, threads or len(os.sched_getaffinity(0))):
                writer.write_table(pa.Table.from_pylist([seen.add(r) for r in rows], _schema(columns)))
                _say(seen.rows, len(files.names), progress)
        seen.close()
        _refuse_all_failed(seen, raw, kind)
        _with_duplicates(raw, temporary, _schema(columns), files.names, seen, kind, media)
    return Described(seen.rows, seen.failed, seen.bytes)


def _schema(columns: dict[str, str]) -> pa.Schema:
    return pa.schema([(name, pa.type_for_alias(alias)) for name, alias in columns.items()])


def _say(done: int, total: int, progress: Progress | None) -> None:
    if progress is not None:
        progress(done, total)
    if done % _SAID_EVERY < _BATCH and done >= _SAID_EVERY:
        _log.info("files described", extra={"files": done, "of": total})


def _described(files: Origin, kind: Kind, media: Media, threads: int) -> Iterator[list[dict[str, Any]]]:
    describe = partial(_row, files, kind, media, Limits.of(media))
    places = range(len(files.names))
    batches = [places[k : k + _BATCH] for k in range(0, len(places), _BATCH)]
    if kind == "texts" or threads == 1:
        yield from (list(map(describe, batch)) for batch in batches)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="media") as pool:
        yield from (list(pool.map(describe, batch)) for batch in batches)


def _row(files: Origin, kind: Kind, media: Media, limits: Limits, place: int) -> dict[str, Any]:
    name, span = files.names[place], files.span(place)
    row: dict[str, Any] = {"path": name, "extension": PurePosixPath(name).suffix.lower().removeprefix(".")}
    row |= {"span": span} if span else {}
    if media.label_from == "folder":
        row["label"] = PurePosixPath(name).parent.name or None
    try:
        data = files.read(place, limits.bytes)
    except Unusable as reason:
        return {**row, "bytes": files.size(place) or None, "error": str(reason)}
    except OSError as error:
        return {**row, "error": f"cannot be read ({type(error).__name__})"}
    digest = images.sha256(data)
    found, signature = (images.describe_image if kind == "images" else texts.describe_text)(
        data, name, limits
    )
    return {**row, "bytes": len(data), **found, "sha256": digest.hex(), "signature": signature}


class _Seen:
    """What is kept of every file: digest and signature, in numbers of fixed width."""

    def __init__(self, width: int, signatures: Path) -> None:
        self.rows = self.failed = self.bytes = 0
        self.width, self.path = width, signatures
        self.digests = bytearray()
        self.known: list[bool] = []
        self._handle = signatures.open("wb")

    def add(self, row: dict[str, Any]) -> dict[str, Any]:
        """Keep what is needed of a row; returns the row as it is written."""
        signature = row.pop("signature", None)
        self.rows += 1
        self.failed += "error" in row
        self.bytes += row.get("bytes") or 0 if "sha256" in row else 0
        digest = bytes.fromhex(row.get("sha256", ""))[:16]
        self.digests += digest if digest and row["bytes"] else self.rows.to_bytes(16, "little")
        self.known.append(signature is not None)
        self._handle.write(signature or bytes(self.width))
        return row

    def close(self) -> None:
        """No more files."""
        self._handle.close()

    def exact(self) -> np.ndarray:
        """For each file the place of the first with the same bytes: [files]."""
        digests = np.frombuffer(bytes(self.digests), dtype=np.dtype((np.void, 16)))
        _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
        return np.asarray(first[inverse])

    def near(self, kind: Kind, media: Media) -> np.ndarray:
        """For each file the place of the first of its group of near or exact duplicates: [files]."""
        first = self.exact()
        places = np.flatnonzero(np.array(self.known, dtype=bool))
        if len(places) < 2:
            return first
        signatures = np.memmap(self.path, dtype=np.uint8, mode="r").reshape(-1, self.width)[places]
        if kind == "images":
            groups = hamming_groups(signatures, media.distance)
        else:
            groups = jaccard_groups(signatures, media.similarity)
        leaders = np.full(int(groups.max()) + 1, self.rows)
        np.minimum.at(leaders, groups, places)
        first[places] = leaders[groups]
        return first


def _refuse_all_failed(seen: _Seen, raw: Path, kind: Kind) -> None:
    if seen.rows and seen.failed == seen.rows:
        errors = pq.read_table(raw, columns=["path", "error"]).slice(0, 3).to_pylist()
        listing = "; ".join(f"{e['path']}: {e['error']}" for e in errors)
        found = f"not one of {seen.rows:,} files can be described ({listing})"
        other = "texts" if kind == "images" else "images"
        raise DataError(kind, found, f"files that hold {kind}", f"Name another folder, or `format: {other}`.")


def _with_duplicates(
    raw: Path, target: Path, schema: pa.Schema, names: Sequence[str], seen: _Seen, kind: Kind, media: Media
) -> None:
    """Write the final table: the rows with their duplicates, which are known only after the last file."""
    exact, near = seen.exact(), seen.near(kind, media)
    sizes = np.bincount(near, minlength=seen.rows) if seen.rows else np.empty(0, dtype=np.int64)
    numbers = np.cumsum(sizes > 1) * (sizes > 1)
    begin = 0
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in pq.ParquetFile(raw).iter_batches(8_192):
            places = range(begin, begin + batch.num_rows)
            begin += batch.num_rows
            columns = {
                "duplicate_of": [names[exact[i]] if exact[i] != i else None for i in places],
                "near_duplicate_of": [names[near[i]] if near[i] != i else None for i in places],
                "near_group": [int(numbers[near[i]]) or None for i in places],
            }
            made = {k: pa.array(v, schema.field(k).type) for k, v in columns.items()}
            arrays = [made.get(name, batch.column(i)) for i, name in enumerate(schema.names)]
            writer.write_table(pa.table(arrays, schema=schema))
