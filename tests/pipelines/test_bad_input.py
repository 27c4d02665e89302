"""Every kind of bad input: a clear error that names it, exit code 2, and nothing half-written."""

import datetime as dt
import os
import socket
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn import datasets

pytestmark = pytest.mark.pipeline


@pytest.fixture
def frame() -> pd.DataFrame:
    frame = datasets.load_breast_cancer(as_frame=True).frame
    frame.columns = [c.replace(" ", "_") for c in frame.columns]
    frame.insert(0, "patient", range(len(frame)))
    frame.insert(1, "seen_at", pd.date_range("2024-01-01", periods=len(frame), freq="h"))
    return frame


@pytest.fixture
def project(workplace, frame) -> Path:
    frame.to_csv(workplace.path / "data.csv", index=False)
    return workplace.init(workplace.path / "data.csv", "target", "--time", "seen_at", "--entity", "patient")


def refused(workplace, project, *words):
    done = workplace.train(project)
    assert done.code == 2, (done.code, done.err)
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err, done.err
    assert not list((workplace.path / ".evergreen").rglob("models/*/versions/*")), "nothing was registered"
    return done


def edit(project: Path, change) -> None:
    content = yaml.safe_load(project.read_text())
    change(content)
    project.write_text(yaml.safe_dump(content))


def test_the_project_is_good_before_it_is_broken(workplace, project):
    done = workplace.evergreen("check", str(project))
    assert done.code == 0, done.err


def test_missing_file(workplace, project):
    (workplace.path / "data.csv").unlink()
    refused(workplace, project, "data.csv")


def test_missing_project_file(workplace):
    done = workplace.train(workplace.path / "nothing.yaml")
    assert done.code == 2 and "nothing.yaml" in done.err


def test_wrong_column(workplace, project):
    edit(project, lambda c: c["label"].update(column="targett"))
    refused(workplace, project, "targett", "target")


def test_mixed_types(workplace, project, frame):
    mixed = frame.astype({"mean_radius": object})
    mixed.loc[500, "mean_radius"] = "about twelve"
    mixed.to_csv(workplace.path / "data.csv", index=False)
    refused(workplace, project, "mean_radius")


def test_label_with_one_class(workplace, project, frame):
    frame.assign(target=1).to_csv(workplace.path / "data.csv", index=False)
    refused(workplace, project, "target")


def test_timestamps_in_the_future(workplace, project, frame):
    late = frame["seen_at"].mask(frame.index > 560, dt.datetime.now() + dt.timedelta(days=400))
    frame.assign(seen_at=late).to_csv(workplace.path / "data.csv", index=False)
    refused(workplace, project, "seen_at", "future")


def test_duplicate_keys(workplace, project, frame):
    pd.concat([frame, frame.iloc[:3]]).to_csv(workplace.path / "data.csv", index=False)
    refused(workplace, project, "patient", "duplicate")


def test_empty_source(workplace, project, frame):
    frame.iloc[:0].to_csv(workplace.path / "data.csv", index=False)
    refused(workplace, project, "data")


def test_zero_bytes(workplace, project):
    (workplace.path / "data.csv").write_bytes(b"")
    refused(workplace, project, "data.csv")


def test_corrupt_parquet(workplace, frame):
    path = workplace.path / "data.parquet"
    frame.to_parquet(path)
    project = workplace.init(path, "target")
    blob = bytearray(path.read_bytes())
    blob[len(blob) // 3 : len(blob) // 3 + 400] = np.random.default_rng(1).bytes(400)
    path.write_bytes(bytes(blob))
    refused(workplace, project, "data.parquet")
    path.write_bytes(bytes(blob[: len(blob) // 2]))
    refused(workplace, project, "data.parquet")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
def test_root_below_a_file(workplace, project):
    (workplace.path / "out").write_text("a file where the run's folder should be")
    done = workplace.train(project)
    assert done.code == 2 and "out" in done.err and "Traceback" not in done.err


@pytest.mark.skipif(not Path("/proc/1").exists(), reason="needs Linux")
def test_read_only_folder(workplace, project):
    done = workplace.evergreen("run", "train", "--project", str(project), "--root", "/proc/evergreen")
    assert done.code == 2 and "/proc" in done.err and "Traceback" not in done.err


def test_wrong_s3_credentials_or_no_server(workplace, project):
    edit(project, lambda c: c["sources"][next(iter(c["sources"]))].update(path="s3://bucket/data.csv"))
    variables = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }
    done = workplace.evergreen("run", "train", "--project", str(project), "--root", "out", **variables)
    assert done.code == 2, done.err
    assert "127.0.0.1:9" in done.err and os.linesep.join(["Traceback"]) not in done.err


def test_tampered_bundle(workplace, project):
    assert workplace.train(project).code == 0
    (model,) = (workplace.path / ".evergreen" / "store").rglob("versions/*/bundle/model.skops")
    name = yaml.safe_load(project.read_text())["name"]
    blob = bytearray(model.read_bytes())
    blob[len(blob) // 2] ^= 1
    model.chmod(0o644)
    model.write_bytes(bytes(blob))
    done = workplace.evergreen("run", "predict_batch", "--project", str(project), "--root", "out")
    assert done.code == 2 and "model.skops" in done.err
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = workplace.evergreen("serve", f"{name}@baseline", "--port", str(port))
    assert served.code == 2 and "model.skops" in served.err


def test_unknown_parameter(workplace, project):
    done = workplace.train(project, "--param", "promot=false")
    assert done.code == 2 and "promot" in done.err and "promote" in done.err
