"""Quoting, connections, Parquet and the content digest."""

import hashlib
import json
import struct
from datetime import UTC, date, datetime, timedelta, timezone

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.errors import DataError, Fault
from evergreen.project.model import Resources
from evergreen.tables import (
    columns,
    connect,
    content_digest,
    count,
    explained,
    identifier,
    kind,
    literal,
    parts,
    read_meta,
    scan,
    write_meta,
    write_query,
)

names = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=30
)


plain = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | names


@pytest.mark.slow
@settings(deadline=None)
@given(names, plain)
def test_any_name_and_any_value_survive_quoting(name, value):
    con = duckdb.connect()
    cursor = con.execute(f"SELECT {literal(value)} AS {identifier(name)}")
    assert cursor.description[0][0] == name
    assert cursor.fetchone()[0] == value


def test_times_are_utc_and_durations_are_intervals():
    con = duckdb.connect()
    east = datetime(2024, 1, 1, 3, tzinfo=timezone(timedelta(hours=2)))
    row = con.execute(
        f"SELECT {literal(east)}, {literal(date(2024, 2, 29))}, "
        f"{literal(timedelta(days=2, microseconds=5))}, "
        f"{literal(datetime(2024, 1, 1, tzinfo=UTC))}, {literal(['a', 'b'])}"
    ).fetchone()
    assert row[:2] == (datetime(2024, 1, 1, 1), date(2024, 2, 29))
    assert row[2:] == (timedelta(days=2, microseconds=5), datetime(2024, 1, 1), ["a", "b"])


def test_what_cannot_be_quoted_is_refused():
    with pytest.raises(ValueError, match="NUL"):
        identifier("a\0b")
    with pytest.raises(TypeError, match="bytes"):
        literal(b"x")


@pytest.mark.slow
def test_a_connection_leaves_no_folder_and_no_temporary_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with connect(Resources(memory="96MiB", threads=2)) as con:
        query = "SELECT hash(i) AS h, repeat('x', 50) AS s FROM range(1500000) t(i)"
        write_query(con, query, tmp_path / "sorted.parquet", order_by=["h"])
        assert con.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)
    assert [p.name for p in tmp_path.iterdir()] == ["sorted.parquet"]


def test_too_little_memory_is_a_fault_that_names_the_setting():
    with (
        pytest.raises(Fault, match=r"resources\.memory"),
        connect(Resources(memory="64MiB", threads=1)) as con,
    ):
        con.execute("SELECT list(i) FROM range(50000000) t(i)").fetchall()


def test_the_words_of_duckdb_come_without_its_hints():
    with pytest.raises(DataError) as caught, connect() as con, explained("source x", "Look again."):
        con.execute("SELECT nope FROM range(3)")
    text = str(caught.value)
    assert text.startswith("source x: Binder Error: Referenced column") and text.endswith("Look again.")
    assert "\n" not in text and "LINE" not in text


@pytest.mark.slow
def test_the_same_rows_are_the_same_bytes_on_any_number_of_threads(tmp_path):
    written = set()
    for threads in (1, 2, 4):
        with connect(Resources(threads=threads)) as con:
            path = tmp_path / f"{threads}.parquet"
            query = "SELECT i, i % 7 AS k, 'v' || i AS s FROM range(400000) t(i)"
            assert write_query(con, query, path) == 400_000
            ordered = tmp_path / f"{threads}-sorted.parquet"
            write_query(con, f"SELECT * FROM {scan(path)}", ordered, order_by=["k", "i"])
            written.add((path.read_bytes(), ordered.read_bytes()))
    assert len(written) == 1


def test_paths_with_the_signs_of_patterns_are_taken_as_they_are(tmp_path):
    odd = tmp_path / "a[b]*?'{x}" / "k=1"
    with connect() as con:
        write_query(con, "SELECT 1 AS a", odd / "part-00000.parquet")
        write_query(con, "SELECT 2 AS a", odd / "part-00001.parquet")
        assert columns(con, odd) == {"a": "INTEGER"}
        assert con.execute(f"SELECT a FROM {scan(odd)}").fetchall() == [(1,), (2,)]
        assert count(con, odd) == 2
    with pytest.raises(DataError, match="holds no Parquet"):
        parts(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        parts(tmp_path / "nope")


def test_queries_tables_and_comments_can_be_described():
    with connect() as con:
        con.execute("CREATE TABLE t AS SELECT 1 AS a")
        assert columns(con, "t") == {"a": "INTEGER"}
        assert columns(con, "-- words\n  with q as (select 2::BIGINT as b) select * from q -- end") == {
            "b": "BIGINT"
        }
        assert count(con, "/* x */ FROM t") == 1


def test_a_query_that_fails_leaves_nothing(tmp_path):
    path = tmp_path / "deep" / "x.parquet"
    with pytest.raises(DataError), connect() as con:
        write_query(con, "SELECT CAST('a' AS INTEGER) AS i", path)
    assert list(path.parent.iterdir()) == []


def test_meta_is_read_back_and_its_absence_explained(tmp_path):
    write_meta(tmp_path, {"ü": [1, None]})
    assert read_meta(tmp_path) == {"ü": [1, None]}
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        read_meta(tmp_path)
    with pytest.raises(DataError, match=r"holds no manifest\.json"):
        read_meta(tmp_path, "manifest.json")


@pytest.mark.parametrize(
    ("duckdb_type", "expected"),
    [
        ("BIGINT", "integer"), ("UHUGEINT", "integer"), ("DECIMAL(18,3)", "number"), ("FLOAT", "number"),
        ("VARCHAR", "text"), ("ENUM('a', 'DATE')", "text"), ("UUID", "text"), ("TIME", "text"),
        ("BLOB", "text"),
        ("TIMESTAMP WITH TIME ZONE", "timestamp"), ("TIMESTAMP_NS", "timestamp"), ("DATE", "date"),
        ("INTEGER[]", "nested"), ("DOUBLE[3]", "nested"), ("STRUCT(a INTEGER)", "nested"),
        ("MAP(VARCHAR, DATE)", "nested"),
    ],
)  # fmt: skip
def test_kinds(duckdb_type, expected):
    assert kind(duckdb_type) == expected


TABLE = pa.table({
    "n": pa.array([1, None, 3], pa.int64()),
    "x": pa.array([0.5, float("nan"), None]),
    "s": ["a", None, "ü"],
    "b": [True, None, False],
    "t": pa.array([datetime(2024, 1, 1), None, datetime(1960, 1, 1)], pa.timestamp("us")),
    "d": [date(2024, 1, 1), None, date(1960, 1, 1)],
})  # fmt: skip


def digest_of(tmp_path, table, **options) -> str:
    pq.write_table(table, tmp_path / "t.parquet", **options)
    with connect() as con:
        return content_digest(con, tmp_path / "t.parquet")


def by_definition(present: list[bool], values: bytes, lengths: bytes = b"") -> str:
    streams = (bytes(present), values, lengths)
    return hashlib.sha256(b"".join(hashlib.sha256(s).digest() for s in streams)).hexdigest()


def test_the_digest_is_that_of_its_definition(tmp_path):
    new_year, old_day = 1_704_067_200_000_000, -3653
    described = [
        ["n", "integer", by_definition([1, 0, 1], struct.pack("<3q", 1, 0, 3))],
        ["x", "number", by_definition([1, 1, 0], struct.pack("<3d", 0.5, float("nan"), 0.0))],
        ["s", "text", by_definition([1, 0, 1], "aü".encode(), struct.pack("<3q", 1, 0, 2))],
        ["b", "boolean", by_definition([1, 0, 1], bytes([1, 0, 0]))],
        [
            "t",
            "timestamp",
            by_definition([1, 0, 1], struct.pack("<3q", new_year, 0, old_day * 86_400_000_000)),
        ],
        ["d", "date", by_definition([1, 0, 1], struct.pack("<3i", 19723, 0, old_day))],
    ]
    text = json.dumps([3, described], ensure_ascii=False, separators=(",", ":"))
    assert digest_of(tmp_path, TABLE) == hashlib.sha256(text.encode()).hexdigest()


def test_the_digest_does_not_see_how_rows_are_stored(tmp_path):
    plain = digest_of(tmp_path, TABLE)
    assert digest_of(tmp_path, TABLE, compression="gzip", row_group_size=1, use_dictionary=False) == plain
    narrow = TABLE.set_column(0, "n", TABLE["n"].cast(pa.int8()))
    narrow = narrow.set_column(4, "t", TABLE["t"].cast(pa.timestamp("ms")))
    assert digest_of(tmp_path, narrow) == plain
    with connect() as con:
        folder = tmp_path / "folder"
        for i in range(3):
            row = f"SELECT * FROM {scan(tmp_path / 't.parquet')} LIMIT 1 OFFSET {i}"
            write_query(con, row, folder / f"part-{i}.parquet")
        assert content_digest(con, folder) == plain


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.take([1, 0, 2]),
        lambda t: t.slice(0, 2),
        lambda t: t.select(["x", "n", "s", "b", "t", "d"]),
        lambda t: t.rename_columns(["N", "x", "s", "b", "t", "d"]),
        lambda t: t.set_column(2, "s", pa.array(["a", "", "ü"])),
        lambda t: t.set_column(2, "s", pa.array(["", "a", "ü"])),
        lambda t: t.set_column(0, "n", pa.array([1, 0, 3])),
        lambda t: t.set_column(0, "n", pa.array([1.0, None, 3.0])),
        lambda t: t.set_column(3, "b", pa.array([True, False, False])),
    ],
)
def test_the_digest_sees_every_change_of_content(tmp_path, change):
    assert digest_of(tmp_path, change(TABLE)) != digest_of(tmp_path, TABLE)


pairs = st.tuples(st.none() | st.integers(-9, 9), st.none() | st.text("ab\0", max_size=3))


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(pairs, max_size=30), st.data())
def test_the_digest_of_a_sorted_query_is_that_of_the_sorted_rows(rows, data):
    shuffled = data.draw(st.permutations(rows))
    with connect(Resources(threads=1)) as con:
        found = set()
        for order in (rows, shuffled):
            table = pa.table({
                "a": pa.array([a for a, _ in order], pa.int64()),
                "b": pa.array([b for _, b in order], pa.string()),
            })  # fmt: skip
            con.register("t", table)
            found.add(content_digest(con, "t", order_by=["a", "b"]))
    assert len(found) == 1
