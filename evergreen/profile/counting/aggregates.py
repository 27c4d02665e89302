"""What each pass aggregates over a column, and how exact numbers come out of any number of threads."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import duckdb

from evergreen.profile.counting.layout import ColumnLayout
from evergreen.profile.counting.reading import Reader, Request
from evergreen.profile.counting.sketch import SIZE, TOP, Sketch
from evergreen.profile.model import Bins, Scalar, Values
from evergreen.tables import literal

# Fixed-point bits of the sums: |y| ≤ 2 and y² ≤ 4 below, and a BIGINT has 63 bits.
_BITS = 60


def survey_request(reader: Reader) -> Request:
    """First pass: counts, extremes, lengths, and an estimate of the number of distinct values."""
    outputs = {"rows": "count(*)", "present": "count({r})"}
    if reader.family == "other":
        return Request({"r": reader.raw}, outputs)
    inputs = {"r": reader.raw, "v": reader.value}
    if reader.family in ("number", "time"):
        outputs |= {"valid": "count({v})", "minimum": "min({v})", "maximum": "max({v})"}
        outputs |= {"zeros": "coalesce(count_if({v} = 0), 0)", "negative": "coalesce(count_if({v} < 0), 0)"}
        outputs |= _infinities(reader)
    elif reader.family == "text":
        inputs["l"] = f"length({reader.value})"
        outputs |= {"shortest": "min({l})", "longest": "max({l})", "total": "sum({l})"}
        outputs["empty"] = "coalesce(count_if({l} = 0), 0)"
    outputs["estimate"] = "approx_count_distinct({v})"
    return Request(inputs, outputs)


def _infinities(reader: Reader) -> dict[str, str]:
    """Counts of +∞ and −∞; what else is present but not valid is NaN."""
    if reader.family == "number" and not reader.floats:
        return {}
    return {"above": f"coalesce(count_if({{r}} = 'infinity'::{reader.stored}), 0)",
            "below": f"coalesce(count_if({{r}} = '-infinity'::{reader.stored}), 0)"}  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """The fixed-point frame of a column's sums: y = x·`factor` − `centre`, with `factor` a power of two.

    Sums of integers do not depend on the order in which threads add them up, sums of doubles do: this is what
    makes a profile the same bytes every time, and a mean right to its last bits.
    """

    factor: float
    centre: float

    @staticmethod
    def of(minimum: float, maximum: float, middle: float) -> "Scale":
        """The frame for values between `minimum` and `maximum`, centred near `middle`."""
        size = max(abs(minimum), abs(maximum))
        exponent = math.frexp(size)[1] if size else 0
        factor = math.ldexp(1.0, -max(-1000, exponent))
        return Scale(factor, min(max(middle, minimum), maximum) * factor)

    def moments(self, count: int, total: int, squares: int) -> tuple[float | None, float | None]:
        """The mean and the sum of squared deviations, from the sums of y·2^60 and of y²·2^60.

        M2 = Σy² − (Σy)²/n, in exact arithmetic; None for no rows, or past the range of a double.
        """
        if not count:
            return None, None
        first, second = Fraction(total, 2**_BITS), Fraction(squares, 2**_BITS)
        factor = Fraction(self.factor)
        mean = (first / count + Fraction(self.centre)) / factor
        m2 = max(second - first * first / count, Fraction(0)) / factor**2
        return _double(mean), _double(m2)


def _double(value: Fraction) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def measure_request(reader: Reader, layout: ColumnLayout, scale: Scale) -> Request:
    """Second pass over a number or a time: fixed-point sums, and exact counts between the layout's edges."""
    edges = ", ".join(f"{e!r}::DOUBLE" for e in layout.all_edges)
    one = f"{float(2**_BITS)!r}::DOUBLE"
    outputs = {
        "sum": f"sum(CAST({{y}} * {one} AS BIGINT))",
        "squares": f"sum(CAST({{y}} * {{y}} * {one} AS BIGINT))",
    }
    if edges:
        outputs["bins"] = f"histogram({{d}}, [{edges}])"
    y = f"{reader.double} * {scale.factor!r}::DOUBLE - {scale.centre!r}::DOUBLE"
    return Request({"d": reader.double, "y": y}, outputs)


def bins(counts: Mapping[float, int] | None, edges: Sequence[float], valid: int) -> Bins:
    """Sum DuckDB's counts by upper edge (∞ for the last) into the bins of `edges`, some of those edges."""
    if not edges:
        return Bins((), (valid,))
    sums = [0] * (len(edges) + 1)
    bounds = [*edges, math.inf]
    at = 0
    for upper, count in sorted((counts or {}).items()):
        while upper > bounds[at]:
            at += 1
        sums[at] += count
    return Bins(tuple(edges), tuple(sums))


def value_counts(
    con: duckdb.DuckDBPyConnection, relation: str, reader: Reader, group: str = "", *,
    only: Sequence[Scalar] | None = None, least: int = 1,
) -> dict[Any, dict[Scalar, int]]:  # fmt: skip
    """Exact counts by value, for each group (None where `group` is empty).

    Args:
        con: An open connection.
        relation: What can stand after FROM.
        reader: The column.
        group: SQL for the name of a row's group; rows without one are left out.
        only: Count only these values.
        least: Leave out values that occur less often.
    """
    if only is not None and not only:
        return {}
    inner = f"SELECT {group or 'NULL'} AS g, {reader.value} AS v FROM {relation}"
    where = "v IS NOT NULL" + (" AND g IS NOT NULL" if group else "")
    where += f" AND v IN ({', '.join(literal(v) for v in only)})" if only else ""
    query = f"SELECT any_value(g), v, count(*) AS n FROM ({inner}) WHERE {where}"
    query += f" GROUP BY {'g, v' if group else 'v'} HAVING n >= {least}"
    found: dict[Any, dict[Scalar, int]] = {}
    for name, value, count in con.execute(query).fetchall():
        found.setdefault(name, {})[value] = count
    return found


def listed(counts: Mapping[Scalar, int], layout: ColumnLayout, valid: int) -> Values | None:
    """The counts of a layout's values (zero for those that do not occur) and of all others together."""
    if layout.values is None:
        return None
    own = {v: counts.get(v, 0) for v in layout.values}
    return Values(ranked(own), valid - sum(own.values()), layout.complete)


def ranked(counts: Mapping[Scalar, int]) -> tuple[tuple[Scalar, int], ...]:
    """Values with their counts, the most frequent first, ties by value."""
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def sketch(con: duckdb.DuckDBPyConnection, relation: str, reader: Reader, estimate: int) -> Sketch:
    """The sketch of a column's distinct values; `estimate` (HyperLogLog) says which hashes to fetch."""
    limit = TOP if estimate <= 2 * SIZE else TOP * 2 * SIZE // estimate
    inner = f"SELECT hash({reader.value}) AS h FROM {relation} WHERE {reader.value} IS NOT NULL"
    rows = con.execute(f"SELECT DISTINCT h FROM ({inner}) WHERE h <= {limit}::UBIGINT").fetchall()
    return Sketch.of((row[0] for row in rows), limit)


def value_sketch(con: duckdb.DuckDBPyConnection, reader: Reader, values: Sequence[Scalar]) -> Sketch:
    """The sketch of a column whose distinct valid values are known; the same as `sketch` makes."""
    stored = {"integer": reader.stored, "number": "DOUBLE", "boolean": "BOOLEAN"}.get(reader.type, "VARCHAR")
    query = f"SELECT hash(v) FROM (SELECT unnest({literal(list(values))}::{stored}[]) AS v)"
    return Sketch.of((row[0] for row in con.execute(query).fetchall()), TOP)


def hashing(con: duckdb.DuckDBPyConnection) -> str:
    """A name for DuckDB's hash function, which may change with its version: what it makes of known values."""
    row = con.execute("SELECT hash('evergreen'), hash(1), hash(1.5::DOUBLE), hash(TRUE)").fetchone() or ()
    return "duckdb:" + "-".join(f"{h:016x}" for h in row)
