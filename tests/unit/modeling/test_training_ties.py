"""Values that lie on the middle between two values of train: pipeline and graph fall on the same side."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from evergreen.bundle import Input, Signature
from evergreen.bundle.convert import convert
from evergreen.modeling.training.ties import settle


def boosted(kind, rows=600):
    """Trained on even cents, so that the odd ones are the middles."""
    rng = np.random.default_rng(3)
    table = 2 * rng.integers(0, 100, (rows, 2)) / 100
    target = np.sin(table[:, 0] * 9) + table[:, 1] > 0.6
    made = kind(max_iter=30, min_samples_leaf=3, random_state=0)
    numbers = ColumnTransformer([("numbers", "passthrough", [0, 1])])
    wanted = target if kind is HistGradientBoostingClassifier else target.astype(float)
    return Pipeline([("prepare", numbers), ("model", made)]).fit(table, wanted)


def cents() -> np.ndarray:
    """Sums whose last bit is any: 0.01 added up."""
    return np.column_stack([np.cumsum(np.full(200, 0.01)), np.cumsum(np.full(200, 0.01))[::-1]])


def graph_of(model, table, classes):
    import onnxruntime

    inputs = tuple(Input(name, "number") for name in "ab")
    task = "binary" if classes else "regression"
    known = (False, True) if classes else None
    signature = Signature(task, inputs, known, True if classes else None, has_probabilities=classes)
    session = onnxruntime.InferenceSession(convert(model, signature))
    columns = {f"c{k}": table[:, [k]].astype(np.float32) for k in range(2)}
    return session.run(None, columns)[-1][:, -1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [HistGradientBoostingClassifier, HistGradientBoostingRegressor])
def test_no_value_of_the_grid_lies_on_a_threshold(kind):
    model, table = boosted(kind), cents()
    classes = kind is HistGradientBoostingClassifier
    answer = (lambda: model.predict_proba(table)[:, 1]) if classes else (lambda: model.predict(table))
    assert np.abs(graph_of(model, table, classes) - answer()).max() > 0.01  # or this shows nothing
    assert settle(model) > 100
    np.testing.assert_allclose(graph_of(model, table, classes), answer(), atol=1e-5)


def test_rows_of_train_stay_where_they_were():
    model = boosted(HistGradientBoostingClassifier)
    even = np.arange(0, 200, 2) / 100
    table = np.column_stack([even, even[::-1]])
    before = model.predict_proba(table)
    settle(model)
    np.testing.assert_array_equal(model.predict_proba(table), before)


def test_other_estimators_are_left_alone():
    model = Pipeline([("model", LogisticRegression().fit([[0.0], [1.0]], [0, 1]))])
    assert settle(model) == 0
