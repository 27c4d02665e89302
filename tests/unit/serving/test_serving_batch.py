import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.bundle import load_bundle
from evergreen.errors import BundleError, DataError, InputError
from evergreen.serving import batch, shards
from evergreen.serving.batch import Job, Settings, Source, predict_batch, predict_share
from evergreen.storage import open_store


@pytest.fixture
def write_rows(tmp_path, table):
    """Writes a table of features as build_training_set does: `write_rows(rows, files, **changes)`."""

    def write(rows: int, files: int = 2, group: int = 70, **changes) -> Path:
        folder = tmp_path / "rows"
        hours = pd.date_range("2026-01-01", periods=rows, freq="h")
        frame = pd.DataFrame({"who": np.arange(rows), "when": hours, **table(rows, 5), **changes})
        frame = frame.drop(columns=[k for k, v in changes.items() if v is None])
        (folder / "data").mkdir(parents=True)
        for k in range(files):
            piece = frame.iloc[rows * k // files : rows * (k + 1) // files]
            arrow = pa.Table.from_pandas(piece, preserve_index=False)
            pq.write_table(arrow, folder / "data" / f"part-{k}.parquet", row_group_size=group)
        meta = {"rows": rows, "digest": "d" * 64, "key": ["who"], "entity": ["who"], "time": "when"}
        (folder / "meta.json").write_text(json.dumps(meta))
        return folder

    return write


def files_of(folder: Path) -> dict[str, str]:
    found = [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(".")]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


def source(bundles, kind="binary", blessed=True):
    return Source(bundles[kind], "demo", 3, blessed)


def run(bundles, rows, tmp_path, out="out", kind="binary", **changes):
    store = open_store(str(tmp_path / "store"))
    return predict_batch(
        rows, source(bundles, kind), tmp_path / out, store, Settings(**{"shard_rows": 100, **changes})
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "native"])
def test_predictions_are_those_of_the_bundle_row_by_row(bundles, write_rows, tmp_path, table, kind):
    rows = write_rows(251)
    result = run(bundles, rows, tmp_path, kind=kind)
    assert (result.done, result.skipped) == ((0, 1, 2), ())
    got = pd.concat([pd.read_parquet(p) for p in result.files], ignore_index=True)
    expected = load_bundle(bundles[kind]).predict(table(251, 5))
    assert got["who"].tolist() == list(range(251))
    assert str(got["when"].iloc[250]) == "2026-01-11 10:00:00"
    if kind == "regression":
        assert list(got.columns) == ["who", "when", "prediction"]
        np.testing.assert_allclose(got["prediction"], expected.values, rtol=1e-6)
        return
    assert got["prediction"].tolist() == expected.values.tolist()
    names = ["probability"] if kind != "multiclass" else [f"probability__{c}" for c in (1, 2, 3)]
    assert list(got.columns) == ["who", "when", "prediction", *names]
    np.testing.assert_allclose(got[names], expected.probabilities[:, -len(names) :], atol=1e-6)


def test_parquet_and_manifest_name_the_model(bundles, write_rows, tmp_path):
    result = run(bundles, write_rows(120), tmp_path)
    metadata = pq.read_schema(result.files[0]).metadata
    assert metadata[b"evergreen.model"] == b"demo@3"
    assert metadata[b"evergreen.model_digest"].decode() == result.bundle.digest
    manifest = batch.read_manifest(tmp_path / "out")
    assert manifest["model"] == {"name": "demo", "version": 3, "digest": result.bundle.digest}
    assert [p["rows"] for p in manifest["parts"]] == [100, 20]


def test_a_second_run_skips_everything_and_gives_the_same_bytes(bundles, write_rows, tmp_path):
    rows = write_rows(251)
    run(bundles, rows, tmp_path)
    kept = files_of(tmp_path / "store")
    again = run(bundles, rows, tmp_path, out="again")
    assert (again.done, again.skipped) == ((), (0, 1, 2))
    assert files_of(tmp_path / "out") == files_of(tmp_path / "again")
    assert files_of(tmp_path / "store") == kept


def test_a_fresh_store_gives_the_same_bytes(bundles, write_rows, tmp_path):
    rows = write_rows(251)
    run(bundles, rows, tmp_path)
    predict_batch(rows, source(bundles), tmp_path / "b", open_store(str(tmp_path / "other")), Settings(100))
    assert files_of(tmp_path / "out") == files_of(tmp_path / "b")


@pytest.mark.parametrize("shares", [1, 2, 5])
def test_shares_together_do_each_shard_once_and_the_batch_then_computes_none(
    bundles, write_rows, tmp_path, shares
):
    rows = write_rows(251)
    alone = run(bundles, rows, tmp_path, out="alone")
    store = open_store(str(tmp_path / "shared"))
    job = Job.of(rows, source(bundles), store, Settings(100))
    did = [predict_share(job, share, shares) for share in range(shares)]
    assert sorted(shard for done, _ in did for shard in done) == [0, 1, 2]
    assert predict_share(job, 0, shares)[0] == []
    result = predict_batch(rows, source(bundles), tmp_path / "out", store, Settings(100))
    assert (result.done, result.skipped) == ((), (0, 1, 2))
    assert files_of(tmp_path / "out") == files_of(tmp_path / "alone")
    assert alone.done == (0, 1, 2)


def test_a_share_that_is_none_of_the_shares_is_refused(bundles, write_rows, tmp_path):
    job = Job.of(write_rows(20), source(bundles), open_store(str(tmp_path / "s")), Settings(100))
    with pytest.raises(InputError, match="2 of 2"):
        predict_share(job, 2, 2)


@pytest.mark.parametrize("damage", ["tampered", "partial", "no receipt", "wild receipt", "no part"])
def test_a_shard_that_is_not_sound_is_redone(bundles, write_rows, tmp_path, damage):
    rows = write_rows(251)
    run(bundles, rows, tmp_path)
    good = files_of(tmp_path / "store")
    (part,) = (tmp_path / "store").rglob("part-00001.parquet")
    receipt = part.parent / "receipts" / "00001.json"
    if damage == "tampered":
        content = bytearray(part.read_bytes())
        content[40] ^= 1
        part.write_bytes(content)
    elif damage == "partial":
        part.write_bytes(part.read_bytes()[:-10])
    elif damage == "no receipt":
        receipt.unlink()
    elif damage == "wild receipt":
        receipt.write_text("[1]")
    else:
        part.unlink()
    again = run(bundles, rows, tmp_path, out="again")
    assert (again.done, again.skipped) == ((1,), (0, 2))
    assert files_of(tmp_path / "store") == good
    assert files_of(tmp_path / "out") == files_of(tmp_path / "again")


def test_a_run_that_dies_half_way_is_continued(bundles, write_rows, tmp_path):
    rows = write_rows(251)
    store = open_store(str(tmp_path / "store"))

    def die(shard, skipped):
        if shard == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_batch(rows, source(bundles), tmp_path / "out", store, Settings(100), die)
    again = run(bundles, rows, tmp_path, out="again")
    assert (again.done, again.skipped) == ((2,), (0, 1))


def test_other_settings_do_not_take_old_shards_and_leave_none_behind(bundles, write_rows, tmp_path):
    rows = write_rows(251)
    run(bundles, rows, tmp_path)
    result = run(bundles, rows, tmp_path, out="big", shard_rows=200)
    assert result.done == (0, 1)
    names = {p.name for p in (tmp_path / "store").rglob("part-*.parquet")}
    assert names == {"part-00000.parquet", "part-00001.parquet"}
    assert run(bundles, rows, tmp_path, out="keep", shard_rows=200, keep=("city",)).done == (0, 1)
    assert "city" in pq.read_schema(tmp_path / "keep" / "part-00000.parquet").names


def test_another_model_has_its_own_folder(bundles, write_rows, tmp_path):
    rows = write_rows(100)
    first, second = run(bundles, rows, tmp_path), run(bundles, rows, tmp_path, out="b", kind="multiclass")
    assert first.uri != second.uri and second.done == (0,)


def test_a_model_without_blessing_is_refused(bundles, write_rows, tmp_path):
    rows = write_rows(10)
    store = open_store(str(tmp_path / "store"))
    with pytest.raises(InputError, match=r"demo@3: is not blessed"):
        predict_batch(rows, source(bundles, blessed=False), tmp_path / "out", store, Settings())
    assert not (tmp_path / "out").exists()


def test_a_tampered_bundle_is_refused(bundles, write_rows, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(bundles["binary"], copy)
    with (copy / "model.onnx").open("r+b") as handle:
        handle.seek(100)
        handle.write(b"x")
    rows = write_rows(10)
    with pytest.raises(BundleError, match=r"model\.onnx"):
        predict_batch(
            rows, Source(copy, "demo", 3, True), tmp_path / "out", open_store(str(tmp_path / "s")), Settings()
        )


def test_a_missing_column_is_named_with_the_nearest_one(bundles, write_rows, tmp_path):
    rows = write_rows(10, city=None, citty=["a"] * 10)
    with pytest.raises(InputError, match=r"column 'city'.*citty"):
        run(bundles, rows, tmp_path)
    assert not (tmp_path / "store").exists()


def test_an_optional_column_may_be_absent(bundles, write_rows, tmp_path):
    assert run(bundles, write_rows(10, vip=None), tmp_path).done == (0,)


def test_a_column_of_another_type_is_named(bundles, write_rows, tmp_path):
    rows = write_rows(10, age=["old"] * 10)
    with pytest.raises(InputError, match="column 'age'"):
        run(bundles, rows, tmp_path)
    assert not list((tmp_path / "out").glob("*.parquet"))


def test_a_kept_column_must_be_there_and_must_not_clash(bundles, write_rows, tmp_path):
    rows = write_rows(10, prediction=range(10))
    with pytest.raises(InputError, match=r"predict.keep: column 'nope'"):
        run(bundles, rows, tmp_path, keep=("nope",))
    with pytest.raises(InputError, match="own column has that name"):
        run(bundles, rows, tmp_path, keep=("prediction",))


def test_corrupt_rows_are_named(bundles, write_rows, tmp_path):
    rows = write_rows(10)
    (rows / "data" / "part-1.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(DataError, match=r"part-1\.parquet"):
        run(bundles, rows, tmp_path)


def test_rows_that_are_not_all_there_are_refused(bundles, write_rows, tmp_path):
    rows = write_rows(100)
    (rows / "data" / "part-1.parquet").unlink()
    with pytest.raises(DataError, match="50 rows; expected 100"):
        run(bundles, rows, tmp_path)


def test_nullable_integers_booleans_and_dictionaries_are_read(bundles, write_rows, tmp_path, table):
    rows = write_rows(4, files=1)
    path = rows / "data" / "part-0.parquet"
    stored = pq.read_table(path)
    replaced = {
        "age": pa.array([1, None, 3, 4], pa.int32()),
        "vip": pa.array([True, None, False, True]),
        "city": pa.array(["a", None, "zz", "b"]).dictionary_encode(),
    }
    for name, column in replaced.items():
        stored = stored.set_column(stored.column_names.index(name), name, column)
    pq.write_table(stored, path)
    result = run(bundles, rows, tmp_path)
    plain = {"age": [1, None, 3, 4], "vip": [1, None, 0, 1], "city": ["a", None, "zz", "b"]}
    expected = result.bundle.predict({**table(4, 5), **plain})
    assert pd.read_parquet(result.files[0])["prediction"].tolist() == expected.values.tolist()


def test_no_rows_make_one_empty_part(bundles, write_rows, tmp_path):
    rows = write_rows(5)
    for path in (rows / "data").iterdir():
        pq.write_table(pq.read_table(path).slice(0, 0), path)
    meta = json.loads((rows / "meta.json").read_text())
    (rows / "meta.json").write_text(json.dumps({**meta, "rows": 0}))
    result = run(bundles, rows, tmp_path)
    assert pq.read_table(result.files[0]).num_rows == 0
    assert "probability" in pq.read_schema(result.files[0]).names


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_spans_cover_every_row_once_in_chunks_counted_from_their_start(tmp_path_factory, data):
    sizes = data.draw(st.lists(st.integers(0, 40), min_size=1, max_size=4))
    group, shard = data.draw(st.integers(1, 17)), data.draw(st.integers(1, 50))
    folder = tmp_path_factory.mktemp("span")
    files, start = [], 0
    for k, size in enumerate(sizes):
        files.append(folder / f"{k}.parquet")
        pq.write_table(
            pa.table({"n": pa.array(range(start, start + size), pa.int64())}), files[-1], row_group_size=group
        )
        start += size
    chunk, shards.CHUNK_ROWS = shards.CHUNK_ROWS, 7
    try:
        seen = []
        for low in range(0, start, shard):
            tables = list(shards.read_span(files, ["n"], (low, min(start, low + shard))))
            assert all(t.num_rows == 7 for t in tables[:-1])
            seen += [n for t in tables for n in t["n"].to_pylist()]
    finally:
        shards.CHUNK_ROWS = chunk
    assert seen == list(range(start))
