"""Splits: every row once, no time or entity cut in two, exact shares, refusals that say how many."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from splits_world import project
from training_world import WEIRD, mixed, parts, write_training_set

from evergreen.errors import DataError, InputError
from evergreen.modeling.splitting.page import split_page
from evergreen.modeling.splitting.split import split_training_set

slow_start = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def split(tmp_path, table, name="splits", meta=None, **section):
    folder = tmp_path / f"{name}-set"
    if not folder.exists():
        write_training_set(folder, table, **(meta or {}))
    result = split_training_set(project(split=section), folder, tmp_path / name)
    return result, parts(tmp_path / name)


def assert_partition(table, found):
    ids = pd.concat([p["id"] for p in found.values()])
    assert sorted(ids) == sorted(table["id"])
    for part in found.values():
        assert list(part.columns) == list(table.columns)


@pytest.mark.slow
@slow_start
@given(st.lists(st.integers(0, 9), min_size=3, max_size=60), st.floats(0.05, 0.4), st.floats(0.05, 0.4))
def test_by_time_no_time_is_on_both_sides(tmp_path_factory, days, validation, test):
    if len(set(days)) < 3:
        return
    tmp_path = tmp_path_factory.mktemp("split")
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="h")
    table = pd.DataFrame({"id": range(len(days)), "when": times, "x": 1.0, "y": np.arange(len(days)) * 1.5})
    result, found = split(tmp_path, table, method="time", validation=validation, test=test)
    assert_partition(table, found)
    spans = [(p["when"].min(), p["when"].max()) for p in found.values()]
    assert spans[0][1] < spans[1][0] and spans[1][1] < spans[2][0]
    assert result.boundaries == {"validation": str(spans[1][0]), "test": str(spans[2][0])}


def test_by_time_the_cuts_come_nearest_to_the_fractions(tmp_path):
    times = pd.to_datetime("2024-01-01") + pd.to_timedelta(
        [0] * 50 + [1] * 10 + [2] * 19 + [3] * 21, unit="D"
    )
    table = pd.DataFrame({"id": range(100), "when": times, "x": 1.0, "y": np.arange(100) / 3})
    result, _ = split(tmp_path, table, validation=0.2, test=0.2)
    assert result.method == "time"
    assert {p: s.rows for p, s in result.parts.items()} == {"train": 60, "validation": 19, "test": 21}


@pytest.mark.slow
@slow_start
@given(st.lists(st.integers(0, 40), min_size=80, max_size=200), st.integers(0, 3))
def test_an_entity_stays_in_its_part_and_keeps_it_when_rows_are_added(tmp_path_factory, users, seed):
    tmp_path = tmp_path_factory.mktemp("split")
    table = pd.DataFrame({"id": range(len(users)), "user": users, "x": 1.0, "y": np.arange(len(users)) / 3})
    more = pd.DataFrame(
        {"id": range(500), "user": [1000 + i for i in range(500)], "x": 1.0, "y": np.arange(500) / 3}
    )
    more["id"] += len(users)
    _, found = split(tmp_path, pd.concat([table, more]), "all", method="entity", seed=seed, refuse=["entity"])
    home = {user: part for part, rows in found.items() for user in set(rows["user"])}
    assert sum(len(set(p["user"])) for p in found.values()) == len(home)
    try:
        _, alone = split(tmp_path, table, "some", method="entity", seed=seed)
    except DataError as error:
        assert "no row of" in str(error)
    else:
        assert all(home[u] == part for part, rows in alone.items() for u in set(rows["user"]))


def test_by_entity_the_shares_are_about_right_for_many_entities(tmp_path):
    table = pd.DataFrame({"id": range(6000), "user": range(6000), "x": 1.0, "y": np.arange(6000) / 3})
    result, _ = split(tmp_path, table, method="entity", validation=0.1, test=0.3)
    assert abs(result.parts["validation"].rows / 6000 - 0.1) < 0.02
    assert abs(result.parts["test"].rows / 6000 - 0.3) < 0.02


@pytest.mark.slow
@slow_start
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c'", 'd"', "ü"]), st.integers(10, 60), min_size=2, max_size=5
    ),
    st.floats(0.1, 0.4),
    st.floats(0.1, 0.4),
    st.integers(0, 10**6),
)
def test_stratified_shares_are_exact_in_every_class(tmp_path_factory, sizes, validation, test, seed):
    tmp_path = tmp_path_factory.mktemp("split")
    labels = [label for label, n in sizes.items() for _ in range(n)]
    table = pd.DataFrame({"id": range(len(labels)), "x": 1.0, "y": labels})
    result, found = split(tmp_path, table, method="stratified", validation=validation, test=test, seed=seed)
    assert_partition(table, found)
    for label, n in sizes.items():
        counts = {p: int((rows["y"] == label).sum()) for p, rows in found.items()}
        assert counts["test"] == int(n * test + 0.5)
        assert counts["validation"] == int(n * validation + 0.5)
        assert {p: s.classes[label] for p, s in result.parts.items()} == counts


def test_the_seed_changes_a_stratified_split_and_nothing_else_does(tmp_path):
    table = mixed()
    first, again, other = (
        split(tmp_path, table, name, method="stratified", seed=seed)[1]["test"]["id"].tolist()
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again != other


def test_rows_without_a_key_that_are_equal_stay_together(tmp_path):
    table = pd.DataFrame(
        {"id": range(200), "x": [k // 4 for k in range(200)], "y": [k // 100 for k in range(200)]}
    )
    meta = {"key": []}
    folder = write_training_set(tmp_path / "t-set", table.drop(columns="id"), **meta)
    split_training_set(project(split={"method": "stratified"}), folder, tmp_path / "t")
    homes = [set(rows["x"]) for rows in parts(tmp_path / "t").values()]
    assert sum(map(len, homes)) == 50


AUTOMATIC = [
    (["when", "user"], "yes", "time"),
    (["user"], "yes", "entity"),
    ([], "yes", "stratified"),
    ([], "number", "hash"),
]


@pytest.mark.parametrize("columns,label,method", AUTOMATIC)
def test_auto_takes_time_then_entity_then_classes(tmp_path, columns, label, method):
    table = mixed()
    table = table.drop(columns=[c for c in ("when", "user") if c not in columns])
    if label == "number":
        table["y"] = np.random.default_rng(0).normal(size=len(table))
    result, found = split(tmp_path, table)
    assert result.method == method
    assert_partition(table, found)


def test_auto_says_why_it_does_not_split_by_time(tmp_path):
    table = mixed().assign(when=pd.Timestamp("2024-01-01"))
    result, _ = split(tmp_path, table)
    assert result.method == "entity" and "1 different values" in result.note


def test_auto_does_not_hash_entities_that_have_one_row_each(tmp_path):
    table = mixed().drop(columns="when").assign(user=lambda t: t["id"] + 7)
    assert split(tmp_path, table)[0].method == "stratified"


@pytest.mark.slow
def test_the_same_rows_give_the_same_bytes_whatever_the_threads(tmp_path):
    folder = write_training_set(tmp_path / "set", mixed(5000))
    for method in ("time", "entity", "stratified"):
        digests = []
        for threads in (1, 2):
            out = tmp_path / f"{method}{threads}"
            chosen = project(split={"method": method}, resources={"threads": threads})
            split_training_set(chosen, folder, out)
            digests.append([hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(out.iterdir())])
        assert digests[0] == digests[1] and len(digests[0]) == 4


def test_meta_says_how_it_was_split(tmp_path):
    split(tmp_path, mixed(), method="time")
    meta = json.loads((tmp_path / "splits" / "meta.json").read_text())
    assert meta["features"][1]["name"] == WEIRD and meta["label"] == "y"
    about = meta["split"]
    assert about["method"] == "time" and about["by"] == ["when"] and about["positive"] == "yes"
    assert about["task"] == "binary" and about["classes"] == ["no", "yes"]
    assert sum(about["rows"].values()) == 600
    assert about["leaks"]["future_rows"] == 0 and about["leaks"]["entities"] > 0


def test_refused_leaks_say_how_many_and_which(tmp_path):
    table = mixed()
    with pytest.raises(
        DataError, match=r"\d+ entities stand in more than one part \(such as user=\d+; user="
    ):
        split(tmp_path, table, "a", method="time", refuse=["entity"])
    with pytest.raises(
        DataError, match=r"\d+ training rows are later than the first test row \(such as id=\d+"
    ):
        split(tmp_path, table, "b", method="entity", refuse=["future"])
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()
    split(tmp_path, table, "c", method="time", refuse=["future"])
    split(tmp_path, table, "d", method="entity", refuse=["entity"])


def test_the_number_of_refused_entities_is_right(tmp_path):
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(range(10), unit="D")
    table = pd.DataFrame({"id": range(10), "when": times, "user": [1, 2, 3, 3, 4, 5, 5, 6, 7, 1], "x": 1.0})
    table["y"] = np.arange(10) / 3
    with pytest.raises(DataError, match=r"2 entities .*\(such as user=1; user=5\)"):
        split(tmp_path, table, method="time", refuse=["entity"])


WRONG = [
    ({"method": "time"}, {"when": None}, InputError, "no time column"),
    ({"method": "entity"}, {"user": None}, InputError, "names none"),
    ({"refuse": ["future"]}, {"when": None}, InputError, "`future`"),
    ({"refuse": ["entity"]}, {"user": None}, InputError, "`entity`"),
    ({"method": "entity", "by": ["shop"]}, {}, InputError, "no column 'shop'"),
    ({"method": "stratified"}, {"y": "number"}, InputError, "a number"),
    ({}, {"y": "one"}, DataError, r"only one value \('yes'\)"),
    ({}, {"y": "missing"}, DataError, "no value in 3 rows"),
    ({"method": "time"}, {"when": "one"}, DataError, "1 different values"),
    ({"method": "entity"}, {"user": "one"}, DataError, "no row of 600 would be in"),
    ({"method": "time"}, {"y": "late"}, DataError, "train part has no row of class 'new'"),
]


@pytest.mark.parametrize("section,change,error,match", WRONG, ids=str)
def test_what_cannot_be_split(tmp_path, section, change, error, match):
    table = mixed()
    for column, how in change.items():
        if how is None:
            table = table.drop(columns=column)
        elif column == "y":
            values = {"number": np.arange(600) / 7, "one": "yes", "missing": table["y"], "late": table["y"]}
            table["y"] = values[how]
            if how == "missing":
                table.loc[[3, 50, 77], "y"] = None
            if how == "late":
                table.loc[table["when"] == table["when"].max(), "y"] = "new"
        else:
            table[column] = table[column].iloc[0]
    with pytest.raises(error, match=match):
        split(tmp_path, table, **section)
    assert not (tmp_path / "splits").exists()


def test_a_nan_label_is_a_missing_one(tmp_path):
    table = mixed().assign(y=np.arange(600) / 7)
    table.loc[5, "y"] = np.nan
    with pytest.raises(DataError, match="no value in 1 rows"):
        split(tmp_path, table)


@pytest.mark.parametrize("method", ["time", "entity", "stratified"])
def test_the_page(tmp_path, method):
    result, _ = split(tmp_path, mixed(), method=method)
    page = split_page(project(split={"method": method}), result)
    assert page.lower().startswith("<!doctype html>") and "<svg" in page
    assert f"Split by {method}" in page and "entities stand in more than one part" in page
