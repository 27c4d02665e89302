"""Segments: what a killed server leaves is read up to its last whole batch, and converts alike."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evergreen.serving.predictions import segment as segments
from evergreen.serving.predictions.encode import encode_outcomes
from evergreen.serving.predictions.entry import Outcome
from evergreen.serving.predictions.layout import OUTCOMES, About
from evergreen.serving.predictions.segment import OpenSegment, to_parquet

ABOUT = About("outcomes", "coupons", 0, "", 20_780, "0123456789abcdef", 12)


def outcomes(count: int, start: int = 0, gap: dict | None = None) -> pa.RecordBatch:
    made = [Outcome(20_780 * 86_400 + k, f"r{k}", "", "click") for k in range(start, start + count)]
    return encode_outcomes(made, gap or {})


def written(path: Path, *batches: pa.RecordBatch, about: About = ABOUT) -> OpenSegment:
    segment = OpenSegment(path, OUTCOMES, about)
    for batch in batches:
        segment.append(batch)
    return segment


def rows(path: Path | None) -> list[str]:
    return pq.read_table(path).column("request_id").to_pylist() if path else []


def about(path: Path) -> About:
    return About.read(pq.read_metadata(path).metadata)


def test_an_open_segment_is_readable_whenever_its_server_is_killed(tmp_path):
    path = tmp_path / "0000000012.open"
    segment = written(path, outcomes(3), outcomes(2, start=3, gap={"queue": 4}))
    made = to_parquet(path, tmp_path / "ready")
    assert made == tmp_path / "ready/outcomes/coupons/2026-11-23/0123456789abcdef-0000000012.parquet"
    assert rows(made) == ["r0", "r1", "r2", "r3", "r4"]
    assert about(made) == About(**{**vars(ABOUT), "dropped": {"queue": 4}})
    assert "gap" not in pq.read_schema(made).names
    segment.append(outcomes(1, start=5))
    segment.close()
    assert rows(to_parquet(tmp_path / "0000000012.closed", tmp_path / "ready")) == [f"r{k}" for k in range(6)]


def test_cut_at_every_byte_of_the_last_batch_it_loses_that_batch_alone(tmp_path):
    path = tmp_path / "s.open"
    segment = written(path, outcomes(2), outcomes(2, start=2))
    before = segment.size
    segment.append(outcomes(2, start=4))
    data = path.read_bytes()
    for size in range(before, len(data)):
        whole = segments._Whole(pa.BufferReader(data[:size]), size)
        read = [r for batch in whole.batches() for r in batch.column("request_id").to_pylist()]
        assert (read, whole.torn) == (["r0", "r1", "r2", "r3"], size - before)
        if size % 97 == 0:
            path.write_bytes(data[:size])
            made = to_parquet(path, tmp_path / "ready")
            assert (rows(made), about(made).torn) == (read, whole.torn)
    path.write_bytes(data)
    assert about(to_parquet(path, tmp_path / "ready")).torn == 0


def test_cut_within_its_head_it_holds_nothing(tmp_path):
    path = tmp_path / "s.open"
    size = written(path).size
    data = path.read_bytes()
    for cut in range(0, size + 1, 7):
        path.write_bytes(data[:cut])
        assert to_parquet(path, tmp_path / "ready") is None
    assert not (tmp_path / "ready").exists()


def test_the_same_segment_gives_the_same_bytes(tmp_path):
    written(tmp_path / "s.open", outcomes(50))
    first = to_parquet(tmp_path / "s.open", tmp_path / "ready").read_bytes()
    assert to_parquet(tmp_path / "s.open", tmp_path / "again").read_bytes() == first


def test_a_large_segment_is_converted_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "_ROW_GROUP_BYTES", 4000)
    written(tmp_path / "s.open", *(outcomes(20, start=20 * k) for k in range(10)))
    made = to_parquet(tmp_path / "s.open", tmp_path / "ready")
    assert rows(made) == [f"r{k}" for k in range(200)]
    assert 1 < pq.read_metadata(made).num_row_groups < 10


def test_a_segment_without_rows_is_kept_for_what_was_dropped(tmp_path):
    note = About(**{**vars(ABOUT), "dropped": {"disk": 9}})
    written(tmp_path / "s.open", about=note).close()
    made = to_parquet(tmp_path / "s.closed", tmp_path / "ready")
    assert (rows(made), about(made)) == ([], note)


def test_a_full_disk_leaves_the_segment_as_it_was(tmp_path, monkeypatch):
    segment = written(tmp_path / "s.open", outcomes(2))
    real = segments.os.write

    def full(handle: int, data: memoryview) -> int:
        if len(data) < 100:
            raise OSError(28, "No space left on device")
        return real(handle, data[:100])

    with monkeypatch.context() as patch:
        patch.setattr(segments.os, "write", full)
        with pytest.raises(OSError, match="No space"):
            segment.append(outcomes(2, start=2))
    segment.append(outcomes(1, start=9))
    assert rows(to_parquet(tmp_path / "s.open", tmp_path / "ready")) == ["r0", "r1", "r9"]
