"""The prediction log as a whole: what is dropped is counted, what is left behind is found, nothing twice."""

import os
import shutil
import stat
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from log_in_thread import logger_in_thread
from server_processes import until

from evergreen.bundle import Input, Signature
from evergreen.bundle.signature import Prediction
from evergreen.errors import InputError, StorageError
from evergreen.project.model.serving import PredictionLog
from evergreen.serving.model import Identity
from evergreen.serving.predictions.entry import Outcome, Served
from evergreen.serving.predictions.logger import PredictionLogger
from evergreen.serving.predictions.privacy import is_sampled
from evergreen.serving.predictions.reading import facts, fetch, offsets, segments
from evergreen.serving.predictions.ring import PREDICTIONS
from evergreen.serving.predictions.salt import find_salt
from evergreen.serving.predictions.spool import WriterFolder
from evergreen.storage import open_store
from evergreen.storage.local import LocalStore

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
DAY = date(2026, 11, 23)
SIGNATURE = Signature("binary", (Input("age", "number"), Input("city", "category")), ("no", "yes"), "yes")
IDENTITY = Identity("coupons", "1", "aa", "onnx")


def served(number: int, identity: Identity = IDENTITY, when: float = NOON) -> Served:
    arrays = [np.array([float(number)]), np.array([f"city {number}"], dtype=object)]
    prediction = Prediction(np.array(["yes"], dtype=object), np.array([[0.25, 0.75]]))
    return Served(when, f"r{number}", "u", "baseline", identity, SIGNATURE, arrays, 1, prediction, 0.001)


WHEN_TOLD = timedelta(minutes=10)  # for `flush`: the writer writes when it is woken, or at the end


def settings(**given) -> PredictionLog:
    return PredictionLog(**{"flush": timedelta(milliseconds=10), **given})


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def make(tmp_path: Path, store: LocalStore):
    """Makes loggers, and closes those that the test has left open."""
    made = []

    def logger(folder: str = "spool", to=None, **given) -> PredictionLogger:
        made.append(logger_in_thread(settings(**given), "coupons", tmp_path / folder, to or store))
        return made[-1]

    yield logger
    for one in made:
        one.close(2)


def logged(store: LocalStore, tmp_path: Path, kind: str = "predictions") -> list[str]:
    """Request ids of all segments, in their order."""
    files = fetch(store, segments(store, "coupons", kind=kind), tmp_path / "cache")
    return [r for f in files for r in pq.read_table(f, columns=["request_id"]).column(0).to_pylist()]


class Broken(LocalStore):
    """A store that refuses while told to."""

    refuses = True

    def write_if(self, key: str, data: bytes, tag: str | None) -> str:
        if self.refuses:
            raise StorageError(key, "not reachable")
        return super().write_if(key, data, tag)


def test_everything_recorded_is_in_the_store_once_it_is_closed(make, store, tmp_path):
    log = make()
    for k in range(700):
        assert log.record(served(k))
    log.record_outcomes([Outcome(NOON, "r1", "u", "click")])
    log.close()
    assert logged(store, tmp_path) == [f"r{k}" for k in range(700)]
    assert logged(store, tmp_path, "outcomes") == ["r1"]
    assert (log.written, log.shipped, log.dropped, log.waiting) == (701, 2, 0, 0)
    assert list((tmp_path / "spool").iterdir()) == []
    assert not log.record(served(1))
    assert log.dropped_by_reason == {"closed": 1}


def test_a_segment_has_one_version_and_one_day(make, store, tmp_path):
    log = make(flush=WHEN_TOLD)
    other = Identity("coupons", "2", "bb", "onnx")
    for k in range(6):
        log.record(served(k, other if k % 2 else IDENTITY, NOON + (86_400 if k > 3 else 0)))
    log.close()
    refs = segments(store, "coupons")
    seen = {
        (r.day, facts(p).version): facts(p).rows
        for r, p in zip(refs, fetch(store, refs, tmp_path), strict=True)
    }
    assert seen == {
        (DAY, 1): 2, (DAY, 2): 2, (DAY + timedelta(1), 1): 1, (DAY + timedelta(1), 2): 1,
    }  # fmt: skip
    assert sorted(r.seq for r in refs) == [1, 2, 3, 4]
    assert [r.day for r in segments(store, "coupons", since=DAY + timedelta(1))] == [DAY + timedelta(1)] * 2
    assert segments(store, "coupons", offsets(refs)) == []
    assert [r.seq for r in segments(store, "coupons", {log.writer: 3})] == [4]


def test_segments_are_shipped_by_time_and_by_size_while_the_server_runs(make, store):
    log = make(rotate=timedelta(milliseconds=150))
    log.record(served(0))
    until(lambda: len(segments(store, "coupons")) == 1)
    log.record(served(1))
    until(lambda: [r.seq for r in segments(store, "coupons")] == [1, 2])
    small = make(segment="0.01MiB")
    for k in range(1000):
        small.record(served(k))
    until(lambda: sum(r.writer == small.writer for r in segments(store, "coupons")) >= 3)
    until(lambda: small.spooled < 200_000)


def test_a_full_queue_drops_and_says_so_in_the_log(make, store, tmp_path):
    log = make(queue=10, flush=WHEN_TOLD)
    wake, log._hand.wake = log._hand.wake, lambda: None
    taken = [log.record(served(k)) for k in range(50)]
    assert sum(taken) == 10
    wake()
    until(lambda: log.written == 10)
    log.record(served(99))
    log.close()
    assert log.dropped_by_reason == {"queue": 40}
    refs = segments(store, "coupons")
    told = [facts(p).dropped for p in fetch(store, refs, tmp_path / "cache")]
    assert sum(d.get("queue", 0) for d in told) == 40


def test_what_was_dropped_at_the_end_is_told_too(make, store, tmp_path):
    log = make()
    log.record(served(0))
    until(lambda: log.written == 1)
    log._ring.drop(PREDICTIONS, 3, "disk")
    log.close()
    told = [facts(p) for p in fetch(store, segments(store, "coupons"), tmp_path / "cache")]
    assert [(f.rows, dict(f.dropped)) for f in told] == [(1, {}), (0, {"disk": 3})]


def test_what_waits_is_bounded_by_its_bytes(make):
    log = make(flush=WHEN_TOLD)
    many = served(0)
    many.arrays, many.rows = [np.zeros(3_000_000)], 3_000_000
    assert [log.record(many) for _ in range(4)] == [True, True, False, False]
    assert log.dropped_by_reason == {"queue": 2}
    log._ring.take(2**30)


def test_one_request_that_cannot_be_logged_costs_no_other_one(make, store, tmp_path):
    log = make()
    bad = served(1)
    bad.arrays = bad.arrays[:1]
    for one in (served(0), bad, served(2)):
        assert log.record(one)
    torn = served(3)
    torn.arrays[1][0] = "\ud800"
    assert not log.record(torn)
    log.close()
    assert logged(store, tmp_path) == ["r0", "r2"]
    assert log.dropped_by_reason == {"encode": 2}


def test_a_disk_that_is_full_for_a_while_costs_what_came_then(make, store, tmp_path, monkeypatch):
    log = make()
    log.record(served(0))
    until(lambda: log.written == 1)
    with monkeypatch.context() as patch:

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        patch.setattr("evergreen.serving.predictions.segment.os.write", full)
        log.record(served(1))
        until(lambda: log.dropped == 1)
    log.record(served(2))
    log.close()
    assert logged(store, tmp_path) == ["r0", "r2"]
    told = [facts(p).dropped for p in fetch(store, segments(store, "coupons"), tmp_path / "cache")]
    assert told == [{}, {"disk": 1}]


def test_a_spool_that_is_removed_does_not_end_the_log(make, store, tmp_path):
    log = make(rotate=timedelta(milliseconds=100))
    log.record(served(0))
    until(lambda: log.shipped == 1)
    shutil.rmtree(tmp_path / "spool")
    log.record(served(1))
    until(lambda: log.dropped_by_reason == {"disk": 1})
    log.close()


def test_every_server_samples_the_same_requests(make, store, tmp_path):
    small = [f"r{k}" for k in range(2000) if is_sampled(f"r{k}", 0.2)]
    assert 320 < len(small) < 480
    assert set(small) < {f"r{k}" for k in range(2000) if is_sampled(f"r{k}", 0.6)}
    loggers = [make("a", sample=0.2), make("b", sample=0.2)]
    for log in loggers:
        assert all(log.record(served(k)) for k in range(2000))
        log.close()
        assert log.dropped == 0
    assert sorted(logged(store, tmp_path)) == sorted(small * 2)


def test_a_store_that_is_away_costs_nothing_until_the_budget_is_used_up(make, tmp_path):
    store = Broken(tmp_path / "store")
    log = make(to=store, rotate=timedelta(milliseconds=100), spool="0.1MiB")
    k = 0
    while log.record(served(k)):
        k += 1
        assert k < 50_000
        until(lambda: log.waiting < 100)
    assert log.dropped_by_reason == {"disk": 1}
    assert segments(store, "coupons") == []
    store.refuses = False
    until(lambda: log.record(served(k)))
    log.close()
    lost = log.dropped_by_reason["disk"]
    assert logged(store, tmp_path) == [f"r{n}" for n in range(k + 1)]
    told = [facts(p).dropped for p in fetch(store, segments(store, "coupons"), tmp_path / "cache")]
    assert sum(d.get("disk", 0) for d in told) == lost


def test_what_a_closed_server_could_not_ship_the_next_one_does(make, tmp_path):
    store = Broken(tmp_path / "store")
    first = make(to=store)
    for k in range(5):
        first.record(served(k))
    begun = time.monotonic()
    first.close(60)
    assert time.monotonic() - begun < 30, "it tries a few times only"
    assert segments(store, "coupons") == []
    store.refuses = False
    second = make(to=store)
    until(lambda: logged(store, tmp_path) == [f"r{k}" for k in range(5)])
    assert {r.writer for r in segments(store, "coupons")} == {first.writer}
    second.close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_segment_that_the_store_has_already_is_done(make, store, tmp_path):
    log = make(rotate=timedelta(minutes=1))
    store.write(f"predictions/coupons/2026-11-23/{log.writer}-0000000001.parquet", b"our own, earlier")
    log.record(served(0))
    log.close()
    assert log.shipped == 1
    assert store.read(segments(store, "coupons")[0].key) == b"our own, earlier"


def test_a_living_writers_folder_is_left_alone(tmp_path):
    living = WriterFolder.create(tmp_path)
    assert WriterFolder.adopt(living.path) is None
    os.close(living._lock)
    adopted = WriterFolder.adopt(living.path)
    assert adopted is not None
    adopted.release()
    assert not living.path.exists()


def test_the_salt_is_the_environments_or_made_once(tmp_path, monkeypatch):
    monkeypatch.delenv("EVERGREEN_USER_SALT", raising=False)
    made = find_salt(tmp_path / "spool")
    path = tmp_path / "spool/salt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(made) == 64
    assert find_salt(tmp_path / "spool") == made
    assert [p.name for p in (tmp_path / "spool").iterdir()] == ["salt"]
    monkeypatch.setenv("EVERGREEN_USER_SALT", "given")
    assert find_salt(tmp_path / "spool") == "given"


@pytest.mark.parametrize("name", ["a/b", "..", ""])
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path, store, name):
    with pytest.raises(InputError):
        logger_in_thread(settings(), name, tmp_path / "spool", store)
