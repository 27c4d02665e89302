"""`make demo`: the whole way from raw tables to a served model, on real data, by the commands a user would type.

Each command is printed before it runs. Everything lands below .evergreen; `evergreen down` stops what is left running.
"""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import duckdb

HERE = Path(__file__).resolve().parent
HOME = Path(".evergreen")
RUN = HOME / "runs" / "demo"
PROJECT = HERE / "project.yaml"
EVERGREEN = Path(sys.executable).with_name("evergreen")


def say(text: str) -> None:
    """One line of the story."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def evergreen(*arguments: str) -> None:
    """Run one command as a user would; a failure ends the demo with the command's own code."""
    print(f"$ evergreen {' '.join(arguments)}", flush=True)
    code = subprocess.call([str(EVERGREEN), *arguments])  # noqa: S603 - our own command
    if code:
        sys.exit(code)


def ports() -> dict[str, int]:
    """The ports of the platform's parts, from `evergreen status`."""
    text = subprocess.check_output([str(EVERGREEN), "status", "--json"], text=True)  # noqa: S603
    return {part["name"]: part["port"] for part in json.loads(text)}


def real_rows(run: dict, count: int) -> tuple[list[dict], list]:
    """Offers of the test period as the model takes them, and what really happened."""
    splits = next(t["outputs"]["splits"] for t in run["tasks"] if t["component"] == "split_data")
    meta = json.loads((Path(splits) / "meta.json").read_text())
    columns = [f["name"] for f in meta["features"]]
    quoted = ", ".join(f'"{c}"' for c in columns)
    query = f'SELECT {quoted}, "{meta["label"]}" AS label FROM read_parquet(?) ORDER BY md5(row_number() OVER ()::VARCHAR) LIMIT ?'
    rows = duckdb.execute(query, [str(Path(splits) / "test.parquet"), count]).fetchall()
    return [dict(zip(columns, r[:-1], strict=True)) for r in rows], [r[-1] for r in rows]


def ask(url: str, rows: list[dict]) -> dict:
    """One request to the model server."""
    body = json.dumps({"rows": rows}, default=str).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server on this machine
        return json.load(answer)
