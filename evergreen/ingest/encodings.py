"""CSV files in encodings that DuckDB does not read, written again as UTF-8."""

import codecs
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evergreen.errors import DataError

_READ_BY_DUCKDB = ("utf-8", "utf8", "utf-8-sig", "latin-1", "latin1", "iso-8859-1", "iso8859-1")
_CHUNK = 2**20


def as_utf8(
    where: str, path: Path, options: Mapping[str, Any], target: Path
) -> tuple[Path, Mapping[str, Any]]:
    """The file as it is, or a copy in UTF-8 with the options that are left; one MiB is held at a time.

    UTF-16 is told by its byte order mark, any other encoding by the option `encoding`.

    Args:
        where: The file's URI, for errors.
        path: The local file, not packed.
        options: Of the source.
        target: The Parquet file that will be made; the copy stands beside it.

    Raises:
        DataError: for an encoding that is not known, or that the bytes are not in.
    """
    encoding = str(options.get("encoding", "")).lower() or _marked(path)
    if not encoding or encoding in _READ_BY_DUCKDB or path.name.endswith((".gz", ".zst")):
        return path, options
    copy = target.with_suffix(".utf8.csv")
    try:
        with path.open("rb") as given, copy.open("w", encoding="utf-8", newline="") as out:
            decoder = codecs.getincrementaldecoder(encoding)()
            while chunk := given.read(_CHUNK):
                out.write(decoder.decode(chunk))
            out.write(decoder.decode(b"", final=True))
    except LookupError:
        raise DataError(where, f"unknown encoding {encoding!r}", "such as utf-8, latin-1 or cp1252") from None
    except UnicodeError:
        raise DataError(where, f"bytes that are not {encoding}", "the encoding that the file is in") from None
    return copy, {k: v for k, v in options.items() if k != "encoding"}


def _marked(path: Path) -> str:
    with path.open("rb") as handle:
        head = handle.read(2)
    return "utf-16" if head in (b"\xff\xfe", b"\xfe\xff") else ""
