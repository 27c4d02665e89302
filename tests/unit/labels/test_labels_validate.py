import json

import duckdb
import numpy as np
import pandas as pd
import pytest
from labels_world import flipped, load
from splits_world import project, write_splits

from evergreen.decisions import read
from evergreen.errors import DataError
from evergreen.labels.distribution import against_baseline, class_counts
from evergreen.labels.ledger import LabelDecision
from evergreen.labels.residuals import find_outliers
from evergreen.labels.rows import ROW, open_rows
from evergreen.labels.task import validate_with_report
from evergreen.labels.validate import validate_labels
from evergreen.profile.counting.statistics import profile_table
from evergreen.project.model import DataGate, LabelGate
from evergreen.tables import connect


def rules(checked):
    return {f.rule: f.severity for f in checked.findings}


@pytest.mark.slow
def test_clean_labels_stay_silent_and_flipped_ones_are_found_and_listed(tmp_path):
    table = load("wine")
    clean = validate_labels(project(), write_splits(tmp_path / "a", table), tmp_path / "clean")
    assert rules(clean) == {} and clean.small and clean.looked_at == len(table)
    wrong, ids = flipped(table, 0.1)
    found = validate_labels(project(), write_splits(tmp_path / "b", wrong), tmp_path / "found")
    assert rules(found)["wrong labels"] == "fail"
    noise = found.suspects.noise
    assert noise.low <= 0.1 <= noise.high
    listed = pd.read_parquet(tmp_path / "found" / "review.parquet")
    assert set(ids) & set(listed["id"]) and len(set(ids) & set(listed["id"])) >= 0.7 * len(ids)
    assert len(set(ids) & set(listed["id"])) >= 0.7 * len(listed)
    right = table.set_index("id")["y"]
    known = listed[listed["id"].isin(ids)]
    assert (known["suggested"].to_numpy() == right.loc[known["id"]].to_numpy()).mean() > 0.8
    assert list(listed["rank"]) == list(range(1, len(listed) + 1))
    assert listed["score"].is_monotonic_increasing


@pytest.mark.slow
def test_the_same_rows_give_the_same_bytes(tmp_path, quick):
    splits = write_splits(tmp_path, flipped(load("iris"), 0.1)[0])
    for name in ("one", "two"):
        validate_labels(project(gates=quick), splits, tmp_path / name)
    assert (tmp_path / "one/review.parquet").read_bytes() == (tmp_path / "two/review.parquet").read_bytes()


@pytest.fixture(scope="module")
def quick():
    """A gate that asks models about few rows: the other checks are what is tested."""
    return {"labels": {"small": 100, "sample": 100}}


@pytest.mark.slow
def test_copies_across_the_split_and_copies_with_another_label(tmp_path, quick):
    table = load("breast_cancer")
    copies = table.iloc[:20].copy()
    copies["id"] += 10_000
    copies.loc[copies.index[:8], "y"] = [
        "benign" if y == "malignant" else "malignant" for y in copies["y"].iloc[:8]
    ]
    splits = write_splits(tmp_path, pd.concat([table, copies], ignore_index=True))
    checked = validate_labels(project(gates=quick), splits, tmp_path / "r")
    found = {f.rule: f for f in checked.findings}
    assert found["conflicting labels"].count == 16 and found["conflicting labels"].severity == "fail"
    assert found["duplicates"].count == 20 and found["copies across the split"].severity == "fail"
    assert all(k.startswith("id=") for k in found["conflicting labels"].keys)


@pytest.mark.slow
def test_equal_rows_of_coarse_columns_are_coincidence(tmp_path, quick):
    rng = np.random.default_rng(0)
    rows = 800
    table = pd.DataFrame({c: rng.integers(0, k, rows) for c, k in zip("abcd", (2, 3, 4, 9), strict=True)})
    table["y"] = np.where(rng.random(rows) < 0.2 + 0.3 * table["a"], "yes", "no")
    table["id"] = np.arange(rows)
    checked = validate_labels(project(gates=quick), write_splits(tmp_path, table), tmp_path / "r")
    assert rules(checked) == {} and checked.copies.groups > 100 and checked.copies.copies == 0


@pytest.mark.slow
def test_names_of_columns_may_be_anything(tmp_path, quick):
    table = load("wine").iloc[:, -6:]
    table["when"] = np.arange(len(table)) % 7 == 0
    names = ["score", "Rank", 'a "b", c', "évé nement", "given", "select"]
    table.columns = [*names[:4], "y", "id", *names[5:]]
    twins = pd.concat([table, table.iloc[:9].assign(id=range(900, 909), y="class_2")], ignore_index=True)
    twins = twins.rename(columns={"y": "Label?", "id": "key"})
    settings = project(gates=quick, label={"source": "s", "column": "Label?"})
    splits = write_splits(tmp_path, twins, settings, label="Label?", key=["key"])
    checked = validate_labels(settings, splits, tmp_path / "r")
    assert "conflicting labels" in rules(checked)
    listed = pd.read_parquet(tmp_path / "r/review.parquet")
    assert json.loads(listed["key"].iloc[0]).keys() == {"key"}
    assert set(names[:4]) <= json.loads(listed["features"].iloc[0]).keys()


@pytest.mark.slow
def test_near_copies_are_found_in_numbers_and_texts(tmp_path, quick):
    rng = np.random.default_rng(0)
    table = load("wine")
    table["note"] = [f"Bottle {k}, good" for k in rng.integers(0, 40, len(table))]
    near = table.iloc[:12].copy()
    near["id"] += 1000
    for column in near.select_dtypes("float"):
        near[column] *= 1 + rng.normal(0, 1e-5, len(near))
    near["note"] = near["note"].str.upper().str.replace(",", "  ")
    settings = project(gates={"labels": {"small": 100, "sample": 400}})
    splits = write_splits(tmp_path, pd.concat([table, near], ignore_index=True), settings)
    checked = validate_labels(settings, splits, tmp_path / "r")
    assert rules(checked) == {"near copies": "warn"} and checked.near.rows == 24
    assert checked.near.leaked > 0 and checked.copies.groups == 0


@pytest.mark.slow
def test_missing_immature_and_rare(tmp_path, quick):
    table = load("iris").iloc[:104]
    meta = {"excluded": {"no label": 20, "immature label": 500}}
    settings = project(gates=quick, split={"method": "stratified"})
    splits = write_splits(tmp_path, table, settings, **meta)
    checked = validate_labels(settings, splits, tmp_path / "r")
    assert rules(checked) == {"immature label": "fail", "rare class": "warn"}
    lenient = {"labels": {**quick["labels"], "max_immature": 1, "max_missing": 0.01, "mode": "warn"}}
    checked = validate_labels(project(gates=lenient), splits, tmp_path / "r")
    assert rules(checked)["missing label"] == "warn"


@pytest.mark.slow
def test_a_key_is_not_needed_and_a_kept_label_is_not_listed_again(tmp_path):
    settings = project(gates={"labels": {"small": 100, "sample": 200}})
    wrong = flipped(load("iris").drop(columns="sepal width (cm)"), 0.1)[0].drop(columns="id")
    splits = write_splits(tmp_path, wrong)
    validate_labels(settings, splits, tmp_path / "r")
    listed = pd.read_parquet(tmp_path / "r/review.parquet")
    first = json.loads(listed["key"].iloc[0])
    assert list(first) == [ROW] and len(first[ROW]) == 16
    kept = LabelDecision(first, "keep", listed["given"].iloc[0])
    validate_labels(settings, splits, tmp_path / "r", settled=[kept])
    again = pd.read_parquet(tmp_path / "r/review.parquet")
    assert len(again) == len(listed) - 1 and list(again["key"]) == list(listed["key"].iloc[1:])
    assert again["rank"].iloc[0] == 1


@pytest.mark.slow
def test_numbers_that_no_error_explains(tmp_path):
    table = load("diabetes")
    table.loc[table.index[::40], "y"] *= 10
    checked = validate_labels(project(task="regression"), write_splits(tmp_path, table), tmp_path / "r")
    listed = pd.read_parquet(tmp_path / "r/review.parquet")
    planted = set(table["id"].iloc[::40])
    assert rules(checked) == {"wrong labels": "warn"}
    assert len(set(listed["id"]) & planted) >= 9 and len(set(listed["id"]) - planted) <= 1


def test_errors_with_a_long_tail_are_errors():
    rng = np.random.default_rng(0)
    for shape in (2.5, 5, 50):
        predicted = rng.normal(size=3000)
        found = find_outliers(predicted, predicted + rng.standard_t(shape, 3000))
        assert found.noise.low < 0.001


class Shifted:
    """The label's counts against a baseline made of other counts."""

    def __init__(self, folder, before, now):
        self.baseline = self._profile(folder / "before", before)
        splits = write_splits(folder / "now", self._table(now))
        with connect() as con:
            rows = open_rows(con, splits)
            gate = LabelGate()
            self.drift, self.found = against_baseline(
                rows, class_counts(rows), self.baseline, gate, DataGate()
            )

    def _table(self, counts):
        labels = [c for c, n in counts.items() for _ in range(n)]
        return pd.DataFrame({"y": labels, "x": np.arange(len(labels)), "id": np.arange(len(labels))})

    def _profile(self, folder, counts):
        folder.mkdir()
        rows = self._table(counts)
        assert len(rows)
        duckdb.sql("SELECT * FROM rows").write_parquet(str(folder / "t.parquet"))
        return profile_table(folder / "t.parquet", roles={"y": "label"})


@pytest.mark.parametrize(
    "now,told",
    [
        ({"a": 900, "b": 90, "c": 52}, set()),
        ({"a": 820, "b": 180, "c": 50}, {"label shift"}),
        ({"a": 950, "b": 100}, {"class vanished"}),
        ({"a": 900, "b": 100, "c": 50, "d": 40}, {"class new"}),
    ],
)
def test_classes_against_the_baseline(tmp_path, now, told):
    shifted = Shifted(tmp_path, {"a": 900, "b": 100, "c": 50}, now)
    assert {f.rule for f in shifted.found} - {"label drift"} == told


def labelled(folder, careless):
    rng = np.random.default_rng(0)
    table = load("wine")
    rows = []
    for key, label in zip(table["id"], table["y"], strict=True):
        for who in ("ann", "bob", "cyd"):
            wrong = rng.random() < (careless if who == "cyd" else 0.02)
            rows.append((key, who, "class_0" if wrong else label))
    named = pd.DataFrame(rows, columns=["id", "who", "said"])
    assert len(named)
    (folder / "votes").mkdir(parents=True)
    duckdb.sql("SELECT * FROM named").write_parquet(str(folder / "votes" / "part-0.parquet"))
    return table


@pytest.mark.slow
def test_several_labellers_and_the_report(tmp_path):
    table = labelled(tmp_path / "tables", 0.7)
    votes = {"source": "votes", "labeller": "who", "label": "said", "item": "id"}
    settings = project(
        sources={"s": {"path": "s"}, "votes": {"path": "v"}},
        gates={"labels": {"small": 100, "sample": 100, "labellers": {**votes, "min_agreement": 0.8}}},
    )
    splits = write_splits(tmp_path, table, settings)
    checked = validate_with_report(
        settings, splits, tmp_path / "r", tmp_path / "d.json", tmp_path / "page.html",
        store=str(tmp_path / "store"), tables=tmp_path / "tables",
    )  # fmt: skip
    assert {f.rule: f.severity for f in checked.findings} == {
        "agreement": "fail",
        "labeller agreement": "warn",
    }
    verdicts = {d.check: d.verdict for d in read(tmp_path / "d.json")}
    assert verdicts["label drift"] == "skip" and verdicts["duplicates"] == "pass"
    text = (tmp_path / "page.html").read_text()
    assert "Agreement of each labeller" in text and "Large data" in text and "<script src" not in text
    with pytest.raises(DataError, match="no table of source 'votes'"):
        validate_labels(settings, splits, tmp_path / "r")
