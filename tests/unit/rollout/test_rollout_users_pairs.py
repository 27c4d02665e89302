"""Answers and their copies: every pair once, whatever segment its halves are in; outputs by label."""

import random
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline

from evergreen.bundle import Input, Signature, save_bundle
from evergreen.bundle.save import Companions
from evergreen.decisions import Decision
from evergreen.profile import profile_table
from evergreen.registry import Registry
from evergreen.rollout.evidence import Outputs, Pairs
from evergreen.rollout.users import UserReader
from evergreen.rollout.users.reference import Reference, of_bundle
from evergreen.storage.local import LocalStore
from tests.unit.rollout.users_world import GRACE, MODEL, Row, Writers, after, record

SHADOW = {"share": 0.0, "mirror": 100.0, "stage": 0}


def world(folder):
    folder.mkdir(exist_ok=True)
    store = LocalStore(folder / "store")
    return store, UserReader(store, MODEL, folder / "cache", "512MiB", lookback=3600), Writers(store, folder)


def copies(seed, size, end=2000.0):
    """Answers and copies of requests, with duplicates, failures, batches and copies that never came."""
    chance = random.Random(seed)
    rows = []
    for number in range(size):
        time = round(chance.uniform(-5, end), 3)
        for place in range(chance.choice([1, 1, 1, 3])):
            label, score = chance.choice(["yes", "no", None]), chance.choice([None, chance.random()])
            row = Row(time, f"r{number}", "", "baseline", place, label, score, chance.choice([0.01, 0.3]))
            other = replace(
                row, arm="shadow", time=round(time + chance.choice([0.01, 1, 100]), 3),
                prediction=chance.choice([label, "no"]), score=chance.choice([score, 0.25]),
                seconds=chance.choice([0.02, 0.4]), status=chance.choice([200, 200, 200, 500, 400]),
                empty=chance.random() < 0.1,
            )  # fmt: skip
            halves = chance.choice([[row, other]] * 8 + [[row], [other]])
            rows += halves
            if chance.random() < 0.1:
                rows.append(replace(chance.choice(halves), seconds=0.7, time=time + chance.uniform(0, 60)))
    return sorted(rows, key=lambda r: r.time)


def brute(rows, slo=0.25):
    halves = {}
    for r in rows:
        at = (r.request, r.row, r.arm == "shadow")
        if at not in halves or r.time < halves[at].time:
            halves[at] = r
    total = dict.fromkeys(("pairs", "requests", "disagreements", "failures", "slower"), 0)
    score, seconds = [0.0, 0.0], [0.0, 0.0]
    for (request, row, shadow), copy in halves.items():
        answer = halves.get((request, row, False))
        if not shadow or answer is None or answer.time < GRACE:
            continue
        total["pairs"] += 1
        total["requests"] += row == 0
        total["disagreements"] += answer.prediction != copy.prediction
        refused = copy.status >= 400 and answer.status < 400
        total["failures"] += copy.status >= 500 or refused or (copy.status < 400 and copy.empty)
        total["slower"] += copy.seconds > slo >= answer.seconds
        if None not in (answer.score, copy.score):
            d = copy.score - answer.score
            score = [score[0] + d, score[1] + d * d]
        s = copy.seconds - answer.seconds
        seconds = [seconds[0] + s, seconds[1] + s * s]
    return {**total, "score": pytest.approx(tuple(score), abs=1e-8), "seconds": pytest.approx(tuple(seconds))}


@pytest.mark.slow
@settings(max_examples=4)
@given(seed=st.integers(0, 10**6), size=st.integers(5, 80), reads=st.integers(1, 4))
def test_pairs_are_found_whatever_segments_they_are_in(seed, size, reads):
    rows = copies(seed, size)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        _, reader, log = world(Path(folder))
        now, done = record(**SHADOW), 0
        parts = []
        for arm, lag in (
            ("baseline", 0),
            ("shadow", chance.uniform(0, 60)),
        ):  # the candidate's server ships late
            own = [r for r in rows if r.arm == arm]
            starts = range(0, len(own), 12)
            parts += [(own[i : i + 12][-1].time + lag, arm + "writer", own[i : i + 12]) for i in starts]
        parts = [p for p in sorted(parts, key=lambda p: p[0]) if p[2][-1].time - p[2][0].time < 240]
        used = [r for _, _, part in parts for r in part]
        for mark in [*sorted(chance.choices(range(len(parts) + 1), k=reads)), len(parts)]:
            for _, writer, part in parts[done:mark]:
                log.put(part, writer)
            done = mark
            reading = reader.read(now)
            now = after(now, reading)
        assert asdict(reading.users.pairs) == brute(used)


def test_a_half_that_stays_alone_is_given_up_after_ten_minutes(tmp_path):
    _, reader, log = world(tmp_path)
    log.put([Row(10, "a"), Row(10, "b"), Row(11, "c", arm="shadow"), Row(890, "d")])
    now = after(record(**SHADOW), reader.read(record(**SHADOW)))
    log.put([Row(12, "a", arm="shadow")], "latewriter")  # fifteen minutes later, and still in time
    now = after(now, reader.read(now))
    assert now.evidence.users.pairs.pairs == 1
    log.put([Row(1500, "e")])
    reading = reader.read(now)
    assert (reading.left_out["answers"], reading.left_out["copies"]) == (1, 1)
    log.put([Row(10, "b", arm="shadow")], "latewriter")
    reading = reader.read(after(now, reading))
    assert reading.users.pairs.pairs == 1


def test_pairs_and_outputs_begin_anew_with_the_dark_stage_and_end_with_the_canary(tmp_path):
    _, reader, log = world(tmp_path)
    log.put([Row(10, "a"), Row(10, "a", arm="shadow")])
    shadow = record(**SHADOW)
    now = after(shadow, reader.read(shadow))
    assert now.evidence.users.pairs.pairs == 1
    dark = replace(now, stage=1, since=shadow.since + 60)
    log.put(
        [Row(70, "b"), Row(70, "b", arm="shadow", prediction="no"), Row(61, "c"), Row(61, "c", arm="shadow")]
    )
    now = after(dark, reader.read(dark))
    assert now.evidence.users.pairs == Pairs(1, 1, (0.0, 0.0), (0.0, 0.0), 0, 0, 1)
    canary = replace(now, stage=2, since=dark.since + 60, plan=replace(now.plan, share=5.0, mirror=0.0))
    assert reader.read(canary).users.pairs == Pairs()


def bundle(folder, numbers):
    """A real bundle with a frozen profile: labels of three kinds, or numbers."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=300)})
    table["y"] = (
        10 * table["a"]
        if numbers
        else np.where(table["a"] > 0.5, "high", np.where(table["a"] < -1, "low", "mid"))
    )
    table.to_parquet(folder / "t.parquet")
    profile = profile_table(folder / "t.parquet", {"a": "feature", "y": "label"})
    classes = None if numbers else ("high", "low", "mid")
    task = "regression" if numbers else "multiclass"
    signature = Signature(task, (Input("a", "number"),), classes, label="y")
    coded = table["y"] if numbers else table["y"].map({c: i for i, c in enumerate(classes)})
    model = Pipeline([("model", LinearRegression() if numbers else LogisticRegression())])
    model.fit(table[["a"]].to_numpy(), coded)
    companions = Companions("card", profile.to_json(), None, {})
    save_bundle(folder / "bundle", model, signature, companions, table[["a"]], graph=False)
    return folder / "bundle", table["y"]


def test_labels_are_counted_by_arm_beside_those_of_the_training_set(tmp_path):
    store, reader, log = world(tmp_path)
    folder, labels = bundle(tmp_path, numbers=False)
    registry = Registry(store)
    passed = [Decision("model", "accuracy min", "pass", "fine")]
    registry.push(MODEL, folder, decisions=passed)
    (tmp_path / "b").mkdir()
    registry.push(MODEL, bundle(tmp_path / "b", numbers=True)[0], decisions=passed)
    one = replace(record(**SHADOW), candidate=1)
    log.put([Row(n, f"r{n}", prediction="mid") for n in range(3, 9)])
    log.put(
        [replace(Row(n, f"r{n}", arm="shadow", prediction=p), row=0) for n, p in ((3, "high"), (4, None))]
    )
    outputs = reader.read(one).users.outputs
    expected = tuple(float((labels == name).sum()) for name in ("high", "low", "mid"))
    assert outputs == Outputs(
        ("high", "low", "mid"), expected, {"baseline": (0, 0, 6)}
    )  # copies are of version 2
    log.put([Row(400, "x", arm="candidate", prediction="unheard of")])
    live = replace(record(since=0.0), candidate=2)
    reader = UserReader(store, MODEL, tmp_path / "c2", lookback=3600)
    outputs = reader.read(live).users.outputs
    assert len(outputs.labels) == len(outputs.reference) == len(outputs.arms["candidate"]) <= 21
    assert sum(outputs.reference) == 300 and sum(outputs.arms["candidate"]) == 1  # by its score, 0.5
    place = outputs.arms["candidate"].index(1)
    assert outputs.labels[place].startswith("≤")


def test_numbers_disagree_by_the_spread_of_the_training_labels(tmp_path):
    _, reader, log = world(tmp_path)
    folder, values = bundle(tmp_path, numbers=True)
    reference = of_bundle(folder)
    assert reference.number and reference.scale == pytest.approx(values.std(ddof=0), rel=1e-6)
    reader._references = {2: reference}
    near, far = 0.5 + 0.009 * reference.scale, 0.5 + 0.011 * reference.scale
    log.put([Row(10 + n, f"r{n}", prediction="x") for n in range(3)])
    log.put(
        [Row(10 + n, f"r{n}", arm="shadow", prediction="y", score=s) for n, s in enumerate((near, far, None))]
    )
    pairs = reader.read(record(**SHADOW)).users.pairs
    assert (pairs.pairs, pairs.disagreements) == (3, 2)
    d = np.array([near, far]) - 0.5
    assert pairs.score == pytest.approx((d.sum(), (d * d).sum()), rel=1e-9)


def test_unlisted_labels_and_quotes(tmp_path):
    reference = Reference(("it's", "(other)"), (3, 0))
    _, reader, log = world(tmp_path)
    reader._references = {2: reference}
    log.put([Row(10, "a", prediction="it's"), Row(11, "b", prediction="it"), Row(12, "c", empty=True)])
    log.put([Row(13, "d", status=400, prediction=None)])
    outputs = reader.read(record(**SHADOW)).users.outputs
    assert outputs == Outputs(("it's", "(other)"), (3.0, 0.0), {"baseline": (1, 1)})


def test_a_broken_segment_costs_no_other_one(tmp_path):
    store, reader, log = world(tmp_path)
    log.put([Row(10, "a", "5")])
    key = log.put([Row(11, "b", "6")])
    log.put([Row(12, "c", "7")])
    store.write(key, b"PAR1 no")
    reading = reader.read(record())
    assert reading.left_out["segments"] == 1
    assert reading.users.exposed == {"baseline": 2, "candidate": 0}
    assert reading.offsets == {"predictions/writer01": 3}
