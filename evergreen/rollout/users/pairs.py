"""Pairs of an answer and its copy: joined by request id and row, however far apart their segments are.

An answer or copy that stands alone is kept for ten minutes (`WAIT`) after it would have been settled.
"""

from dataclasses import dataclass

import duckdb

from evergreen.rollout.evidence import Pairs
from evergreen.rollout.users.periods import MICRO
from evergreen.rollout.users.reference import Reference
from evergreen.rollout.users.state import PairSums

WAIT = 10 * 60 * MICRO
_UNIT = 2.0**40
_LARGEST = 2**50  # of a difference of scores in units: 1024 times the scale
_LONGEST = 10**10  # microseconds of a difference of latencies
_TOLERANCE = 0.01


@dataclass(frozen=True)
class Joined:
    """Sums over pairs: settled ones, all of them, and who stayed alone."""

    settled: PairSums
    total: PairSums
    alone_answers: int = 0
    alone_copies: int = 0


def join(con: duckdb.DuckDBPyConnection, reference: Reference, begin: int, cut: int, slo: float) -> Joined:
    """Join the table `halves` (see `intake`), and leave in `kept` what later reads need.

    Args:
        con: The connection.
        reference: Says when two predictions differ.
        begin: Pairs whose answer is earlier are not counted; microseconds.
        cut: Pairs of which both halves are earlier are settled.
        slo: Seconds; the latency's objective.
    """
    con.execute(
        "CREATE TEMP TABLE pair AS SELECT id, row, min(h) FILTER (NOT shadow) AS a, "
        "min(h) FILTER (shadow) AS c, bool_or(paired) AS paired, max(time) AS time FROM ("
        "SELECT id, row, shadow, paired, time, struct_pack(time := time, prediction := prediction, "
        "score := score, micros := micros, status := status, "
        "empty := empty) AS h FROM halves) GROUP BY id, row"
    )
    sums = _sums(con, reference, begin, cut, slo)
    ((answers, copies),) = con.execute(
        "SELECT count(*) FILTER (c IS NULL), count(*) FILTER (a IS NULL) FROM pair "
        f"WHERE NOT paired AND time < {cut - WAIT} AND (a IS NULL OR c IS NULL)"
    ).fetchall()
    con.execute(
        "CREATE TEMP TABLE kept AS SELECT *, paired OR (a IS NOT NULL AND c IS NOT NULL AND "
        f"time < {cut}) AS done FROM pair WHERE time >= {cut - WAIT}"
    )
    settled = sums.get(True, PairSums())
    return Joined(settled, settled.plus(sums.get(False, PairSums())), int(answers), int(copies))


def kept_rows() -> str:
    """SQL: the halves that the state keeps, in order; of settled pairs only that they were counted."""
    half = (
        "SELECT id, row, {shadow} AS shadow, {h}.time AS time, {h}.prediction AS prediction, "
        "{h}.score AS score, {h}.micros AS micros, {h}.status AS status, {h}.empty AS empty, FALSE AS paired "
        "FROM kept WHERE NOT done AND {h} IS NOT NULL"
    )
    done = (
        "SELECT id, row, FALSE, time, NULL::UBIGINT, NULL::DOUBLE, NULL::BIGINT, NULL::SMALLINT, "
        "NULL::BOOLEAN, TRUE FROM kept WHERE done"
    )
    parts = [half.format(shadow="FALSE", h="a"), half.format(shadow="TRUE", h="c"), done]
    return f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY id, row, shadow"


def evidence_of(sums: PairSums, reference: Reference) -> Pairs:
    """The sums in the units of the evidence."""
    unit = (reference.scale or 1.0) / _UNIT
    return Pairs(
        pairs=sums.pairs,
        disagreements=sums.disagreements,
        score=(sums.score * unit, sums.score_squares * unit * unit),
        seconds=(sums.micros / MICRO, sums.micros_squares / MICRO**2),
        failures=sums.failures,
        slower=sums.slower,
        requests=sums.requests,
    )


def _sums(
    con: duckdb.DuckDBPyConnection, reference: Reference, begin: int, cut: int, slo: float
) -> dict[bool, PairSums]:
    scale, limit = reference.scale or 1.0, round(slo * MICRO)
    tolerance = repr(_TOLERANCE * reference.scale) if reference.scale else f"{_TOLERANCE} * abs(a.score)"
    differs = "a.prediction IS DISTINCT FROM c.prediction"
    if reference.number:
        differs = (
            f"(a.score IS NULL) <> (c.score IS NULL) OR coalesce(abs(c.score - a.score) > {tolerance}, FALSE)"
        )
    failed = (
        "coalesce(c.status >= 500 OR (c.status >= 400 AND a.status < 400) "
        "OR (c.status < 400 AND c.empty), FALSE)"
    )
    score = _whole(f"(c.score - a.score) / {scale!r} * {_UNIT!r}", _LARGEST)
    micros = _whole("c.micros - a.micros", _LONGEST)
    rows = (
        f"SELECT time < {cut} AS settled, row = 0 AS whole, {differs} AS differs, {failed} AS failed, "
        f"coalesce(c.micros > {limit} AND a.micros <= {limit}, FALSE) AS slower, {score} AS d, {micros} AS s "
        f"FROM pair WHERE NOT paired AND a IS NOT NULL AND c IS NOT NULL AND a.time >= {begin}"
    )
    found = con.execute(
        "SELECT settled, count(*), count(*) FILTER (whole), count(*) FILTER (differs), "
        "count(*) FILTER (failed), count(*) FILTER (slower), sum(d), sum(d * d), sum(s), sum(s * s) "
        f"FROM ({rows}) GROUP BY settled"
    ).fetchall()
    return {bool(settled): PairSums(*(int(s or 0) for s in sums)) for settled, *sums in found}


def _whole(difference: str, largest: int) -> str:
    """SQL: a difference as a whole number within bounds; NULL stays NULL, which `least` would not let it."""
    bounded = f"least(greatest({difference}, {-largest}), {largest})"
    return f"CASE WHEN {difference} IS NOT NULL THEN CAST(round({bounded}) AS HUGEINT) END"
