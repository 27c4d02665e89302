"""The component predict_batch, run by kfp.local on a real bundle, registry and rows."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evergreen.bundle import load_bundle
from evergreen.decisions import Decision
from evergreen.registry import Registry
from evergreen.storage import open_store

pytestmark = pytest.mark.pipeline

ROOT = Path(__file__).resolve().parents[2]
HELP = runpy.run_path(str(ROOT / "tests" / "unit" / "serving" / "conftest.py"))
PROJECT = """
name: demo
sources: {t: {path: t.csv}}
entity: who
time: when
label: {source: t, column: buys}
features: [{name: f, source: t, columns: "*"}]
predict: {shard_rows: 1000}
"""
SCRIPT = """
import sys
from pathlib import Path
from kfp import dsl, local
from components.deployment.predict_batch.component import predict_batch
root, rows, bundle, store = sys.argv[1:]
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=root)

@dsl.pipeline
def run(project: str, store: str):
    given = dsl.importer(artifact_uri=rows, artifact_class=dsl.Dataset, reimport=True)
    model = dsl.importer(artifact_uri=bundle, artifact_class=dsl.Model, reimport=True)
    predict_batch(project=project, rows=given.output, model=model.output, store=store)

run(project=sys.stdin.read(), store=store)
"""


@pytest.fixture
def place(tmp_path):
    HELP["make_bundle"](tmp_path / "bundle", "binary")
    rows = tmp_path / "rows"
    (rows / "data").mkdir(parents=True)
    frame = pd.DataFrame({"who": np.arange(2500), **HELP["make_table"](2500, 4)})
    frame.to_parquet(rows / "data" / "part-00000.parquet", index=False)
    (rows / "meta.json").write_text(json.dumps({"rows": 2500, "digest": "d" * 64, "key": ["who"]}))
    return tmp_path


def push(place: Path) -> None:
    said = [Decision("model", "roc_auc min", "pass", "it is good enough")]
    Registry(open_store(str(place / "store"))).push("demo", place / "bundle", decisions=said)


def run(place: Path, root: str = "root") -> subprocess.CompletedProcess:
    arguments = [str(place / name) for name in (root, "rows", "bundle", "store")]
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], input=PROJECT, capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "EVERGREEN_RUN_DIR": str(place / root), "PYTHONPATH": str(ROOT)}, timeout=300,
    )  # fmt: skip


def outputs(place: Path, root: str = "root") -> tuple[Path, Path]:
    (folder,) = (place / root).rglob("predictions")
    return folder, folder.parent / "report"


def test_component_predicts_and_a_second_run_reuses_every_shard(place):
    push(place)
    done = run(place)
    assert done.returncode == 0, done.stderr
    folder, report = outputs(place)
    got = pd.concat([pd.read_parquet(p) for p in sorted(folder.glob("*.parquet"))], ignore_index=True)
    expected = load_bundle(place / "bundle").predict(HELP["make_table"](2500, 4))
    assert got["who"].tolist() == list(range(2500))
    assert got["prediction"].tolist() == expected.values.tolist()
    page = report.read_text()
    assert page.startswith("<!doctype html>") and "demo@1" in page and "part-00002.parquet" in page

    assert run(place, "again").returncode == 0
    again, second = outputs(place, "again")
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["manifest.json", *(f"part-0000{k}.parquet" for k in range(3))]
    assert all((folder / n).read_bytes() == (again / n).read_bytes() for n in names)
    assert "reused" in second.read_text() and "reused" in page


def test_component_refuses_a_model_that_the_registry_has_not_blessed(place):
    done = run(place)
    assert done.returncode != 0
    (record,) = (json.loads(p.read_text()) for p in (place / "root" / "tasks").glob("*.json"))
    assert (record["state"], record["error"]["exit_code"]) == ("failed", 2)
    assert "demo" in record["error"]["message"]
    assert not list((place / "store").rglob("part-*")) if (place / "store").exists() else True
