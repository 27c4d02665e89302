"""CSV as text first: the dialect from the header line, every column as text, faults with their line number.

Types are found later, over all rows at once (`evergreen.ingest.infer`), so that one odd value in row 900,000
is a finding about a column and not a parser's failure.
"""

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import duckdb

from evergreen.errors import DataError
from evergreen.near import did_you_mean
from evergreen.tables.connection import translate
from evergreen.tables.names import check_names, listed
from evergreen.tables.sql import literal

_DELIMITERS = ",;\t|"
# Options of the project file that are handed to DuckDB's reader, by their name there.
_OPTIONS = {
    "delimiter": "delim",
    "delim": "delim",
    "sep": "delim",
    "quote": "quote",
    "escape": "escape",
    "comment": "comment",
    "encoding": "encoding",
    "skip": "skip",
    "nullstr": "nullstr",
    "compression": "compression",
    "null_padding": "null_padding",
    "strict_mode": "strict_mode",
    "max_line_size": "max_line_size",
}
_OURS = ("header", "names", "decimal", "dateformat")
_MAX_LINE = 16 * 2**20
# Spreadsheets tell each other the delimiter in a first line such as `sep=;`.
_SEPARATOR = re.compile(r"sep=([^\s\w\"'])\s*")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?")


def csv_relation(where: str, path: Path, options: Mapping[str, Any], suffix: str = "") -> str | None:
    """The SQL that reads a CSV file, every column as text; None for a file with nothing in it.

    Args:
        where: The file's URI, for errors.
        path: The local file; gzip and Zstandard by its suffix.
        options: Of the source in the project file: `delimiter`, `quote`, `escape`, `comment`, `encoding`,
            `skip`, `nullstr`, `compression`, `header: false` with `names`, `null_padding`, `strict_mode`.
        suffix: The URI's suffixes, when the local file's are not the same.

    Raises:
        DataError: for unknown options, bytes that are not UTF-8 in the header, names that stand twice.
    """
    _check_options(where, options)
    first = _first_line(where, path, options, suffix or path.name)
    told = _SEPARATOR.fullmatch(first or "")
    if told:
        skip = int(options.get("skip", 0)) + 1
        options = {"delimiter": told[1], **options, "skip": skip}
        first = _first_line(where, path, options, suffix or path.name)
    if first is None:
        return None
    delimiter = str(
        options.get("delimiter", options.get("delim", options.get("sep", ""))) or _delimiter(first)
    )
    quote = str(options.get("quote", '"'))
    names = _names(where, first, delimiter, quote, options)
    arguments: dict[str, Any] = {
        "delim": delimiter,
        "quote": quote,
        "escape": quote,
        "comment": "",
        "header": options.get("header", True),
        "auto_detect": False,
        "max_line_size": _MAX_LINE,
        "buffer_size": 2 * _MAX_LINE,
        **{_OPTIONS[k]: v for k, v in options.items() if k in _OPTIONS},
    }
    listing = ", ".join(f"{k} = {literal(v)}" for k, v in arguments.items())
    columns = "{" + ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names) + "}"
    return f"read_csv({literal(str(path))}, {listing}, columns = {columns})"


def csv_error(where: str, error: duckdb.Error) -> Exception:
    """A parser's failure in words: the line, what is wrong, what to do; never the line's own text."""
    message = str(error)
    line = re.search(r"CSV Error on Line: (\d+)", message)
    at = f"{where}, line {line[1]}" if line else where
    if "not utf-8 encoded" in message or "unicode" in message.lower():
        remedy = "Say which encoding it is, such as `options: {encoding: latin-1}`, or save it as UTF-8."
        return DataError(at, "bytes that are not UTF-8", "UTF-8", remedy)
    count = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if count:
        found = f"{count[2]} {'value' if count[2] == '1' else 'values'}"
        remedy = (
            "Quote values that hold the delimiter, or set `options: {null_padding: true}` for short lines."
        )
        return DataError(at, found, f"{count[1]}, as in the header", remedy)
    if "quote" in message.lower():
        remedy = "Close it, or set `options: {quote: …}` to the character that the file uses."
        return DataError(at, "a quoted value does not end where it should", remedy=remedy)
    if "line size" in message.lower():
        remedy = "An open quote is the usual cause; else raise `options: {max_line_size: …}`."
        return DataError(at, f"a line of more than {_MAX_LINE // 2**20} MiB", remedy=remedy)
    return translate(error, at) if not line else DataError(at, "the line cannot be read as CSV")


def looks_like_data(names: list[str]) -> bool:
    """Whether a header line is more likely the first row: some of its names are numbers or empty."""
    return any(not name.strip() or _NUMBER.fullmatch(name.strip()) for name in names)


def _check_options(where: str, options: Mapping[str, Any]) -> None:
    known = [*_OPTIONS, *_OURS]
    for name in options:
        if name not in known:
            raise DataError(
                where, f"unknown CSV option {name!r}", listed(known, 20), did_you_mean(name, known)
            )


def _open(path: Path, name: str) -> IO[bytes]:
    if name.endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


def _first_line(where: str, path: Path, options: Mapping[str, Any], name: str) -> str | None:
    """The first line that is not skipped, blank or a comment; it may run on inside quotes."""
    if name.endswith((".zst", ".bz2", ".xz")):
        names = options.get("names")
        if names:
            return ",".join(map(str, names))
        raise DataError(where, "a CSV that is neither plain nor gzip", ".csv or .csv.gz", "Unpack it first.")
    encoding = str(options.get("encoding", "utf-8")).lower()
    comment = str(options.get("comment", "") or "\0")
    try:
        with _open(path, name) as raw, io.TextIOWrapper(raw, encoding=_python_encoding(encoding)) as handle:
            for _ in range(int(options.get("skip", 0))):
                handle.readline(_MAX_LINE)
            while line := handle.readline(_MAX_LINE):
                text = line.lstrip("\ufeff")
                if text.strip() and not text.startswith(comment):
                    return text.rstrip("\r\n")
    except UnicodeDecodeError:
        raise _encoding_error(where, path) from None
    except (OSError, EOFError) as error:
        if isinstance(error, gzip.BadGzipFile | EOFError):
            raise DataError(where, "not a whole gzip file", remedy="Write it again.") from error
        raise
    except LookupError:
        raise DataError(where, f"unknown encoding {encoding!r}", "utf-8, latin-1 or utf-16") from None
    return None


def _python_encoding(encoding: str) -> str:
    return "utf-8-sig" if encoding in ("utf-8", "utf8") else encoding


def _encoding_error(where: str, path: Path) -> DataError:
    with path.open("rb") as handle:
        head = handle.read(2**20)
    guess = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
    if guess == "latin-1" and any(0x80 <= byte <= 0x9F for byte in head):
        # Letters of Windows (€, curly quotes), which latin-1 does not have.
        guess = "cp1252"
    return DataError(where, "bytes that are not UTF-8", "UTF-8", f"Say `options: {{encoding: {guess}}}`.")


def _delimiter(header: str) -> str:
    outside = re.sub(r'"(?:[^"]|"")*"', "", header)
    counts = Counter(c for c in outside if c in _DELIMITERS)
    return max(_DELIMITERS, key=lambda d: (counts[d], -_DELIMITERS.index(d)))


def _names(where: str, first: str, delimiter: str, quote: str, options: Mapping[str, Any]) -> list[str]:
    given = options.get("names")
    parsed = next(csv.reader([first], delimiter=delimiter, quotechar=quote or None, skipinitialspace=True))
    if options.get("header", True) is False and not given:
        raise DataError(
            where, "`header: false` without names", "`options: {header: false, names: [a, b, …]}`"
        )
    names = [str(n) for n in given] if given else [name.strip() for name in parsed]
    if given and len(names) != len(parsed):
        raise DataError(where, f"{len(names)} `names` for {len(parsed)} columns", "one name for each column")
    # Spreadsheets and pandas leave the index column without a name.
    named = [name or f"column{i}" for i, name in enumerate(names)]
    check_names(where, named)
    return named
