"""What a text column holds, counted over all of its rows in one pass: numbers, times, booleans, or words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import duckdb

from evergreen.tables.sql import identifier, literal

Item = TypeVar("Item")
Finding = Literal["empty", "boolean", "integer", "number", "timestamp", "date", "text", "mixed"]

# How files without types spell "no value"; taken as missing only in a column whose other values are all
# numbers or times. Anything else stays as it is: in a column of words "NA" may be a word.
MARKERS = ("", "na", "n/a", "nan", "#n/a", "#na", "null", "none", "nil", "?", "-", "--", ".")
_DATE_FORMATS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%d-%b-%Y", "%b %d, %Y")
_TIME_FORMATS = ("", " %H:%M", " %H:%M:%S")
_SAMPLE = 2_000
# Every step of an expression holds a vector for each thread: wide tables are counted piece by piece.
_COLUMNS_AT_ONCE = 24
_LOOKS = "regexp_matches(v, '[0-9][-./ ,][0-9A-Za-z]|^[A-Za-z]{3} [0-9]{1,2}, [0-9]{4}')"


@dataclass(frozen=True)
class TextFinding:
    """What one text column holds.

    Attributes:
        finding: The type that all of its values fit, or `mixed`, or `text`.
        values: Rows with a value, markers of missing values not counted.
        markers: Rows with a marker such as `NA` or a blank.
        fitting: For `mixed`: the rows that are numbers or times.
        likely: For `mixed`: the type that the fitting rows have.
        date_format: The `strptime` format of a timestamp or date that is not written as ISO 8601.
    """

    finding: Finding
    values: int
    markers: int = 0
    fitting: int = 0
    likely: Finding = "text"
    date_format: str = ""


def cleaned(column: str) -> str:
    """SQL for a text column's value without spaces around it, NULL where it is a marker."""
    trimmed = f"trim({identifier(column)})"
    return f"CASE WHEN NOT {spelled(trimmed, MARKERS)} THEN {trimmed} END"


def spelled(sql: str, spellings: Sequence[str]) -> str:
    """SQL for whether a trimmed text is one of some words, upper or lower case.

    Not with IN: DuckDB turns a list of more than a few words into a hash join, one for each column.
    """
    words = "|".join(re.escape(s.strip().lower()) for s in spellings)
    return f"regexp_full_match(lower({sql}), {literal(words)})"


def number_of(sql: str, decimal: str = ".") -> str:
    """SQL for a cleaned text as DOUBLE, NULL where it is none; DuckDB reads `1_000` as a number."""
    if decimal != ",":
        return f"TRY_CAST({sql} AS DOUBLE)"
    grouped = f"regexp_replace({sql}, '[.]([0-9]{{3}})', '\\1', 'g')"
    plain = f"replace(replace({grouped}, '.', '_'), ',', '.')"
    return f"CASE WHEN NOT contains({plain}, '_') THEN TRY_CAST({plain} AS DOUBLE) END"


def time_of(sql: str, date_format: str = "") -> str:
    """SQL for a cleaned text as TIMESTAMP (UTC), NULL where it is none."""
    return f"try_strptime({sql}, {literal(date_format)})" if date_format else f"TRY_CAST({sql} AS TIMESTAMP)"


def inspect_text(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    columns: Sequence[str],
    *,
    untyped: bool,
    date_format: str = "",
    decimal: str = ".",
) -> dict[str, TextFinding]:
    """Find out what each text column of a relation holds.

    Args:
        con: An open connection.
        relation: SQL that can stand after FROM.
        columns: The text columns to look at.
        untyped: Whether the file says nothing about types (CSV): then a column of numbers becomes a number.
            Otherwise (Parquet, Delta) text stays text, unless it is numbers with a few words among them.
        date_format: A `strptime` format to try beside ISO 8601 and the common ones.
        decimal: `,` when numbers are written 1.234,5.
    """
    found: dict[str, TextFinding] = {}
    for some in pieces(columns):
        for column, count in _count(con, relation, some, decimal).items():
            found[column] = _judged(count, untyped)
    if untyped:
        words = [c for c in columns if found[c].finding == "text" and found[c].values]
        for column, known_format in _formats(con, relation, words, date_format).items():
            count = _count(con, relation, [column], decimal, known_format)[column]
            found[column] = _judged(count, untyped, known_format)
    for column in [c for c in columns if found[c].finding == "mixed"]:
        if not _dirt(con, relation, column, found[column], untyped, decimal):
            found[column] = TextFinding("text", found[column].values + found[column].markers)
    return found


def pieces(columns: Sequence[Item]) -> list[Sequence[Item]]:
    """Columns (or their plans) in groups that one query can count in bounded memory."""
    return [columns[i : i + _COLUMNS_AT_ONCE] for i in range(0, len(columns), _COLUMNS_AT_ONCE)]


@dataclass(frozen=True)
class _Counts:
    raw: int
    values: int
    numbers: int
    integers: int
    codes: int
    booleans: int
    times: int
    days: int


def _count(
    con: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str], decimal: str, date_format: str = ""
) -> dict[str, _Counts]:
    """The counts of some columns, in one pass."""
    picks = ", ".join(f"{cleaned(c)} AS v{i}, {identifier(c)} AS r{i}" for i, c in enumerate(columns))
    counts = ", ".join(_counts(i, date_format, decimal) for i in range(len(columns)))
    row = con.execute(f"SELECT {counts} FROM (SELECT {picks} FROM {relation})").fetchone() or ()
    width = len(row) // len(columns)
    return {c: _Counts(*row[i * width : (i + 1) * width]) for i, c in enumerate(columns)}


def _counts(i: int, date_format: str, decimal: str) -> str:
    """Eight counts of column i. A code looks like a number and is none: 007, 2024_01, more than 64 bits hold.

    Plain expressions, no CASE around them: DuckDB then works on a column's dictionary, once for each value.
    """
    v, number, time = f"v{i}", number_of(f"v{i}", decimal), time_of(f"v{i}", date_format)
    code = f"left({v}, 2) BETWEEN '00' AND '09' OR (strlen({v}) > 18 AND NOT contains({v}, '.'))"
    code = f"{code} OR contains({v}, '_')"
    return ", ".join(
        [
            f"count(r{i})",
            f"count({v})",
            f"count({number})",
            f"count_if(TRY_CAST({v} AS BIGINT)::VARCHAR = {v})",
            f"count_if(({number}) IS NOT NULL AND ({code}))",
            f"count_if(lower({v}) IN ('true', 'false'))",
            f"count({time})",
            f"count_if({time} = date_trunc('day', {time}) AND NOT contains({v}, ':'))",
        ]
    )


def _judged(count: _Counts, untyped: bool, date_format: str = "") -> TextFinding:
    n, markers = count.values, count.raw - count.values
    if n == 0:
        return TextFinding("empty" if untyped else "text", 0, markers)
    if untyped:
        if count.booleans == n:
            return TextFinding("boolean", n, markers)
        if count.numbers == n and count.codes == 0:
            return TextFinding("integer" if count.integers == n else "number", n, markers)
        if count.times == n:
            kind: Finding = "date" if count.days == n else "timestamp"
            return TextFinding(kind, n, markers, date_format=date_format)
    fitting = max(count.numbers, count.times)
    likely: Finding = "number" if count.numbers >= count.times else "timestamp"
    if 2 * fitting >= n > fitting and not count.codes:
        return TextFinding("mixed", n, markers, fitting, likely, date_format)
    return TextFinding("text", count.raw)


def _dirt(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    column: str,
    found: TextFinding,
    untyped: bool,
    decimal: str,
) -> bool:
    """Whether the words among a column's numbers are dirt, or it is a column of codes (`1`, `2`, `3+`, `A`).

    It is dirt when at least 90 % fit and they take more than 20 different values, or (where the file says
    nothing about types) less than 1 % do not fit; and when at least half fit, in more than 50 different
    values, beside at most 5 different words.
    """
    value = cleaned(column)
    fit = number_of("v", decimal) if found.likely == "number" else time_of("v", found.date_format)
    row = con.execute(
        "SELECT approx_count_distinct(f), approx_count_distinct(CASE WHEN f IS NULL THEN v END),"
        f" count(v) - count(f) FROM (SELECT v, {fit} AS f FROM (SELECT {value} AS v FROM {relation}))"
    ).fetchone()
    distinct, words, misfits = row or (0, 0, 0)
    if found.fitting >= 0.9 * found.values:
        return bool(distinct > 20 or (untyped and distinct >= 3 and misfits < 0.01 * found.values))
    return bool(distinct > 50 and words <= 5)


def _formats(
    con: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str], wish: str
) -> dict[str, str]:
    """The date format of each column that is not written as ISO 8601, if one reads more than every other.

    A sample tells which formats come into question; where several read all of it (01/02/2017), all rows do.
    """
    known = [d + t for d in _DATE_FORMATS for t in _TIME_FORMATS]
    found = {}
    for column in columns:
        values = f"SELECT {cleaned(column)} AS v FROM {relation} WHERE {identifier(column)} IS NOT NULL"
        sample = f"SELECT v FROM ({values}) WHERE v IS NOT NULL LIMIT {_SAMPLE}"
        row = con.execute(
            f"SELECT count_if({_LOOKS}), count(TRY_CAST(v AS TIMESTAMP)) FROM ({sample})"
        ).fetchone()
        if row is None or not row[0] or 2 * row[1] >= row[0]:
            continue
        best = _best(con, sample, [wish, *known] if wish else known)
        if len(best) > 1 and wish not in best:
            best = _best(con, values, best)
        if wish in best or len(best) == 1:
            found[column] = wish if wish in best else best[0]
    return found


def _best(con: duckdb.DuckDBPyConnection, query: str, formats: Sequence[str]) -> list[str]:
    counts = ", ".join(f"count(try_strptime(v, {literal(f)}))" for f in formats)
    row = con.execute(f"SELECT count(v), {counts} FROM ({query})").fetchone() or (0,)
    best = max(row[1:], default=0)
    if not row[0] or 2 * best < row[0]:
        return []
    return [f for f, n in zip(formats, row[1:], strict=True) if n == best]
