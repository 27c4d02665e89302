"""Skew between matched rows: every planted one is found and named, nothing else is."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evergreen.skew import check_skew

N = 4000
RNG = np.random.default_rng(7)
USERS = np.repeat(np.arange(N // 10), 10)
HOURS = np.tile(np.arange(10) * 37, N // 10) + RNG.integers(0, 30, N)
SOME = RNG.random(N) < 0.02
TRAINING = pd.DataFrame({
    "user id": USERS,
    "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(HOURS, unit="h"),
    "x": RNG.normal(50, 10, N),
    "seen": np.tile(np.arange(10), N // 10),
    'pri"ce': RNG.gamma(2, 10, N).round(2),
    "flag": RNG.random(N) < 0.3,
    "Größe": RNG.choice(["de", "Fr", "KR", "us"], N),
    "name": RNG.choice(["Anna Lee", "Bob Ray", "Çelik", "Dana  Fox"], N),
    "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 10**7, N), unit="s"),
    "temp": RNG.normal(20, 5, N).round(1),
    "v": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(0, 1, N)),
    "w": RNG.normal(0, 1, N),
})  # fmt: skip
T = TRAINING
BEFORE = T.groupby("user id")["x"].shift(1).fillna(T["x"])

PLANTED = {
    "cents": ({'pri"ce': T['pri"ce'] * 100}, {'pri"ce': "unit"}),
    "inches in some": ({"x": np.where(SOME, T["x"] * 2.54, T["x"])}, {"x": "unit"}),
    "sign": ({"x": -T["x"]}, {"x": "unit"}),
    "whole numbers": ({"seen": T["seen"] * 1000}, {"seen": "unit"}),
    "clock of an age": ({"x": T["x"] + 9 / 24}, {"x": "offset"}),
    "fahrenheit": ({"temp": T["temp"] * 1.8 + 32}, {"temp": "linear"}),
    "rounded": ({"x": T["x"].round(1)}, {"x": "precision"}),
    "half precision": ({"x": T["x"].astype("float16").astype(float)}, {"x": "precision"}),
    "missing in some": ({"v": T["v"].mask(SOME)}, {"v": "missing"}),
    "filled": ({"v": T["v"].fillna(-1)}, {"v": "default"}),
    "zero in some": ({"x": np.where(SOME, 0.0, T["x"])}, {"x": "default"}),
    "a text in some": ({"Größe": np.where(SOME, "unknown", T["Größe"])}, {"Größe": "default"}),
    "case": ({"Größe": T["Größe"].str.upper()}, {"Größe": "spelling"}),
    "spaces in some": ({"name": T["name"].where(~SOME, T["name"] + " ")}, {"name": "spelling"}),
    "accents": ({"name": T["name"].str.replace("Ç", "C")}, {"name": "spelling"}),
    "cut": ({"name": T["name"].str[:4]}, {"name": "precision"}),
    "codes": ({"Größe": T["Größe"].map({"de": "1", "Fr": "2", "KR": "3", "us": "4"})}, {"Größe": "recoded"}),
    "inverse": ({"flag": ~T["flag"]}, {"flag": "recoded"}),
    "time zone": ({"since": T["since"] + pd.Timedelta(hours=9)}, {"since": "offset"}),
    "dates": ({"since": T["since"].dt.floor("D")}, {"since": "precision"}),
    "stale": ({"x": BEFORE}, {"x": "stale"}),
    "stale in some": ({"x": T["x"].where(~SOME, BEFORE)}, {"x": "stale"}),
    "swapped": ({"v": T["w"], "w": T["v"]}, {"v": "swapped", "w": "swapped"}),
    "noise in some": ({"x": T["x"] + np.where(SOME, RNG.normal(0, 3, N), 0)}, {"x": "values"}),
    "another type": ({'pri"ce': T['pri"ce'].map("{:,.2f} EUR".format)}, {'pri"ce': "type"}),
}


def found(tmp_path: Path, serving: pd.DataFrame, **asked):
    TRAINING.to_parquet(tmp_path / "training.parquet", index=False)
    serving.to_parquet(tmp_path / "serving.parquet", index=False)
    given = {"key": ["user id"], "time": "at", **asked}
    return check_skew(tmp_path / "training.parquet", tmp_path / "serving.parquet", **given)


def rounds() -> list[list[str]]:
    """The planted skews, as many at once as touch different features."""
    found: list[list[str]] = []
    for case, (change, _) in PLANTED.items():
        free = (r for r in found if not any(change.keys() & PLANTED[c][0].keys() for c in r))
        room = next(free, None)
        if room is None:
            found.append([case])
        else:
            room.append(case)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("cases", rounds(), ids=" & ".join)
def test_each_planted_skew_is_found_and_named_and_nothing_else(cases, tmp_path):
    change = {c: v for case in cases for c, v in PLANTED[case][0].items()}
    expected = {c: v for case in cases for c, v in PLANTED[case][1].items()}
    skew = found(tmp_path, TRAINING.assign(**change).sample(frac=1, random_state=1))
    assert skew.rows.matched == N
    assert {f.column: f.rule.removeprefix("skew ") for f in skew.findings} == expected
    assert all(f.severity == "fail" for f in skew.findings)
    assert all(f.column in f.reason for f in skew.findings)


def test_equal_copies_and_halves_of_them_have_no_finding(tmp_path):
    for serving in (TRAINING, TRAINING.sample(frac=0.5, random_state=2), TRAINING.astype({"x": "float32"})):
        skew = found(tmp_path, serving)
        assert skew.findings == ()
        assert {d.verdict for d in skew.decisions} == {"pass", "skip"}


def test_a_difference_counts_rows_with_interval_and_sample_keys(tmp_path):
    changed = TRAINING["x"].where(TRAINING.index >= 40, TRAINING["x"] + 1)
    (finding,) = found(tmp_path, TRAINING.assign(x=changed)).findings
    assert (finding.count, finding.share) == (40, 0.01)
    assert finding.keys[0].startswith("user id=0, at=2024-01-")
    assert len(finding.keys) == 5
    decision = next(d for d in found(tmp_path, TRAINING.assign(x=changed)).decisions if d.verdict == "fail")
    assert decision.gate == "skew"
    low, high = decision.interval
    assert 0.005 < low < 0.01 < high < 0.02


def test_a_feature_that_serving_lacks_is_a_finding_and_one_more_is_none(tmp_path):
    skew = found(tmp_path, TRAINING.drop(columns="x").assign(extra=1))
    assert [(f.rule, f.column) for f in skew.findings] == [("skew missing feature", "x")]
