"""The two engines on one machine: a training set of 1M labels from 5M events (or as many as you say).

    python benchmarks/spark.py [LABELS] [EVENTS]

Each engine runs in a process of its own; prints seconds, CPU seconds of all its processes and peak resident
memory (Python and, with Spark, the JVM), and whether the digests are equal. On one machine DuckDB is by far
the faster: Spark is for what one machine does not hold.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import duckdb
import psutil

from evergreen.history.build import build_training_set
from evergreen.ingest.manifest import Ingested, SourceTable, write_manifest
from evergreen.project.model import Project

ENTITIES = 100_000


def generate(folder: Path, labels: int, events: int) -> None:
    """Labels and events of 100,000 entities over three years; few of them have most of the events."""
    who = f"(random() * random() * {ENTITIES})::INTEGER AS who"
    moment = "TIMESTAMP '2021-01-01' + to_seconds((random() * 94608000)::INTEGER)"
    queries = {
        "labels": f"SELECT i AS row, {who}, {moment} AS at, random() < 0.3 AS y FROM range({labels}) t(i)",
        "events": f"SELECT {who}, {moment} AS ts, round(random() * 100, 2) AS amount, "
        f"'p' || (random() * random() * 5000)::INTEGER AS product FROM range({events}) t(i)",
    }
    sources = {}
    with duckdb.connect() as con:
        con.execute("SET threads = 1; SELECT setseed(0.5)")
        for name, query in queries.items():
            (folder / name).mkdir(parents=True)
            target = folder / name / "part-00000.parquet"
            con.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
            sources[name] = SourceTable((), "parquet", 0, 0, "", None, {})
    write_manifest(folder, Ingested(sources, "2030-01-01T00:00:00"))


def project(engine: str) -> Project:
    spending = [
        {"column": "amount", "functions": ["sum", "mean", "std", "max"], "windows": ["7d", "90d"]},
        {"column": "product", "functions": ["distinct"], "windows": ["90d"]},
        {"functions": ["count", "recency"], "windows": ["30d"]},
    ]
    return Project.model_validate(
        {
            "name": "benchmark",
            "engine": engine,
            "resources": {"memory": "2GiB"},
            "sources": {
                "labels": {"path": "x", "time": "at", "key": ["row"]},
                "events": {"path": "x", "time": "ts", "delay": "1h"},
            },
            "entity": "who",
            "time": "at",
            "label": {"source": "labels", "column": "y", "key": ["row"]},
            "features": [
                {"name": "spending", "source": "events", "columns": ["amount"], "aggregates": spending}
            ],
        }
    )


def contend(engine: str, tables: Path) -> None:
    """Build with one engine and print what it took, as JSON."""
    seen: dict[int, tuple[float, int]] = {}
    ended = threading.Event()
    peak = [0]

    def watch() -> None:
        me = psutil.Process()
        while not ended.wait(0.2):
            now = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    times, memory = process.cpu_times(), process.memory_info().rss
                except psutil.Error:
                    continue
                seen[process.pid] = (times.user + times.system, memory)
                now += memory
            peak[0] = max(peak[0], now)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=tables.parent) as scratch:
        built = build_training_set(project(engine), tables, Path(scratch) / "out")
    seconds = time.perf_counter() - begun
    ended.set()
    watcher.join()
    cpu = sum(t for t, _ in seen.values())
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak[0], "digest": built.digest}))


def main() -> None:
    labels, events = (int(a) for a in (sys.argv[1:3] or ["1000000", "5000000"]))
    with tempfile.TemporaryDirectory(prefix="evergreen-benchmark-") as scratch:
        tables = Path(scratch) / "tables"
        generate(tables, labels, events)
        found = {}
        for engine in ("duckdb", "spark"):
            # -P: `profile.py` beside this file must not stand for the standard library's.
            command = [sys.executable, "-P", __file__, "--engine", engine, str(tables)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ)
            found[engine] = result = json.loads(done.stdout)
            took = f"{result['seconds']:8.1f} s {result['cpu']:8.1f} CPU s"
            print(f"{engine:8} {took} {result['peak'] / 2**20:8.0f} MiB", flush=True)
    ours, theirs = found["duckdb"], found["spark"]
    same = "equal" if ours["digest"] == theirs["digest"] else "DIFFERENT"
    ratios = (
        f"{theirs['seconds'] / ours['seconds']:.1f} x the time, {theirs['cpu'] / ours['cpu']:.1f} x the CPU"
    )
    print(f"{labels:,} labels, {events:,} events: digests {same}; Spark took {ratios} of DuckDB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--engine"]:
        contend(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
