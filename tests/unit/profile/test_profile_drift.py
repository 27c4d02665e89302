import numpy as np
import pandas as pd
import pytest

from evergreen.profile import profile_table
from evergreen.profile.validation.drift import compare, new_values_floor


def both(table, before, now):
    reference = profile_table(table(pd.DataFrame({"x": before}), "before"))
    current = profile_table(table(pd.DataFrame({"x": now}), "now"), edges_from=reference)
    return reference.columns[0], current.columns[0]


def test_a_shift_is_seen_and_measured_in_standard_deviations(table):
    rng = np.random.default_rng(2)
    drift = compare(*both(table, rng.normal(0, 3, 5000), rng.normal(3, 3, 5000)))
    assert drift.psi > 0.5 > drift.floor
    assert drift.distance == pytest.approx(1.0, abs=0.1)
    assert sum(drift.reference) == sum(drift.current) == 5000 and not drift.small


def test_missing_and_invalid_are_bins(table):
    rng = np.random.default_rng(2)
    values = rng.normal(size=2000)
    broken = values.copy()
    broken[:400] = np.inf
    drift = compare(*both(table, values, broken))
    assert drift.labels[-1] == "invalid" and drift.current[-1] == 400 and drift.psi > 0.25
    drift = compare(
        *both(table, pd.Series(values, dtype="Float64"), pd.Series(values, dtype="Float64").mask(values > 1))
    )
    assert "missing" in drift.labels and drift.psi > 0.25


def test_bins_grow_with_the_rows(table):
    rng = np.random.default_rng(3)
    counts = [len(compare(*both(table, rng.random(n), rng.random(n))).labels) for n in (60, 120, 4000)]
    assert counts[0] <= 6 and counts[1] <= 12 and counts[2] == 20


def test_small_data_says_so(table):
    rng = np.random.default_rng(4)
    drift = compare(*both(table, rng.random(100), rng.random(1000)))
    assert drift.small and drift.floor > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("categories", [3, 40, 400, 5000])
@pytest.mark.parametrize("rows", [120, 3000])
def test_the_same_world_twice_does_not_move(table, categories, rows):
    rng = np.random.default_rng(categories * rows)
    weights = 1 / np.arange(1, categories + 1)
    names = np.array([f"c{i}" for i in range(categories)])
    weights /= weights.sum()
    over = 0
    for _ in range(4):
        before, now = (rng.choice(names, rows, p=weights) for _ in range(2))
        reference, current = both(table, before, now)
        drift = compare(reference, current)
        over += drift.psi > max(0.1, drift.floor)
        if reference.values.complete:
            assert current.values.other / rows <= new_values_floor(reference, rows)
    assert over == 0


def test_a_new_category_is_seen(table):
    drift = compare(*both(table, ["a", "b"] * 500, ["a", "b"] * 400 + ["new"] * 200))
    assert drift.labels[-1] == "rare or new" and drift.current[-1] == 200
    assert drift.psi > 0.25 and drift.distance == pytest.approx(0.2)


def test_nothing_to_compare(table):
    empty = pd.Series([], dtype=float)
    assert compare(*both(table, empty, [1.0, 2.0])) is None
    assert compare(*both(table, [1.0, 2.0], empty)) is None
    assert compare(*both(table, [[1], [2]], [[1], [2]])) is None


def test_other_layouts_are_refused(table):
    a = profile_table(table(pd.DataFrame({"x": np.arange(100.0)}), "a")).columns[0]
    b = profile_table(table(pd.DataFrame({"x": np.arange(100.0) * 2}), "b")).columns[0]
    with pytest.raises(ValueError, match="layout"):
        compare(a, b)
