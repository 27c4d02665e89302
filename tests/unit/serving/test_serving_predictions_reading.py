"""The log read again: two versions as one relation, a time range as one file, rows for a skew check."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from log_in_thread import logger_in_thread
from typer.testing import CliRunner

from evergreen.bundle import Input, Signature
from evergreen.bundle.signature import Prediction
from evergreen.cli.app import app
from evergreen.errors import DataError
from evergreen.project.model import SkewGate
from evergreen.project.model.serving import PredictionLog
from evergreen.serving.model import Identity
from evergreen.serving.predictions.entry import Outcome, Served
from evergreen.serving.predictions.reading import facts, fetch, log_relation, segments
from evergreen.serving.predictions.table import Wanted, export, serving_table
from evergreen.skew.check import check_skew
from evergreen.storage import open_store
from evergreen.tables import connect

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ODD = 'in"come `x` 収'


def version(number: int, *inputs: Input) -> tuple[Identity, Signature]:
    return Identity("coupons", str(number), f"{number:064x}", "onnx"), Signature("regression", inputs)


FIRST = version(1, Input(ODD, "number"), Input("time", "category"))
SECOND = version(2, Input(ODD, "category"), Input("vip", "boolean"), Input("Select", "number"))


def one(what, number: int, *values, status: int = 200) -> Served:
    identity, signature = what
    arrays = [np.array([v], dtype=object if isinstance(v, str) else float) for v in values]
    when = (NOON + timedelta(hours=number)).timestamp()
    made = Prediction(np.array([number / 2])) if values else None
    return Served(
        when, f"r{number}", "", "baseline", identity, signature, arrays, 1, made, 0.1, status=status
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A log of two versions, whose features differ in name and in type, over two days."""
    root = tmp_path_factory.mktemp("log")
    store = open_store(str(root / "store"))
    log = logger_in_thread(PredictionLog(), "coupons", root / "spool", store)
    for k in range(4):
        log.record(one(FIRST, k, 1.5 * k, f"at {k}"))
    log.record(one(FIRST, 4, status=400))
    for k in range(10, 14):
        log.record(one(SECOND, k, "ü", float(k % 2), float("nan")))
    log.record_outcomes([Outcome(NOON.timestamp(), "r1", "u", "click")])
    log.close()
    store.write("predictions/coupons/2026-11-23/notes.txt", b"not a segment")
    store.write("predictions/coupons/other/x-0000000001.parquet", b"not a day")
    return store


@pytest.fixture
def files(store, tmp_path) -> list[Path]:
    return fetch(store, segments(store, "coupons"), tmp_path / "cache")


def test_two_versions_are_one_relation(files):
    with connect() as con:
        relation = log_relation(con, files)
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        assert types["time"] == "TIMESTAMP"
        rows = con.sql(
            "SELECT request_id, time, version, score, features FROM relation ORDER BY request_id"
        ).fetchall()
    by_id = {r[0]: r[1:] for r in rows}
    assert len(rows) == 9
    known = {ODD: "1.5", "time": "at 1", "vip": None, "Select": None}
    assert by_id["r1"] == (NOON.replace(tzinfo=None) + timedelta(hours=1), 1, 0.5, known)
    assert by_id["r11"][3] == {ODD: "ü", "time": None, "vip": True, "Select": None}
    assert by_id["r4"][3] is None or set(by_id["r4"][3].values()) == {None}


def test_segments_say_what_they_hold(store, files):
    told = sorted((f.version, f.rows, f.first, f.last) for f in map(facts, files))
    hour = lambda k: NOON + timedelta(hours=k)  # noqa: E731
    assert told == [(1, 5, hour(0), hour(4)), (2, 2, hour(10), hour(11)), (2, 2, hour(12), hour(13))]
    assert [s.day for s in segments(store, "coupons", until=date(2026, 11, 23))] == [date(2026, 11, 23)] * 2
    assert segments(store, "nobody") == []
    (outcomes,) = segments(store, "coupons", kind="outcomes")
    assert outcomes.seq == 1


def test_a_fetched_segment_is_not_fetched_again(store, files, tmp_path):
    before = [f.stat().st_ino for f in files]
    files[0].unlink()
    again = fetch(store, segments(store, "coupons"), tmp_path / "cache")
    assert again == files
    assert [f.stat().st_ino for f in files][1:] == before[1:]


def test_a_time_range_of_one_version_is_exported(files, tmp_path):
    out = tmp_path / "out.parquet"
    with connect() as con:
        since = NOON + timedelta(hours=1)
        assert export(con, files, out, Wanted(since, NOON + timedelta(hours=12))) == 6
        assert export(con, files, out, Wanted(version=2, arms=("baseline",))) == 4
        assert export(con, files, out, Wanted(arms=("shadow",))) == 0


def test_the_serving_table_has_one_column_a_feature(files, tmp_path):
    out = tmp_path / "out.parquet"
    with connect() as con:
        assert serving_table(con, files, out, Wanted(version=1), names={"request_id": "order"}) == 4
    table = pq.read_table(out)
    assert table.column_names == ["order", "served_time", ODD, "time", "vip", "Select"]
    assert table.column("time").to_pylist() == [f"at {k}" for k in range(4)]
    assert table.column("order").to_pylist() == [f"r{k}" for k in range(4)]


def test_skew_is_found_in_what_was_served(tmp_path):
    """A model is served another unit than it was trained on; every row is compared through the log."""
    store = open_store(str(tmp_path / "store"))
    log = logger_in_thread(PredictionLog(), "coupons", tmp_path / "spool", store)
    what = version(3, Input("price", "number"), Input("city", "category"))
    for k in range(200):
        served = one(what, 0, 100.0 * (k + 1), "ab"[k % 2])
        served.request_id = f"q{k}"
        log.record(served)
    log.close()
    training = {"request_id": [f"q{k}" for k in range(200)], "price": [float(k + 1) for k in range(200)]}
    pq.write_table(
        pa.table({**training, "city": ["ab"[k % 2] for k in range(200)]}), tmp_path / "training.parquet"
    )
    with connect() as con:
        files = fetch(store, segments(store, "coupons"), tmp_path / "cache")
        serving_table(con, files, tmp_path / "serving.parquet")
    skew = check_skew(
        tmp_path / "training.parquet", tmp_path / "serving.parquet", SkewGate(), key=("request_id",)
    )
    assert skew.rows.matched == 200
    assert {d.verdict for d in skew.decisions if "price" in d.check} == {"fail"}
    assert "fail" not in {d.verdict for d in skew.decisions if "city" in d.check}


def test_no_segment_and_a_strangers_file_are_told(tmp_path):
    with connect() as con, pytest.raises(DataError, match="no segment"):
        log_relation(con, [])
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="another kind"):
        facts(tmp_path / "a.parquet")


def run(*words: str):
    return CliRunner().invoke(app, ["predictions", *words])


def test_the_commands(store, tmp_path):
    listed = run("list", "coupons", "--store", store.uri)
    assert listed.exit_code == 0, listed.output
    assert "version 2" in listed.output
    assert "3 segments, 9 rows, 0 dropped" in listed.output
    one_day = run("list", "coupons", "--store", store.uri, "--since", "2026-11-24", "--json")
    assert [s["rows"] for s in json.loads(one_day.output)["segments"]] == [2]
    out = tmp_path / "out.parquet"
    done = run("export", "coupons", "--store", store.uri, "--out", str(out), "--version", "2", "--features")
    assert done.exit_code == 0, done.output
    assert pq.read_table(out).num_rows == 4
    outcomes = run("export", "coupons", "--store", store.uri, "--out", str(out), "--outcomes")
    assert outcomes.exit_code == 0, outcomes.output
    assert pq.read_table(out).column("event").to_pylist() == ["click"]
    missing = run("export", "nobody", "--store", store.uri, "--out", str(out))
    assert isinstance(missing.exception, DataError)
