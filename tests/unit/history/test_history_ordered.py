"""The pass over events in order of time says what the sorted pass says, and gives up where they are not."""

from datetime import datetime, timedelta
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from history_tables import build, project_of
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.history.joins import events, ordered
from evergreen.history.joins.ordered import Batch, latest_in_order

moments = st.integers(0, 12)


@settings(deadline=None)
@given(
    st.lists(st.tuples(moments, st.integers(0, 3)), max_size=30),
    st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 14)), min_size=1, max_size=12),
    st.integers(1, 7),
)
def test_the_latest_event_of_every_row_is_the_one_found_one_by_one(history, rows, size):
    history = sorted(history, key=lambda e: e[0])
    times, entities = (np.array([e[i] for e in history], dtype=np.int64) for i in (0, 1))
    numbers = np.arange(len(history), dtype=np.int64)
    cuts = range(0, len(history), size)
    batches = [Batch(entities[i : i + size], times[i : i + size], numbers[i : i + size]) for i in cuts]
    codes, limits = (np.array([r[i] for r in rows], dtype=np.int64) for i in (0, 1))
    found = latest_in_order(batches, codes, limits, 4)
    expected = [
        max((i for i, (t, e) in enumerate(history) if e == code and t <= limit), default=-1)
        for code, limit in rows
    ]
    assert found.numbers.tolist() == expected


def test_events_out_of_order_of_time_or_number_make_it_give_up():
    codes = limits = np.array([0], dtype=np.int64)
    one = np.array([0, 0])
    for times, numbers in (([2, 1], [0, 1]), ([1, 2], [1, 0])):
        assert latest_in_order([Batch(one, np.array(times), np.array(numbers))], codes, limits, 1) is None
    first = Batch(one, np.array([1, 2]), np.array([0, 1]))
    again = Batch(one, np.array([1, 3]), np.array([2, 3]))
    assert latest_in_order([first, again], codes, limits, 1) is None


@pytest.mark.parametrize("keys", ["dense", "sparse", "text"])
@pytest.mark.parametrize("tolerance", [None, "5h"])
def test_a_log_in_order_gives_what_its_shuffled_copy_gives(keys, tolerance):
    rng = np.random.default_rng(2)
    begin, n = datetime(2024, 1, 1), 500
    users = rng.integers(-20, 20, n) * (10**12 if keys == "sparse" else 1)
    log = pd.DataFrame({
        "id": users,
        "ts": begin + pd.to_timedelta(np.sort(rng.permutation(n * 3)[:n]), unit="h"),
        "x": rng.normal(size=n),
    })  # fmt: skip
    labels = pd.DataFrame({"row": range(200), "y": np.arange(200) % 2, "id": rng.choice(users, 200) + 0})
    labels.loc[:5, "id"] = 999
    labels["at"] = begin + pd.to_timedelta(rng.integers(0, n * 3, 200), unit="h")
    if keys == "text":
        log["id"], labels["id"] = log["id"].astype(str), labels["id"].astype(str)
    project = project_of(
        sources={"labels": {"path": "l", "time": "at"}, "log": {"path": "e", "time": "ts", "delay": "2h"}},
        entity="id", time="at", label={"source": "labels", "column": "y", "key": ["row"]},
        features=[{"name": "last", "source": "log", "columns": ["x"], "tolerance": tolerance}],
    )  # fmt: skip
    with (
        patch.object(ordered, "_ROWS", 64),
        patch.object(events, "latest_of_log", wraps=ordered.latest_of_log) as used,
    ):
        _, straight = build(project, {"labels": labels, "log": log})
        assert used.called == (keys == "dense")
        _, shuffled = build(project, {"labels": labels, "log": log.sample(frac=1, random_state=1)})
    pd.testing.assert_frame_equal(straight, shuffled)
    known = log.assign(known=log["ts"] + timedelta(hours=2))
    row = straight.dropna(subset=["x"]).iloc[0]
    past = known[(known["id"] == row["id"]) & (known["known"] <= row["at"])]
    assert row["x"] == past["x"].iloc[-1]
