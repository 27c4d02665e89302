"""Infra validation with the real server: good bundles pass, each kind of bad one is found for what it is."""

import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest

from evergreen.bundle import manifest
from evergreen.errors import BundleError, DataError
from evergreen.local.process import start
from evergreen.project.model import Project
from evergreen.serving.check import server
from evergreen.serving.check.check import check_serving, quantile
from evergreen.serving.check.page import check_page

HELP = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "serving" / "conftest.py"))


def project(**check):
    """One whose bound of the latency a machine that stalls keeps too."""
    return Project.model_validate(
        {
            "name": "try",
            "sources": {"s": {"path": "s.parquet"}},
            "label": {"source": "s", "column": "buys"},
            "features": [{"name": "plain", "source": "s", "columns": "*"}],
            "serving": {"check": {"rows": 120, "p99": "20s", **check}},
        }
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("check")
    bundles = {kind: HELP["make_bundle"](root / kind, kind) for kind in ("binary", "multiclass", "native")}
    splits = root / "splits"
    splits.mkdir()
    table = pd.DataFrame(HELP["make_table"](300, seed=5))
    table.assign(buys=True, who="x").to_parquet(splits / "test.parquet")
    return bundles, splits


@pytest.mark.parametrize("kind", ["binary", "multiclass", "native"])
def test_a_good_bundle_passes_every_check(world, kind):
    bundles, splits = world
    found = check_serving(project(), bundles[kind], splits)
    assert [d.reason for d in found.decisions if d.verdict != "pass"] == []
    assert found.measured.rows == 120 and len(found.measured.latency) == 120
    assert found.measured.engine == ("native" if kind == "native" else "onnx")
    assert len(found.measured.hostile) > 50
    assert 0 < found.cold_start < 60 and found.p99 > 0 and found.memory > 2**20
    html = check_page(found, "try")
    assert "Hostile requests" in html and "Latency of single rows" in html and "<svg" in html


def test_bounds_that_are_not_met_are_told_one_by_one(world):
    bundles, splits = world
    settings = project(p99="0.001ms", memory="1MiB", mode="warn")
    found = check_serving(settings, bundles["binary"], splits)
    verdicts = {d.check: d.verdict for d in found.decisions}
    assert {c for c, v in verdicts.items() if v == "warn"} == {"latency p99", "memory"}
    assert {c for c, v in verdicts.items() if v == "pass"} >= {"parity", "hostile requests", "still answers"}


def test_a_graph_that_is_another_model_is_found_over_http(world, tmp_path):
    bundles, splits = world
    wrong = shutil.copytree(bundles["binary"], tmp_path / "wrong")
    graph = onnx.load(wrong / "model.onnx")
    attributes = [a for node in graph.graph.node for a in node.attribute if a.name == "coefficients"]
    assert attributes
    for attribute in attributes:
        attribute.floats[:] = [-2 * weight for weight in attribute.floats]
    onnx.save(graph, wrong / "model.onnx")
    manifest.write(wrong)
    found = check_serving(project(), wrong, splits)
    assert {d.check for d in found.decisions if d.verdict == "fail"} == {"parity", "still answers"}


def test_a_server_that_is_not_ready_in_time_is_no_server(world, monkeypatch):
    bundles, splits = world
    never = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(server, "start", lambda command, *rest: start(never, *rest))
    found = check_serving(project(cold_start="1ms"), bundles["binary"], splits)
    assert [(d.check, d.verdict) for d in found.decisions] == [("starts", "fail")]
    assert "not ready in time" in found.decisions[0].reason
    assert "did not start" in check_page(found, "try")


def test_what_cannot_be_checked_is_refused(world, tmp_path):
    bundles, splits = world
    changed = shutil.copytree(bundles["binary"], tmp_path / "changed")
    (changed / "card.md").write_text("another card")
    with pytest.raises(BundleError, match=r"card\.md"):
        check_serving(project(), changed, splits)
    lacking = tmp_path / "splits"
    lacking.mkdir()
    pd.read_parquet(splits / "test.parquet").drop(columns="age").to_parquet(lacking / "test.parquet")
    with pytest.raises(DataError, match="'age'"):
        check_serving(project(), bundles["binary"], lacking)
    (lacking / "test.parquet").unlink()
    with pytest.raises(DataError, match="no part"):
        check_serving(project(), bundles["binary"], lacking)


def test_quantiles_are_values_that_were_seen():
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([1.0], 0.99) == 1.0
    assert np.isnan(quantile([], 0.5))
