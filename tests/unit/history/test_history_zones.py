"""Point-in-time joins across time zones, missing times and keys, in logs in order and out of it."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from history_tables import build, project_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BEGIN = datetime(2024, 3, 30, 20, tzinfo=UTC)  # the night in which clocks change in Europe
HALF = timedelta(minutes=30)
QUICK = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ZONES = st.sampled_from([None, "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])

moments = st.none() | st.integers(0, 20)
keys = st.none() | st.integers(0, 2)
events = st.lists(st.tuples(keys, moments, st.none() | st.integers(-5, 5)), max_size=25)
labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 22)), min_size=2, max_size=8)


def times(steps: list[int | None], zone: str | None) -> pa.Array:
    """The moments as a file would hold them: with a zone, or as UTC without one."""
    values = [None if s is None else BEGIN + s * HALF for s in steps]
    if zone is None:
        values = [None if v is None else v.replace(tzinfo=None) for v in values]
    return pa.array(values, pa.timestamp("us", zone))


def table_of(history: list, zone: str | None) -> pa.Table:
    uid, step, x = ([e[i] for e in history] for i in range(3))
    return pa.table(
        {"uid": pa.array(uid, pa.int64()), "ts": times(step, zone), "x": pa.array(x, pa.float64())}
    )


def joined(history: list, rows: list, zones: tuple, delay: int, tolerance: int | None, windows: bool) -> list:
    aggregates = [{"column": "x", "functions": ["sum", "count"], "windows": ["2h"]}] if windows else []
    span = None if tolerance is None else f"{30 * tolerance}m"
    group = {"name": "g", "source": "events", "columns": ["x"], "tolerance": span, "aggregates": aggregates}
    project = project_of(
        sources={
            "labels": {"path": "l", "time": "at"},
            "events": {"path": "e", "time": "ts", "delay": f"{30 * delay}m"},
        },
        entity="uid", time="at", label={"source": "labels", "column": "y", "key": ["row"]},
        features=[group],
    )  # fmt: skip
    asked = pa.table({
        "row": list(range(len(rows))), "y": [i % 2 for i in range(len(rows))],
        "uid": [r[0] for r in rows], "at": times([r[1] for r in rows], zones[0]),
    })  # fmt: skip
    found = build(project, {"labels": asked, "events": table_of(history, zones[1])})[1]
    return found.sort_values("row").to_dict("records")


def known(history: list, uid: int, step: int, delay: int) -> list:
    return [e for e in history if e[0] == uid and e[1] is not None and e[1] + delay <= step]


@QUICK
@given(events, labels, st.tuples(ZONES, ZONES), st.sampled_from([0, 1, 3]), st.sampled_from([None, 0, 4]),
       st.booleans(), st.booleans())  # fmt: skip
def test_features_are_what_one_by_one_counting_says(history, rows, zones, delay, tolerance, windows, ordered):
    if ordered:
        history = sorted(history, key=lambda e: -1 if e[1] is None else e[1])
    found = joined(history, rows, zones, delay, tolerance, windows)
    for row, (uid, step) in zip(found, rows, strict=True):
        past = known(history, uid, step, delay)
        latest = max((e[1] for e in past), default=None)
        x = [e for e in past if e[1] == latest][-1][2] if past else None
        if latest is not None and tolerance is not None and step - latest > tolerance:
            x = None
        assert row["x"] == x or (x is None and row["x"] != row["x"])
        if windows:
            inside = [e[2] for e in past if step - 4 <= e[1] < step and e[2] is not None]
            assert (row["g__x__sum_2h"], row["g__x__count_2h"]) == (sum(inside), len(inside))


@pytest.mark.slow
@QUICK
@given(events, events, labels, ZONES, st.sampled_from([0, 2]), st.booleans())
def test_events_not_yet_known_change_nothing(history, more, rows, zone, delay, windows):
    uid, step = rows[0]
    unknown = [e for e in more if e[1] is not None and e[1] + delay > step]
    before = sorted([e for e in history if e[1] is not None], key=lambda e: e[1])
    with_more = sorted([*before, *unknown], key=lambda e: e[1])
    one, two = (joined(h, rows, (zone, None), delay, None, windows)[0] for h in (before, with_more))
    mine = [e for e in before if e[1] + delay <= step]
    none = joined(mine, rows, (zone, None), delay, None, windows)[0]
    for name in one:
        values = {str(r[name]) for r in (one, two, none)}
        assert len(values) == 1, (name, values, uid)
