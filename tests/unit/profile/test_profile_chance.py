import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from evergreen.profile.validation import chance


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(1e-9, 0.5))
def test_unseen_rows_are_the_fewest_that_are_no_chance(m, n, level):
    k = chance.unseen_rows(m, n, level)
    share = m / (n + m)
    assert share**k <= level * (1 + 1e-9) and (k == 1 or share ** (k - 1) > level * (1 - 1e-9))


def test_so_many_unseen_rows_come_about_as_seldom_as_said():
    rng = np.random.default_rng(1)
    k = chance.unseen_rows(200, 200, 0.05)
    beyond = 0
    for _ in range(2000):
        pooled = rng.standard_cauchy(400)
        beyond += (pooled[:200] > pooled[200:].max()).sum() >= k
    assert beyond / 2000 == pytest.approx(0.05, abs=0.025) and beyond / 2000 <= 0.06


def test_split_probability_by_hand():
    assert chance.split_probability(10, 0, 50, 50) == pytest.approx(2 / 2**10)
    assert chance.split_probability(5, 5, 50, 50) == 1
    assert chance.split_probability(0, 0, 50, 50) == 1


def test_homogeneity_is_pearsons():
    before, now = np.array([50, 30, 20]), np.array([30, 40, 30])
    expected = chi2_contingency(np.array([before, now]), correction=False).pvalue
    assert chance.homogeneity(before, now) == pytest.approx(expected)
    assert chance.homogeneity([100, 0], [90, 1]) == 1  # the rare bin is taken to the other
    assert chance.homogeneity([], []) == 1 and chance.homogeneity([5], [5]) == 1


def test_effects():
    assert float(chance.effect(0, 0)) == 0
    assert float(chance.effect(0, 1)) == pytest.approx(np.pi)
    assert float(chance.effect(0, 0.002)) > chance.EFFECT > float(chance.effect(0.5, 0.54))


def test_the_budgets_stay_below_one_run_in_a_hundred():
    assert sum(chance.BUDGET.values()) <= 0.0085
