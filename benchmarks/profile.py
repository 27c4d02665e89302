"""Profile and validation of a generated table against the same aggregates written by hand in DuckDB.

    python benchmarks/profile.py [ROWS]          default 1,000,000 rows x 20 columns

Each contender runs in a process of its own; prints seconds, CPU seconds, peak resident memory, and ratios.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

NUMBERS = [f"number {i}" for i in range(10)]
WHOLE = ["id", "small", "large"]
TEXTS = ["few", "hundreds", "many", "name"]
BOOLEANS = ["flag", "label"]
CONTENDERS = ("duckdb by hand", "profile", "validate")


def generate(path: Path, rows: int, seed: float) -> None:
    """10 doubles with missing values and NaN, 3 integers, 4 texts, 2 booleans, 1 timestamp."""
    numbers = [
        f"CASE WHEN random() < 0.03 THEN NULL WHEN random() < 0.001 THEN 'nan'::DOUBLE "
        f'ELSE (random() + random() + random()) * {10 ** (i % 5)} - {i} END AS "{name}"'
        for i, name in enumerate(NUMBERS)
    ]
    rest = [
        "(random() * 20)::INTEGER AS small",
        "(random() * 1e5)::INTEGER AS large",
        "'c' || (random() * random() * 8)::INTEGER AS few",
        "'c' || (random() * random() * 300)::INTEGER AS hundreds",
        f"'u' || (random() * {rows // 2})::INTEGER AS many",
        "'name ' || i AS name",
        "random() < 0.3 AS flag",
        "random() < 0.1 AS label",
        "TIMESTAMP '2020-01-01' + to_seconds((random() * 1e8)::INTEGER) AS moment",
    ]
    query = f"SELECT i AS id, {', '.join(numbers + rest)} FROM range({rows}) r(i)"
    with duckdb.connect() as con:
        con.execute(f"SET threads = 1; SELECT setseed({seed})")
        con.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


def finite(name: str) -> str:
    return f'CASE WHEN isfinite("{name}"::DOUBLE) THEN "{name}"::DOUBLE END'


def by_hand(path: Path) -> None:
    """What a person writes for these statistics: moments, distinct, quantiles, bins, frequent values."""
    table = f"read_parquet('{path}')"
    wanted = ["count(*)", "min(moment)", "max(moment)", "sum(flag::INT)", "sum(label::INT)"]
    for name in NUMBERS + WHOLE:
        x = finite(name)
        wanted += [f'count("{name}")', f"min({x})", f"max({x})", f"avg({x})", f"stddev_pop({x})"]
        wanted += [f"sum(({x} < 0)::INT)", f"sum(({x} = 0)::INT)"]
        wanted += [f"approx_quantile({x}, {[i / 20 for i in range(1, 20)]})"]
    for name in TEXTS:
        x = f'length("{name}")'
        wanted += [f'count("{name}")', f"min({x})", f"max({x})", f"sum({x})"]
    wanted += [f'approx_count_distinct("{name}")' for name in [*NUMBERS, *WHOLE, *TEXTS, "moment"]]
    with duckdb.connect() as con:
        con.execute("SET memory_limit = '1GiB'")
        row = con.execute(f"SELECT {', '.join(wanted)} FROM {table}").fetchone()
        edges = [sorted({float(q) for q in value}) for value in row if isinstance(value, list)]
        pairs = zip(NUMBERS + WHOLE, edges, strict=True)
        bins = [f"histogram({finite(name)}, {some}::DOUBLE[])" for name, some in pairs]
        con.execute(f"SELECT {', '.join(bins)} FROM {table}").fetchall()
        for name in [*TEXTS, "small"]:
            query = f'SELECT "{name}", count(*) AS n FROM {table} GROUP BY 1 ORDER BY n DESC LIMIT 1000'
            con.execute(query).fetchall()


def run(contender: str, path: Path, other: Path) -> dict[str, float]:
    """Time one contender in this process; `other` is the baseline's table."""
    from evergreen.profile import infer_schema, profile_table, validate
    from evergreen.project.model import DataGate

    roles = {"label": "label", "id": "key"}
    if contender == "validate":
        baseline, own = profile_table(other, roles), profile_table(path, roles)
        schema = infer_schema(baseline)
    begun, busy = time.perf_counter(), time.process_time()
    if contender == "duckdb by hand":
        by_hand(path)
    elif contender == "profile":
        profile_table(path, roles)
    else:
        validate(path, schema, DataGate(), profile=own, baseline=baseline)
    return {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - busy,
        "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Generate the tables, run every contender, print."""
    rows = int(sys.argv[1].replace(",", "").replace("_", "")) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path, other = Path(folder) / "table.parquet", Path(folder) / "baseline.parquet"
        generate(path, rows, 0.5)
        generate(other, min(rows, 1_000_000), 0.25)
        size = path.stat().st_size / 2**20
        print(f"{rows:,} rows x 20 columns, {size:.0f} MiB of Parquet, {os.cpu_count()} cores")
        results = {}
        for contender in CONTENDERS:
            command = [sys.executable, __file__, "--one", contender, str(path), str(other)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            results[contender] = json.loads(done.stdout)
        base = results[CONTENDERS[0]]
        print(f"{'':16}{'seconds':>9}{'CPU s':>8}{'MiB':>7}{'x seconds':>11}{'x CPU':>8}")
        for name, one in results.items():
            ratios = f"{one['seconds'] / base['seconds']:11.2f}{one['cpu'] / base['cpu']:8.2f}"
            print(f"{name:16}{one['seconds']:9.2f}{one['cpu']:8.2f}{one['mebibytes']:7.0f}{ratios}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(run(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))))
    else:
        main()
