import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from evergreen.profile.validation import distances

pairs = st.integers(1, 12).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 1000), min_size=n, max_size=n).filter(any)] * 2)
)


@given(pairs)
def test_symmetric_nonnegative_and_zero_for_equal_shares(pair):
    a, b = pair
    for distance in (distances.psi, distances.jensen_shannon, distances.largest_change):
        assert distance(a, b) == pytest.approx(distance(b, a), abs=1e-12)
        assert distance(a, b) >= 0
        assert distance(a, a) == pytest.approx(0, abs=1e-9)
    assert distances.jensen_shannon(a, b) <= 1 and distances.largest_change(a, b) <= 1


@given(pairs)
def test_jensen_shannon_is_scipys(pair):
    expected = jensenshannon(*pair, base=2)
    assert distances.jensen_shannon(*pair) == pytest.approx(0 if math.isnan(expected) else expected, abs=1e-6)


def test_psi_by_hand():
    assert distances.psi([500, 500], [600, 400]) == pytest.approx(0.1 * math.log(0.6 / 0.4), rel=0.01)
    assert distances.psi([10, 0], [0, 10]) < math.inf


def test_wasserstein_follows_a_shift():
    rng = np.random.default_rng(1)
    a = rng.normal(10, 2, 50_000)
    b = a + 0.5
    edges = np.linspace(4, 16, 30)
    counts = [np.bincount(np.searchsorted(edges, v), minlength=31) for v in (a, b)]
    bounds = (min(a.min(), b.min()), max(a.max(), b.max()))
    got = distances.wasserstein(edges, *counts, bounds, a.std())
    assert got == pytest.approx(wasserstein_distance(a, b) / a.std(), rel=0.05)


def test_wasserstein_with_crossing_distribution_functions():
    # F − G runs from 0 up to 1/2, through 0 down to −1/2, and back: triangles of 1/4, 1/8, 1/8 and 1/4.
    got = distances.wasserstein([1.0, 2.0], [1, 0, 1], [0, 2, 0], (0.0, 3.0), 1.0)
    assert got == pytest.approx(0.75)


@pytest.mark.parametrize(("n", "m"), [(100, 100), (1000, 150), (5000, 5000)])
def test_chance_passes_the_floor_once_in_a_hundred(n, m):
    rng = np.random.default_rng(n + m)
    shares = rng.dirichlet(np.full(10, 20.0))
    floor = distances.psi_floor(n, m, 10)
    above = [
        distances.psi(rng.multinomial(n, shares), rng.multinomial(m, shares)) > floor for _ in range(4000)
    ]
    assert np.mean(above) == pytest.approx(0.01, abs=0.006)


def test_floor_of_one_bin_is_zero():
    assert distances.psi_floor(100, 100, 1) == 0
