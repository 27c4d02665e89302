"""The same by hand in Polars: lazy scans, one collect for statistics and one for each column's bins."""

import math
import sys
from pathlib import Path

import polars as pl


def statistics(path: str, schema: pl.Schema) -> dict:
    """Counts, extremes, moments, quantiles, lengths, distinct of every column."""
    wanted = [pl.len().alias("rows")]
    for name, kind in schema.items():
        c = pl.col(name)
        wanted.append(c.count().alias(f"{name}:count"))
        if kind.is_numeric():
            x = pl.when(c.cast(pl.Float64).is_finite()).then(c.cast(pl.Float64))
            wanted += [x.min().alias(f"{name}:min"), x.max().alias(f"{name}:max")]
            wanted += [x.mean().alias(f"{name}:mean"), x.std(ddof=0).alias(f"{name}:std")]
            wanted += [(x == 0).sum().alias(f"{name}:zeros"), (x < 0).sum().alias(f"{name}:negative")]
            wanted += [x.quantile(i / 20).alias(f"{name}:q{i}") for i in range(1, 20)]
        elif kind == pl.String:
            n = c.str.len_chars()
            wanted += [
                n.min().alias(f"{name}:min"),
                n.max().alias(f"{name}:max"),
                n.mean().alias(f"{name}:mean"),
            ]
        elif kind == pl.Boolean:
            wanted.append(c.sum().alias(f"{name}:true"))
        else:
            wanted += [c.min().alias(f"{name}:min"), c.max().alias(f"{name}:max")]
        if kind != pl.Boolean:
            wanted.append(c.approx_n_unique().alias(f"{name}:distinct"))
    return pl.scan_parquet(path).select(wanted).collect(engine="streaming").row(0, named=True)


def counts(path: str, name: str, edges: list[float] | None) -> dict:
    """Counts between edges, or by value."""
    c = pl.col(name)
    frame = pl.scan_parquet(path)
    if edges is not None:
        x = pl.when(c.cast(pl.Float64).is_finite()).then(c.cast(pl.Float64))
        c = x.cut(edges)
    found = frame.group_by(c.alias("v")).agg(pl.len()).sort("len", descending=True).limit(1000)
    return dict(found.collect(engine="streaming").iter_rows())


def psi(before: dict, now: dict) -> float:
    """Population stability index."""
    n, m = sum(before.values()) or 1, sum(now.values()) or 1
    pairs = [((before.get(k, 0) + 0.5) / n, (now.get(k, 0) + 0.5) / m) for k in {*before, *now}]
    return sum((q - p) * math.log(q / p) for p, q in pairs)


def main() -> None:
    """Profile both files, compare, write a page."""
    paths = sys.argv[1:3]
    schema = pl.scan_parquet(paths[0]).collect_schema()
    found = [statistics(path, schema) for path in paths]
    lines = [f"<tr><td>{k}<td>{v}<td>{found[1][k]}" for k, v in found[0].items()]
    for name, kind in schema.items():
        if not (kind.is_numeric() or kind == pl.String):
            continue
        edges = None
        if kind.is_numeric():
            edges = sorted({found[0][f"{name}:q{i}"] for i in range(1, 20)})
        before, now = (counts(path, name, edges) for path in paths)
        lines.append(f"<tr><td>{name}<td>psi<td>{psi(before, now)}")
        if kind.is_numeric():
            c = pl.col(name)
            outside = ((c < found[0][f"{name}:min"]) | (c > found[0][f"{name}:max"])).sum()
            broken = pl.scan_parquet(paths[1]).select(outside.alias("n"), c.is_null().sum().alias("m"))
            lines.append(f"<tr><td>{name}<td>outside<td>{broken.collect(engine='streaming').row(0)}")
    Path(sys.argv[3]).write_text(f"<table>{''.join(lines)}</table>")


if __name__ == "__main__":
    main()
