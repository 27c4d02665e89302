"""Ingest: files, spans, Delta, SQL over sources, checks, and nothing half-written."""

import json
from datetime import datetime, timedelta

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from ingest_cases import ingested, project_of, write

from evergreen.errors import DataError, StorageError
from evergreen.ingest.ingest import ingest, parse_as_of
from evergreen.ingest.manifest import read_manifest
from evergreen.ingest.task import ingest_with_report

ROWS = pa.table({"a": [1, 2, 3], "y": [0, 1, 0]})


def parquet(path, table=ROWS, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)
    return path


def test_the_manifest_says_what_came_in(tmp_path):
    path = parquet(tmp_path / "rows.parquet")
    result, table = ingested(project_of(path), tmp_path)
    assert table["a"].tolist() == [1, 2, 3]
    meta = json.loads((tmp_path / "tables" / "manifest.json").read_text())
    assert meta["sources"]["rows"] == {
        "uris": [str(path)], "format": "parquet", "rows": 3, "bytes": path.stat().st_size,
        "digest": result.sources["rows"].digest, "span": None, "columns": {"a": "BIGINT", "y": "BIGINT"},
        "dropped": {}, "alerts": [],
    }  # fmt: skip
    assert read_manifest(tmp_path / "tables") == result


def test_the_same_input_gives_the_same_bytes(tmp_path):
    path = parquet(tmp_path / "rows.parquet")
    folders = []
    for name in ("one", "two"):
        ingest(project_of(path), tmp_path / name)
        folders.append({p.name: p.read_bytes() for p in sorted((tmp_path / name).rglob("*")) if p.is_file()})
    assert folders[0] == folders[1]


def test_every_type_becomes_one_of_six(tmp_path):
    con = duckdb.connect()
    path = tmp_path / "rows.parquet"
    con.execute(
        "COPY (SELECT 1::TINYINT AS i, 2::UHUGEINT AS u, 1.25::DECIMAL(9,2) AS m, 'nan'::DOUBLE AS x,"
        " 'inf'::FLOAT AS f, TIMESTAMPTZ '2024-01-01 02:00:00+02' AS z,"
        " TIMESTAMP_NS '2024-01-01 00:00:00.123456789' AS n, DATE '2024-01-01' AS d, [1, 2] AS l,"
        " {'k': 'v'} AS s, 'abc'::BLOB AS b, TIME '10:00' AS c, TRUE AS y)"
        f" TO '{path}' (FORMAT parquet)"
    )
    result, table = ingested(project_of(path), tmp_path)
    assert result.sources["rows"].columns == {
        "i": "BIGINT", "u": "DOUBLE", "m": "DOUBLE", "x": "DOUBLE", "f": "DOUBLE", "z": "TIMESTAMP",
        "n": "TIMESTAMP", "d": "DATE", "l": "VARCHAR", "s": "VARCHAR", "b": "VARCHAR", "c": "VARCHAR",
        "y": "BOOLEAN",
    }  # fmt: skip
    row = table.iloc[0]
    assert row["z"] == pd.Timestamp("2024-01-01")
    assert pd.isna(row["x"]) and pd.isna(row["f"])
    assert (row["l"], row["s"]) == ("[1,2]", '{"k":"v"}')


def test_whole_numbers_past_64_bits_are_refused_unless_they_are_text(tmp_path):
    table = ROWS.append_column("big", pa.array([1, 2**64 - 1, 3], pa.uint64()))
    path = parquet(tmp_path / "rows.parquet", table)
    with pytest.raises(DataError, match="column 'big': 1 of 3 values do not fit type integer"):
        ingest(project_of(path), tmp_path / "tables")
    _, found = ingested(project_of(path, source={"types": {"big": "text"}}), tmp_path)
    assert found["big"].tolist() == ["1", "18446744073709551615", "3"]


def test_columns_and_types_are_chosen(tmp_path):
    table = ROWS.append_column("when", pa.array([1_700_000_000] * 3)).append_column(
        "zip", pa.array([1, 2, 3])
    )
    path = parquet(tmp_path / "rows.parquet", table)
    source = {"columns": ["y", "a", "when", "zip"], "types": {"when": "timestamp", "zip": "text"}}
    _, found = ingested(project_of(path, source=source), tmp_path)
    assert list(found) == ["a", "y", "when", "zip"]
    assert found["when"].iloc[0] == pd.Timestamp("2023-11-14 22:13:20")
    assert found["zip"].tolist() == ["1", "2", "3"]


def test_whole_numbers_are_a_time_only_when_they_can_be(tmp_path):
    for unit in (1, 10**3, 10**6):
        times = pa.array([1_600_000_000 * unit, 1_700_000_000 * unit, None])
        path = parquet(tmp_path / "rows.parquet", ROWS.append_column("at", times))
        result, found = ingested(project_of(path, source={"time": "at"}), tmp_path)
        assert found["at"].max() == pd.Timestamp("2023-11-14 22:13:20")
        assert "1 of 3 rows have no 'at'" in result.sources["rows"].alerts
    path = parquet(tmp_path / "rows.parquet", ROWS.append_column("week", pa.array([1, 2, 3])))
    with pytest.raises(DataError, match="column 'week': it is the time but holds integer values"):
        ingested(project_of(path, source={"time": "week"}), tmp_path)


def test_folders_and_patterns_take_every_file_in_order(tmp_path):
    for day, value in (("b", 2), ("a", 1), ("c", 3)):
        parquet(tmp_path / "in" / day / "part.parquet", pa.table({"a": [value], "y": [value % 2]}))
    write(tmp_path / "in" / "_SUCCESS", "")
    write(tmp_path / "in" / ".hidden.parquet", "nothing")
    for path in (
        tmp_path / "in",
        tmp_path / "in" / "*" / "*.parquet",
        tmp_path / "in" / "**" / "part.parquet",
    ):
        assert ingested(project_of(path), tmp_path)[1]["a"].tolist() == [1, 2, 3]
    some = [str(tmp_path / "in" / "c" / "part.parquet"), str(tmp_path / "in" / "a" / "part.parquet")]
    assert ingested(project_of(some), tmp_path)[1]["a"].tolist() == [3, 1]


def spans(tmp_path, days, name="day={}/rows.parquet"):
    for day in days:
        number = int(day.replace("-", "").replace("T", ""))
        parquet(tmp_path / "in" / name.format(day), pa.table({"a": [number], "y": [number % 2]}))
    return tmp_path / "in"


@pytest.mark.parametrize(
    ("source", "as_of", "expected"),
    [
        ({}, None, [20240229, 20240301, 20240303, 20240401]),
        ({"last": 2}, None, [20240303, 20240401]),
        ({"last": 2}, "2024-03-02", [20240229, 20240301]),
        ({"span": "2024-03-01"}, None, [20240301]),
        ({"span": "2024-03"}, None, [20240301, 20240303]),
    ],
)
def test_spans_by_date(tmp_path, source, as_of, expected):
    folder = spans(tmp_path, ["2024-02-29", "2024-03-01", "2024-03-03", "2024-04-01"])
    given = project_of(folder / "day={YYYY}-{MM}-{DD}" / "rows.parquet", source=source)
    result, table = ingested(given, tmp_path, as_of=parse_as_of(as_of or ""))
    assert table["a"].tolist() == expected
    first, last = result.sources["rows"].span
    assert first.replace("-", "") == str(expected[0]) and last.replace("-", "") == str(expected[-1])


def test_gaps_between_spans_are_an_alert(tmp_path):
    folder = spans(tmp_path, ["2024-02-28", "2024-03-02"])
    result, _ = ingested(project_of(folder / "day={YYYY}-{MM}-{DD}"), tmp_path)
    assert result.sources["rows"].alerts == ("no data for 2 spans: 2024-02-29, 2024-03-01",)


def test_hours_and_dates_that_stand_twice(tmp_path):
    for day, hour in (("2024-03-01", "23"), ("2024-03-02", "00"), ("2024-03-02", "01")):
        parquet(tmp_path / "in" / day[:4] / f"{day.replace('-', '')}{hour}.parquet")
    parquet(tmp_path / "in" / "2024" / "2023030200.parquet")
    source = {"last": 2}
    given = project_of(tmp_path / "in" / "{YYYY}" / "{YYYY}{MM}{DD}{HH}.parquet", source=source)
    result, _ = ingested(given, tmp_path)
    assert result.sources["rows"].span == ("2024-03-02T00", "2024-03-02T01")


def test_a_span_that_is_not_there_is_named_with_those_that_are(tmp_path):
    folder = spans(tmp_path, ["2024-03-01", "2024-03-03"])
    given = project_of(folder / "day={YYYY}-{MM}-{DD}", source={"span": "2024-03-02"})
    with pytest.raises(
        DataError, match="source rows: no span 2024-03-02; expected one of 2024-03-01, 2024-03-03"
    ):
        ingest(given, tmp_path / "tables")


def test_delta_tables_and_their_versions(tmp_path):
    for value in (1, 2):
        write_deltalake(tmp_path / "delta", pa.table({"a": [value], "y": [value % 2]}), mode="overwrite")
    result, table = ingested(project_of(tmp_path / "delta"), tmp_path)
    assert result.sources["rows"].format == "delta"
    assert table["a"].tolist() == [2]
    first = project_of(tmp_path / "delta", source={"options": {"version": 0}})
    assert ingested(first, tmp_path)[1]["a"].tolist() == [1]
    with pytest.raises(DataError, match=r"no Delta table .* `options.version`"):
        ingested(project_of(tmp_path / "delta", source={"options": {"version": 7}}), tmp_path)
    with pytest.raises(DataError, match="no Delta table"):
        ingested(
            project_of(parquet(tmp_path / "x" / "r.parquet").parent, source={"format": "delta"}), tmp_path
        )


def test_files_that_differ_are_united_by_name(tmp_path):
    parquet(tmp_path / "in" / "1.parquet", pa.table({"a": [1], "y": [0], "n": pa.nulls(1)}))
    parquet(tmp_path / "in" / "2.parquet", pa.table({"y": [1.0], "b": ["x"], "a": [2], "n": ["w"]}))
    result, table = ingested(project_of(tmp_path / "in"), tmp_path)
    assert table["a"].tolist() == [1, 2]
    assert table["y"].dtype == "float64" and table["n"].tolist()[1] == "w"
    assert result.sources["rows"].alerts == ("column 'b' is not in 1 of 2 files",)
    parquet(tmp_path / "in" / "3.parquet", pa.table({"a": ["z"], "y": [1.0]}))
    with pytest.raises(DataError, match=r"column 'a': integer in .*1\.parquet, text in .*3\.parquet"):
        ingested(project_of(tmp_path / "in"), tmp_path)


def sql_project(path, **queries):
    sources = {name: {"sql": query} for name, query in queries.items()}
    features = [{"name": n, "source": n, "on": ["a"], "columns": "*"} for n in sources]
    base = project_of(path, sources=sources).model_dump(mode="json", exclude_none=True)
    return type(project_of(path)).model_validate({**base, "features": [*base["features"], *features]})


def test_sql_over_sources_in_any_order(tmp_path):
    path = parquet(tmp_path / "rows.parquet")
    given = sql_project(
        path,
        top='SELECT a, n * 2 AS m FROM "Middle" -- words',
        Middle="WITH q AS (SELECT a, count(*) AS n FROM rows GROUP BY a) SELECT * FROM q;",
    )
    result = ingest(given, tmp_path / "tables")
    assert list(result.sources) == ["rows", "Middle", "top"]
    assert pq.read_table(tmp_path / "tables" / "top").to_pylist() == [{"a": i, "m": 2} for i in (1, 2, 3)]
    assert result.sources["top"].format == "sql"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ({"q": "SELECT a FROM p", "p": "SELECT a FROM q"}, r"sources.q.sql: it reads itself: q → p → q"),
        ({"q": "SELECT nope AS a FROM rows"}, r"sources.q.sql: Binder Error: .*nope"),
        ({"q": "SELECT a FROM nowhere"}, r"sources.q.sql: Catalog Error: .*nowhere"),
        ({"q": "SELEC a FROM rows"}, r"sources.q.sql: syntax error"),
        ({"q": "SELECT 1 AS a; SELECT 2 AS a"}, r"sources.q.sql: 2 statements; expected one SELECT"),
        ({"q": "COPY (SELECT 1) TO 'x.csv'"}, r"sources.q.sql: Only SELECT"),
        ({"q": "SELECT content AS a FROM read_text('/etc/hostname')"}, "reaches for a file"),
        ({"q": "SELECT 1 AS a FROM read_csv('https://localhost/x.csv')"}, "reaches for a file"),
        ({"q": "SELECT a FROM rows WHERE a > 5"}, "source q: it is empty"),
        ({"q": "SELECT CAST('x' AS INTEGER) AS a FROM rows"}, r"sources.q.sql: Conversion Error"),
    ],
)
def test_sql_that_cannot_run_is_refused_by_its_name(tmp_path, queries, message):
    given = sql_project(parquet(tmp_path / "rows.parquet"), **queries)
    with pytest.raises(DataError, match=message):
        ingest(given, tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


@pytest.mark.slow
def test_sql_gives_the_same_digest_whatever_the_order_of_its_groups(tmp_path):
    table = pa.table({"a": list(range(5000)), "y": [i * 0.1 for i in range(5000)]})
    given = sql_project(
        parquet(tmp_path / "rows.parquet", table), q="SELECT a % 97 AS a, sum(y) AS s FROM rows GROUP BY 1"
    )
    digests = {ingest(given, tmp_path / str(i)).sources["q"].digest for i in range(3)}
    assert len(digests) == 1


def test_only_what_the_project_needs_is_read(tmp_path):
    path = parquet(tmp_path / "rows.parquet")
    given = project_of(path, sources={"unused": {"path": str(tmp_path / "nowhere.parquet")}})
    assert list(ingest(given, tmp_path / "tables").sources) == ["rows"]
    with pytest.raises(DataError, match="nothing is at"):
        ingest(given, tmp_path / "tables", only=["unused"])
    with pytest.raises(DataError, match=r"no source 'row'.*Did you mean 'rows'"):
        ingest(given, tmp_path / "tables", only=["row"])


def test_a_missing_file_is_named_with_its_neighbours(tmp_path):
    parquet(tmp_path / "in" / "rows_2024.parquet")
    with pytest.raises(
        DataError, match=r"source rows: nothing is at .*row_2024\.parquet\. Did you mean 'rows_2024"
    ):
        ingest(project_of(tmp_path / "in" / "row_2024.parquet"), tmp_path / "tables")
    with pytest.raises(DataError, match="There is no folder"):
        ingest(project_of(tmp_path / "nowhere" / "x.parquet"), tmp_path / "tables")


def test_empty_sources_are_an_alert_only_when_they_may_be(tmp_path):
    for table in (ROWS.slice(0, 0), None):
        path = tmp_path / "rows.parquet"
        path.unlink(missing_ok=True)
        if table is not None:
            parquet(path, table)
        with pytest.raises(DataError, match="source rows"):
            ingest(project_of(path), tmp_path / "tables")
        result, found = ingested(project_of(path, source={"allow_empty": True}), tmp_path)
        assert len(found) == 0 and "y" in found
        assert any("empty" in alert for alert in result.sources["rows"].alerts)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[: len(data) // 2], "not a Parquet file, or one that was cut off"),
        (lambda data: b"", "0 bytes"),
        (lambda data: b"a,b\n1,2\n" * 100, "not a Parquet file"),
        (lambda data: data[:40] + b"\x55" * (len(data) // 2) + data[40 + len(data) // 2 :], "corrupt"),
    ],
)
def test_a_corrupt_parquet_file_is_refused(tmp_path, damage, message):
    table = pa.table({"a": list(range(20_000)), "y": [i * i % 7 for i in range(20_000)]})
    path = parquet(tmp_path / "rows.parquet", table, compression="zstd")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=message):
        ingest(project_of(path), tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


def test_times_in_the_future_are_refused_or_dropped(tmp_path):
    soon = datetime.now() + timedelta(days=30)
    times = pa.array([datetime(2024, 1, 1), soon, datetime(2024, 1, 2)], pa.timestamp("us"))
    path = parquet(tmp_path / "rows.parquet", ROWS.append_column("at", times))
    with pytest.raises(DataError, match="column 'at': 1 of 3 rows lie in the future") as caught:
        ingest(project_of(path, source={"time": "at"}), tmp_path / "tables")
    assert "repair: {rows: {at: {future: drop}}}" in str(caught.value)
    repair = {"rows": {"at": {"future": "drop"}}}
    result, table = ingested(project_of(path, source={"time": "at"}, repair=repair), tmp_path)
    assert table["a"].tolist() == [1, 3]
    assert result.sources["rows"].dropped == {"at is in the future": 1}
    assert len(ingested(project_of(path), tmp_path)[1]) == 3


def test_rows_after_as_of_are_left_out(tmp_path):
    times = pa.array([datetime(2024, 1, 1), datetime(2024, 1, 2), datetime(2024, 1, 3)], pa.timestamp("us"))
    path = parquet(tmp_path / "rows.parquet", ROWS.append_column("at", times))
    given = project_of(path, source={"time": "at"})
    result, table = ingested(given, tmp_path, as_of=parse_as_of("2024-01-02T00:00:00Z"))
    assert table["a"].tolist() == [1, 2]
    assert result.as_of == "2024-01-02T00:00:00"
    with pytest.raises(DataError, match="as_of: 'soon' is no time"):
        parse_as_of("soon")


def test_duplicate_keys_are_refused_with_their_keys(tmp_path):
    table = pa.table({"a": [1, 1, 2, 3, 3, 3], "b": ["x"] * 6, "y": [0, 1] * 3})
    path = parquet(tmp_path / "rows.parquet", table)
    with pytest.raises(
        DataError, match=r"key a, b: duplicate keys: 5 rows .* a=3, b=x \(3 rows\); a=1, b=x \(2 rows\)"
    ):
        ingest(project_of(path, source={"key": ["a", "b"]}), tmp_path / "tables")


def test_all_sources_at_fault_are_named_at_once(tmp_path):
    base = project_of(tmp_path / "rows.parquet", sources={"other": {"path": str(tmp_path / "o.csv")}})
    write(tmp_path / "o.csv", "a,b\n1\n")
    given = base.model_copy(
        update={
            "features": [
                *base.features,
                base.features[0].model_copy(update={"name": "o", "source": "other", "on": ["a"]}),
            ]
        }
    )
    report = tmp_path / "report.html"
    with pytest.raises(DataError, match=r"(?s)sources: 2 of them cannot be used.*source rows.*o.csv, line 2"):
        ingest_with_report(given, tmp_path / "tables", report)
    page = report.read_text()
    assert "source rows: nothing is at" in page and "o.csv, line 2" in page
    assert not (tmp_path / "tables").exists()


def test_the_report_shows_alerts_and_sources(tmp_path):
    path = write(tmp_path / "rows.csv", "a,y\n1,0\nNA,1\n<b>,1\n3,0\n")
    given = project_of(path, source={"types": {"a": "text"}})
    report = tmp_path / "report.html"
    result = ingest_with_report(given, tmp_path / "tables", report)
    page = report.read_text()
    assert (
        result.digest[:12] in page
        and "rows" in page
        and "<b>" not in page.split("</style>")[-1].replace("<b>4</b>", "")
    )


def test_a_column_that_is_mixed_but_not_used_is_an_alert(tmp_path):
    values = [str(i) for i in range(99)] + ["none of it"]
    table = pa.table({"a": list(range(100)), "m": values, "y": [i % 2 for i in range(100)]})
    path = parquet(tmp_path / "rows.parquet", table)
    with pytest.raises(DataError, match=r"column 'm': mixed types: 99\.0%"):
        ingest(project_of(path), tmp_path / "tables")
    result, _ = ingested(project_of(path, features=["a"]), tmp_path)
    assert "kept as text" in result.sources["rows"].alerts[0]


def test_a_folder_that_cannot_be_made_is_an_error_of_storage(tmp_path):
    path = parquet(tmp_path / "rows.parquet")
    write(tmp_path / "file", "")
    with pytest.raises(StorageError, match="not a folder"):
        ingest(project_of(path), tmp_path / "file" / "sub" / "tables")


def test_folders_may_have_any_name(tmp_path):
    odd = tmp_path / "we[ir]d *dir 'x"
    given = sql_project(parquet(odd / "rows.parquet"), q="SELECT a, count(*) AS n FROM rows GROUP BY a")
    assert ingest(given, odd / "tables").rows == 6
