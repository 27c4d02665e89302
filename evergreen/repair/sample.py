"""A bounded look at a text column: exact counts of what is plain, and some of the values that are not."""

from dataclasses import dataclass

import duckdb

from evergreen.repair.numbers import PLAIN
from evergreen.repair.times import ISO
from evergreen.tables.sql import identifier

FREQUENT, SPREAD = 1_000, 4_000
"""Different values looked at: so many of the most frequent, and so many spread evenly by their hash."""


@dataclass(frozen=True)
class Look:
    """What a text column holds.

    Attributes:
        rows: Rows with a value that is not blank.
        blank: Rows with a blank that is not an empty cell.
        plain: Rows with a plain number.
        codes: Plain numbers that only look like one: 007, +82…, more digits than 64 bits hold.
        bits: Plain numbers that are 0 or 1.
        dates: Plain numbers that could be 20240131 or seconds since 1970.
        whole: Plain numbers without decimals.
        iso: Rows with a date or time in ISO 8601 without a zone.
        other: Different values that are neither.
        values: Some of those with their rows; all of them when `complete`.
        complete: Whether `values` are all.
    """

    rows: int
    blank: int
    plain: int
    codes: int
    bits: int
    dates: int
    whole: int
    iso: int
    other: int
    values: tuple[tuple[str, int], ...]

    @property
    def complete(self) -> bool:
        """Whether every value that is not plain was looked at."""
        return self.other == len(self.values)


def look(con: duckdb.DuckDBPyConnection, relation: str, column: str) -> Look:
    """Look at a text column; same rows, same answer, whatever their order."""
    v = identifier(column)
    code = (
        "regexp_full_match(v, '[+-]?0[0-9]+([.][0-9]*)?') OR strlen(v) > 18 AND NOT contains(v, '.') "
        "OR regexp_full_match(v, '[+][0-9]{8,}')"
    )
    epoch = "regexp_full_match(v, '(19|20)[0-9]{6}|1[0-9]{9}|1[0-9]{12}|1[0-9]{15}')"
    counts = (
        "count(*) FILTER (WHERE NOT b), count(*) FILTER (WHERE b), count(*) FILTER (WHERE p), "
        f"count(*) FILTER (WHERE p AND ({code})), "
        f"count(*) FILTER (WHERE v IN ('0', '1', '0.0', '1.0')), count(*) FILTER (WHERE p AND {epoch}), "
        "count(*) FILTER (WHERE p AND regexp_full_match(v, '[+-]?[0-9]+([.]0*)?')), "
        "count(*) FILTER (WHERE i)"
    )
    inner = (
        f"SELECT trim({v}) AS v, trim({v}) = '' AS b, regexp_full_match(trim({v}), '{PLAIN}') AS p, "
        f"regexp_full_match({v}, '{ISO}') AS i FROM {relation} WHERE {v} IS NOT NULL"
    )
    row = [int(n) for n in con.execute(f"SELECT {counts} FROM ({inner})").fetchall()[0]]
    rows, _, plain, *_, iso = row
    values: list[tuple[str, int]] = []
    other = 0
    if rows > plain:
        test = f"NOT regexp_full_match(trim({v}), '{PLAIN}') AND trim({v}) <> ''"
        if iso == rows - plain:
            test += f" AND NOT regexp_full_match({v}, '{ISO}')"
        grouped = (
            f"SELECT {v} AS v, count(*) AS n FROM {relation} WHERE {v} IS NOT NULL AND {test} GROUP BY 1"
        )
        con.execute(f"CREATE OR REPLACE TEMP TABLE evergreen_look AS {grouped}")
        other = int(con.execute("SELECT count(*) FROM evergreen_look").fetchall()[0][0])
        values = con.execute(
            f"(SELECT v, n FROM evergreen_look ORDER BY n DESC, v LIMIT {FREQUENT}) UNION "
            f"(SELECT v, n FROM evergreen_look ORDER BY hash(v), v LIMIT {SPREAD}) ORDER BY 2 DESC, 1"
        ).fetchall()
        con.execute("DROP TABLE evergreen_look")
    rows, blank, plain, codes, bits, dates, whole, iso = row
    return Look(rows, blank, plain, codes, bits, dates, whole, iso, other, tuple(values))
