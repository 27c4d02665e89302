"""`make demo`: from raw tables to a served model and its successor, on real data, by a user's commands.

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
import live
import shop

HERE = Path(__file__).resolve().parent
HOME = Path(".evergreen")
RUN = HOME / "runs" / "demo"
HERE_NOW = HOME / "demo"
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


def router_url() -> str:
    """Where the platform's router listens, from `evergreen status`."""
    text = subprocess.check_output([str(EVERGREEN), "status", "--json"], text=True)  # noqa: S603 - our own command
    return json.loads(text)["url"]


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


def train(project: Path, run: Path, *params: str) -> dict:
    """One run of the train pipeline; its record."""
    evergreen("run", "train", "--project", str(project), "--root", str(run), *params)
    return json.loads((run / "run.json").read_text())


def roll_out(model: str, project: Path, why: str, seen: Path) -> int:
    """Begin a rollout and follow it to its end; returns the command's exit code."""
    command = ["rollout", "start", model, "--project", str(project), "--why", why, "--watch"]
    print(f"$ evergreen {' '.join(command)}", flush=True)
    code = subprocess.call([str(EVERGREEN), *command])  # noqa: S603 - our own command
    time.sleep(1)  # the tills write their counts twice a second
    print(live.served(seen))
    return code


def latest_rollout() -> str:
    """The id of the last rollout."""
    text = subprocess.check_output([str(EVERGREEN), "rollout", "status", "--json"], text=True)  # noqa: S603 - ours
    return json.loads(text)["id"]


def main() -> None:
    """Platform, a first model, later traffic, a candidate's way to everybody, a bad one's way back."""
    begun = time.perf_counter()
    HERE_NOW.mkdir(parents=True, exist_ok=True)
    first, quick, hotfix = (HERE_NOW / f"{name}.yaml" for name in ("first", "quick", "hotfix"))
    first.write_text(live.simple(PROJECT.read_text()))
    quick.write_text(live.quickened(PROJECT.read_text()))
    hotfix.write_text(live.quickened(PROJECT.read_text(), stages=[{"kind": "canary", "share": 20}]))
    say("1. The embedded platform: a real S3 server on this machine")
    evergreen("up")
    say("2. A first, simple model as of 1 November 2017: from raw tables to the registry, through every gate")
    gates(train(first, HOME / "runs" / "first", "--param", "as_of=2017-11-01"))
    say("3. Serve it through a router (Envoy), with a controller beside it, and ask it about some offers")
    evergreen("up", "--model", "coupons@baseline", "--router", "--project", str(quick))
    say("4. Weeks later: train again, on all that is known by then; the new version is a candidate")
    run = train(PROJECT, RUN, "--param", "promote=false")
    gates(run)
    evergreen("models")
    url = router_url()
    rows, happened = real_rows(run, url, 8)
    show(url, rows, happened)
    visits, seen = HERE_NOW / "visits.parquet", HERE_NOW / "shop.json"
    seen.unlink(missing_ok=True)
    count = shop.prepare(RUN, visits)
    say(
        f"5. The shop: {count:,} real visits of ten weeks, in {live.PASS_SECONDS} seconds, through the router"
    )
    with live.shop(visits, url, seen):
        say("6. The candidate on its way: copies first, then 5 % of the households, 20 %, an A/B test, all")
        launched = roll_out("coupons", quick, "trained on the offers until November", seen) == 0
        launched_id = latest_rollout()
        say("7. A hotfix that needs a column which no till sends, straight to 20 % of the households")
        version = live.push_bad(HOME, RUN)
        back = roll_out(f"coupons@{version}", hotfix, "a hotfix that nobody tried", seen) == 1
    say("8. What is left: the registry, and a page about each")
    evergreen("models")
    evergreen("report", str(RUN))
    page = HERE_NOW / "rollout.html"
    evergreen("rollout", "history", "coupons")
    evergreen("rollout", "report", launched_id, "--html", str(page))
    print(f"""
The demo took {time.perf_counter() - begun:.0f} s. Open next:
  {RUN}/report.html         the run: verdict, tasks, decisions, metrics by slice, every task's report
  {page}             the rollout: stages, guardrails with intervals, the experiment, every decision
  {url}/v2/models/coupons   what the served model takes and gives, through the router
  examples/coupons/project.yaml                the one file that drove all this
Try: .venv/bin/evergreen rollout status
     .venv/bin/evergreen run predict_batch --project examples/coupons/project.yaml
Stop: .venv/bin/evergreen down""")
    if not (launched and back):
        sys.exit("the candidate was not launched, or the bad version was not rolled back: see above")


if __name__ == "__main__":
    main()
