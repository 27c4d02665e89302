"""Range questions over sorted events, against answers counted one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.history.joins import timeline
from evergreen.history.joins.timeline import Blocks


@st.composite
def histories(draw):
    """Events of a few entities, and slices that each lie within one of them."""
    lengths = draw(st.lists(st.integers(0, 20), min_size=1, max_size=5))
    groups = np.repeat(np.arange(len(lengths)), lengths)
    ends = np.cumsum(lengths)
    slices = []
    for _ in range(draw(st.integers(1, 8))):
        entity = draw(st.integers(0, len(lengths) - 1))
        first, last = int(ends[entity] - lengths[entity]), int(ends[entity])
        low = draw(st.integers(first, last))
        slices.append((entity, low, draw(st.integers(low, last))))
    n = len(groups)
    mask = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
    values = np.array(draw(st.lists(st.integers(-99, 99), min_size=n, max_size=n)), dtype=float)
    return groups, np.array(lengths), slices, mask, values


@pytest.mark.slow
@settings(deadline=None)
@given(histories())
def test_answers_match_counting_one_by_one(history):
    groups, lengths, slices, mask, values = history
    entity, low, high = (np.array(part, dtype=np.int64) for part in zip(*slices, strict=True))
    blocks = Blocks.of(lengths[lengths > 0].astype(np.int64))
    present = np.unique(groups)
    shift = np.append(blocks.begin, 0)[np.searchsorted(present, entity)]
    shift = np.where(lengths[entity] > 0, shift, 0)
    inside = [values[a:b][mask[a:b]] for a, b in zip(low, high, strict=True)]

    assert timeline.counts(mask, low, high).tolist() == [len(v) for v in inside]
    kept = blocks.spread(np.where(mask, values, 0.0), 0.0)
    assert timeline.sums(kept, low + shift, high + shift).tolist() == [v.sum() for v in inside]
    most = blocks.spread(np.where(mask, values, -np.inf), -np.inf)
    expected = [v.max(initial=-np.inf) for v in inside]
    assert timeline.extremes(most, low + shift, high + shift, largest=True).tolist() == expected
    spread = timeline.deviations(
        blocks.spread(values, 0.0), blocks.spread(mask.astype(float), 0.0) > 0, low + shift, high + shift
    )
    np.testing.assert_allclose(
        spread, [np.std(v, ddof=1) if len(v) > 1 else np.nan for v in inside], rtol=1e-12
    )
    codes = (values % 4).astype(np.int64)
    distinct = timeline.distinct_counts(groups.astype(np.int64), codes, mask, low, high)
    assert distinct.tolist() == [len(set(v % 4)) for v in inside]


def test_a_sum_keeps_its_bits_when_another_entity_has_more_events():
    rng = np.random.default_rng(5)
    mine = rng.normal(size=777)
    low, high = np.array([3, 100, 0]), np.array([700, 555, 777])
    found = set()
    for before in range(0, 40, 3):
        blocks = Blocks.of(np.array([before, len(mine)]))
        values = blocks.spread(np.concatenate((rng.normal(size=before), mine)), 0.0)
        shift = before + blocks.begin[1]
        found.add(timeline.sums(values, low + shift, high + shift).tobytes())
    assert len(found) == 1


def test_a_sum_keeps_its_bits_when_later_events_come():
    rng = np.random.default_rng(6)
    mine = rng.normal(size=400)
    low, high = np.array([3, 100, 0]), np.array([300, 255, 311])
    found = set()
    for more in range(0, 400, 37):
        blocks = Blocks.of(np.array([len(mine) + more]))
        values = blocks.spread(np.concatenate((mine, rng.normal(size=more))), 0.0)
        found.add(timeline.sums(values, low, high).tobytes())
    assert len(found) == 1


def test_small_sums_survive_large_values_outside_the_window():
    values = np.array([1e16, 0.1, 0.2, -1e16])
    assert timeline.sums(values, np.array([1]), np.array([3]))[0] == pytest.approx(0.3, rel=1e-15)


def test_blocks_take_at_most_twice_the_room():
    lengths = np.array([1, 5, 1000, 17, 2, 1025])
    blocks = Blocks.of(lengths)
    assert blocks.length <= 2 * lengths.sum()
    assert len(np.unique(blocks.place)) == lengths.sum()
    for begin, length, first in zip(blocks.begin, lengths, np.cumsum(lengths) - lengths, strict=True):
        size = 1 << int(np.ceil(np.log2(length)))
        assert (begin + first) % size == 0


def test_bounds_find_the_first_later_event():
    times = np.array([1, 3, 3, 7, 2, 4])
    start, end = np.array([0, 0, 0, 4, 4, 2]), np.array([4, 4, 4, 6, 6, 2])
    limits = np.array([0, 3, 9, 2, 4, 9])
    assert timeline.bounds(times, start, end, limits).tolist() == [0, 3, 4, 5, 6, 2]
