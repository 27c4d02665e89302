"""Rows whose features are all the same: how many, on which sides of the split, with which labels."""

from dataclasses import dataclass

import pandas as pd

from evergreen.intervals import Z_99, wilson
from evergreen.labels.coincidence import find_odd
from evergreen.labels.rows import PART, Rows, feature_hash
from evergreen.tables import identifier

EXAMINED = 100
_KEYS = 8
_SPREAD = 0.5


@dataclass(frozen=True)
class Copies:
    """Groups of rows with the same features.

    Attributes:
        groups: How many there are.
        rows: Rows in them.
        surplus: Rows beyond the first of each group.
        leaked: Rows of validation and test whose features stand in train too.
        conflicting: Rows in groups with more than one label.
        examined: Groups that were looked at, to tell copies from coincidence.
        copies: The share of rows in such groups that no coincidence explains.
        leaked_copies: The same among groups on both sides of the split.
        conflict_copies: The same among groups with more than one label.
        keys: Some of the rows that no coincidence explains, by key.
        conflict_keys: Some of those with more than one label.
        leaked_keys: Some of those on both sides of the split.
    """

    groups: int = 0
    rows: int = 0
    surplus: int = 0
    leaked: int = 0
    conflicting: int = 0
    examined: int = 0
    copies: float = 0.0
    leaked_copies: float = 0.0
    conflict_copies: float = 0.0
    keys: tuple[str, ...] = ()
    conflict_keys: tuple[str, ...] = ()
    leaked_keys: tuple[str, ...] = ()


def find_copies(rows: Rows, seed: int) -> Copies:
    """Count rows with equal features, streamed, and tell copies from coincidence on a bounded sample.

    In a table of a few coarse columns equal rows are no news, nor are different labels among them: that is
    overlap of the classes. At most 100 groups of each kind (any, several labels, both sides of the split) are
    looked at; see `find_odd`.

    Args:
        rows: The rows.
        seed: Of the sample.
    """
    con = rows.con
    label = identifier(rows.label)
    spread = f"min({label}) <> max({label})"
    if rows.target.classes is None:
        scale = con.execute(f"SELECT stddev_pop({label}) FROM {rows.relation}").fetchall()[0][0] or 0.0
        spread = f"max({label}) - min({label}) > {float(scale) * _SPREAD!r}"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE evergreen_twins AS
        SELECT {feature_hash(rows.features)} AS evergreen_h, count(*) AS n, count_if({PART} = 'train') AS t,
            coalesce({spread}, false) AS c
        FROM {rows.relation} GROUP BY evergreen_h HAVING count(*) > 1"""
    )
    totals = con.execute(
        "SELECT count(*), sum(n), sum(n - 1), sum(n - t) FILTER (WHERE t > 0 AND n > t), "
        "sum(n) FILTER (WHERE c) FROM evergreen_twins"
    ).fetchall()[0]
    groups, total, surplus, leaked, conflicting = (int(v or 0) for v in totals)
    if not groups:
        return Copies()
    examined = _examined(rows, seed)
    firsts = examined.drop_duplicates("h")
    odd = find_odd(rows, firsts["h"].to_numpy(), seed)
    conflicts, across = firsts[firsts["c"]], firsts[(firsts["t"] > 0) & (firsts["n"] > firsts["t"])]
    kinds = (firsts[firsts["place"] <= EXAMINED], across, conflicts)
    shares = [_share(g, odd, groups > len(firsts)) for g in kinds]
    keys = [_keys(examined, odd & set(g["h"])) for g in (firsts, conflicts, across)]
    return Copies(
        groups=groups, rows=total, surplus=surplus, leaked=leaked, conflicting=conflicting,
        examined=len(firsts), copies=shares[0], leaked_copies=shares[1], conflict_copies=shares[2],
        keys=keys[0], conflict_keys=keys[1], leaked_keys=keys[2],
    )  # fmt: skip


def _share(groups: pd.DataFrame, odd: set[int], sampled: bool) -> float:
    """The share of the rows in these groups that stand in odd ones; of a sample, what it is at least."""
    if sampled:
        return wilson(float(groups["h"].isin(odd).sum()), len(groups), Z_99)[0]
    total = float(groups["n"].sum())
    return float(groups[groups["h"].isin(odd)]["n"].sum()) / total if total else 0.0


def _keys(examined: pd.DataFrame, groups: set[int]) -> tuple[str, ...]:
    return tuple(examined[examined["h"].isin(groups)]["k"].iloc[:_KEYS])


def _examined(rows: Rows, seed: int) -> pd.DataFrame:
    """The rows of a bounded choice of groups, in an order that the seed shuffles."""
    return rows.con.execute(
        f"""WITH ranked AS (
            SELECT *, row_number() OVER shuffled AS place,
                row_number() OVER (PARTITION BY c ORDER BY hash(evergreen_h + {seed}), evergreen_h) AS alike,
                row_number() OVER (
                    PARTITION BY t > 0 AND n > t ORDER BY hash(evergreen_h + {seed}), evergreen_h) AS across
            FROM evergreen_twins
            WINDOW shuffled AS (ORDER BY hash(evergreen_h + {seed}), evergreen_h)),
        chosen AS (
            SELECT * FROM ranked WHERE place <= {EXAMINED} OR (c AND alike <= {EXAMINED})
                OR (t > 0 AND n > t AND across <= {EXAMINED})),
        named AS (
            SELECT {feature_hash(rows.features)} AS h, {rows.key_sql()} AS k, {PART} AS p
            FROM {rows.relation})
        SELECT h, n, t, c, place, k, p FROM named JOIN chosen ON named.h = chosen.evergreen_h
        QUALIFY row_number() OVER (PARTITION BY h ORDER BY p, k) <= 4
        ORDER BY place, p, k"""
    ).df()
