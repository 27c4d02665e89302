"""One segment: an Arrow stream while it is open, appended batch by batch, and Parquet once it is closed.

A batch is one `write` to the file, and nothing is buffered by us: a killed process loses no batch that was
written, since the operating system has it. A batch that was not written whole ends the file; reading stops
before it. (Power loss is another matter: an open segment is not fsynced, a closed one is.)
"""

import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from evergreen.files import aside
from evergreen.serving.predictions.layout import GAP, About

OPEN, CLOSED = ".open", ".closed"
_ROW_GROUP_BYTES = 16 * 2**20  # of Arrow memory that the conversion holds at a time


class OpenSegment:
    """A segment that is appended to.

    Args:
        path: The file to make.
        schema: Of its batches.
        about: What it says about itself.

    Raises:
        OSError: when the file cannot be written.
    """

    def __init__(self, path: Path, schema: pa.Schema, about: About) -> None:
        self.path, self.about = path, about
        self.begun = time.monotonic()
        self.rows = self.size = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            self._write(schema.with_metadata(about.metadata()).serialize())
        except OSError:
            os.close(self._file)
            path.unlink()
            raise

    def append(self, batch: pa.RecordBatch) -> int:
        """Write a batch; returns its bytes. After an error the file is as it was before.

        Raises:
            OSError: when there is no room.
        """
        written = self._write(batch.serialize())
        self.rows += batch.num_rows
        return written

    def _write(self, data: pa.Buffer) -> int:
        rest, done = memoryview(data), 0
        try:
            while done < len(rest):
                done += os.write(self._file, rest[done:])
        except OSError:
            os.ftruncate(self._file, self.size)
            os.lseek(self._file, self.size, os.SEEK_SET)
            raise
        self.size += done
        return done

    def close(self) -> None:
        """End the segment; it may be converted now."""
        os.close(self._file)
        self.path.rename(self.path.with_suffix(CLOSED))


def to_parquet(path: Path, folder: Path) -> Path | None:
    """Turn an open or closed segment into Parquet at its key below a folder; the same bytes every time.

    Memory is bounded by a row group and the largest batch, not by the segment.

    Args:
        path: The segment's file; it stays.
        folder: Below which the Parquet file is made.

    Returns:
        The Parquet file; None when the segment holds nothing.

    Raises:
        StorageError: when the disk is full or read-only.
    """
    with pa.OSFile(str(path)) as file:
        whole = _Whole(file, path.stat().st_size)
        if whole.about is None:
            return None
        batches = whole.batches()
        first = next(batches, None)
        if first is None and not whole.about.dropped:
            return None
        target = folder / whole.about.key
        with aside(target) as temporary:
            _convert(whole, itertools.chain([first] if first else [], batches), temporary)
    return target


def _convert(whole: "_Whole", batches: Iterable[pa.RecordBatch], path: Path) -> None:
    assert whole.about is not None
    dropped, held, size = Counter(whole.about.dropped), list[pa.RecordBatch](), 0
    gap = whole.schema.get_field_index(GAP)
    plain = whole.schema.remove(gap).remove_metadata()
    # Without dictionaries: most columns hold other values in each row, and zstd sees those that do not. It
    # takes half the time, on the core that answers requests.
    with pq.ParquetWriter(path, plain, compression="zstd", use_dictionary=False) as writer:
        for batch in batches:
            dropped.update(_dropped(batch.column(gap)))
            held.append(batch.remove_column(gap))
            size += batch.nbytes
            if size >= _ROW_GROUP_BYTES:
                writer.write_table(pa.Table.from_batches(held, plain))
                held, size = [], 0
        writer.write_table(pa.Table.from_batches(held, plain))
        about = replace(whole.about, dropped=dict(sorted(dropped.items())), torn=whole.torn)
        writer.add_key_value_metadata(about.metadata())


def _dropped(column: pa.Array) -> dict[str, int]:
    first = column[0].as_py() if len(column) else None
    return json.loads(first) if first else {}


class _Whole:
    """What of a segment's file can be read: batch by batch, up to the first one that is not whole."""

    def __init__(self, file: pa.NativeFile, size: int) -> None:
        self._file, self.torn = file, size
        self._size = size
        self.about: About | None = None
        try:
            self._stream = pa.ipc.open_stream(file, options=pa.ipc.IpcReadOptions(use_threads=False))
        except (pa.ArrowException, OSError, EOFError):
            return
        self.schema = self._stream.schema
        self.about = About.read(self.schema.metadata)
        self.torn = size - file.tell()

    def batches(self) -> Iterator[pa.RecordBatch]:
        while True:
            try:
                batch = self._stream.read_next_batch()
                batch.validate(full=True)
            except (StopIteration, pa.ArrowException, OSError, EOFError):
                return
            self.torn = self._size - self._file.tell()
            yield batch
