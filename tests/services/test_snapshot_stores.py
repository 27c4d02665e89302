"""Snapshots on real stores: versions, time travel, repetition, and writers at the same time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evergreen.errors import DataError, StorageError
from evergreen.history.snapshot import read_snapshot, snapshot, snapshot_uri


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
