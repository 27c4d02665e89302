"""Folds: every row is scored at most once, times and entities are not cut in two."""

import numpy as np
import pandas as pd
import pytest
from splits_world import project
from training_world import mixed, write_splits

from evergreen.errors import DataError
from evergreen.modeling.splitting.split import read_target
from evergreen.modeling.tuning.folds import make_folds
from evergreen.tables import connect, read_meta, scan


def folds_of(tmp_path, table, method, count=4):
    splits = write_splits(tmp_path, table, project(split={"method": method}))
    meta, train = read_meta(splits), pd.read_parquet(splits / "train.parquet")
    target = read_target(meta)
    labels = train["y"].map({"no": 0, "yes": 1}).to_numpy() if target.classes else train["y"].to_numpy()
    with connect() as con:
        relation = f"{scan(splits / 'train.parquet')} WHERE true"
        return make_folds(con, relation, meta, target, labels, count), train


@pytest.mark.parametrize("method", ["entity", "stratified"])
def test_every_row_is_scored_once(tmp_path, method):
    folds, train = folds_of(tmp_path, mixed(), method)
    scored = np.concatenate([f.score for f in folds])
    assert sorted(scored) == list(range(len(train)))
    for fold in folds:
        assert sorted(np.concatenate([fold.fit, fold.score])) == list(range(len(train)))


def test_a_number_gives_folds_by_hash(tmp_path):
    table = mixed().drop(columns=["when", "user"])
    folds, train = folds_of(tmp_path, table.assign(y=np.arange(600) / 7), "auto")
    assert sum(len(f.score) for f in folds) == len(train)
    assert max(len(f.score) for f in folds) - min(len(f.score) for f in folds) <= 1


def test_folds_by_entity(tmp_path):
    folds, train = folds_of(tmp_path, mixed(), "entity")
    for fold in folds:
        assert not set(train["user"].iloc[fold.fit]) & set(train["user"].iloc[fold.score])


def test_folds_by_time_look_ahead_only(tmp_path):
    folds, train = folds_of(tmp_path, mixed(), "time")
    ends = []
    for fold in folds:
        when = train["when"]
        assert when.iloc[fold.fit].max() < when.iloc[fold.score].min()
        ends.append(when.iloc[fold.score].max())
    assert ends == sorted(set(ends)) and ends[-1] == train["when"].max()


def test_stratified_folds_hold_each_classs_share(tmp_path):
    folds, train = folds_of(tmp_path, mixed(), "stratified")
    share = (train["y"] == "yes").mean()
    for fold in folds:
        assert abs((train["y"].iloc[fold.score] == "yes").mean() - share) < 0.02


def test_too_many_folds(tmp_path):
    table = mixed().assign(when=lambda t: pd.Timestamp("2024-01-01") + pd.to_timedelta(t["id"] % 5, unit="D"))
    with pytest.raises(DataError, match=r"model\.tune\.folds: 10 folds by time"):
        folds_of(tmp_path, table, "time", 10)
