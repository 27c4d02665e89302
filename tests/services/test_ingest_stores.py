"""Ingest from real object stores: the same rows as from a local file, and refusals that say what to do."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from evergreen.errors import DataError, StorageError
from evergreen.ingest.ingest import ingest
from evergreen.project.model import Project
from evergreen.storage import delta_options, open_store

ROWS = pa.table({"a": [1, 2, 3], "s": ["x", None, "ü"], "y": [0, 1, 0]})


def project(path: str, **source: object) -> Project:
    return Project.model_validate({
        "name": "test",
        "sources": {"rows": {"path": path, **source}},
        "label": {"source": "rows", "column": "y"},
        "features": [{"name": "all", "source": "rows", "columns": "*"}],
        "resources": {"memory": "256MiB", "threads": 1},
    })  # fmt: skip


def upload(root: str, tmp_path: Path, key: str, table: pa.Table = ROWS) -> None:
    path = tmp_path / "upload" / Path(key).name
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table, path)
    open_store(root).upload(path, key)


def test_rows_from_a_store_are_those_of_a_local_file(root, tmp_path):
    upload(root, tmp_path, "in/rows.parquet")
    pq.write_table(ROWS, tmp_path / "rows.parquet")
    local = ingest(project(str(tmp_path / "rows.parquet")), tmp_path / "local")
    remote = ingest(project(f"{root}/in/rows.parquet"), tmp_path / "remote")
    assert remote.digest == local.digest
    assert remote.sources["rows"].uris == (f"{root}/in/rows.parquet",)
    assert remote.sources["rows"].bytes == local.sources["rows"].bytes


def test_folders_patterns_and_spans(root, tmp_path):
    for day in ("2024-03-01", "2024-03-02", "2024-03-04"):
        upload(root, tmp_path, f"in/day={day}/part.parquet", pa.table({"a": [int(day[-2:])], "y": [1]}))
    open_store(root).write("in/day=2024-03-04/_SUCCESS", b"")
    open_store(root).write("in/words.txt.bak", b"nothing")

    def days(path: str, **source: object) -> list[int]:
        ingest(project(f"{root}/{path}", **source), tmp_path / "tables")
        return pq.read_table(tmp_path / "tables" / "rows")["a"].to_pylist()

    assert days("in/*/part.parquet") == [1, 2, 4]
    assert days("in/day=2024-03-04") == [4]
    assert days("in/day={YYYY}-{MM}-{DD}", last=2) == [2, 4]
    assert days("in/day={YYYY}-{MM}-{DD}/part.parquet", span="2024-03-01") == [1]


def test_csv_and_delta(root, tmp_path):
    open_store(root).write("in/rows.csv", b"a,s,y\n1,x,0\n2,,1\n3,\xc3\xbc,0\n")
    csv = ingest(project(f"{root}/in/rows.csv"), tmp_path / "csv")
    if root.startswith("gs://"):
        pytest.skip("no emulator of GCS takes the XML uploads that deltalake makes")
    write_deltalake(f"{root}/tables/delta", ROWS, storage_options=delta_options(root) or None)
    delta = ingest(project(f"{root}/tables/delta"), tmp_path / "delta")
    assert delta.sources["rows"].format == "delta"
    assert delta.digest == csv.digest


def test_what_is_not_there_is_named_with_its_neighbours(root, tmp_path):
    upload(root, tmp_path, "in/rows_2024.parquet")
    with pytest.raises(
        DataError, match=r"source rows: nothing is at .*row_2024\.parquet\. Did you mean 'rows_2024"
    ):
        ingest(project(f"{root}/in/row_2024.parquet"), tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


@pytest.mark.service
def test_wrong_credentials_are_an_error_of_storage(s3_root, tmp_path, clean_environment):
    clean_environment.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageError, match=r"(?i)AWS_SECRET_ACCESS_KEY|credential|key"):
        ingest(project(f"{s3_root}/in/rows.parquet"), tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


@pytest.mark.service
def test_a_bucket_that_is_not_there_is_an_error_of_storage(s3_root, tmp_path):
    with pytest.raises(StorageError, match=r"(?i)bucket"):
        ingest(project("s3://no-such-bucket/in/rows.parquet"), tmp_path / "tables")
