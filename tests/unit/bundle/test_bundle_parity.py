"""The parity gate, and our own converters against scikit-learn."""

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from bundle_world import coded, frame, one_hot, save, signature
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from evergreen.bundle import load_bundle
from evergreen.bundle.convert import convert
from evergreen.bundle.parity import UNSEEN_TEXT, Parity, as_record, compare, probes
from evergreen.bundle.signature import Input, Prediction, Signature

TEXT = Signature("regression", (Input("a", "category"), Input("b", "category")))


def test_native_categories_are_kept_from_the_graph_and_the_model_is_saved(tmp_path):
    estimator = HistGradientBoostingClassifier(max_iter=5, categorical_features=[3, 4], random_state=0)
    info = save(tmp_path / "b", coded(estimator))
    assert info.engine == "native" and "native categories" in info.parity.reason
    assert not (tmp_path / "b" / "model.onnx").exists()
    bundle = load_bundle(tmp_path / "b")
    assert bundle.engine == "native" and bundle.manifest["parity"]["reason"] == info.parity.reason
    assert bundle.predict(frame(10)).probabilities.shape == (10, 2)


def test_what_has_no_converter_is_native_with_the_reason(tmp_path):
    estimator = VotingClassifier([("a", LogisticRegression())], voting="soft", flatten_transform=True)
    info = save(tmp_path / "b", one_hot(estimator))
    assert info.engine == "native" and "flatten_transform" in info.parity.reason


class Fixed:
    """An engine that gives prepared probabilities."""

    def __init__(self, probabilities, fail=False):
        self.probabilities, self.fail = np.asarray(probabilities, dtype=float), fail

    def run(self, arrays, rows):
        if self.fail:
            raise RuntimeError("graph")
        return Prediction(self.probabilities.argmax(axis=1), self.probabilities)


def judged(one, other, **more) -> Parity:
    table = {"real": [np.zeros(len(one))]}
    made = signature(inputs=(Input("x", "number"),))
    return compare(made, Fixed(one), Fixed(other, **more), table)


def test_the_gate_judges_differences():
    base = [[0.2, 0.8], [0.6, 0.4]]
    assert judged(base, base).passed
    assert judged(base, [[0.20005, 0.79995], [0.6, 0.4]]).passed
    wrong = judged(base, [[0.2, 0.8], [0.39, 0.61]])
    assert not wrong.passed and wrong.different_labels == 1 and "0.21" in wrong.reason
    tie = judged([[0.50001, 0.49999]], [[0.49999, 0.50001]])
    assert tie.passed and tie.different_labels == 0
    assert not judged(base, [[0.2, np.nan], [0.6, 0.4]]).passed
    assert as_record(judged(base, [[0.2, np.nan], [0.6, 0.4]]))["largest_difference"] is None
    assert "RuntimeError" in judged(base, base, fail=True).reason
    assert not judged([], np.empty((0, 2))).passed


def test_probes_put_a_missing_and_an_unseen_value_into_every_column():
    made = signature()
    from evergreen.bundle.encode import encode_columns

    arrays, rows = encode_columns(made, frame(200))
    tables = probes(made, arrays)
    for k, spec in enumerate(made.inputs):
        gone = tables["missing"][k] == "" if spec.type == "category" else np.isnan(tables["missing"][k])
        assert gone.sum() >= rows / len(arrays)
        assert (spec.type == "category") == (UNSEEN_TEXT in tables["unseen"][k].tolist())
        assert arrays[k] is tables["real"][k]


words = st.lists(st.sampled_from(["", "a", "b", "ü ß", 'q"', "x" * 30, "7"]), min_size=3, max_size=25)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    data=st.data(),
    unknown=st.sampled_from(["ignore", "infrequent_if_exist"]),
    most=st.none() | st.integers(2, 5),
    least=st.none() | st.integers(1, 4),
)
def test_our_one_hot_graph_is_scikit_learns_encoder(data, unknown, most, least):
    first = data.draw(words)
    second = data.draw(st.lists(st.sampled_from(["k", "l", ""]), min_size=len(first), max_size=len(first)))
    table = pd.DataFrame({0: np.array(first, dtype=object), 1: np.array(second, dtype=object)})
    encoder = OneHotEncoder(
        handle_unknown=unknown, max_categories=most, min_frequency=least, sparse_output=False
    )
    columns = data.draw(st.sampled_from([[0, 1], [0], [1]]))
    model = Pipeline([("encode", ColumnTransformer([("c", encoder, columns)], remainder="drop"))]).fit(table)
    session = onnxruntime.InferenceSession(convert(model, TEXT), providers=["CPUExecutionProvider"])
    asked = pd.concat([table, pd.DataFrame({0: [UNSEEN_TEXT, "a"], 1: ["k", UNSEEN_TEXT]}, dtype=object)])
    used = {i.name for i in session.get_inputs()}
    feed = {f"c{k}": asked[k].to_numpy().reshape(-1, 1) for k in (0, 1) if f"c{k}" in used}
    (observed,) = session.run(None, feed)
    np.testing.assert_array_equal(observed, model.transform(asked))


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_change_a_prediction(tmp_path, threads):
    save(tmp_path / "b")
    table = frame(5000, seed=5)
    one = load_bundle(tmp_path / "b", threads=1).predict(table)
    many = load_bundle(tmp_path / "b", threads=threads).predict(table)
    np.testing.assert_array_equal(one.probabilities, many.probabilities)
