"""Charts: valid SVG for any input, the same bytes again, colours of the page, marks where the data are."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.reports import charts
from evergreen.reports.drawing import Scale, cut, finite, tick_labels, ticks

SVG = "{http://www.w3.org/2000/svg}"
any_number = st.floats(allow_nan=True, allow_infinity=True) | st.none()
name = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30)


def drawn(svg: str) -> ET.Element:
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg" and root.get("role") == "img" and root.get("aria-label") is not None
    for element in root.iter():
        for attribute in ("x", "y", "cx", "cy", "width", "height", "d"):
            value = element.get(attribute, "")
            assert "nan" not in value and "inf" not in value, f"{attribute}={value}"
    return root


@given(st.lists(st.tuples(name, any_number), max_size=8), name)
def test_bars_and_forest_draw_whatever_is_finite(rows, title):
    labels, values = [r[0] for r in rows], [r[1] for r in rows]
    shown = [v for v in values if finite(v)]
    bounds = [None if v is None else (v, v) for v in values]
    assert len(list(drawn(charts.bars(labels, values, title, bounds)).iter(f"{SVG}rect"))) == len(shown)
    forest = drawn(charts.forest(labels, values, bounds, title, reference=0.5))
    assert len(list(forest.iter(f"{SVG}circle"))) == len(shown)


@given(st.dictionaries(name, st.lists(any_number, min_size=3, max_size=3), max_size=3), name)
def test_histogram_has_a_bar_for_each_finite_height(series, title):
    count = sum(finite(v) for heights in series.values() for v in heights)
    root = drawn(charts.histogram(["a", "b", "c"], series, title))
    assert len(list(root.iter(f"{SVG}rect"))) == count


@given(st.dictionaries(name, st.lists(st.tuples(st.floats(), st.floats()), max_size=6), max_size=3), name)
def test_curve_and_points_leave_out_what_is_not_finite(series, title):
    drawn(charts.curve(series, "x", "y", title, diagonal=True))
    count = sum(finite(a) and finite(b) for points in series.values() for a, b in points)
    dots = [
        c
        for c in drawn(charts.points(series, "x", "y", title)).iter(f"{SVG}circle")
        if c.find(f"{SVG}title") is not None
    ]
    assert len(dots) == count


@given(st.lists(st.lists(any_number, min_size=2, max_size=2), min_size=1, max_size=4))
def test_heatmap_fills_the_finite_cells(values):
    labels = [f"row {k}" for k in range(len(values))]
    root = drawn(charts.heatmap(["a", "b"], labels, values, "t", x="predicted", y="actual"))
    count = sum(finite(v) for line in values for v in line)
    assert len(list(root.iter(f"{SVG}rect"))) == count


def test_the_same_chart_is_the_same_bytes_and_uses_the_pages_colours():
    make = [charts.curve({"a": [(0, 0), (1, 2)], "b": [(0, 1), (1, 1)]}, "x", "y", "t") for _ in range(2)]
    assert make[0] == make[1]
    assert "var(--c1," in make[0] and "var(--c2," in make[0] and "currentColor" in make[0]
    assert "stroke-dasharray" in make[0], "colour is not all that tells lines apart"


def test_equal_labels_stay_apart():
    root = drawn(charts.bars(["same", "same"], [1.0, 2.0], "t"))
    assert len({r.get("y") for r in root.iter(f"{SVG}rect")}) == 2


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 8))
def test_ticks_are_round_rising_and_inside(low, width, count):
    high = low + width
    found = ticks(low, high, count)
    slack = width * 1e-6 + abs(low) * 1e-9
    assert all(low - slack <= t <= high + slack for t in found)
    assert found == sorted(set(found)) and len(found) <= 3 * count
    assert len(set(tick_labels(found))) == len(found)


@pytest.mark.parametrize(
    "values,labels",
    [
        ([0, 0.25, 0.5], ["0.00", "0.25", "0.50"]),
        ([500, 1000, 1500], ["500", "1,000", "1,500"]),
        ([0, 20_000, 40_000], ["0", "20k", "40k"]),
        ([10_000, 10_001, 10_002], ["10,000", "10,001", "10,002"]),
        ([-2.5e6, 0, 2.5e6], ["−2.5M", "0.0", "2.5M"]),
        ([1e-7, 2e-7], ["1e−07", "2e−07"]),
        ([7], ["7"]),
    ],
)
def test_tick_labels_are_short_and_tell_apart(values, labels):
    assert tick_labels(values) == labels


def test_scale_of_no_extent_is_the_middle():
    assert Scale(2, 2, 0, 10)(2) == 5
    assert cut("abcdefgh", 30) == "ab…h" and cut("abc", 30) == "abc"
