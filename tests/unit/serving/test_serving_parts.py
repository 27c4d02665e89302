"""Counters, settings, users: the small parts of the server."""

import json

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from evergreen.errors import InputError
from evergreen.serving import settings
from evergreen.serving.counters import Collected, Counts, Spread
from evergreen.serving.lines import BoundedLog
from evergreen.serving.settings import Limits, Policy, parse_settings, read_settings
from evergreen.serving.users import user_key


def samples(registry):
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}


def test_our_histogram_is_prometheus_own():
    bounds, ours, theirs = (0.001, 0.01, 1.0), CollectorRegistry(), CollectorRegistry()
    spread = Spread("seconds", "A test", {"model": "a"}, bounds)
    known = Histogram("seconds", "A test", ["model"], registry=theirs, buckets=bounds).labels("a")
    collected = Collected()
    collected.parts.append(spread)
    ours.register(collected)
    for value in [*np.random.default_rng(1).exponential(0.1, 500), *bounds, 0.0, 99.0]:
        spread.observe(value)
        known.observe(value)
    expected = {k: v for k, v in samples(theirs).items() if not k[0].endswith("_created")}
    assert samples(ours) == pytest.approx(expected)


def test_counters_count_by_label_values():
    registry, collected = CollectorRegistry(), Collected()
    counts = Counts("things", "Things", ["kind"])
    collected.parts.append(counts)
    registry.register(collected)
    for kind in ("a", "b", 'odd"\n'):
        counts.add((kind,), 2)
    counts.add(("a",))
    got = samples(registry)
    assert got["things_total", (("kind", "a"),)] == 3
    assert got["things_total", (("kind", 'odd"\n'),)] == 2


def test_lines_are_bounded_and_what_is_left_out_is_counted(caplog):
    import logging

    log = BoundedLog(logging.getLogger("evergreen.test"), 0.001, burst=3)
    with caplog.at_level("INFO", logger="evergreen.test"):
        taken = [log.takes() for _ in range(50)]
        log.write("refused", status=400)
    assert sum(taken) == 3 and taken[:3] == [True] * 3
    assert caplog.records[-1].left_out == 47 and log.left_out == 0


def test_settings_come_from_project_file_or_environment(tmp_path, monkeypatch):
    section = {
        "violations": "impute", "user_header": "x-who", "empty_outputs": ["", 0, False],
        "limits": {"body": "1.5MiB", "rows": 7, "in_flight": 2, "time": "250ms"},
    }  # fmt: skip
    path = tmp_path / "serving.json"
    path.write_text(json.dumps(section))
    monkeypatch.setenv(settings.VARIABLE, '{"violations": "refuse"}')
    read = read_settings(settings=path)
    assert Limits.of(read) == Limits(1_572_864, 7, 2, 0.25, 0.25)
    assert Policy.of(read) == Policy("impute", "refuse", ("", 0, False), "x-who")
    assert read_settings().violations == "refuse"
    monkeypatch.delenv(settings.VARIABLE)
    assert Limits.of(read_settings()) == Limits() and Policy.of(read_settings()) == Policy()


@pytest.mark.parametrize("text,words", [
    ("{", "the text"), ('{"violation": "impute"}', "violation"), ('{"limits": {"rows": 0}}', "limits.rows"),
])  # fmt: skip
def test_settings_that_are_none_are_refused_by_field(text, words):
    with pytest.raises(InputError) as caught:
        parse_settings(text, "EVERGREEN_SERVING")
    assert str(caught.value).startswith("EVERGREEN_SERVING: ") and words in str(caught.value)


def test_a_settings_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nope\.json: cannot be read"):
        read_settings(settings=tmp_path / "nope.json")


def test_user_keys_are_salted_and_stable():
    assert user_key("ann", "salt") == user_key(" ann ", "salt") != user_key("ann", "other")
    assert len(user_key("ann", "salt")) == 16 == len(user_key("x" * 9999, "y" * 9999))
    assert user_key("ann", "salt") == "9842372e7ef930e9"
    assert user_key("", "salt") == user_key(None, "salt") == user_key("  ", "salt") == ""
