"""A bundle with a changed byte, a missing or extra file, or a type that is not trusted is not loaded."""

import json
import os
import shutil

import pytest
import skops.io
from bundle_world import coded, fitted, frame, one_hot, save, signature
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from evergreen.bundle import load_bundle, manifest
from evergreen.bundle.canonical import dump, normalise
from evergreen.bundle.native import check_trees, load_model
from evergreen.errors import BundleError

FILES = [
    "card.md", "manifest.json", "model.onnx", "model.skops", "parity.json", "profile.json", "schema.yaml",
    "signature.json", "training.json",
]  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "b"
    save(folder)
    return folder


@pytest.fixture
def copy(bundle, tmp_path):
    return shutil.copytree(bundle, tmp_path / "copy")


def test_the_files_are_those_of_the_design(bundle):
    assert sorted(p.name for p in bundle.iterdir()) == FILES


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FILES), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_changed_bit_anywhere_is_found(bundle, name, place, bit):
    path = bundle / name
    before = path.read_bytes()
    changed = bytearray(before)
    changed[int(place * len(changed))] ^= 1 << bit
    path.write_bytes(changed)
    try:
        with pytest.raises(BundleError) as caught:
            load_bundle(bundle)
        if name != "manifest.json":
            assert name in str(caught.value)
    finally:
        path.write_bytes(before)
    load_bundle(bundle)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(BundleError, match=name.replace(".", r"\.")):
        load_bundle(copy)


def test_an_extra_file_is_named(copy):
    (copy / "evil.py").write_text("")
    with pytest.raises(BundleError, match=r"evil\.py.*does not list"):
        load_bundle(copy)


def test_an_extra_line_in_the_manifest_is_found(copy):
    content = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**content, "engine": "native"}, indent=1) + "\n")
    with pytest.raises(BundleError, match=r"manifest\.json"):
        load_bundle(copy)


@pytest.mark.parametrize("content", ["", "[]", '{"files": 3}', "{}", '{"files": {"a": 1}}'])
def test_a_broken_manifest_is_no_traceback(copy, content):
    (copy / "manifest.json").write_text(content)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        load_bundle(copy)


def test_a_path_in_the_manifest_stays_inside(copy):
    content = json.loads((copy / "manifest.json").read_text())
    content["files"]["../outside"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(content))
    (copy.parent / "outside").write_text("")
    with pytest.raises(BundleError, match="outside"):
        load_bundle(copy)


def test_no_folder_and_an_empty_one(tmp_path):
    with pytest.raises(BundleError, match="no such folder"):
        load_bundle(tmp_path / "none")
    with pytest.raises(BundleError, match="no manifest"):
        load_bundle(tmp_path)


def forged(folder, model):
    """A bundle whose digests are right and whose model is not ours."""
    (folder / "model.skops").write_bytes(normalise(skops.io.dumps(model)))
    manifest.write(folder)
    return folder


@pytest.mark.parametrize("function", [os.system, eval, shutil.rmtree], ids=lambda f: f.__name__)
def test_a_type_that_is_not_trusted_is_refused_by_name_whatever_the_engine(copy, function):
    model = Pipeline([("evil", FunctionTransformer(function)), ("model", DecisionTreeClassifier())])
    forged(copy, model)
    for engine in ("auto", "native", "onnx"):
        with pytest.raises(BundleError, match=f"not trusted.*{function.__name__}"):
            load_bundle(copy, engine=engine)


def test_a_method_is_refused(copy):
    forged(copy, FunctionTransformer(copy.unlink.__self__.__class__("x").unlink))
    with pytest.raises(BundleError, match="MethodNode"):
        load_bundle(copy)


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip"])
def test_a_file_that_is_no_skops_file(copy, data):
    (copy / "model.skops").write_bytes(data)
    manifest.write(copy)
    with pytest.raises(BundleError, match="not a skops file"):
        load_bundle(copy)


def test_a_tree_that_points_outside_itself_is_refused():
    model = fitted(one_hot(DecisionTreeClassifier(random_state=0)), signature(), frame())
    tree = model[-1].tree_
    check_trees(model)
    tree.children_left[0] = 10**6
    with pytest.raises(BundleError, match="outside itself"):
        load_model(dump(model))


@pytest.mark.slow
@pytest.mark.parametrize("field,value", [("left", 10**6), ("right", 0), ("feature_idx", 99)])
def test_a_histogram_tree_that_points_outside_itself_is_refused(field, value):
    model = fitted(coded(HistGradientBoostingClassifier(max_iter=2, random_state=0)), signature(), frame())
    load_model(dump(model))
    model[-1]._predictors[0][0].nodes[field][0] = value
    with pytest.raises(BundleError, match="outside itself"):
        load_model(dump(model))
