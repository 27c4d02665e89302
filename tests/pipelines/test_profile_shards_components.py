"""profile_data by shards under ParallelFor, and merge_profiles, through kfp.local."""

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from kfp import dsl, local

from components.data.merge_profiles.component import merge_profiles
from components.data.profile_data.component import profile_data
from evergreen.profile import Profile, profile_table
from evergreen.project.model import SliceBy

pytestmark = pytest.mark.pipeline

PROJECT = """\
name: shop
sources: {sales: {path: sales.parquet}}
entity: id
label: {source: sales, column: bought}
features: [{name: plain, source: sales, columns: "*"}]
slices: [{column: shop}]
"""


@dsl.pipeline
def by_shards(project: str, table_uri: str):
    """Three shards, put together."""
    table = dsl.importer(artifact_uri=table_uri, artifact_class=dsl.Dataset, reimport=True)
    with dsl.ParallelFor([0, 1, 2]) as shard:
        part = profile_data(project=project, table=table.output, shard=shard, shards=3)
    merge_profiles(project=project, profiles=dsl.Collected(part.outputs["profile"]))


def test_merged_shards_are_the_profile_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "table"
    (table / "data").mkdir(parents=True)
    duckdb.execute(
        f"COPY (SELECT i AS id, 'shop ' || (i % 3) AS shop, (i * 7919) % 1000 / 7 AS spent, "
        f"i % 5 = 0 AS bought FROM range(9000) r(i)) TO '{table}/data/part-0.parquet' (ROW_GROUP_SIZE 2048)"
    )
    meta = {"entity": ["id"], "time": None, "label": "bought", "key": ["id"]}
    (table / "meta.json").write_text(json.dumps(meta))
    local.init(
        local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "out"), raise_on_error=True
    )
    by_shards(project=PROJECT, table_uri=str(table))
    (found,) = tmp_path.glob("out/**/merge-profiles/profile")
    merged = Profile.read(found)
    whole = profile_table(table, slices=[SliceBy(column="shop")])
    plain = [
        replace(p, key=(), traits=None, columns=tuple(replace(c, unique=None) for c in p.columns))
        for p in (merged, whole)
    ]
    assert plain[0] == plain[1]
    assert merged.rows == 9000
