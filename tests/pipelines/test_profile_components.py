"""profile_data, infer_schema and validate_data through kfp.local, without and with a baseline."""

import json
from pathlib import Path

import duckdb
import pytest
from kfp import dsl, local

from components.data.infer_schema.component import infer_schema
from components.data.profile_data.component import profile_data
from components.data.validate_data.component import validate_data
from evergreen.profile import Profile, Schema

pytestmark = pytest.mark.pipeline

PROJECT = """\
name: shop
sources: {sales: {path: sales.parquet}}
entity: id
label: {source: sales, column: bought}
features: [{name: plain, source: sales, columns: "*"}]
slices: [{column: shop}]
gates: {data: {drift: fail}}
"""


@dsl.pipeline
def check(project: str, table_uri: str, baseline_uri: str):
    """Profile, schema, validation."""
    table = dsl.importer(artifact_uri=table_uri, artifact_class=dsl.Dataset, reimport=True)
    baseline = dsl.importer(artifact_uri=baseline_uri, artifact_class=dsl.Model, reimport=True)
    profile = profile_data(project=project, table=table.output)
    schema = infer_schema(project=project, profile=profile.outputs["profile"], baseline=baseline.output)
    validate_data(
        project=project,
        table=table.output,
        profile=profile.outputs["profile"],
        schema=schema.outputs["schema"],
        baseline=baseline.output,
    )


def training_set(folder: Path, shift: int) -> Path:
    (folder / "data").mkdir(parents=True)
    duckdb.execute(
        f"COPY (SELECT i AS id, 'shop ' || (i % 3) AS shop, (i * 7919) % 1000 + {shift} AS \"spent $\", "
        f"i % 5 = 0 AS bought FROM range(3000) r(i)) TO '{folder}/data/part-0.parquet'"
    )
    meta = {"entity": ["id"], "time": None, "label": "bought", "key": ["id"]}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def outputs(root: Path, task: str) -> dict[str, Path]:
    """The newest artifacts of a task, by output name."""
    found = sorted(root.glob(f"**/{task}/*"), key=lambda p: p.stat().st_mtime)
    return {p.name: p for p in found}


def run(root: Path, table: Path, baseline: Path) -> None:
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), raise_on_error=True)
    check(project=PROJECT, table_uri=str(table), baseline_uri=str(baseline))


def test_first_run_makes_the_baseline_that_later_runs_are_held_to(tmp_path):
    table, bundle = training_set(tmp_path / "table", 0), tmp_path / "bundle"
    bundle.mkdir()
    run(tmp_path / "one", table, bundle)

    profile = Profile.read(outputs(tmp_path / "one", "profile-data")["profile"])
    assert profile.rows == 3000 and profile.label.name == "bought" and profile.key == ("id",)
    assert [s.name for s in profile.slices] == ["shop=shop 0", "shop=shop 1", "shop=shop 2"]
    schema_file = outputs(tmp_path / "one", "infer-schema")["schema"]
    assert Schema.read(schema_file).by_name["shop"].domain == ("shop 0", "shop 1", "shop 2")
    first = outputs(tmp_path / "one", "validate-data")
    verdicts = {d["check"]: d["verdict"] for d in json.loads(first["decisions"].read_text())}
    assert verdicts.pop("drift") == "skip" and set(verdicts.values()) == {"pass"}
    for report in (first["report"], outputs(tmp_path / "one", "profile-data")["report"]):
        assert report.read_text().lower().startswith("<!doctype html>")

    (bundle / "profile.json").write_text(profile.to_json())
    (bundle / "schema.yaml").write_text(schema_file.read_text().replace("version: 1", "version: 2"))
    run(tmp_path / "two", table, bundle)
    assert Schema.read(outputs(tmp_path / "two", "infer-schema")["schema"]).version == 2
    again = json.loads(outputs(tmp_path / "two", "validate-data")["decisions"].read_text())
    assert {d["verdict"] for d in again} == {"pass"}

    moved = training_set(tmp_path / "moved", 600)
    with pytest.raises(RuntimeError):
        run(tmp_path / "three", moved, bundle)
    third = outputs(tmp_path / "three", "validate-data")
    failed = [d["check"] for d in json.loads(third["decisions"].read_text()) if d["verdict"] == "fail"]
    assert "drift psi(spent $)" in failed and all("(spent $)" in check for check in failed)
    assert "drift psi(spent $)" in third["report"].read_text()
