"""The second half of `make demo`: real later traffic, a candidate on its way, a bad one back."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
EVERGREEN = Path(sys.executable).with_name("evergreen")
PASS_SECONDS = 120  # the shop's ten weeks
_HIDDEN, _STAGE, _SOAK = "5s", "6s", "5s"
EXTRA = "visits_today"


def quickened(text: str, **rollout: object) -> str:
    """The project with the hours of its rollout as seconds, and `rollout` fields replaced."""
    project = yaml.safe_load(text)
    section = {**project["rollout"], "soak": _SOAK, "dead_man": "10s", "interval": "250ms", **rollout}
    for stage in section["stages"]:
        stage["at_least"] = _HIDDEN if stage["kind"] in ("shadow", "dark") else _STAGE
        stage["requests"] = min(stage.get("requests", 500), 100)
        if stage["kind"] == "experiment":
            stage |= {"users": 400, "margin": 0.5}  # of weeks there are only seconds
    project["rollout"] = section
    section["guardrails"]["latency"]["slo"] = (
        "1s"  # two cores run the shop, the router, both versions and the judge
    )
    project["serving"]["log"]["rotate"] = "1s"
    return yaml.safe_dump(project, sort_keys=False, allow_unicode=True)


def simple(text: str) -> str:
    """The project with a logistic regression and no search for parameters."""
    project = yaml.safe_load(text)
    project["model"] = {"estimator": "sklearn.linear_model.LogisticRegression", "params": {"max_iter": 2000}}
    return yaml.safe_dump(project, sort_keys=False, allow_unicode=True)


@contextmanager
def shop(visits: Path, url: str, out: Path) -> Iterator[None]:
    """The tills, asking all the while."""
    command = [sys.executable, str(HERE / "shop.py"), "replay", str(visits), "--url", url]
    command += ["--out", str(out), "--seconds", str(PASS_SECONDS)]
    process = subprocess.Popen(command)  # noqa: S603 - our own script
    try:
        while not out.exists() and process.poll() is None:
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def served(out: Path) -> str:
    """What the tills saw, in two lines."""
    seen = json.loads(out.read_text())
    bad = sum(count for status, count in seen["answers"].items() if status != "200") + seen["broken"]
    versions = ", ".join(f"{name} {count:,}" for name, count in sorted(seen["versions"].items()))
    good = seen["answers"].get("200", 0)
    return (
        f"  the tills asked {seen['sent']:,} times, {good:,} answers 200, {bad} others; "
        f"p50 {seen['p50_ms']} ms, p99 {seen['p99_ms']} ms\n  answered by {versions}; "
        f"{seen['outcomes']:,} outcomes told"
    )


def push_bad(home: Path, run: Path) -> int:
    """Push a version that needs a column which no till sends; returns its number.

    It is trained like the others, on data in which somebody has added `visits_today`, and it passes a gate
    that cannot know what callers send.
    """
    import duckdb
    import numpy as np
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from evergreen.bundle import Input, Signature, save_bundle
    from evergreen.bundle.save import Companions
    from evergreen.decisions import Decision
    from evergreen.local.platform import environment, store_uri
    from evergreen.registry import Registry
    from evergreen.storage import open_store

    record = json.loads((run / "run.json").read_text())
    splits = next(Path(t["outputs"]["splits"]) for t in record["tasks"] if t["component"] == "split_data")
    rows = duckdb.execute("SELECT * FROM read_parquet(?)", [str(splits / "train.parquet")]).fetch_df()
    rows[EXTRA] = np.random.default_rng(7).poisson(1.0, len(rows)).astype(float)
    names = [c for c in rows.columns if c.startswith("spending__")] + [EXTRA]
    table = rows[names].astype(float)
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=500))
    model.fit(table.set_axis(range(len(names)), axis=1), rows["redeemed"].astype(int))
    signature = Signature(
        "binary", tuple(Input(n, "number", n == EXTRA) for n in names), (False, True), True, "redeemed",
        has_probabilities=True,
    )  # fmt: skip
    folder = home / "runs" / "bad"
    save_bundle(folder, model, signature, Companions("The demo's bad version.", None, None, {}), table)
    gate = Decision("model", "roc_auc min", "pass", "The bad version is as good as the others, on paper.")
    os.environ.update(environment(home))
    return Registry(open_store(store_uri(home))).push("coupons", folder, decisions=[gate]).version
