"""ingest_data and build_training_set through kfp.local: their artifacts, their reports, and their refusal."""

import json
from pathlib import Path

import duckdb
import pytest
from kfp import dsl, local

from components.data.build_training_set.component import build_training_set
from components.data.ingest_data.component import ingest_data
from evergreen.history import read_snapshot

pytestmark = pytest.mark.pipeline

PROJECT = """\
name: shop
sources:
  orders: {{path: {folder}/orders.csv, time: at, key: id}}
  visits: {{path: {folder}/visits.parquet, time: seen, delay: 1h}}
entity: customer
time: at
label: {{source: orders, column: returned, key: id}}
features:
  - {{name: order, source: orders, columns: [amount]}}
  - name: visit
    source: visits
    columns: [page]
    aggregates: [{{functions: [count, recency], windows: [1d, 7d]}}]
"""


@dsl.pipeline
def data(project: str, store: str, sources: str = ""):
    """Ingest, then build."""
    tables = ingest_data(project=project, sources=sources)
    build_training_set(project=project, tables=tables.outputs["tables"], store=store)


def write_sources(folder: Path) -> str:
    duckdb.execute(
        "COPY (SELECT i AS id, i % 20 AS customer, TIMESTAMP '2024-03-01' + to_hours(i::INTEGER) AS at,"
        f" i * 1.5 AS amount, i % 3 = 0 AS returned FROM range(200) t(i)) TO '{folder}/orders.csv'"
    )
    duckdb.execute(
        "COPY (SELECT i % 20 AS customer, TIMESTAMP '2024-02-28' + to_minutes((i * 7)::INTEGER) AS seen,"
        f" 'page ' || (i % 4) AS page FROM range(2000) t(i)) TO '{folder}/visits.parquet'"
    )
    return PROJECT.format(folder=folder)


def run(project: str, tmp_path: Path, **parameters: str) -> Path:
    root = tmp_path / "out"
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root))
    data(project=project, store=str(tmp_path / "store"), **parameters)
    return root


def artifact(root: Path, name: str) -> Path:
    return next(p for p in root.rglob(name) if p.parent.parent != root)


def test_from_files_to_a_snapshot(tmp_path):
    root = run(write_sources(tmp_path), tmp_path)
    manifest = json.loads((artifact(root, "tables") / "manifest.json").read_text())
    assert {n: s["rows"] for n, s in manifest["sources"].items()} == {"orders": 200, "visits": 2000}
    folder = artifact(root, "training_set")
    meta = json.loads((folder / "meta.json").read_text())
    assert (meta["rows"], meta["version"]) == (200, 0)
    assert [f["name"] for f in meta["features"]] == [
        "amount", "page", "visit__rows__count_1d", "visit__rows__count_7d", "visit__recency_days"
    ]  # fmt: skip
    assert read_snapshot(meta["uri"], meta["version"]).count_rows() == 200
    reports = [p.read_text() for p in root.rglob("report")]
    assert sorted("<h1>Ingested tables" in page for page in reports) == [False, True]
    assert all("http://" not in page.replace("http://www.w3.org", "") for page in reports)


def test_a_source_that_is_not_there_ends_the_run_with_its_name_and_a_report(tmp_path, capfd):
    project = write_sources(tmp_path)
    (tmp_path / "visits.parquet").unlink()
    with pytest.raises(RuntimeError, match=r"(?i)fail"):
        run(project, tmp_path)
    assert "source visits: nothing is at" in "".join(capfd.readouterr())
    report = next((tmp_path / "out").rglob("report"))
    assert "source visits: nothing is at" in report.read_text()
    assert not list((tmp_path / "out").rglob("manifest.json"))
