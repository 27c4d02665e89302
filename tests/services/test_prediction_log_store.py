"""The prediction log with real processes and real stores: killed servers, and a store that goes away."""

import os
import random
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from server_processes import until

from evergreen.bundle import Input, Signature
from evergreen.bundle.signature import Prediction
from evergreen.local import platform
from evergreen.project.model.serving import PredictionLog
from evergreen.serving.model import Identity
from evergreen.serving.predictions.config import LogConfig
from evergreen.serving.predictions.entry import Outcome, Served
from evergreen.serving.predictions.logger import PredictionLogger
from evergreen.serving.predictions.reading import facts, fetch, segments
from evergreen.storage import Store, open_store

LOAD = Path(__file__).with_name("prediction_load.py")
SIGNATURE = Signature("binary", (Input("age", "number"),), ("no", "yes"), "yes")
IDENTITY = Identity("coupons", "1", "aa", "onnx")
FLUSH = 0.1
LATE = 1.0  # the writer's turn begins `flush` after the last one, or later on a machine with other work


def served(number: int) -> Served:
    made = Prediction(np.array(["yes"], dtype=object), np.array([[0.25, 0.75]]))
    arrays = [np.array([float(number)])]
    return Served(time.time(), f"r{number}", "", "", IDENTITY, SIGNATURE, arrays, 1, made, 0.001)


def logger(spool: Path, store: str, settings: PredictionLog | None = None) -> PredictionLogger:
    settings = settings or PredictionLog()
    return PredictionLogger(
        LogConfig(settings=settings, model="coupons", spool=spool, store=store, salt="salt")
    )


def logged(store: Store, cache: Path) -> list[str]:
    """The request ids of every segment, in the order in which a consumer reads them."""
    files = fetch(store, segments(store, "coupons"), cache)
    return [r for f in files for r in pq.read_table(f, columns=["request_id"]).column(0).to_pylist()]


def test_a_log_reaches_every_kind_of_store(store: Store, tmp_path: Path):
    log = logger(tmp_path / "spool", store.uri)
    for k in range(500):
        assert log.record(served(k))
    log.record_outcomes([Outcome(time.time(), "r1", "u", "click")])
    log.close(60)
    assert logged(store, tmp_path / "cache") == [f"r{k}" for k in range(500)]
    assert [s.seq for s in segments(store, "coupons", kind="outcomes")] == [1]


@dataclass(frozen=True)
class Killed:
    """What a server said before it was killed.

    Attributes:
        answered: The ids of the requests.
        written: How many of them were in its log's files.
        turns: When it saw that number change.
    """

    answered: list[str]
    written: int
    turns: list[float]


def killed(spool: Path, root: str, seconds: float, *, whole_group: bool) -> Killed:
    """Run a server under load, and kill it after so long.

    Args:
        whole_group: Whether its log's writer is killed with it, as with a container; the time begins when
            that has written some times.
    """
    command = [sys.executable, str(LOAD), str(spool), root, str(FLUSH)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        lines, turns, deadline = [process.stdout.readline()], 0, time.monotonic() + 60
        while whole_group and turns < 3:
            assert time.monotonic() < deadline
            lines.append(process.stdout.readline())
            turns += lines[-1].startswith("written")
        killer = subprocess.Popen(["sleep", str(seconds)])
        while killer.poll() is None:
            lines.append(process.stdout.readline())
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)
        lines += process.stdout.readlines()
    told = [line.split() for line in lines if line.endswith("\n")]
    turned = [(int(word[1]), float(word[2])) for word in told if word[0] == "written"]
    answered = [word[0] for word in told if word[0] != "written"]
    return Killed(answered, max((count for count, _ in turned), default=0), [when for _, when in turned])


def killed_and_found(
    root: str, folder: Path, rounds: int, *, whole_group: bool
) -> list[tuple[Killed, list[str]]]:
    """Kill servers that share a spool at random moments, and let a last one ship what they left.

    Returns:
        For each server what it had said, and what of it is in the store: in order, without a hole, none of it
        twice.
    """
    store, spool = open_store(root), folder / "spool"
    servers = [
        killed(spool, root, random.Random(k).uniform(0.7, 1.9), whole_group=whole_group)
        for k in range(rounds)
    ]
    log = logger(spool, root)
    until(lambda: bool(log.writer) and not [p for p in spool.iterdir() if p.name != log.writer])
    log.close(60)
    found = logged(store, folder / "cache")
    assert len(found) == len(set(found))
    pairs = []
    for server in servers:
        name = server.answered[0].partition("-")[0]
        mine = [r for r in found if r.startswith(name)]
        assert mine == [f"{name}-{k}" for k in range(len(mine))]
        pairs.append((server, mine))
    return pairs


@pytest.mark.service
def test_kill_9_of_a_server_loses_nothing_and_logs_nothing_twice(s3_root: str, tmp_path: Path):
    """The writers of killed servers end what they began."""
    for server, mine in killed_and_found(s3_root, tmp_path, 4, whole_group=False):
        assert len(server.answered) <= len(mine) <= len(server.answered) + 1


@pytest.mark.service
def test_kill_9_of_server_and_writer_loses_at_most_the_last_flush(s3_root: str, tmp_path: Path):
    pauses: list[float] = []
    for server, mine in killed_and_found(s3_root, tmp_path, 3, whole_group=True):
        assert server.written <= len(mine) <= len(server.answered) + 1
        pauses += [after - before for before, after in pairwise(server.turns)]
    assert statistics.median(pauses) <= FLUSH + LATE  # a single one may be late on a busy machine
    known = segments(open_store(s3_root), "coupons")
    for writer in {s.writer for s in known}:
        seqs = [s.seq for s in known if s.writer == writer]
        assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.service
def test_a_writer_that_is_killed_is_started_again_and_what_it_lost_is_counted(tmp_path: Path):
    store = open_store(str(tmp_path / "store"))
    settings = PredictionLog(flush=timedelta(seconds=0.05), rotate=timedelta(seconds=0.3))
    log = logger(tmp_path / "spool", store.uri, settings)
    writers, number = set[str](), 0
    for _ in range(3):
        until(lambda: log.writer not in ("", *writers))
        writers.add(log.writer)
        before = log.written
        for _ in range(400):
            assert log.record(served(number))
            number += 1
            if number % 400 == 200:  # some of it is written, and some still waits
                until(lambda before=before: log.written > before)
        os.kill(log._hand.pid, signal.SIGKILL)
    assert log.record(served(number))  # so that there is a next segment, which tells what was lost
    number += 1
    log.close(60)
    found = logged(store, tmp_path / "cache")
    assert len(found) == len(set(found))
    assert set(log.dropped_by_reason) <= {"killed"}
    assert number - log.dropped <= len(found) <= number
    assert len({s.writer for s in segments(store, "coupons")}) >= 3
    told = [facts(p).dropped for p in fetch(store, segments(store, "coupons"), tmp_path / "cache")]
    assert sum(d.get("killed", 0) for d in told) == log.dropped
    assert not list((tmp_path / "spool").iterdir())


@pytest.mark.service
def test_a_store_that_goes_away_and_comes_back(clean_environment: pytest.MonkeyPatch, tmp_path: Path):
    """Requests are recorded all the while, and none is lost, dropped or shipped twice."""
    home = tmp_path / "home"
    settings = PredictionLog(rotate=timedelta(seconds=0.2), flush=timedelta(seconds=0.05))
    number = 0

    def load(log: PredictionLogger, count: int) -> None:
        nonlocal number
        for _ in range(count):
            assert log.record(served(number))
            number += 1
            time.sleep(0.001)

    try:
        (part,) = platform.up(home, s3_port=0)
        for name, value in platform.environment(home).items():
            clean_environment.setenv(name, value)
        store = open_store(platform.store_uri(home))
        log = logger(tmp_path / "spool", store.uri, settings)
        load(log, 300)
        until(lambda: log.shipped > 0)
        platform.down(home)
        load(log, 800)
        until(lambda: log.spooled > 1000)
        platform.up(home, s3_port=int(part.url.rsplit(":", 1)[1]))
        load(log, 300)
        log.close(60)
        assert logged(store, tmp_path / "cache") == [f"r{k}" for k in range(number)]
        assert log.dropped == 0
    finally:
        platform.down(home)
