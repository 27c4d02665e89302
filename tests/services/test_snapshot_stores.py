"""Snapshots on real stores: versions, time travel, repetition, and writers at the same time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evergreen.errors import DataError, StorageError
from evergreen.history.versions.compare import compare_versions
from evergreen.history.versions.retention import apply_retention, plan_retention
from evergreen.history.versions.snapshots import read_snapshot, snapshot, snapshot_uri
from evergreen.history.versions.timetravel import fetch_version, list_versions, pick, restore
from evergreen.project.model import Retention
from evergreen.registry import Registry
from evergreen.storage import open_store


def table(folder: Path, values: list[int], name: str = "a") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({name: values, "a b;{}": ["ü"] * len(values)}), folder / "part-00000.parquet")
    return folder


@pytest.fixture
def root(root: str) -> str:
    """Every store but GCS: its emulators take no XML uploads, which deltalake makes."""
    if root.startswith("gs://"):
        pytest.skip("no emulator of GCS takes the XML uploads that deltalake makes")
    return root


def test_versions_are_kept_and_repetition_makes_none(root, tmp_path):
    uri = snapshot_uri(root, "shop")
    first = snapshot(table(tmp_path / "one", [1, 2]), uri, "digest-1")
    again = snapshot(table(tmp_path / "one", [1, 2]), uri, "digest-1")
    second = snapshot(table(tmp_path / "two", [3], name="b"), uri, "digest-2")
    back = snapshot(table(tmp_path / "one", [1, 2]), uri, "digest-1")
    assert [s.version for s in (first, again, second, back)] == [0, 0, 1, 2]
    assert [s.created for s in (first, again, second, back)] == [True, False, True, True]
    assert read_snapshot(uri, 0).to_table().to_pydict() == {"a": [1, 2], "a b;{}": ["ü", "ü"]}
    assert read_snapshot(uri, 1).to_table().column_names == ["b", "a b;{}"]
    assert read_snapshot(uri).count_rows() == 2


def test_a_version_that_is_not_there_is_named(root, tmp_path):
    uri = snapshot_uri(root, "shop")
    with pytest.raises(DataError, match="no snapshot is kept there"):
        read_snapshot(uri)
    snapshot(table(tmp_path / "one", [1]), uri, "d")
    with pytest.raises(DataError, match="no snapshot with version 7"):
        read_snapshot(uri, 7)


def test_writers_at_the_same_time_lose_nothing(root, tmp_path):
    uri = snapshot_uri(root, "busy")
    snapshot(table(tmp_path / "0", [0]), uri, "d0")
    folders = [table(tmp_path / str(i), [i]) for i in range(1, 4)]
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda i: snapshot(folders[i - 1], uri, f"d{i}"), range(1, 4)))
    assert sorted(s.version for s in made) == [1, 2, 3]
    for number, each in enumerate(made, start=1):
        assert read_snapshot(uri, each.version).to_table()["a"].to_pylist() == [number]


@pytest.mark.service
def test_wrong_credentials_are_an_error_of_storage(s3_root, tmp_path, clean_environment):
    clean_environment.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageError):
        snapshot(table(tmp_path / "one", [1]), snapshot_uri(s3_root, "shop"), "d")


def test_an_old_version_is_read_compared_restored_and_dropped(root, tmp_path):
    uri = snapshot_uri(root, "shop", "orders")
    for number, values in enumerate([[1, 2], [1, 3], [4, 4]]):
        snapshot(table(tmp_path / f"t{number}", values), uri, f"d{number}", made_by="test")
    versions = list_versions(uri)
    assert [(v.rows, v.digest, v.made_by) for v in versions] == [(2, f"d{i}", "test") for i in range(3)]
    fetch_version(uri, pick(uri, versions, as_of=versions[1].time), tmp_path / "back")
    kept = (tmp_path / "t1" / "part-00000.parquet").read_bytes()
    assert (tmp_path / "back" / "data" / "part-00000.parquet").read_bytes() == kept
    changes = compare_versions(uri, "0", "-1").changes
    assert (changes.added, changes.removed) == (2, 2)
    assert restore(uri, versions[0]).version == 3
    registry = Registry(open_store(root))
    plan = plan_retention(uri, Retention(versions=2), registry, grace=timedelta(0))
    assert [k.version.version for k in plan.versions if k.stays] == [2, 3]
    assert apply_retention(plan) == 2
    assert [v.missing for v in list_versions(uri)] == [1, 1, 0, 0]
    assert read_snapshot(uri, 3).to_table()["a"].to_pylist() == [1, 2]
    with pytest.raises(DataError, match="version 1 is no longer kept"):
        fetch_version(uri, versions[1], tmp_path / "gone")


def test_versions_that_are_dropped_while_others_write_harm_nobody(root, tmp_path):
    uri = snapshot_uri(root, "busy", "orders")
    for number in range(3):
        snapshot(table(tmp_path / f"old{number}", [number]), uri, f"old{number}")
    registry = Registry(open_store(root))
    folders = [table(tmp_path / f"new{i}", [100 + i]) for i in range(4)]

    def drop() -> int:
        plan = plan_retention(uri, Retention(versions=1), registry, grace=timedelta(0))
        return apply_retention(plan)

    with ThreadPoolExecutor(3) as pool:
        writing = [pool.submit(snapshot, f, uri, f"new{i}") for i, f in enumerate(folders)]
        dropping = [pool.submit(drop) for _ in range(3)]
        made = [w.result() for w in writing]
        assert all(d.result() >= 0 for d in dropping)
    versions = list_versions(uri)
    assert sorted(s.version for s in made) == [3, 4, 5, 6]
    assert versions[-1].missing == 0
    fetch_version(uri, versions[-1], tmp_path / "latest")
