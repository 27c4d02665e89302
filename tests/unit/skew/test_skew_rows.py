"""Which serving row belongs to which training row."""

import json
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from evergreen.errors import DataError
from evergreen.intervals import Z_95, wilson
from evergreen.project.model import SkewGate
from evergreen.skew import check_skew

N = 600
RNG = np.random.default_rng(3)
TRAINING = pd.DataFrame({
    "id": np.repeat(np.arange(N // 6), 6),
    "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.permutation(N * 7)[:N] * 61, unit="s"),
    "x": RNG.normal(size=N),
    "k": RNG.choice(list("abc"), N),
    "y": RNG.random(N) < 0.5,
})  # fmt: skip


@pytest.fixture
def compare(tmp_path):
    def run(serving, training=TRAINING, gate=None, **asked):
        training.to_parquet(tmp_path / "training.parquet", index=False)
        serving.to_parquet(tmp_path / "serving.parquet", index=False)
        given = {"key": ["id"], "time": "at", "label": "y", **asked}
        return check_skew(tmp_path / "training.parquet", tmp_path / "serving.parquet", gate, **given)

    return run


def test_a_clock_that_is_off_is_told_and_values_are_compared_all_the_same(compare):
    serving = TRAINING.assign(at=TRAINING["at"] + pd.Timedelta(hours=2))
    skew = compare(serving)
    assert [(f.rule, f.observed) for f in skew.findings] == [("skew clock", "+2 h")]
    assert skew.rows.matched == N
    skew = compare(serving.assign(x=serving["x"] * 100))
    assert {f.rule for f in skew.findings} == {"skew clock", "skew unit"}


def test_rows_shortly_after_their_training_row_match_within_the_tolerance(compare):
    late = pd.to_timedelta(RNG.integers(1, 55, N), unit="s")
    serving = TRAINING.assign(at=TRAINING["at"] + late)
    assert compare(serving).rows.matched < N / 2
    skew = compare(serving, gate=SkewGate(tolerance=timedelta(minutes=1)))
    assert (skew.rows.matched, skew.rows.close) == (N, N)
    assert skew.findings == ()


def test_keys_of_another_type_match_and_keys_spelled_otherwise_are_told(compare):
    texts = TRAINING.assign(id=TRAINING["id"].astype(str))
    assert compare(texts).rows.matched == N
    assert compare(TRAINING.assign(id=TRAINING["id"].astype(float))).findings == ()
    padded = TRAINING.assign(id=TRAINING["id"].astype(str).str.zfill(6))
    skew = compare(padded)
    assert [f.rule for f in skew.findings] == ["skew key"]
    assert skew.rows.matched == N
    assert skew.rows.spelled == N


def test_repeated_serving_rows_are_told_and_repeated_training_rows_are_left_out(compare):
    skew = compare(pd.concat([TRAINING, TRAINING.head(30)]))
    assert [(f.rule, f.count) for f in skew.findings] == [("skew repeated", 30)]
    twice = pd.concat([TRAINING, TRAINING.head(30).assign(x=9.0)])
    skew = compare(TRAINING, training=twice)
    assert (skew.rows.matched, skew.rows.ambiguous) == (N - 30, 30)
    assert any("30 rows (5.0 %)" in remark for remark in skew.remarks)


@pytest.mark.slow
def test_rows_without_a_key_or_a_partner_are_counted(compare):
    serving = pd.concat([TRAINING.head(100), TRAINING.tail(50).assign(id=10_000)])
    skew = compare(serving.assign(id=serving["id"].astype("Int64").where(serving.index != 0)))
    assert (skew.rows.matched, skew.rows.keyless, skew.rows.known) == (99, 1, 99)
    gate = SkewGate(min_matched=0.9)
    assert "skew coverage" in {f.rule for f in compare(serving, gate=gate).findings}


@pytest.mark.slow
def test_without_a_key_only_distributions_are_compared(compare):
    skew = compare(TRAINING.sample(frac=0.5, random_state=4), key=(), time=None)
    assert skew.rows.matched == 0
    assert skew.compared.rows == N // 2
    moved = compare(TRAINING.assign(x=TRAINING["x"] + 3), key=(), time=None)
    assert {f.column for f in moved.findings} == {"x"}
    assert {f.gate for f in moved.findings} == {"skew"}
    assert all(f.severity == "warn" for f in moved.findings)


def test_what_cannot_be_compared_is_refused(compare):
    with pytest.raises(DataError, match=r"no column 'idd'; expected one of id, at.*Did you mean 'id'"):
        compare(TRAINING, key=["idd"])
    with pytest.raises(DataError, match="none of the training set's features"):
        compare(TRAINING[["id", "at"]])


def test_a_mode_that_is_off_stops_nothing_and_a_small_difference_warns(compare):
    changed = TRAINING.assign(x=TRAINING["x"] * 10)
    assert {f.severity for f in compare(changed, gate=SkewGate(mode="off")).findings} == {"skip"}
    assert {f.severity for f in compare(changed, gate=SkewGate(mode="warn")).findings} == {"warn"}
    one = TRAINING.assign(x=TRAINING["x"].where(TRAINING.index != 5, 99.0))
    assert {f.severity for f in compare(one, gate=SkewGate(max_share=0.01)).findings} == {"warn"}


def test_the_interval_of_a_share_is_that_of_wilson():
    low, high = wilson(10, 100, Z_95)
    assert (round(low, 4), round(high, 4)) == (0.0552, 0.1744)
    assert wilson(0, 50, Z_95)[0] == 0.0
    assert wilson(50, 50, Z_95)[1] == 1.0


def test_a_training_set_says_what_its_columns_mean_and_a_lost_key_column_is_made_do_without(tmp_path):
    (tmp_path / "training" / "data").mkdir(parents=True)
    numbered = TRAINING.assign(row=range(N), extra=1)
    numbered.to_parquet(tmp_path / "training" / "data" / "part-00000.parquet", index=False)
    features = [{"name": n, "group": "g", "type": "number", "source": "s"} for n in ("x", "k")]
    meta = {"entity": ["id"], "time": "at", "label": "y", "key": ["id", "row"], "features": features}
    (tmp_path / "training" / "meta.json").write_text(json.dumps(meta))
    TRAINING.drop(columns="y").to_parquet(tmp_path / "serving.parquet", index=False)
    skew = check_skew(tmp_path / "training", tmp_path / "serving.parquet")
    assert (skew.rows.matched, skew.findings) == (N, ())
    assert skew.remarks == ("rows are matched by id: the serving table has no column 'row'",)
    assert [f.name for f in skew.tables.features] == ["x", "k"]
