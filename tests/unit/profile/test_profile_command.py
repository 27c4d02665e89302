"""`evergreen profile` on every format, and what `opened` says of files that cannot be read."""

import json

import duckdb
import pytest

from evergreen.cli.__main__ import run
from evergreen.errors import DataError
from evergreen.profile import Profile
from evergreen.profile.open import opened
from evergreen.tables import columns, connect, count

CSV = "id,day,name,ok,amount\n" + "".join(
    f"{i},2024-01-{1 + i % 28:02d},n{i % 3},{'true' if i % 2 else 'false'},{'NA' if i == 3 else i / 4}\n"
    for i in range(40)
)


def test_csv_is_typed_as_ingestion_does(tmp_path):
    path = tmp_path / "a*b [1].csv"
    path.write_text(CSV)
    with opened(path) as table, connect() as con:
        assert list(columns(con, table).values()) == ["BIGINT", "DATE", "VARCHAR", "BOOLEAN", "DOUBLE"]
        assert count(con, table) == 40
    assert not table.exists()


def test_parquet_stays_where_it_is(tmp_path):
    path = tmp_path / "t.parquet"
    duckdb.execute(f"COPY (SELECT 1 AS a) TO '{path}'")
    with opened(path) as table:
        assert table == path
    with opened(tmp_path) as table:
        assert table == tmp_path


def test_folders_of_parts(tmp_path):
    for part in range(3):
        (tmp_path / f"part-{part}.csv").write_text(f"id,n\n{part},{part}.5\n")
    (tmp_path / "_SUCCESS").touch()
    hive = tmp_path / "hive"
    (hive / "day=1").mkdir(parents=True)
    duckdb.execute(f"COPY (SELECT 7 AS a) TO '{hive}/day=1/x.parquet'")
    with opened(hive) as table, connect() as con:
        assert count(con, table) == 1
    (hive / "day=1" / "x.parquet").unlink()
    with opened(tmp_path) as table, connect() as con:
        assert count(con, table) == 3 and columns(con, table)["n"] == "DOUBLE"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", b"", "nothing in it"),
        ("cut.parquet", b"PAR1xxxx", "Parquet"),
        ("uneven.csv", b"a,b\n1,2\n3\n", "line 3"),
        ("cut.jsonl", b'{"a": 1}\n{"a": ', "cut.jsonl"),
        ("book.xlsx", b"PK\x03\x04......", "Excel"),
        ("noise", bytes(range(128, 256)) * 8, "UTF-8"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught, opened(path):
        pass
    assert name in str(caught.value)


def test_a_missing_file_offers_its_neighbour(tmp_path):
    (tmp_path / "sales.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"Did you mean 'sales\.csv'"), opened(tmp_path / "sale.csv"):
        pass


def test_the_command_prints_json_and_writes_a_page(tmp_path, capsys):
    path = tmp_path / "t.csv"
    path.write_text(CSV)
    assert run(["profile", str(path), "--json", "--slice", "name", "--html", str(tmp_path / "t.html")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == 40 and [c["column"] for c in told["columns"]][-1] == "amount"
    amount = told["columns"][-1]
    assert amount["missing"] == 1
    middle = amount["quantiles"]["0.5"]
    assert middle["low"] <= 5.0 <= middle["high"]
    assert [s["rows"] for s in told["slices"]] == [14, 13, 13] and told["findings"] == []
    assert "Rows by name" in (tmp_path / "t.html").read_text()


def test_two_files_side_by_side_and_a_profile_as_baseline(tmp_path, capsys):
    before, now = tmp_path / "before.jsonl", tmp_path / "now.csv"
    before.write_text("".join(json.dumps({"x": i, "c": "ab"[i % 2]}) + "\n" for i in range(50)))
    now.write_text("x,c\n" + "".join(f"{i + 20},{'abc'[i % 3]}\n" for i in range(60)))
    profile, page = tmp_path / "before.json", tmp_path / "now.html"
    assert run(["profile", str(before), "--out", str(profile)]) == 0
    assert run(["profile", str(now), "--baseline", str(profile), "--html", str(page)]) == 0
    assert "50 rows, 2 columns" in capsys.readouterr().out
    assert Profile.read(profile).rows == 50
    assert "beside a baseline of 50 rows" in page.read_text()


@pytest.mark.parametrize(
    ("extra", "words"),
    [(["--slice", "nam"], "Did you mean"), (["--label", "okk"], "--label"), (["--memory", "3"], "1GiB")],
)
def test_bad_arguments_name_themselves(tmp_path, capsys, extra, words):
    path = tmp_path / "t.csv"
    path.write_text(CSV)
    assert run(["profile", str(path), *extra]) == 2
    assert words in capsys.readouterr().err
