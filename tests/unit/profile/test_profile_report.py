import re

import pytest

from evergreen.profile import infer_schema, profile_table, validate
from evergreen.profile.report import FOLDED, OPEN, profile_page
from evergreen.profile.validation.page import validation_page
from evergreen.project.model import DataGate, SliceBy

EVIL = "<script>alert(1)</script>"


def self_contained(page):
    assert page.lower().startswith("<!doctype html>")
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    assert EVIL not in page
    return True


def test_every_kind_of_column_is_shown(table):
    path = table(
        f"SELECT i AS id, '{EVIL}' || (i % 3) AS \"{EVIL}\", i * 0.5 AS n, i % 2 = 0 AS flag, i % 4 AS few, "
        "[i] AS l, TIMESTAMP '1960-01-01' + to_days(i::INTEGER) AS t, 5 AS same, NULL::DOUBLE AS nothing "
        "FROM range(2000) r(i)"
    )
    profile = profile_table(path, {"flag": "label", "id": "key"}, slices=[SliceBy(column="few")])
    page = profile_page(profile)
    assert self_contained(page)
    assert page.count("<figure>") == 11
    for words in ("few=3", "1960-01-01", "One value in all rows: same", "Nothing in it: nothing"):
        assert words in page
    assert profile_page(profile) == page


def test_charts_are_capped(table):
    many = ", ".join(f"i * {k} AS c{k}" for k in range(1, OPEN + FOLDED + 5))
    page = profile_page(profile_table(table(f"SELECT {many} FROM range(500) r(i)")))
    assert page.count("<figure>") == OPEN + FOLDED
    assert f"first {OPEN + FOLDED} of {OPEN + FOLDED + 4} columns" in page


def test_an_empty_table_has_a_page(table):
    page = profile_page(profile_table(table("SELECT 1 AS a WHERE false")))
    assert self_contained(page) and "no rows" in page


@pytest.mark.parametrize("moved", [True, False])
def test_validation_beside_the_baseline(table, moved):
    before = profile_table(table(f"SELECT i % 100 AS x, '{EVIL}' || (i % 3) AS c FROM range(2000) r(i)"))
    shift = 60 if moved else 0
    now = table(
        f"SELECT i % 100 + {shift} AS x, '{EVIL}' || (i % {4 if moved else 3}) AS c FROM range(2000) r(i)",
        "now",
    )
    validation = validate(now, infer_schema(before), DataGate(), baseline=before)
    page = validation_page(validation, before)
    assert self_contained(page)
    assert "baseline" in page and page.count("<figure>") == 2
    assert ("drift psi(x)" in page) and ("Nothing moved" in page) is (not moved)
    assert ("domain(c)" in page) is moved


def test_validation_without_a_baseline(table):
    path = table("SELECT i AS x FROM range(100) r(i)")
    page = validation_page(validate(path, infer_schema(profile_table(path)), DataGate()), None)
    assert self_contained(page) and "no baseline yet" in page


def test_slices_are_drawn_beside_the_baseline_in_order(table):
    query = "SELECT (i * 37 % 4000) - 1500.5 AS x, i % {k} = 0 AS y FROM range(3000) r(i)"
    by = [SliceBy(column="x", edges=[-1000, 0, 1500])]
    before = profile_table(table(query.format(k=5), "before"), {"y": "label"}, slices=by)
    now = profile_table(table(query.format(k=3), "now"), {"y": "label"}, slices=by, edges_from=before)
    page = profile_page(now, "Both", before)
    chart = page[page.index('aria-label="Rows by x"') :]
    places = [
        chart.index(f">{words}<") for words in ("[−∞, −1,000)", "[−1,000, 0)", "[0, 1,500)", "[1,500, ∞)")
    ]
    assert places == sorted(places)
    assert "Label by x" in page and "share of y = True" in page and "(baseline)" in page
