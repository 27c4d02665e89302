"""No feature may know what was not known at its label's time: against an oracle, and against change."""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd
import pytest
from history_tables import build, project_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BEGIN = datetime(2024, 1, 1)
HOUR = timedelta(hours=1)
LATER = 60
SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True)
class Event:
    uid: int
    hour: int
    x: float | None
    k: str | None


@dataclass(frozen=True)
class Case:
    events: tuple[Event, ...]
    labels: tuple[tuple[int, int], ...]
    delay: int
    tolerance: int | None
    windows: tuple[int, int]


exact = st.integers(-40, 40).map(lambda n: n / 4)
values = st.none() | exact
events = st.builds(
    Event, st.integers(0, 3), st.integers(0, LATER), values, st.none() | st.sampled_from("abc")
)
cases = st.builds(
    Case,
    st.lists(events, max_size=40).map(tuple),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, LATER)), min_size=2, max_size=12).map(tuple),
    st.sampled_from([0, 1, 5]),
    st.none() | st.sampled_from([0, 3, 20]),
    st.sampled_from([(3, 24), (1, 7)]),
)


def frames(case: Case) -> dict[str, pd.DataFrame]:
    labels = pd.DataFrame({"row": range(len(case.labels)), "y": [i % 2 for i in range(len(case.labels))]})
    labels["uid"] = [uid for uid, _ in case.labels]
    labels["at"] = pd.to_datetime([BEGIN + h * HOUR for _, h in case.labels]).astype("datetime64[us]")
    table = pd.DataFrame(
        {
            "uid": pd.Series([e.uid for e in case.events], dtype="int64"),
            "ts": pd.to_datetime([BEGIN + e.hour * HOUR for e in case.events]).astype("datetime64[us]"),
            "x": pd.Series([e.x for e in case.events], dtype="float64"),
            "k": pd.Series([e.k for e in case.events], dtype="str"),
        }
    )
    return {"labels": labels, "events": table}


def training_rows(case: Case) -> pd.DataFrame:
    windows = [f"{w}h" for w in case.windows]
    group = {
        "name": "g",
        "source": "events",
        "columns": ["x", "k"],
        "tolerance": None if case.tolerance is None else f"{case.tolerance}h",
        "aggregates": [
            {"functions": ["count", "recency"], "windows": windows},
            {"column": "x", "functions": ["count", "sum", "mean", "min", "max", "std"], "windows": windows},
            {"column": "k", "functions": ["distinct", "recency"], "windows": windows},
        ],
    }
    positive = {"name": "p", "source": "events", "aggregates": [
        {"column": "x", "functions": ["sum"], "windows": windows, "where": "x > 0 and k is not null"}
    ]}  # fmt: skip
    project = project_of(
        sources={
            "labels": {"path": "labels.parquet", "time": "at"},
            "events": {"path": "events.parquet", "time": "ts", "delay": f"{case.delay}h"},
        },
        entity="uid",
        time="at",
        label={"source": "labels", "column": "y", "key": ["row"]},
        features=[group, positive],
    )
    return build(project, frames(case))[1].sort_values("row").reset_index(drop=True)


def known_latest(case: Case, uid: int, hour: int) -> Event | None:
    known = [e for e in case.events if e.uid == uid and e.hour + case.delay <= hour]
    latest = max(known, key=lambda e: e.hour, default=None)
    if latest is None:
        return None
    latest = [e for e in known if e.hour == latest.hour][-1]
    too_old = case.tolerance is not None and hour - latest.hour > case.tolerance
    return None if too_old else latest


def known_within(case: Case, uid: int, hour: int, window: int | None) -> list[Event]:
    known = [e for e in case.events if e.uid == uid and e.hour + case.delay <= hour and e.hour < hour]
    return known if window is None else [e for e in known if e.hour >= hour - window]


def recency(hour: int, found: list[Event]) -> float:
    return (hour - max(e.hour for e in found)) / 24 if found else math.nan


def oracle(case: Case, uid: int, hour: int) -> dict[str, object]:
    latest = known_latest(case, uid, hour)
    expected: dict[str, object] = {"x": latest.x if latest else None, "k": latest.k if latest else None}
    everything = known_within(case, uid, hour, None)
    expected["g__recency_days"] = recency(hour, everything)
    expected["g__k__recency_days"] = recency(hour, [e for e in everything if e.k is not None])
    for window in case.windows:
        found = known_within(case, uid, hour, window)
        x = [e.x for e in found if e.x is not None]
        mean = sum(x) / len(x) if x else None
        spread = (
            math.sqrt(sum((v - mean) ** 2 for v in x) / (len(x) - 1))
            if mean is not None and len(x) > 1
            else None
        )
        expected |= {
            f"g__rows__count_{window}h": len(found),
            f"g__x__count_{window}h": len(x),
            f"g__x__sum_{window}h": sum(x),
            f"g__x__mean_{window}h": mean,
            f"g__x__min_{window}h": min(x, default=None),
            f"g__x__max_{window}h": max(x, default=None),
            f"g__x__std_{window}h": spread,
            f"g__k__distinct_{window}h": len({e.k for e in found if e.k is not None}),
            f"p__x__sum_{window}h": sum(
                e.x for e in found if e.x is not None and e.x > 0 and e.k is not None
            ),
        }
    return {name.replace("24h", "1d"): value for name, value in expected.items()}


def same(found: object, expected: object) -> bool:
    if expected is None or (isinstance(expected, float) and math.isnan(expected)):
        return bool(pd.isna(found))
    if isinstance(expected, str):
        return found == expected
    return math.isclose(float(found), float(expected), rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.slow
@SLOW
@given(cases)
def test_every_feature_is_what_an_oracle_that_sees_only_the_past_says(case):
    table = training_rows(case)
    for row, (uid, hour) in enumerate(case.labels):
        for name, expected in oracle(case, uid, hour).items():
            assert same(table.at[row, name], expected), (name, table.at[row, name], expected)


rough = st.floats(-1e6, 1e6).map(lambda v: round(v, 7))
anything = st.builds(
    Event, st.integers(0, 3), st.integers(0, LATER), st.none() | rough, st.sampled_from("abc")
)


@pytest.mark.slow
@SLOW
@given(cases, st.lists(anything, max_size=30), st.lists(anything, max_size=30), st.data())
def test_no_event_that_was_not_yet_known_changes_a_bit_of_any_feature(case, first, second, data):
    row = data.draw(st.integers(0, len(case.labels) - 1))
    hour = case.labels[row][1]
    case = replace(case, events=(*case.events, *(e for e in first if e.hour + case.delay <= hour)))

    def with_unknown(more: list[Event]) -> pd.Series:
        unknown = tuple(e for e in more if e.hour + case.delay > hour)
        known = tuple(e for e in case.events if e.hour + case.delay <= hour)
        return training_rows(replace(case, events=(*known, *unknown))).loc[row]

    pd.testing.assert_series_equal(with_unknown(first), with_unknown(second), check_exact=True)
