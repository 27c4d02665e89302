"""The point-in-time join of labels with events, against the as-of joins of DuckDB, Polars, pandas and Feast.

    python benchmarks/history.py [LABELS] [EVENTS] [--rounds N] [--without feast,pandas] [--limit GIB]
                                 [--cache DIR]

Default 1,000,000 labels and 20,000,000 events of 200,000 users. Each contender reads the same two Parquet
files and writes one, in a process of its own, one after the other in every round; Polars and Feast in
environments of their own, made once in DIR (default ~/.cache/evergreen-bench) from benchmarks/peers/*.txt.
Prints the best round's seconds, CPU seconds, peak resident memory (Python included), the ratios to the better
of DuckDB and Polars, and whether all of them found the same values. A contender may take --limit GiB (Feast
joins every label with every event of its user) and ten minutes. Evergreen also writes the content digest and
the description, and keeps to `resources.memory` (1 GiB).
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import duckdb

HERE = Path(__file__).parent
PEERS = HERE / "peers"
ENVIRONMENTS = {"polars": "history-polars", "feast": "history-feast"}
_MOST_SECONDS = 600
CONTENDERS = ("duckdb", "polars", "evergreen", "pandas", "feast")


def generate(folder: Path, labels: int, events: int) -> None:
    """Events in order of time, as a log has them; 3 % of the values of one column are missing."""
    users = max(10, labels // 5)
    moment = "TIMESTAMP '2024-01-01' + to_microseconds((random() * 31536e9)::BIGINT)"
    user = f"(random() * {users})::BIGINT"
    value = "CASE WHEN random() < 0.03 THEN NULL ELSE random() * 100 END"
    tables = {
        "labels": f"SELECT i AS row, {user} AS id, {moment} AS at, i % 2 AS y FROM range({labels}) r(i)",
        "events": f"SELECT {user} AS id, {moment} AS ts, {value} AS x, random() AS z FROM range({events}) "
        "ORDER BY ts",
    }
    with duckdb.connect() as con:
        con.execute("SET threads = 1; SET memory_limit = '4GiB'; SELECT setseed(0.5)")
        for name, query in tables.items():
            (folder / name).mkdir()
            target = folder / name / "part-00000.parquet"
            con.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")


def evergreen(folder: Path) -> dict[str, float]:
    """Build the training set with the library, in this process."""
    sys.path.insert(0, str(PEERS))
    from asof import measured

    from evergreen.history import build_training_set
    from evergreen.ingest.manifest import Ingested, SourceTable, write_manifest
    from evergreen.project.model import Project

    project = Project.model_validate({
        "name": "bench",
        "sources": {"labels": {"path": "l", "time": "at"}, "events": {"path": "e", "time": "ts"}},
        "entity": "id",
        "time": "at",
        "label": {"source": "labels", "column": "y", "key": ["row"]},
        "features": [{"name": "last", "source": "events", "columns": ["x", "z"]}],
    })  # fmt: skip
    with duckdb.connect() as con:
        files = {n: folder / n / "part-00000.parquet" for n in ("labels", "events")}
        rows = {n: con.execute(f"SELECT count(*) FROM '{f}'").fetchone()[0] for n, f in files.items()}
    write_manifest(
        folder, Ingested({n: SourceTable((), "parquet", r, 0, "", None, {}) for n, r in rows.items()})
    )
    return measured(build_training_set, project, folder, folder / "evergreen")


def environment(name: str, cache: Path) -> str:
    """The Python of a peer's environment; made from its pinned requirements when it is not there."""
    requirements = PEERS / f"{ENVIRONMENTS[name]}.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:8]
    folder = cache / f"{ENVIRONMENTS[name]}-{digest}"
    if not (folder / "done").exists():
        print(f"making {folder} …", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        command = [folder / "bin" / "python", "-m", "pip", "install", "-q", "-r", requirements]
        subprocess.run(command, check=True)
        (folder / "done").touch()
    return str(folder / "bin" / "python")


def run(name: str, folder: Path, cache: Path, limit: int) -> dict[str, float]:
    """One contender in a process of its own, with so many GiB of address space and ten minutes."""
    if name == "evergreen":
        command = [sys.executable, __file__, "--one", str(folder)]
    else:
        python = environment(name, cache) if name in ENVIRONMENTS else sys.executable
        command = [python, str(PEERS / "asof.py"), name, str(folder)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_MOST_SECONDS,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit << 30, limit << 30)),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {_MOST_SECONDS} s"}
    if done.returncode:
        last = [line for line in done.stderr.strip().splitlines() if line.strip()][-1:]
        return {"error": last[0][:160] if last else f"ended with {done.returncode}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def answers(folder: Path, name: str) -> tuple[int, float]:
    """How many labels found an event's value, and a sum that hangs on which row found which."""
    path = folder / "evergreen" / "data" if name == "evergreen" else folder / f"{name}.parquet"
    scan = f"'{path}/*.parquet'" if name == "evergreen" else f"'{path}'"
    with duckdb.connect() as con:
        query = f"SELECT count(z), sum(round(z * 1e6)::HUGEINT * (row % 1009 + 1)) FROM {scan}"
        return con.execute(query).fetchone()


def main() -> None:
    """Generate, run every contender in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("labels", nargs="?", default="1_000_000")
    parser.add_argument("events", nargs="?", default="20_000_000")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--without", default="")
    parser.add_argument("--limit", type=int, default=16, metavar="GIB")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "evergreen-bench")
    asked = parser.parse_args()
    labels, events = (int(n.replace(",", "").replace("_", "")) for n in (asked.labels, asked.events))
    names = [n for n in CONTENDERS if n not in asked.without.split(",")]
    for name in names:
        if name in ENVIRONMENTS:
            environment(name, asked.cache)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        generate(folder, labels, events)
        print(f"{labels:,} labels, {events:,} events, {os.cpu_count()} cores", flush=True)
        best: dict[str, dict[str, float]] = {}
        for _ in range(asked.rounds):
            for name in names:
                one = run(name, folder, asked.cache, asked.limit)
                before = best.get(name)
                if before is None or one.get("cpu", 1e9) < before.get("cpu", 1e9):
                    best[name] = one
        report(best, {n: answers(folder, n) for n in names if "error" not in best[n]})


def report(best: dict[str, dict[str, float]], found: dict[str, tuple[int, float]]) -> None:
    """Print figures, ratios and whether the answers agree."""
    print(f"{'':10}{'seconds':>9}{'CPU s':>8}{'MiB':>7}{'x seconds':>11}{'x CPU':>8}  same values")
    rivals = [best[n] for n in ("duckdb", "polars") if n in best and "error" not in best[n]]
    base = {k: min(r[k] for r in rivals) for k in ("seconds", "cpu")} if rivals else {}
    for name, one in best.items():
        if "error" in one:
            print(f"{name:10} failed: {one['error']}")
            continue
        ratios = "".join(f"{one[k] / base[k]:{w}.2f}" for k, w in (("seconds", 11), ("cpu", 8)) if base)
        same = "yes" if found[name] == found.get("evergreen", found[name]) else f"NO: {found[name]}"
        print(f"{name:10}{one['seconds']:9.2f}{one['cpu']:8.2f}{one['mebibytes']:7.0f}{ratios}  {same}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(evergreen(Path(sys.argv[2]))))
    else:
        main()
