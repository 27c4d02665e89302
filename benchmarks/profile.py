"""Statistics, schema, validation and drift of two files, with the report: Evergreen and what else there is.

    python benchmarks/profile.py [--rows 1000000,10000000] [--skip ydata-profiling] [--only evergreen,duckdb]

A reference and a current table of 20 columns (10 numbers with missing values and NaN, 3 whole numbers, 4
texts from few values to all different, 2 booleans, 1 timestamp) are written as Parquet; two columns of the
current one moved. Every contender reads both and writes an HTML page:

- `evergreen`: profile of both in one layout, schema inferred and checked, drift, the validation's page.
- `duckdb`, `polars`: the same statistics by hand, drift as PSI, a check of ranges (benchmarks/peers/).
- `whylogs`, `evidently`, `ydata-profiling`: what each offers for it out of the box (benchmarks/peers/).
  whylogs makes no report without a notebook, and is timed without one.

Each contender runs alone, in a process of its own; the peers in environments of their own, with the pandas
and NumPy that they support, made by venv and pip from benchmarks/peers/*.txt in `--envs` (default:
~/.cache/evergreen-bench/profile). Printed: wall seconds, CPU seconds (of all threads, the fairer figure on a
busy machine), peak resident memory, all with the start of the interpreter, and each as a ratio to
`evergreen`. With several row counts, also what more rows cost. A contender that fails or takes longer than
`--limit` seconds is shown as such and not tried on more rows. Peak memory needs Linux.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

PEERS = {
    "duckdb": ("duckdb.txt", "duckdb_by_hand.py"),
    "polars": ("polars.txt", "polars_by_hand.py"),
    "whylogs": ("whylogs.txt", "whylogs_profiles.py"),
    "evidently": ("evidently.txt", "evidently_report.py"),
    "ydata-profiling": ("ydata-profiling.txt", "ydata_report.py"),
}
NO_TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "WHYLOGS_NO_ANALYTICS": "True",
    "YDATA_PROFILING_NO_ANALYTICS": "True",
}
CONTENDERS = ("evergreen", *PEERS)
HERE = Path(__file__).resolve().parent
NUMBERS = [f"number {i}" for i in range(10)]


@dataclass(frozen=True)
class Run:
    """What one contender took; `fault` says why it did not finish."""

    seconds: float = 0.0
    cpu: float = 0.0
    mebibytes: float = 0.0
    fault: str = ""


def generate(path: Path, rows: int, seed: float, shift: float = 0.0) -> None:
    """20 columns; `shift` moves one number and one text."""
    numbers = [
        f"CASE WHEN random() < 0.03 THEN NULL WHEN random() < 0.001 THEN 'nan'::DOUBLE "
        f"ELSE (random() + random() + random() + {shift if i == 3 else 0}) * {10 ** (i % 5)} - {i} END "
        f'AS "{name}"'
        for i, name in enumerate(NUMBERS)
    ]
    rest = [
        "(random() * 20)::INTEGER AS small",
        "(random() * 1e5)::INTEGER AS large",
        f"'c' || (random() * random() * {8 + 4 * shift})::INTEGER AS few",
        "'c' || (random() * random() * 300)::INTEGER AS hundreds",
        f"'u' || (random() * {rows // 2})::INTEGER AS many",
        "'name ' || i AS name",
        "random() < 0.3 AS flag",
        "random() < 0.1 AS label",
        "TIMESTAMP '2020-01-01' + to_seconds((random() * 1e8)::INTEGER) AS moment",
    ]
    query = f"SELECT i AS id, {', '.join(numbers + rest)} FROM range({rows}) r(i)"
    with duckdb.connect() as con:
        con.execute(f"SET threads = 1; SET enable_progress_bar = false; SELECT setseed({seed})")
        con.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


def evergreen(reference: Path, current: Path, page: Path) -> None:
    """What Evergreen's components profile_data, infer_schema and validate_data do, one after the other."""
    from evergreen.files import write_text
    from evergreen.profile import infer_schema, profile_table, validate
    from evergreen.profile.traits.observe import with_traits
    from evergreen.profile.validation.page import validation_page
    from evergreen.project.model import DataGate

    roles = {"label": "label", "id": "key"}
    baseline = with_traits(profile_table(reference, roles), reference)
    own = profile_table(current, roles, edges_from=baseline)
    found = validate(current, infer_schema(baseline), DataGate(), profile=own, baseline=baseline)
    write_text(page, validation_page(found, baseline))


def python_of(peer: str, envs: Path) -> Path:
    """The interpreter of a peer's environment, made from its pinned requirements where it is not there."""
    requirements = HERE / "peers" / PEERS[peer][0]
    folder = envs / peer
    stamp = folder / "requirements.txt"
    if not stamp.is_file() or stamp.read_text() != requirements.read_text():
        print(f"making the environment of {peer} in {folder}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", requirements]
        subprocess.run([str(part) for part in install], check=True)
        stamp.write_text(requirements.read_text())
    return folder / "bin" / "python"


def timed(command: Sequence[str], limit: float) -> Run:
    """Run a process; its own peak memory and CPU time, as the kernel tells them when it ends."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env={**os.environ, **NO_TELEMETRY}
        )
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            seconds = time.perf_counter() - begun
            if pid:
                break
            if seconds > limit:
                process.kill()
                os.wait4(process.pid, 0)
                return Run(fault=f"more than {limit:.0f} s")
            time.sleep(0.02)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
            killed = "killed (out of memory?)" if process.returncode < 0 else ""
            return Run(fault=killed or (lines[-1] if lines else f"exit {process.returncode}"))
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def compete(names: Sequence[str], rows: int, envs: Path, limit: float) -> dict[str, Run]:
    """Every contender on two tables of so many rows."""
    results = {}
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as folder:
        reference, current = Path(folder) / "reference.parquet", Path(folder) / "current.parquet"
        generate(reference, rows, 0.25)
        generate(current, rows, 0.5, shift=0.5)
        size = (reference.stat().st_size + current.stat().st_size) / 2**20
        print(f"\n{rows:,} rows x 20 columns, twice: {size:.0f} MiB of Parquet, {os.cpu_count()} cores")
        for name in names:
            arguments = [str(reference), str(current), str(Path(folder) / f"{name}.html")]
            if name == "evergreen":
                command = [sys.executable, str(Path(__file__).resolve()), "--one", *arguments]
            else:
                command = [str(python_of(name, envs)), str(HERE / "peers" / PEERS[name][1]), *arguments]
            results[name] = timed(command, limit)
            print(line(name, results[name], results.get("evergreen")), flush=True)
    return results


HEADER = f"{'':16}{'seconds':>9}{'CPU s':>8}{'MiB':>8}{'x seconds':>11}{'x CPU':>8}{'x MiB':>8}"


def line(name: str, run: Run, base: Run | None) -> str:
    """One row of the table."""
    if run.fault:
        return f"{name:16}{'did not finish: ' + run.fault:>40}"
    text = f"{name:16}{run.seconds:9.1f}{run.cpu:8.1f}{run.mebibytes:8.0f}"
    if base and not base.fault:
        ratios = (run.seconds / base.seconds, run.cpu / base.cpu, run.mebibytes / base.mebibytes)
        text += f"{ratios[0]:11.2f}{ratios[1]:8.2f}{ratios[2]:8.2f}"
    return text


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", default="1000000", help="row counts, such as 1000000,10000000")
    parser.add_argument("--skip", default="", help=f"of {', '.join(CONTENDERS)}")
    parser.add_argument("--only", default="", help="only these")
    parser.add_argument("--envs", type=Path, default=Path.home() / ".cache" / "evergreen-bench" / "profile")
    parser.add_argument("--limit", type=float, default=1800, help="seconds a contender may take")
    chosen = parser.parse_args()
    only, skipped = (set(filter(None, text.split(","))) for text in (chosen.only, chosen.skip))
    if unknown := (only | skipped) - set(CONTENDERS):
        parser.error(f"no such contender: {', '.join(sorted(unknown))}; there are {', '.join(CONTENDERS)}")
    names = [n for n in CONTENDERS if n not in skipped and (not only or n in only)]
    before: dict[str, Run] = {}
    for rows in [int(n.replace("_", "")) for n in chosen.rows.split(",")]:
        alive = [n for n in names if n not in before or not before[n].fault]
        print(HEADER)
        now = compete(alive, rows, chosen.envs, chosen.limit)
        for name, run in now.items():
            old = before.get(name)
            if old and not old.fault and not run.fault:
                seconds, cpu, memory = (
                    run.seconds / old.seconds, run.cpu / old.cpu, run.mebibytes / old.mebibytes
                )  # fmt: skip
                print(f"{name:16}more rows: x {seconds:.1f} seconds, x {cpu:.1f} CPU, x {memory:.2f} MiB")
        before = now


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        evergreen(*(Path(argument) for argument in sys.argv[2:5]))
    else:
        main()
