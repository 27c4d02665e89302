"""What is saved is what is loaded: predictions, classes, bytes."""

import json
import subprocess
import sys

import numpy as np
import pytest
from bundle_world import coded, fitted, frame, one_hot, records, save, signature
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, LinearSVC

from evergreen.bundle import Signature, load_bundle
from evergreen.bundle.canonical import dump, normalise
from evergreen.bundle.native import load_model
from evergreen.bundle.signature import label_array
from evergreen.errors import InputError

MODELS = {
    "logistic": one_hot(LogisticRegression()),
    "forest": one_hot(RandomForestClassifier(10, random_state=0)),
    "boosting": one_hot(GradientBoostingClassifier(n_estimators=10, random_state=0)),
    "histogram boosting": coded(HistGradientBoostingClassifier(max_iter=10, random_state=0)),
    "support vectors": one_hot(SVC()),
    "linear support vectors": one_hot(LinearSVC()),
    "neighbours": one_hot(KNeighborsClassifier()),
    "ridge": one_hot(RidgeClassifier()),
    "network": one_hot(MLPClassifier((5,), max_iter=20, random_state=0)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_graph_native_and_row_path_agree(name, tmp_path):
    assert save(tmp_path / "b", MODELS[name]).engine == "onnx"
    graph, native = load_bundle(tmp_path / "b"), load_bundle(tmp_path / "b", engine="native")
    table = frame(1500, seed=1)
    table.loc[3, "c,d"] = "never seen"
    expected = native.predict(table)
    for observed, rows in (
        (graph.predict(table), 1500),
        (graph.predict_rows(records(table)[:40]), 40),
        (native.predict_rows(records(table)[:40]), 40),
    ):
        assert list(observed.values) == list(expected.values[:rows])
        if expected.probabilities is not None:
            np.testing.assert_allclose(observed.probabilities, expected.probabilities[:rows], atol=1e-5)
    assert (expected.probabilities is None) == (
        name in ("support vectors", "linear support vectors", "ridge")
    )


@pytest.mark.parametrize("model", [one_hot(Ridge()), coded(HistGradientBoostingRegressor(max_iter=20))])
def test_regression(model, tmp_path):
    made = signature(task="regression", classes=None, positive=None)
    assert save(tmp_path / "b", model, made).engine == "onnx"
    graph, native = load_bundle(tmp_path / "b"), load_bundle(tmp_path / "b", engine="native")
    table = frame(50, seed=2)
    assert graph.predict(table).probabilities is None
    np.testing.assert_allclose(graph.predict(table).values, native.predict(table).values, atol=1e-5)


CLASSES = [(False, True), (0, 1), (0.5, 2.0), ("nein", "ja"), (-1, 7, 40), ("a", "b", "c", "d")]


@pytest.mark.slow
@pytest.mark.parametrize("classes", CLASSES, ids=str)
def test_classes_come_back_in_their_own_type(classes, tmp_path):
    binary = len(classes) == 2
    made = signature(
        task="binary" if binary else "multiclass", classes=classes, positive=classes[1] if binary else None
    )
    save(tmp_path / "b", one_hot(LogisticRegression()), made)
    bundle = load_bundle(tmp_path / "b")
    assert bundle.signature.classes == classes
    assert [type(c) for c in bundle.signature.classes] == [type(c) for c in classes]
    prediction = bundle.predict(frame(60, seed=3))
    assert prediction.probabilities.shape == (60, len(classes))
    assert set(prediction.values.tolist()) <= set(classes)
    assert {type(v) for v in prediction.values.tolist()} == {type(classes[0])}
    assert (prediction.values == label_array(classes)[prediction.probabilities.argmax(axis=1)]).all()


label = st.one_of(
    st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text()
)


@given(st.lists(label, min_size=2, max_size=5))
def test_a_signature_reads_back_equal(classes):
    made = Signature("multiclass", signature().inputs, tuple(classes), label="y \n ü", time=None)
    again = Signature.from_json(made.to_json())
    assert again == made
    assert [type(c) for c in again.classes] == [type(c) for c in classes]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["forest", "histogram boosting", "network"])
def test_the_same_model_has_the_same_bytes(name):
    one = fitted(MODELS[name], signature(), frame())
    first = dump(one)
    again = dump(fitted(MODELS[name], signature(), frame()))
    assert first == again == normalise(first)
    assert dump(load_model(first)) == first


@pytest.mark.slow
def test_a_bundle_is_the_same_folder_when_saved_again(tmp_path):
    first, second = save(tmp_path / "a"), save(tmp_path / "b")
    assert first.digest == second.digest
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


@pytest.mark.slow
def test_a_server_on_the_graph_imports_neither_sklearn_nor_pandas(tmp_path):
    save(tmp_path / "b")
    code = (
        "import sys, json; from evergreen.bundle import load_bundle\n"
        f"b = load_bundle({str(tmp_path / 'b')!r})\n"
        f"p = b.predict_rows(json.loads({json.dumps(json.dumps(records(frame(3))))}))\n"
        "print(len(p.values), [m for m in ('sklearn', 'pandas', 'skops', 'duckdb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "3 []"


def test_what_skops_cannot_hold_is_named(tmp_path):
    class Own(LogisticRegression):
        pass

    with pytest.raises(InputError, match="Own"):
        save(tmp_path / "b", one_hot(Own()))
    assert not (tmp_path / "b").exists()
