import itertools
from dataclasses import replace

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.errors import DataError
from evergreen.profile import merge, profile_table
from evergreen.profile.counting.sketch import SIZE, TOP, Sketch

numbers = st.one_of(
    st.none(),
    st.floats(width=64),
    st.sampled_from([0.0, 1.0, 1.0, 2.5, float("nan"), float("inf"), float("-inf")]),
)
texts = st.one_of(st.none(), st.text(max_size=3), st.sampled_from(["a", "b", ""]))
rows = st.lists(st.tuples(numbers, texts, st.one_of(st.none(), st.booleans())), max_size=40)
quick = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(folder, name, part):
    path = folder / f"{name}.parquet"
    path.unlink(missing_ok=True)
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t (x DOUBLE, c VARCHAR, b BOOLEAN)")
        if part:
            con.executemany("INSERT INTO t VALUES (?, ?, ?)", part)
        con.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    return path


def without_moments(profile):
    """Everything that is a count, an extreme or a sketch."""
    columns = [
        replace(c, unique=None, numbers=c.numbers and replace(c.numbers, mean=None, m2=None))
        for c in profile.columns
    ]
    return replace(profile, columns=tuple(columns), key=())


def profiles(tmp_path, parts):
    whole = profile_table(written(tmp_path, "whole", [row for part in parts for row in part]))
    return whole, [
        profile_table(written(tmp_path, f"part{i}", part), edges_from=whole) for i, part in enumerate(parts)
    ]


@pytest.mark.slow
@quick
@given(st.lists(rows, min_size=2, max_size=4))
def test_parts_add_up_to_the_whole(tmp_path, parts):
    whole, pieces = profiles(tmp_path, parts)
    for order in (pieces, pieces[::-1]):
        merged = merge(*order)
        assert without_moments(merged) == without_moments(whole)
        got, expected = merged.by_name["x"].numbers, whole.by_name["x"].numbers
        size = max(1.0, abs(expected.minimum or 0), abs(expected.maximum or 0))
        if expected.mean is not None:
            assert got.mean / size == pytest.approx(expected.mean / size, abs=1e-9)
        if expected.m2 is not None and size < 1e100:
            assert got.m2 / size**2 == pytest.approx(expected.m2 / size**2, abs=1e-6)


@pytest.mark.slow
@quick
@given(rows, rows, rows)
def test_associative_and_commutative(tmp_path, a, b, c):
    _, (x, y, z) = profiles(tmp_path, [a, b, c])
    assert merge(x, y) == merge(y, x)
    left, right = merge(merge(x, y), z), merge(x, merge(y, z))
    assert without_moments(left) == without_moments(right)


def test_unseen_values_of_parts_stay_unseen(table):
    reference = profile_table(table("SELECT 'a' AS c FROM range(5)"))
    parts = [
        profile_table(table(f"SELECT '{v}' AS c FROM range(3)", f"p{v}"), edges_from=reference)
        for v in ("a", "b")
    ]
    values = merge(*parts).by_name["c"].values
    assert values.items == (("a", 3),) and values.other == 3


def test_slices_merge_by_name(table):
    from evergreen.project.model import SliceBy

    by = [SliceBy(column="c")]
    path = table("SELECT i AS x, 'c' || (i % 2) AS c FROM range(100) r(i)")
    whole = profile_table(path, slices=by)
    halves = [
        profile_table(table(f"SELECT i AS x, 'c' || (i % 2) AS c FROM range({a}, {b}) r(i)", f"h{a}"),
                      edges_from=whole, slices=by)
        for a, b in ((0, 37), (37, 100))
    ]  # fmt: skip
    merged = merge(*halves)
    assert [(s.name, s.profile.rows) for s in merged.slices] == [("c=c0", 50), ("c=c1", 50)]
    assert (
        merged.slices[0].profile.by_name["x"].numbers.bins
        == whole.slices[0].profile.by_name["x"].numbers.bins
    )


def test_different_layouts_are_refused(table):
    a = profile_table(table("SELECT i AS x FROM range(100) r(i)", "a"))
    b = profile_table(table("SELECT i * 2 AS x FROM range(100) r(i)", "b"))
    c = profile_table(table("SELECT i AS y FROM range(100) r(i)", "c"))
    with pytest.raises(DataError, match="edges_from"):
        merge(a, b)
    with pytest.raises(DataError, match="columns 'x', 'y'"):
        merge(a, c)


def test_other_hash_functions_leave_distinct_unknown(table):
    a = profile_table(table("SELECT i AS x FROM range(100) r(i)"))
    other = replace(a, hashing="duckdb:other")
    assert merge(a, other).by_name["x"].sketch is None
    assert merge(merge(a, other), a) == merge(a, merge(other, a))


hashes = st.lists(st.integers(0, TOP), max_size=30)


@given(hashes, hashes)
def test_small_sketches_are_exact(a, b):
    merged = Sketch.of(a).merged(Sketch.of(b))
    assert merged.exact == len(set(a) | set(b))
    assert merged == Sketch.of(a + b)


@given(st.integers(0, 2**32), st.integers(2, 4))
@settings(max_examples=20, deadline=None)
def test_large_sketches_merge_in_any_order_and_estimate(seed, many):
    import numpy as np

    rng = np.random.default_rng(seed)
    parts = [rng.integers(0, 2**64, rng.integers(100, 4000), dtype=np.uint64) for _ in range(many)]
    sketches = [Sketch.of(p.tolist()) for p in parts]
    results = set()
    for order in itertools.permutations(sketches):
        merged = order[0]
        for sketch in order[1:]:
            merged = merged.merged(sketch)
        results.add(merged)
    assert results == {Sketch.of(np.concatenate(parts).tolist())}
    true = len(np.unique(np.concatenate(parts)))
    (merged,) = results
    assert merged.distinct == pytest.approx(true, rel=5 / (SIZE - 2) ** 0.5)


def test_merging_pandas_frames_matches_pandas(table):
    frame = pd.DataFrame({"x": [1e6 + i * 0.25 for i in range(1000)]})
    whole = profile_table(table(frame))
    parts = [profile_table(table(frame[i::7], f"p{i}"), edges_from=whole) for i in range(7)]
    merged = merge(*parts).by_name["x"].numbers
    assert merged.mean == pytest.approx(frame.x.mean(), rel=1e-13)
    assert merged.std == pytest.approx(frame.x.std(ddof=0), rel=1e-10)
