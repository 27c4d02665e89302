"""Whether rows are equal by coincidence: coarse columns make equal rows."""

import numpy as np
import pandas as pd

from evergreen.labels.rows import Rows, column_of, feature_hash
from evergreen.modeling.splitting.assign import hash_of
from evergreen.tables import identifier, kind

COMPARED = 20_000
_NEAR = 0.2
_RARE = 0.001
_MOST_CELLS = 100_000_000


def find_odd(rows: Rows, groups: np.ndarray, seed: int) -> set[int]:
    """The groups of equal rows that no coincidence explains, of those asked about.

    A group is odd when two of its columns hold values that hardly any other row has, or when no other row
    comes
    near: all differ in more than a fifth of the columns. That is asked of at most 20,000 rows. Among more
    rows the nearest may be one of the others, so that all are searched for one that differs in a single
    column.

    Args:
        rows: The rows.
        groups: Hashes of features (`feature_hash`).
        seed: Of the rows to compare with.
    """
    con = rows.con
    hashed = feature_hash(rows.features)
    chosen = pd.DataFrame({"evergreen_wanted": groups})
    con.register("evergreen_chosen", chosen)
    listed = ", ".join(identifier(f) for f in rows.features)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE evergreen_compared AS
        SELECT DISTINCT ON (evergreen_h) evergreen_h, {listed}
        FROM (SELECT {hashed} AS evergreen_h, {listed} FROM {rows.relation}) AS r
        SEMI JOIN evergreen_chosen AS c ON r.evergreen_h = c.evergreen_wanted"""
    )
    con.execute(
        f"""INSERT INTO evergreen_compared
        SELECT {hashed} AS evergreen_h, {listed} FROM {rows.relation}
        ORDER BY {hash_of(rows.features, seed)} LIMIT {COMPARED}"""
    )
    con.unregister("evergreen_chosen")
    hashes = column_of(con, "evergreen_compared", "evergreen_h")
    columns = [column_of(con, "evergreen_compared", _code(rows, f)) for f in rows.features]
    codes = np.stack([pd.factorize(c, use_na_sentinel=False)[0].astype(np.int32) for c in columns], axis=1)
    odd = {h for h, coincidence in _coincidences(codes, hashes, groups).items() if not coincidence}
    if odd and COMPARED < rows.count <= _MOST_CELLS // len(rows.features):
        odd -= _with_neighbour(rows, np.array(sorted(odd), dtype=np.uint64))
    return odd


def _with_neighbour(rows: Rows, groups: np.ndarray) -> set[int]:
    """The groups for which some row, of all, differs in exactly one column.

    Every row is known by as many hashes as it has columns, each of all columns but one; streamed.
    """
    con = rows.con
    each = [f"hash({i}, {identifier(name)})" for i, name in enumerate(rows.features)]
    held = ", ".join(f"{sql} AS evergreen_c{i}" for i, sql in enumerate(each))
    whole = "evergreen_c0"
    for i in range(1, len(each)):
        whole = f"xor({whole}, evergreen_c{i})"
    parts = ", ".join(f"hash({i}, xor(evergreen_all, evergreen_c{i}))" for i in range(len(each)))
    pieces = (
        f"SELECT evergreen_h, unnest([{parts}]) AS evergreen_piece FROM (SELECT *, {whole} AS evergreen_all "
        f"FROM (SELECT {feature_hash(rows.features)} AS evergreen_h, {held} FROM {rows.relation}))"
    )
    con.register("evergreen_groups", pd.DataFrame({"evergreen_wanted": groups}))
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE evergreen_pieces AS
        SELECT DISTINCT evergreen_wanted, evergreen_piece FROM ({pieces}) AS p
        JOIN evergreen_groups AS g ON p.evergreen_h = g.evergreen_wanted"""
    )
    con.unregister("evergreen_groups")
    found = con.execute(
        f"""SELECT DISTINCT w.evergreen_wanted FROM ({pieces}) AS p
        JOIN evergreen_pieces AS w ON p.evergreen_piece = w.evergreen_piece
        WHERE p.evergreen_h <> w.evergreen_wanted"""
    ).fetchall()
    return {int(h) for (h,) in found}


def _code(rows: Rows, name: str) -> str:
    return f"{identifier(name)}::{'DOUBLE' if kind(rows.types[name]) in ('number', 'integer') else 'VARCHAR'}"


def _coincidences(codes: np.ndarray, hashes: np.ndarray, groups: np.ndarray) -> dict[int, bool]:
    varying = codes.max(axis=0, initial=0) > 0
    codes = codes[:, varying]
    near = max(1, int(_NEAR * codes.shape[1]))
    rare = max(2.0, _RARE * len(codes))
    first = {h: i for i, h in reversed(list(enumerate(hashes)))}
    found = {}
    for h in groups:
        same = codes == codes[first[h]]
        others = hashes != h
        alone = (same[others].sum(axis=0) <= rare).sum()
        differing = codes.shape[1] - same[others].sum(axis=1)
        found[int(h)] = bool(alone < 2 and differing.min(initial=codes.shape[1]) <= near)
    return found
