from dataclasses import replace

import duckdb
import numpy as np
import pytest

from evergreen.errors import InputError
from evergreen.profile import merge, profile_table
from evergreen.project.model import SliceBy

QUERY = """
    SELECT i AS id, (i * 7919 % 100003) / 7.0 AS x, exp((i * 31 % 1000) / 90.0) AS heavy,
        CASE WHEN i % 11 = 0 THEN 'nan'::DOUBLE WHEN i % 7 = 0 THEN NULL ELSE sin(i) END AS wave,
        'c' || (i % 40) AS c, CASE WHEN i % 5 = 0 THEN 'AB-' || i ELSE 'x ' || (i * 17 % 9973) END AS code,
        i % 3 AS few, i % 2 = 0 AS flag, TIMESTAMP '2020-01-01' + to_minutes((i * 13)::INTEGER) AS t,
        CASE WHEN i % 4 > 0 THEN ['t' || (i % 5), 't' || (i % 3)] END AS tags, [i % 9, i] AS numbers
    FROM range({low}, {high}) r(i)
"""
SLICES = [SliceBy(column="c", top=2), SliceBy(column="x"), SliceBy(column="code", top=2)]


def written(path, low, high):
    options = "(FORMAT parquet, ROW_GROUP_SIZE 2048)"
    duckdb.execute(f"COPY ({QUERY.format(low=low, high=high)}) TO '{path}' {options}")
    return path


def without_uniqueness(profile):
    """A shard cannot tell that no other one holds a value of its own."""
    return replace(profile, columns=tuple(replace(c, unique=None) for c in profile.columns), key=())


@pytest.mark.slow
def test_shards_of_a_file_are_the_whole(tmp_path):
    shards = 3
    path = written(tmp_path / "t.parquet", 0, 8_000)
    whole = profile_table(path, {"flag": "label"}, slices=SLICES)
    parts = [profile_table(path, {"flag": "label"}, slices=SLICES, shard=(i, shards)) for i in range(shards)]
    assert all(p.rows for p in parts) and {p.layout for p in parts} == {whole.layout}
    assert without_uniqueness(merge(*parts)) == without_uniqueness(whole)
    assert merge(*parts[::-1]) == merge(*parts)


@pytest.mark.slow
def test_shards_of_a_sampled_folder_are_the_whole(tmp_path):
    for part, (low, high) in enumerate([(0, 60_000), (60_000, 61_000), (61_000, 130_000)]):
        written(tmp_path / f"part-{part}.parquet", low, high)
    whole = profile_table(tmp_path)
    parts = [profile_table(tmp_path, shard=(i, 3)) for i in range(3)]
    assert sum(p.rows for p in parts) == 130_000
    assert without_uniqueness(merge(*parts)) == without_uniqueness(whole)
    assert whole.by_name["id"].unique is True
    again = profile_table(tmp_path, edges_from=whole)
    assert replace(again, columns=whole.columns) == whole and again.columns == whole.columns


@pytest.mark.slow
def test_more_shards_than_row_groups(tmp_path):
    path = written(tmp_path / "t.parquet", 0, 3000)
    parts = [profile_table(path, shard=(i, 4)) for i in range(4)]
    assert sorted(p.rows for p in parts) == [0, 0, 952, 2048]
    assert without_uniqueness(merge(*parts)) == without_uniqueness(profile_table(path))


def test_a_shard_that_there_is_not(tmp_path):
    path = written(tmp_path / "t.parquet", 0, 100)
    with pytest.raises(InputError, match="0 to 1"):
        profile_table(path, shard=(2, 2))


def test_values_far_beyond_the_reference_are_summed_again(tmp_path):
    near, far = tmp_path / "near.parquet", tmp_path / "far.parquet"
    duckdb.execute(f"COPY (SELECT i / 10.0 AS x FROM range(1000) r(i)) TO '{near}'")
    duckdb.execute(f"COPY (SELECT i * 1e9 AS x FROM range(1000) r(i)) TO '{far}'")
    whole = profile_table(near)
    moved = profile_table(far, edges_from=whole)
    values = np.arange(1000) * 1e9
    assert moved.by_name["x"].numbers.mean == pytest.approx(values.mean(), rel=1e-15)
    assert moved.by_name["x"].numbers.std == pytest.approx(values.std(), rel=1e-12)
    both = merge(whole, moved).by_name["x"].numbers
    together = np.concatenate([np.arange(1000) / 10, values])
    assert both.mean == pytest.approx(together.mean(), rel=1e-12)
    assert both.std == pytest.approx(together.std(), rel=1e-12)
