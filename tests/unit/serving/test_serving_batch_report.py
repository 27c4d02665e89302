import re
import shutil

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evergreen.bundle import Signature, load_bundle, manifest
from evergreen.profile import profile_table
from evergreen.serving import batch_report
from evergreen.serving.batch import BatchResult
from evergreen.serving.shards import Plan, output_columns

LABELS = {"binary": ["no"] * 60 + ["yes"] * 20, "multiclass": [1] * 50 + [2] * 20 + [3] * 10}


def with_profile(bundles, tmp_path, kind):
    """A bundle with the frozen profile of some labels."""
    labels = LABELS.get(kind, [k / 4 for k in range(80)])
    table = tmp_path / "labels.parquet"
    pd.DataFrame({"buys": labels}).to_parquet(table)
    folder = tmp_path / "profiled"
    shutil.copytree(bundles[kind], folder)
    (folder / "profile.json").write_text(profile_table(table, {"buys": "label"}).to_json())
    manifest.write(folder)
    return load_bundle(folder)


def result(bundle, tmp_path, rows) -> BatchResult:
    """A finished prediction of two shards with these outputs."""
    plan = Plan("demo@3", bundle.digest, "r" * 64, len(rows), -(-len(rows) // 2), ("who",))
    schema = pa.schema([("who", pa.int64()), *output_columns(bundle.signature).items()])
    files = []
    for shard in range(2):
        low, high = plan.span(shard)
        files.append(tmp_path / f"part-{shard:05d}.parquet")
        columns = list(zip(*rows[low:high], strict=True))
        pq.write_table(
            pa.table(dict(zip(schema.names, map(list, columns), strict=True)), schema=schema), files[-1]
        )
    return BatchResult(plan, bundle, "s3://b/predictions/x", (1,), (0,), tuple(files))


def words(page: str) -> str:
    plain = " ".join(re.sub(r"<(style|script|svg)\b.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL).split())
    return re.sub(r"\b(0\.\d*?)0+\b", r"\1", plain)


def test_binary_page_compares_shares_with_the_labels_of_training(bundles, tmp_path):
    rows = [(k, "yes" if k % 10 == 0 else "no", 0.95 if k % 10 == 0 else 0.05) for k in range(100)]
    done = result(with_profile(bundles, tmp_path, "binary"), tmp_path, rows)
    counted = batch_report.count_outputs(done, tuple(k / 10 for k in range(1, 10)))
    assert counted.values == {"yes": 10, "no": 90}
    assert counted.probability_sums["probability"] == pytest.approx(10 * 0.95 + 90 * 0.05)
    assert counted.histogram == (90, 0, 0, 0, 0, 0, 0, 0, 0, 10)
    shown = words(batch_report.batch_page(done))
    assert (
        "Class labels in training predicted classes mean probability no 0.75 0.9 0.86 yes 0.25 0.1 0.14"
        in shown
    )
    assert "part-00000.parquet 50 reused part-00001.parquet 50 computed" in shown
    assert "demo@3" in shown and "s3://b/predictions/x" in shown


def test_multiclass_page_has_a_row_for_every_class(bundles, tmp_path):
    rows = [(k, 1 + k % 2, 0.5, 0.25, 0.25) for k in range(8)]
    shown = words(
        batch_report.batch_page(result(with_profile(bundles, tmp_path, "multiclass"), tmp_path, rows))
    )
    assert "1 0.625 0.5 0.5 2 0.25 0.5 0.25 3 0.125 0 0.25" in shown


def test_regression_page_uses_the_bins_of_the_labels(bundles, tmp_path):
    done = result(with_profile(bundles, tmp_path, "regression"), tmp_path, [(k, k / 4) for k in range(80)])
    page = batch_report.batch_page(done)
    assert page.count("<figure") == 1 and "labels in training" in page


def test_a_bundle_without_a_baseline_says_so(bundles, tmp_path):
    for kind, row in (("binary", (1, "no", 0.2)), ("regression", (1, 2.5))):
        done = result(load_bundle(bundles[kind]), tmp_path, [row, row])
        assert "holds no baseline" in words(batch_report.batch_page(done))


def test_names_from_the_data_cannot_break_the_page(bundles, tmp_path, monkeypatch):
    done = result(load_bundle(bundles["binary"]), tmp_path, [(1, "<script>alert(1)</script>", 0.2)] * 2)
    classes = ("<script>alert(1)</script>", "yes")
    monkeypatch.setattr(
        done.bundle, "signature", Signature("binary", (), classes, "yes", has_probabilities=True)
    )
    assert "<script>alert(1)" not in batch_report.batch_page(done)
