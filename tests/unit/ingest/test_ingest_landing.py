"""What ingestion leaves to `repair_data`, and CSV files in encodings and dialects of spreadsheets."""

import pyarrow.parquet as pq
import pytest
from ingest_cases import ingested, project_of, write

from evergreen.errors import DataError
from evergreen.ingest.ingest import ingest
from evergreen.ingest.manifest import read_manifest
from evergreen.ingest.overlay import combined, layered

CSV = 'a,y\n" 1,000",0\n\u00a0x ,1\n1,0\n'


def test_a_column_with_a_repair_is_landed_to_the_last_blank(tmp_path):
    path = write(tmp_path / "rows.csv", CSV)
    given = project_of(path, repair={"rows": {"a": {"number": {}}}})
    result, table = ingested(given, tmp_path)
    assert table["a"].tolist() == [" 1,000", "\u00a0x ", "1"]
    assert result.landed == ("rows",) and read_manifest(tmp_path / "tables") == result
    assert "column 'a': landed as it is written" in result.sources["rows"].alerts[0]


def test_a_typed_column_with_a_repair_keeps_its_type(tmp_path):
    path = write(tmp_path / "rows.jsonl", '{"a": 1.5, "y": 0}\n{"a": 2, "y": 1}\n')
    _, table = ingested(project_of(path, repair={"rows": {"a": {"number": {}}}}), tmp_path)
    assert table["a"].tolist() == [1.5, 2.0]


def test_policies_without_a_repair_are_done_at_once(tmp_path):
    path = write(tmp_path / "rows.csv", "a,y\n1,0\nx,1\n3,0\n")
    given = project_of(path, repair={"rows": {"a": {"type": "number", "invalid": "missing"}}})
    result, table = ingested(given, tmp_path)
    assert result.landed == () and table["a"].isna().sum() == 1


def test_sql_waits_only_for_what_it_reads(tmp_path):
    path = write(tmp_path / "rows.csv", CSV)
    other = write(tmp_path / "other.csv", "a,n\n1,2\n")
    sources = {
        "other": {"path": str(other)},
        "near": {"sql": "SELECT * FROM rows"},
        "far": {"sql": "SELECT * FROM near"},
        "free": {"sql": "SELECT * FROM other"},
    }
    features = [{"name": n, "source": n, "on": ["a"], "columns": "*"} for n in ("far", "free")]
    given = project_of(path, sources=sources, repair={"rows": {"a": {"text": {}}}})
    given = given.model_validate({**given.model_dump(mode="json", exclude_none=True), "features": features})
    result = ingest(given, tmp_path / "tables")
    assert (result.pending, sorted(result.sources)) == (("near", "far"), ["free", "other", "rows"])
    with pytest.raises(DataError, match="rows, near, far: not repaired yet"):
        combined(tmp_path / "tables", None)


def test_layers_are_the_tables_themselves_where_nothing_is_repaired(tmp_path):
    path = write(tmp_path / "rows.csv", "a,y\n1,0\n2,1\n")
    ingest(project_of(path), tmp_path / "tables")
    (tmp_path / "nothing").mkdir()
    for repaired in (None, tmp_path / "nothing"):
        with layered(tmp_path / "tables", repaired) as folder:
            assert folder == tmp_path / "tables"


def test_layers_show_the_repaired_source_in_place_of_the_ingested_one(tmp_path):
    for name, rows in (("tables", "1,0\n2,1\n"), ("repaired", "7,0\n8,1\n")):
        path = write(tmp_path / f"{name}.csv", f"a,y\n{rows}")
        ingest(project_of(path), tmp_path / name)
    with layered(tmp_path / "tables", tmp_path / "repaired", beside=tmp_path / "work") as folder:
        assert pq.read_table(folder / "rows")["a"].to_pylist() == [7, 8]
        assert read_manifest(folder).sources["rows"] == read_manifest(tmp_path / "repaired").sources["rows"]
    assert not folder.exists()


@pytest.mark.parametrize(
    ("encoding", "options"),
    [
        ("utf-16", {}),
        ("utf-8-sig", {}),
        ("cp1252", {"encoding": "cp1252"}),
        ("latin-1", {"encoding": "latin-1"}),
    ],
)
def test_encodings(tmp_path, encoding, options):
    text = "sep=;\r\nname;y\r\nMüller;0\r\nJäger;1\r\n"
    path = write(tmp_path / "rows.csv", text.encode(encoding))
    _, table = ingested(project_of(path, source={"options": options}), tmp_path)
    assert table["name"].tolist() == ["Müller", "Jäger"] and table["y"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,y\n€,0\n", {}, r"not UTF-8.*encoding: cp1252"),
        ("a,y\nü,0\n", {}, r"not UTF-8.*encoding: latin-1"),
        ("a,y\n\xfc,0\n", {"encoding": "klingon"}, "unknown encoding 'klingon'"),
    ],
)
def test_an_encoding_that_does_not_fit_is_told(tmp_path, text, options, message):
    path = write(tmp_path / "rows.csv", text.encode("cp1252"))
    with pytest.raises(DataError, match=message):
        ingest(project_of(path, source={"options": options}), tmp_path / "tables")


def test_a_first_line_that_names_the_delimiter_is_no_header(tmp_path):
    path = write(tmp_path / "rows.csv", "sep=|\na|y\n1|0\n2|1\n")
    assert ingested(project_of(path), tmp_path)[1]["a"].tolist() == [1, 2]
