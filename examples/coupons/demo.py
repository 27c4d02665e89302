"""`make demo`: from raw tables to a served model, on real data, by the commands a user would type.

Each command is printed before it runs. Everything lands below .evergreen; `evergreen down` stops it all.
"""

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
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


def model_url() -> str:
    """Where the platform's model server listens, from `evergreen status`."""
    text = subprocess.check_output([str(EVERGREEN), "status", "--json"], text=True)  # noqa: S603 - our own command
    return next(part["url"] for part in json.loads(text)["parts"] if part["name"] == "model server")


def gates(run: dict) -> None:
    """What each gate decided, and which features the model was not given."""
    counts: dict[str, Counter] = {}
    for decision in run["decisions"]:
        counts.setdefault(decision["gate"], Counter())[decision["verdict"]] += 1
    for gate, verdicts in counts.items():
        print(f"  {gate:<10} " + ", ".join(f"{n} {verdict}" for verdict, n in sorted(verdicts.items())))
    chosen = next(t["outputs"]["selection"] for t in run["tasks"] if t["component"] == "select_features")
    selection = json.loads(Path(chosen).read_text())
    dropped = [d["feature"] for d in selection["dropped"]]
    kept = f"{len(selection['kept'])} kept"
    print(f"  features   {kept}; of no use and left out: {', '.join(dropped) or 'none'}")


def real_rows(run: dict, url: str, count: int) -> tuple[list[dict], list]:
    """Offers of the test period as the model takes them, and what really happened."""
    splits = next(t["outputs"]["splits"] for t in run["tasks"] if t["component"] == "split_data")
    meta = json.loads((Path(splits) / "meta.json").read_text())
    with urllib.request.urlopen(f"{url}/v2/models/coupons", timeout=10) as answer:  # noqa: S310 - our own server
        columns = [i["name"] for i in json.load(answer)["inputs"]]
    quoted = ", ".join(f'"{c}"' for c in columns)
    order = "md5(row_number() OVER ()::VARCHAR)"  # the same few offers each time, from all over the period
    query = f'SELECT {quoted}, "{meta["label"]}" FROM read_parquet(?) ORDER BY {order} LIMIT ?'
    rows = duckdb.execute(query, [str(Path(splits) / "test.parquet"), count]).fetchall()
    return [dict(zip(columns, r[:-1], strict=True)) for r in rows], [r[-1] for r in rows]


def ask(url: str, rows: list[dict]) -> dict:
    """One request to the model server."""
    body = json.dumps({"rows": rows}, default=str).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server on this machine
        return json.load(answer)


def show(url: str, rows: list[dict], happened: list) -> None:
    """Ask about each row and say what the model thinks and what came of it."""
    begun = time.perf_counter()
    answer = ask(f"{url}/v2/models/coupons/rows", rows)
    spent = 1000 * (time.perf_counter() - begun)
    redeems = [prediction["probabilities"]["true"] for prediction in answer["predictions"]]
    for row, share, truth in zip(rows, redeems, happened, strict=True):
        campaign, came = row.get("campaign_type", "?"), "redeemed" if truth else "nothing"
        print(f"  {campaign:<8} chance of redeeming {share:6.1%}   what happened: {came}")
    print(f"  {len(rows)} offers in {spent:.1f} ms over HTTP, by version {answer.get('model_version')}")


def main() -> None:
    """Platform, training, serving, predictions, report."""
    begun = time.perf_counter()
    say("1. The embedded platform: a real S3 server on this machine")
    evergreen("up")
    say("2. From raw tables to a registered model, through every gate")
    evergreen("run", "train", "--project", str(PROJECT), "--root", str(RUN))
    run = json.loads((RUN / "run.json").read_text())
    say("3. What the gates said")
    gates(run)
    say("4. The registry")
    evergreen("models")
    say("5. Serve it, and ask it about offers of the test period")
    evergreen("up", "--model", "coupons@baseline")
    url = model_url()
    rows, happened = real_rows(run, url, 8)
    show(url, rows, happened)
    say("6. One page about the run")
    evergreen("report", str(RUN))
    print(f"""
The demo took {time.perf_counter() - begun:.0f} s. Open next:
  {RUN}/report.html         the run: verdict, tasks, decisions, metrics by slice, every task's report
  {url}/v2/models/coupons   what the served model takes and gives (and {url}/metrics)
  examples/coupons/project.yaml                the one file that drove all this
Try: .venv/bin/evergreen run predict_batch --project examples/coupons/project.yaml
Stop: .venv/bin/evergreen down""")


if __name__ == "__main__":
    main()
