"""Texts, times, lists and quantiles: what a profile holds beside numbers and categories."""

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.profile import Profile, merge, profile_table
from evergreen.profile.counting.shapes import shape_sql
from evergreen.profile.counting.unique import all_different, ascending
from evergreen.profile.parts import shape


def test_texts_tell_how_they_are_written(table):
    words = [" padded", "tail ", "größe", "", None, "AB-123", "AB-999", "item 12345"]
    column = profile_table(table(pd.DataFrame({"t": words}))).by_name["t"]
    lengths = column.lengths
    assert (lengths.spaced, lengths.wide, lengths.empty, lengths.maximum) == (
        2, 1, 1, 10,
    )  # fmt: skip
    assert dict(column.written.items) == {
        "AA-999": 2, " a+": 1, "aaaa ": 1, "a+": 1, "": 1, "aaaa 9+": 1,
    }  # fmt: skip
    assert column.written.rows == 7 and column.written.other == 0


def test_shapes_of_many_texts_come_from_the_sample(table):
    path = table(
        "SELECT CASE WHEN i % 4 = 0 THEN 'AB-' || (100 + i % 900) || i ELSE 'x' || i END AS t "
        "FROM range(30000) r(i)"
    )
    column = profile_table(path).by_name["t"]
    assert not column.values.complete and 18_000 < column.shapes.rows < 22_000
    shares = {s: n / column.shapes.rows for s, n in column.shapes.items}
    assert shares["AA-9+"] == pytest.approx(0.25, abs=0.02)
    again = profile_table(path, edges_from=profile_table(path)).by_name["t"]
    assert again.shapes == column.shapes


@pytest.mark.slow
@given(st.text("abzAZQ019 -_.éÄ日", max_size=60))
@settings(max_examples=20, deadline=None)
def test_shapes_are_the_same_in_sql(text):
    with duckdb.connect() as con:
        (found,) = con.execute(f"SELECT {shape_sql('v')} FROM (SELECT ?::VARCHAR AS v)", [text]).fetchone()
    assert found == shape(text)


def test_hours_of_the_week(table):
    path = table(
        "SELECT unnest(['2024-01-01 00:30'::TIMESTAMP, '2024-01-01 00:59', '2024-01-07 23:00', "
        "'1969-12-31 22:00', NULL]) AS t, unnest(['2024-01-02'::DATE, NULL, NULL, '1970-01-01', NULL]) AS d"
    )
    t, d = (profile_table(path).by_name[n] for n in "td")
    assert {i: n for i, n in enumerate(t.week) if n} == {0: 2, 6 * 24 + 23: 1, 2 * 24 + 22: 1}
    assert {i: n for i, n in enumerate(d.week) if n} == {24: 1, 3 * 24: 1}
    both = merge(*(profile_table(path, edges_from=profile_table(path)) for _ in range(2)))
    assert sum(both.by_name["t"].week) == 8
    assert t.numbers.span == t.numbers.maximum - t.numbers.minimum


def test_lists_and_their_elements(table):
    path = table(
        "SELECT unnest([['a', 'b'], [], NULL, ['a', NULL, 'c']]) AS tags, "
        "unnest([[1.5, 2.5], [3.5], [], NULL]::DOUBLE[][]) AS numbers, "
        "unnest([[{'k': 1}], [], NULL, NULL]) AS structs"
    )
    profile = profile_table(path)
    tags, numbers, structs = (profile.by_name[n] for n in ("tags", "numbers", "structs"))
    assert (tags.missing, tags.lengths.minimum, tags.lengths.maximum, tags.lengths.total) == (1, 0, 3, 5)
    assert tags.lengths.empty == 1 and tags.family == "other"
    assert dict(tags.elements.values.items) == {"a": 2, "b": 1, "c": 1} and tags.elements.missing == 1
    assert numbers.elements.numbers.mean == 2.5 and numbers.elements.type == "number"
    assert structs.elements.rows == 1 and structs.elements.numbers is None
    assert Profile.from_json(profile.to_json()) == profile
    twice = merge(*(profile_table(path, edges_from=profile) for _ in range(2)))
    assert twice.by_name["tags"].elements.rows == 10 and twice.layout == profile.layout


@pytest.mark.parametrize("name", ["money", "whole", "few"])
def test_quantiles_lie_in_their_bounds(table, name):
    rng = np.random.default_rng(3)
    values = {
        "money": rng.lognormal(2, 1.5, 20_000), "whole": rng.integers(-50, 5000, 20_000),
        "few": rng.integers(0, 5, 20_000),
    }[name]  # fmt: skip
    column = profile_table(table(pd.DataFrame({"x": values}))).by_name["x"]
    spread = np.ptp(values)
    for share in (0.0, 0.01, 0.25, 0.5, 0.77, 0.95, 0.999, 1.0):
        true = np.quantile(values, share, method="inverted_cdf")
        found = column.quantile(share)
        assert found.low <= true <= found.high
        if share < 0.99:
            assert abs(found.value - true) < 0.05 * spread
        if name == "few":
            assert found.value == true
    assert profile_table(table("SELECT NULL::DOUBLE AS x", "n")).by_name["x"].quantile(0.5) is None


@pytest.mark.parametrize("rows", [5, 3000])
def test_repeated_rows_are_found_whatever_the_parts(monkeypatch, rows):
    monkeypatch.setattr("evergreen.profile.counting.unique._PART", 256)
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE t AS SELECT i AS id, 'n' || i AS n, i % 2 AS two FROM range({rows}) r(i)")
        assert all_different(con, "t", ["n"], rows) and all_different(con, "t", ["two", "id"], rows)
        assert ascending(con, "t", "id") and not ascending(con, "t", "two")
        assert not all_different(con, "t", ["two"], rows)
        con.execute("INSERT INTO t VALUES (NULL, NULL, NULL), (NULL, NULL, NULL)")
        assert all_different(con, "t", ["n"], rows)
        assert not all_different(con, "t", ["n"], rows, skip_null=False)
        con.execute("INSERT INTO t VALUES (3, 'n3', 1)")
        assert not all_different(con, "t", ["n"], rows)


def test_collisions_of_hashes_are_no_repetitions(monkeypatch):
    with duckdb.connect() as con:
        con.execute("CREATE MACRO same(v) AS v % 7")
        con.execute("CREATE TABLE t AS SELECT i AS v FROM range(20) r(i)")
        monkeypatch.setattr("evergreen.profile.counting.unique._HASH", "same")
        assert all_different(con, "t", ["v"], 20)
        con.execute("INSERT INTO t VALUES (5)")
        assert not all_different(con, "t", ["v"], 21)
