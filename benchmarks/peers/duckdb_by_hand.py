"""Statistics, schema and drift of two Parquet files as a person writes them in DuckDB: few large queries."""

import math
import sys
from pathlib import Path

import duckdb

FINITE = 'CASE WHEN isfinite("{0}"::DOUBLE) THEN "{0}"::DOUBLE END'


def kinds(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Column to n (number), t (text), b (boolean) or d (time)."""
    known = {"VARCHAR": "t", "BOOLEAN": "b", "TIMESTAMP": "d"}
    return {r[0]: known.get(r[1], "n") for r in con.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()}


def statistics(con: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str]) -> dict[str, tuple]:
    """Counts, extremes, moments, quantiles, lengths, distinct of every column in one query."""
    wanted: list[tuple[str, list[str]]] = []
    for name, kind in columns.items():
        x = FINITE.format(name)
        q = f'"{name}"'
        own = [f"count({q})", "count(*)"]
        if kind == "n":
            own += [
                f"min({x})",
                f"max({x})",
                f"avg({x})",
                f"stddev_pop({x})",
                f"count_if({x} = 0)",
                f"count_if({x} < 0)",
                f"approx_quantile({x}, {[i / 20 for i in range(1, 20)]})",
            ]
        elif kind == "t":
            own += [f"min(length({q}))", f"max(length({q}))", f"avg(length({q}))", f"count_if({q} = '')"]
        elif kind == "b":
            own += [f"count_if({q})"]
        else:
            own += [f"min({q})", f"max({q})"]
        wanted.append((name, own if kind == "b" else [*own, f"approx_count_distinct({q})"]))
    flat = ", ".join(sql for _, own in wanted for sql in own)
    row = con.execute(f"SELECT {flat} FROM {table}").fetchone()
    out, at = {}, 0
    for name, own in wanted:
        out[name] = row[at : at + len(own)]
        at += len(own)
    return out


def top(con: duckdb.DuckDBPyConnection, table: str, name: str) -> dict[str, int]:
    """The thousand most frequent values."""
    query = f'SELECT "{name}", count(*) AS n FROM {table} GROUP BY 1 ORDER BY n DESC LIMIT 1000'
    return dict(con.execute(query).fetchall())


def binned(con: duckdb.DuckDBPyConnection, table: str, edges: dict[str, list[float]]) -> dict[str, dict]:
    """Exact counts between the reference's quantiles."""
    wanted = [f"histogram({FINITE.format(name)}, {some}::DOUBLE[])" for name, some in edges.items()]
    return dict(zip(edges, con.execute(f"SELECT {', '.join(wanted)} FROM {table}").fetchone(), strict=True))


def psi(before: dict, now: dict) -> float:
    """Population stability index."""
    n, m = sum(before.values()) or 1, sum(now.values()) or 1
    pairs = [((before.get(k, 0) + 0.5) / n, (now.get(k, 0) + 0.5) / m) for k in {*before, *now}]
    return sum((q - p) * math.log(q / p) for p, q in pairs)


def main() -> None:
    """Profile both files, compare, write a page."""
    tables = [f"read_parquet('{path}')" for path in sys.argv[1:3]]
    with duckdb.connect() as con:
        columns = kinds(con, tables[0])
        found = [statistics(con, table, columns) for table in tables]
        numbers = [name for name, kind in columns.items() if kind == "n"]
        edges = {name: sorted({float(q) for q in found[0][name][8]}) for name in numbers}
        bins = [binned(con, table, edges) for table in tables]
        texts = [name for name, kind in columns.items() if kind == "t"]
        tops = [{name: top(con, table, name) for name in texts} for table in tables]
        broken = []
        for name in numbers:
            query = (
                f'SELECT count_if("{name}" IS NULL), count_if({FINITE.format(name)} NOT BETWEEN ? AND ?) '
                f"FROM {tables[1]}"
            )
            broken.append((name, con.execute(query, [found[0][name][2], found[0][name][3]]).fetchone()))
    lines = [f"<tr><td>{name}<td>{found[0][name]}<td>{found[1][name]}" for name in columns]
    lines += [f"<tr><td>{name}<td>psi<td>{psi(bins[0][name], bins[1][name])}" for name in numbers]
    lines += [f"<tr><td>{name}<td>psi<td>{psi(tops[0][name], tops[1][name])}" for name in texts]
    lines += [f"<tr><td>{name}<td>outside<td>{counts}" for name, counts in broken]
    Path(sys.argv[3]).write_text(f"<table>{''.join(lines)}</table>")


if __name__ == "__main__":
    main()
