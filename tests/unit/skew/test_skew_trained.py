"""The training set that a model names is found again, byte for byte; what is not there is told."""

import runpy
from pathlib import Path

import duckdb
import pytest

from evergreen.errors import DataError
from evergreen.history.versions.snapshots import snapshot, snapshot_uri
from evergreen.project import parse_project
from evergreen.registry import Registry
from evergreen.skew.trained import training_set_of
from evergreen.storage import open_store
from evergreen.tables import write_meta

HELP = runpy.run_path(str(Path(__file__).resolve().parents[1] / "registry" / "sample_bundle.py"))
PROJECT = parse_project(
    "name: shop\nsources: {t: {path: t.csv}}\nlabel: {source: t, column: y}\n"
    'features: [{name: f, source: t, columns: "*"}]\n'
)


def table(folder: Path, factor: int) -> Path:
    (folder / "data").mkdir(parents=True)
    part = folder / "data" / "part-00000.parquet"
    duckdb.execute(f"COPY (SELECT i AS id, i * {factor} AS x FROM range(50) t(i)) TO '{part}'")
    write_meta(folder, {"name": "shop", "key": ["id"], "rows": 50, "digest": str(factor) * 64})
    return folder


@pytest.fixture
def place(tmp_path):
    """Two versions of the training set; the model was trained on the first."""
    store = str(tmp_path / "store")
    for factor in (1, 2):
        snapshot(table(tmp_path / f"t{factor}", factor), snapshot_uri(store, "shop"), str(factor) * 64)
    return tmp_path


def pushed(place: Path, named: str) -> Path:
    bundle = HELP["make_bundle"](place / "bundle")
    registry = Registry(open_store(str(place / "store")))
    registry.push("shop", bundle, decisions=HELP["PASSED"], snapshot=named)
    return bundle


def test_the_version_that_the_model_names_comes_back_not_the_newest(place):
    bundle = pushed(place, "1" * 64)
    folder = training_set_of(PROJECT, bundle, str(place / "store"), place / "got")
    (part,) = (folder / "data").glob("*.parquet")
    assert duckdb.execute(f"SELECT sum(x) FROM '{part}'").fetchall() == [(sum(range(50)),)]


@pytest.mark.parametrize(
    "named,words", [("", "names no training set"), ("9" * 64, "no version has the digest")]
)
def test_a_training_set_that_is_not_there_is_told(place, named, words):
    bundle = pushed(place, named)
    with pytest.raises(DataError, match=words):
        training_set_of(PROJECT, bundle, str(place / "store"), place / "got")
