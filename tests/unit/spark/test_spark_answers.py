"""What a worker computes from one partition, however Spark cuts it into batches; values in Spark."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.errors import InputError
from evergreen.spark import answers
from evergreen.spark.answers import _coded
from evergreen.spark.carriers import check_sortable, key, restored, stored

VALUES = {
    "UTINYINT": ["0", "255"],
    "UBIGINT": ["0", "9223372036854775808", "18446744073709551615"],
    "DECIMAL(38,10)": ["-1234567890123456789012345678.0123456789", "0.0000000001"],
    "DOUBLE": ["'-inf'::DOUBLE", "0.1", "'nan'::DOUBLE"],
    "TIMESTAMP": ["'0001-01-01'", "'1969-12-31 23:59:59.999999'", "'9999-12-31 23:59:59.999999'"],
    "TIMESTAMP_NS": ["'1969-12-31 23:59:59.999999999'", "'2024-02-29 00:00:00.000000001'"],
    "TIMESTAMP WITH TIME ZONE": ["'1900-01-01 00:00:00+00'", "'2024-10-27 02:30:00+02'"],
    "UUID": ["'00000000-0000-4000-8000-000000000001'", "'ffffffff-0000-4000-8000-000000000000'"],
    "TIME": ["'00:00:00'", "'23:59:59.999999'"],
    "STRUCT(a VARCHAR, b INTEGER)[]": ["[{a: 'x, \"y\" ''z'' \\ {}', b: NULL}, NULL]", "[]"],
}


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back_and_sorts_as_it_did(con, name):
    rows = ", ".join(f"({n}, CAST({v} AS {name}))" for n, v in enumerate([*VALUES[name], "NULL"]))
    carried = f"SELECT n, x, {stored('x', name)} AS c FROM (VALUES {rows}) AS t(n, x)"
    unchanged = f"{restored('c', name)} IS NOT DISTINCT FROM x"
    same = con.execute(f"SELECT bool_and({unchanged}) FROM ({carried})").fetchall()
    assert same == [(True,)]
    if not name.endswith("]"):
        order = con.execute(f"SELECT n FROM ({carried}) ORDER BY c NULLS LAST").fetchall()
        assert order == con.execute(f"SELECT n FROM ({carried}) ORDER BY x NULLS LAST").fetchall()


def test_keys_are_equal_exactly_when_duckdb_says_so(con):
    numbers = "(0.0::DOUBLE), (-0.0), ('nan'), (-'nan'::DOUBLE), (1), (0.1), (0.1::FLOAT), (NULL)"
    values = f"(VALUES {numbers}) AS t(x)"
    wrong = con.execute(
        f"WITH v AS (FROM {values}) SELECT a.x, b.x FROM v AS a, v AS b "
        f"WHERE (a.x = b.x) IS DISTINCT FROM ({key('a.x', 'DOUBLE')} = {key('b.x', 'DOUBLE')})"
    ).fetchall()
    assert wrong == []


def test_keys_without_an_order_in_spark_are_refused():
    with pytest.raises(InputError, match="source s, column 'k': a key of type INTEGER"):
        check_sortable("source s", "k", "INTEGER[]")
    check_sortable("source s", "k", "VARCHAR")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=12), st.integers(1, 5))
def test_entities_are_numbered_alike_however_batches_are_cut(rows, size):
    rows.sort()
    table = pa.table(
        {"k0": pa.array([r[0] for r in rows], pa.string()), "k1": pa.array([r[1] for r in rows], pa.int64())}
    )
    batches = list(_coded(table.to_batches(max_chunksize=size), ["k0", "k1"]))
    codes = np.concatenate([b[answers.CODE].to_numpy() for b in batches]) if batches else []
    distinct = sorted(set(rows))
    assert [distinct[c] for c in codes] == rows
