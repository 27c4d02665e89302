"""Features that will be missing at serving, from the rows and from the sources."""

import numpy as np
import pandas as pd
import pytest
from splits_world import project, write_splits

from evergreen.history.build import build_training_set
from evergreen.ingest.ingest import ingest
from evergreen.modeling.selection.availability import find_lacks
from evergreen.modeling.splitting.split import split_training_set
from evergreen.project.model import Project

DAY = pd.Timedelta(days=1)


def rows(count=400):
    rng = np.random.default_rng(1)
    when = pd.Timestamp("2024-01-01") + DAY * (np.arange(count) // 2)
    found = pd.DataFrame({"id": np.arange(count), "user": rng.integers(0, 40, count), "when": when})
    return found.assign(a=rng.normal(size=count), b=rng.normal(size=count), y=rng.integers(0, 2, count))


def test_a_feature_that_died_before_the_test_is_found(tmp_path):
    table = rows()
    table["died"] = np.where(np.arange(400) < 270, table["a"], np.nan)
    table["sparse"] = np.where(np.arange(400) % 3 == 0, table["b"], np.nan)
    splits = write_splits(tmp_path, table, time="when")
    (lack,) = find_lacks(project(), splits, None)
    assert (lack.feature, lack.rule, lack.sure) == ("died", "died out", True)
    assert "100.0 % of the newest" in lack.reason


def test_rows_without_a_time_say_nothing(tmp_path):
    table = rows().drop(columns="when")
    assert find_lacks(project(), write_splits(tmp_path, table), None) == []


@pytest.fixture
def world(tmp_path):
    """Labels of 200 days, a column that comes with the label, events that stop on day 60, rows to score."""
    table = rows()
    table["answer"] = np.where(np.arange(400) < 340, table["a"], np.nan)
    table["y"] = table["y"].astype("Int64").where(np.arange(400) < 340)
    events = pd.DataFrame(
        {"user": np.arange(240) % 40, "at": pd.Timestamp("2024-01-01") + DAY * (np.arange(240) // 4)}
    )
    events["spent"] = np.arange(240) % 7
    table.to_parquet(tmp_path / "labels.parquet")
    events.to_parquet(tmp_path / "events.parquet")
    table[["id", "user", "when", "a", "answer"]].tail(60).to_parquet(tmp_path / "open.parquet")
    project = Project.model_validate(
        {
            "name": "try",
            "sources": {
                "labels": {"path": str(tmp_path / "labels.parquet"), "key": ["id"]},
                "events": {"path": str(tmp_path / "events.parquet"), "time": "at"},
                "open": {"path": str(tmp_path / "open.parquet"), "key": ["id"]},
            },
            "entity": "user",
            "time": "when",
            "label": {"source": "labels", "column": "y"},
            "features": [
                {"name": "own", "source": "labels", "columns": ["a", "b", "answer"]},
                {
                    "name": "events",
                    "source": "events",
                    "aggregates": [{"column": "spent", "functions": ["sum"], "windows": ["30d"]}],
                },
            ],
            "predict": {"source": "open"},
        }
    )
    ingest(project, tmp_path / "tables")
    build_training_set(project, tmp_path / "tables", tmp_path / "training_set")
    split_training_set(project, tmp_path / "training_set", tmp_path / "splits")
    return project, tmp_path


@pytest.mark.slow
def test_the_sources_tell_what_will_be_missing(world):
    project, folder = world
    lacks = {lack.feature: lack for lack in find_lacks(project, folder / "splits", folder / "tables")}
    assert lacks["b"].rule == "not in what is scored" and lacks["b"].sure
    assert lacks["answer"].leak and lacks["answer"].rule == "comes with the label"
    stopped = lacks["events__spent__sum_30d"]
    assert stopped.rule == "source stopped" and not stopped.sure and "2024-02-29" in stopped.reason
    assert "a" not in lacks


@pytest.mark.slow
def test_without_sources_only_the_rows_speak(world):
    project, folder = world
    (folder / "nothing").mkdir()
    assert find_lacks(project, folder / "splits", folder / "nothing") == []
