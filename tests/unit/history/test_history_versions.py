"""Versions of a kept table: as they were, compared, restored, retained."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.errors import DataError
from evergreen.history.versions.changes import compare_tables
from evergreen.history.versions.compare import compare_versions
from evergreen.history.versions.compare_page import changes_page, lines
from evergreen.history.versions.retention import apply_retention, judge, plan_retention
from evergreen.history.versions.snapshots import snapshot
from evergreen.history.versions.timetravel import fetch_version, list_versions, parse_moment, pick, restore
from evergreen.project.model import Retention
from evergreen.registry import Registry
from evergreen.storage import open_store
from evergreen.tables.connection import connect
from evergreen.tables.digest import content_digest

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def write(folder: Path, table: pd.DataFrame | pa.Table, meta: dict | None = None) -> Path:
    arrow = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    pq.write_table(arrow, folder / "data" / "part-00000.parquet")
    if meta is not None:
        (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def orders(*values: int) -> pd.DataFrame:
    return pd.DataFrame({"id": range(len(values)), "v": list(values)})


@pytest.fixture
def uri(tmp_path):
    """Four versions of a table; the third is twice as long."""
    place = str(tmp_path / "store" / "snapshots" / "shop" / "orders")
    for number, values in enumerate([(1, 2), (1, 3), (1, 3, 5, 7), (9, 9)]):
        meta = {"key": ["id"], "time": None, "version": 0, "uri": ""}
        snapshot(
            write(tmp_path / "t", orders(*values), meta), place, f"digest{number}", made_by=f"step {number}"
        )
    return place


def test_versions_say_when_how_many_rows_which_content_and_what_made_them(uri):
    versions = list_versions(uri)
    assert [(v.version, v.rows, v.digest, v.made_by) for v in versions] == [
        (i, rows, f"digest{i}", f"step {i}") for i, rows in enumerate((2, 2, 4, 2))
    ]
    assert versions[0].columns == (("id", "long"), ("v", "long"))
    assert all(a.time <= b.time for a, b in pairwise(versions))
    assert DeltaTable(uri, version=2).to_pyarrow_table()["v"].to_pylist() == [1, 3, 5, 7]


def test_a_version_is_picked_by_number_from_the_end_or_by_time(uri):
    versions = list_versions(uri)
    assert [pick(uri, versions, n).version for n in (0, -1, -2)] == [0, 3, 2]
    assert pick(uri, versions).version == 3
    assert pick(uri, versions, as_of=versions[1].time + timedelta(microseconds=1)).version in (1, 2)
    assert pick(uri, versions, as_of=datetime(2100, 1, 1)).version == 3
    with pytest.raises(DataError, match=r"no version is as old as 2020-01-01.*expected 20.* or later"):
        pick(uri, versions, as_of=parse_moment("2020-01-01"))
    with pytest.raises(DataError, match="no snapshot with version 9 is kept there; expected one from 0 to 3"):
        pick(uri, versions, 9)
    with pytest.raises(DataError, match="a moment such as"):
        parse_moment("yesterday")


def test_a_version_comes_back_byte_for_byte_with_its_meta(uri, tmp_path):
    fetch_version(uri, list_versions(uri)[3], tmp_path / "back")
    there = (tmp_path / "t" / "data" / "part-00000.parquet").read_bytes()
    assert (tmp_path / "back" / "data" / "part-00000.parquet").read_bytes() == there
    meta = json.loads((tmp_path / "back" / "meta.json").read_text())
    assert meta == {"key": ["id"], "time": None, "version": 3, "uri": uri}


def test_a_changed_byte_is_refused(uri, tmp_path):
    version = list_versions(uri)[0]
    file = Path(uri) / version.files[0].path
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"version 0: the bytes of part-.* were changed after it was kept"):
        fetch_version(uri, version, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_rows_keep_their_order_over_many_row_groups_and_parts(tmp_path):
    folder = tmp_path / "t"
    (folder / "data").mkdir(parents=True)
    for part in range(3):
        rows = pa.table(
            {
                "n": np.arange(part * 50_000, (part + 1) * 50_000),
                "x": np.random.default_rng(part).random(50_000),
            }
        )
        pq.write_table(rows, folder / "data" / f"part-{part:05d}.parquet", row_group_size=7_000)
    uri = str(tmp_path / "store" / "big")
    with connect() as con:
        digest = content_digest(con, folder)
        snapshot(folder, uri, digest)
        fetch_version(uri, list_versions(uri)[0], tmp_path / "back")
        assert content_digest(con, tmp_path / "back") == digest


def test_types_that_delta_has_not_are_kept_as_the_nearest_it_has(tmp_path):
    table = pa.table({
        "u64": pa.array([2**64 - 1, None], pa.uint64()),
        "u8": pa.array([255, None], pa.uint8()),
        "ns": pa.array([2_000, None], pa.timestamp("ns")),
        "zone": pa.array([0, None], pa.timestamp("ms", "Europe/Berlin")),
        "clock": pa.array([1, None], pa.time64("us")),
        "word": pa.array(["ü", None]).dictionary_encode(),
        "list": pa.array([[1, 2], None]),
    })  # fmt: skip
    uri = str(tmp_path / "store" / "odd")
    snapshot(write(tmp_path / "t", table), uri, "d")
    row = DeltaTable(uri).to_pyarrow_table().to_pylist()[0]
    assert (row["u64"], row["u8"], row["word"], row["list"]) == (str(2**64 - 1), 255, "ü", [1, 2])
    assert row["ns"] == datetime(1970, 1, 1, 0, 0, 0, 2)
    assert row["zone"] == datetime(1970, 1, 1, tzinfo=UTC)


def test_restore_makes_an_old_version_the_newest_and_only_once(uri, tmp_path):
    versions = list_versions(uri)
    made, again = restore(uri, versions[2]), restore(uri, versions[2])
    assert (made.version, made.created, again.version, again.created) == (4, True, 4, False)
    assert list_versions(uri)[4].made_by == "restore of version 2"
    assert compare_versions(uri, "2", "4").changes.same


def test_a_table_that_others_write_too_is_listed_and_read(uri):
    write_deltalake(uri, pa.table({"id": [7], "v": [8]}), mode="append")
    last = list_versions(uri)[-1]
    assert (last.rows, last.digest, last.made_by, len(last.files)) == (3, "", "WRITE", 2)


def test_retention_keeps_the_latest_the_newest_the_young_and_the_named(uri):
    versions = list_versions(uri)
    for rules, named, grace, stays in (
        (Retention(), {}, 0, [0, 1, 2, 3]),
        (Retention(versions=2), {}, 0, [2, 3]),
        (Retention(versions=1), {"digest0": "shop@4"}, 0, [0, 3]),
        (Retention(age="36500d"), {}, 0, [0, 1, 2, 3]),
        (Retention(age="1d"), {}, 0, [3]),
        (Retention(versions=1), {}, 36500, [0, 1, 2, 3]),
    ):
        kept = judge(versions, rules, named, NOW, timedelta(days=grace))
        assert [k.version.version for k in kept if k.stays] == stays
        assert all(k.reason for k in kept)
    named = judge(versions, Retention(versions=1), {"digest0": "shop@4"}, NOW, timedelta(0))
    assert named[0].reason == "named by shop@4"
    assert named[1].reason == "not among the newest 1, named by no model"


def test_retention_removes_files_only_when_asked_and_leaves_the_log(uri, tmp_path):
    registry = Registry(open_store(str(tmp_path / "store")))
    plan = plan_retention(uri, Retention(versions=2), registry, now=NOW)
    assert len(plan.files) == 2
    assert all(not v.missing for v in list_versions(uri))
    assert apply_retention(plan) == 2
    versions = list_versions(uri)
    assert [v.missing for v in versions] == [1, 1, 0, 0]
    with pytest.raises(DataError, match="version 0 is no longer kept"):
        fetch_version(uri, versions[0], tmp_path / "back")
    assert fetch_version(uri, versions[2], tmp_path / "back")
    after = plan_retention(uri, Retention(versions=2), registry, now=NOW)
    assert (after.files, after.versions[0].reason) == ({}, "dropped before")
    assert snapshot(write(tmp_path / "t", orders(4)), uri, "digest9").version == 4


def test_a_restored_version_outlives_the_one_it_came_from(uri, tmp_path):
    restore(uri, list_versions(uri)[0])
    registry = Registry(open_store(str(tmp_path / "store")))
    apply_retention(plan_retention(uri, Retention(versions=1), registry, now=NOW))
    fetch_version(uri, list_versions(uri)[4], tmp_path / "back")
    assert pq.read_table(tmp_path / "back" / "data")["v"].to_pylist() == [1, 2]


def test_a_difference_names_columns_rows_and_values(uri, tmp_path):
    found = compare_versions(uri, "1", "2").changes
    assert (found.key, found.added, found.removed, found.changed) == (("id",), 2, 0, 0)
    assert [s.key for s in found.samples] == ["id=2", "id=3"]
    found = compare_versions(uri, "-2", "-1").changes
    assert (found.added, found.removed, found.changed, dict(found.by_column)) == (0, 2, 2, {"v": 2})
    new = orders(9, 8).rename(columns={"v": "<b>v"}).assign(id=[0.0, 5.0])
    snapshot(write(tmp_path / "t", new, {"key": ["id"]}), uri, "other")
    compared = compare_versions(uri, "3", "4")
    assert [(c.name, c.change) for c in compared.changes.columns] == [
        ("<b>v", "added"), ("v", "removed"), ("id", "retyped"),
    ]  # fmt: skip
    assert "<b>v" not in changes_page(compared)
    assert "  rows added 1, removed 1, changed 0" in list(lines(compared))


def test_without_a_key_that_names_one_row_whole_rows_are_counted(tmp_path):
    a, b = orders(1, 1, 2), orders(1, 1, 1)
    for i, table in enumerate((a, b)):
        write(tmp_path / str(i), table.assign(id=0))
    with connect() as con:
        found = compare_tables(con, tmp_path / "0", tmp_path / "1", ["id"])
        assert (found.key, found.added, found.removed, found.changed) == ((), 1, 1, 0)
        assert "4 rows repeat a key" in found.remark
        with pytest.raises(DataError, match="no column 'nope'"):
            compare_tables(con, tmp_path / "0", tmp_path / "1", ["nope"], asked=True)


rows = st.dictionaries(st.integers(0, 12), st.none() | st.integers(0, 3), max_size=12)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(rows, rows)
def test_a_difference_is_what_dictionaries_say(tmp_path_factory, before, after):
    folder = tmp_path_factory.mktemp("diff")
    for name, side in (("b", before), ("a", after)):
        keys = pa.array(list(side), pa.int64())
        write(folder / name, pa.table({"id": keys, "v": pa.array(list(side.values()), pa.int64())}))
    with connect() as con:
        found = compare_tables(con, folder / "b", folder / "a", ["id"])
        whole = compare_tables(con, folder / "b", folder / "a")
    changed = sum(before[k] != after[k] for k in before.keys() & after.keys())
    assert (found.added, found.removed, found.changed) == (
        len(after.keys() - before.keys()), len(before.keys() - after.keys()), changed,
    )  # fmt: skip
    assert (whole.added, whole.removed) == (found.added + changed, found.removed + changed)
